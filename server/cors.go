package server

import (
	"net/http"
	"slices"
	"strings"
)

// DefaultCORSOrigin is the one origin that may use everything unless configured otherwise (http-auth.md O-1).
const DefaultCORSOrigin = "https://cast.home-assistant.io"

// crossOrigin says which other origins' pages may use a path.
type crossOrigin int

const (
	// sameOrigin paths have no CORS at all.
	sameOrigin crossOrigin = iota
	configuredOrigins
	everyOrigin
)

// cors is the server's side of cross-origin requests (http-auth.md §11). Origins are compared as texts.
type cors struct{ origins []string }

func newCORS(origins []string) cors {
	if origins == nil {
		origins = []string{DefaultCORSOrigin}
	}
	return cors{slices.Clone(origins)}
}

// enabled reports whether paths of this kind have CORS.
func (c cors) enabled(k crossOrigin) bool {
	return k == everyOrigin || k == configuredOrigins && len(c.origins) > 0
}

func (c cors) allowed(k crossOrigin, origin string) bool {
	return k == everyOrigin || k == configuredOrigins && slices.Contains(c.origins, origin)
}

// allow lets the page that sent a request read its answer, if it may (O-2).
func (c cors) allow(h http.Header, r *http.Request, k crossOrigin) {
	if !c.enabled(k) {
		return
	}
	h.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" && c.allowed(k, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
	}
}

// isCORSHeader reports whether pages may send a header, its name in upper case (O-5).
func isCORSHeader(name string) bool {
	switch name {
	case "ORIGIN", "ACCEPT", "X-REQUESTED-WITH", "CONTENT-TYPE", "AUTHORIZATION":
		return true
	}
	return false
}

// preflight answers the question whether a request may be sent (O-4, O-5). The method asked about is not looked at (O-6).
func (c cors) preflight(w http.ResponseWriter, r *http.Request, k crossOrigin) {
	origin, method := r.Header.Get("Origin"), r.Header.Get("Access-Control-Request-Method")
	headers, unknown := requestedHeaders(r)
	problem := ""
	switch {
	case origin == "":
		problem = "the Origin header is missing"
	case method == "":
		problem = "the Access-Control-Request-Method header is missing"
	case !c.allowed(k, origin):
		problem = "this origin is not allowed; add it to cors_allowed_origins"
	case unknown:
		problem = "only Origin, Accept, X-Requested-With, Content-Type and Authorization may be sent"
	}
	h := w.Header()
	if problem != "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("CORS preflight request failed: " + problem))
		return
	}
	c.allow(h, r, k)
	h.Set("Access-Control-Allow-Methods", method)
	if len(headers) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(headers, ","))
	}
	h.Set("Content-Type", "application/octet-stream")
	w.WriteHeader(http.StatusOK)
}

// requestedHeaders returns the headers that a preflight asks about, in upper case, and whether any may not be sent.
func requestedHeaders(r *http.Request) (names []string, unknown bool) {
	for name := range strings.SplitSeq(r.Header.Get("Access-Control-Request-Headers"), ",") {
		name = strings.ToUpper(strings.TrimSpace(name))
		if name == "" || slices.Contains(names, name) {
			continue
		}
		names = append(names, name)
		unknown = unknown || !isCORSHeader(name)
	}
	return names, unknown
}

// bareNotAllowed is a 405 without a body on a path that has other methods (http-auth.md §5.1).
func (c cors) bareNotAllowed(methods ...string) http.Handler {
	if c.enabled(configuredOrigins) {
		methods = append(methods, http.MethodOptions)
	}
	slices.Sort(methods)
	allow := strings.Join(methods, ",")
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", allow)
		w.Header().Set("Content-Type", "application/octet-stream")
		w.WriteHeader(http.StatusMethodNotAllowed)
	})
}
