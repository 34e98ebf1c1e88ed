package server

// RouteInfo is what tests see of a row of the route table.
type RouteInfo struct {
	Method, Path string
	Open         bool
}

// Routes lists the route table.
func (s *Server) Routes() []RouteInfo {
	var out []RouteInfo
	for _, r := range s.routes() {
		out = append(out, RouteInfo{r.method, r.path, r.access == open})
	}
	return out
}

// Names for tests of what has no other.
const (
	MaxBody = maxBody
	MaxLine = maxLine
)

// Key is the secret of a signer, with which tests forge what it would never sign.
func (s *Signer) Key() string { return s.key.Reveal() }
