package server

import (
	"net/http"
	"net/url"
	"time"
)

// RouteInfo is what tests see of a row of the route table.
type RouteInfo struct {
	Method, Path string
	Open         bool
	Browser      bool // needs the cookie of a session
}

// Routes lists the route table.
func (s *Server) Routes() []RouteInfo {
	var out []RouteInfo
	for _, r := range s.routes() {
		out = append(out, RouteInfo{r.method, r.path, r.access == open, r.access == browser})
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

// Check is what a signer says of an address at a time.
func (s *Signer) Check(u *url.URL, now time.Time) (tokenID string, ok bool) { return s.check(u, now) }

// RequireAuthUnfiltered is RequireAuth without the security filter, which would hide what the signature itself refuses.
func (s *Server) RequireAuthUnfiltered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, err := s.admit(r)
		if err != nil {
			s.fail(w, r, nil, err)
			return
		}
		s.serve(w, r, &route{access: bearer, serve: next})
	})
}
