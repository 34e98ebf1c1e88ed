package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"runtime/debug"
)

// ServeHTTP takes a request through the pipeline of http-auth.md §1.5. Every answer, whichever stage gives it, carries
// the security headers (C-17).
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &recorder{ResponseWriter: w}
	defer s.recovered(rec, r)
	setSecurityHeaders(w.Header())

	res := s.find(r)
	var rt *route
	if res != nil {
		rt = res.route(r.Method)
		if res.secret {
			setNoStore(w.Header())
		}
		if rt != nil {
			s.cors.allow(w.Header(), r, res.cors)
		}
	}
	if !withinLimits(r) || suspicious(r.URL) {
		s.fail(rec, r, nil, errBadRequest)
		return
	}
	r, err := s.admit(r)
	switch {
	case err != nil:
		s.fail(rec, r, nil, err)
	case res == nil:
		s.fail(rec, r, nil, errNoRoute)
	case rt != nil:
		s.serve(rec, r, rt)
	case r.Method == http.MethodOptions && s.cors.enabled(res.cors):
		s.cors.preflight(rec, r, res.cors)
	default:
		w.Header().Set("Allow", res.allow(s.cors))
		s.fail(rec, r, nil, errNoMethod)
	}
}

// admit notes where a request came from, or refuses it: when that is not clear, and when the address is banned.
func (s *Server) admit(r *http.Request) (*http.Request, error) {
	from, err := s.source(r)
	if err != nil {
		s.log.Warn("request refused: where it came from is not clear", "peer", r.RemoteAddr, "error", err)
		return r, errBadRequest
	}
	r = r.WithContext(withOrigin(r.Context(), from.Origin)) // a copy, which is ours to change
	if from.Host != "" {
		r.Host = from.Host
	}
	if from.Scheme != "" {
		r = r.WithContext(withScheme(r.Context(), from.Scheme))
	}
	if s.guard.Banned(r.Context(), from.Origin) {
		return r, errBanned
	}
	return r, nil
}

// serve runs a route.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, rt *route) {
	switch rt.access {
	case browser:
		s.serveBrowser(w, r, rt)
		return
	case bearer:
		session, err := s.authenticate(r)
		if err != nil {
			s.fail(w, r, rt, err)
			return
		}
		r = r.WithContext(withSession(r.Context(), session))
	}
	if rt.serve != nil {
		rt.serve.ServeHTTP(w, r)
		return
	}
	body := s.bodies.bound(w, r)
	defer body.done()
	r.Body = body
	answer, err := rt.do(r)
	if err != nil {
		s.fail(w, r, rt, err)
		return
	}
	s.write(w, r, answer)
}

// reply is an answer that is known as a whole. The zero value is 200 without a body.
type reply struct {
	// status is 200 if zero.
	status int
	// json is the body as a JSON document. Without it, text is the body; without both there is none.
	json any
	text string
	// retryAfter is the header Retry-After, in seconds; empty for none.
	retryAfter string
	// cookie is set when it is not nil.
	cookie *http.Cookie
	// noAttempt marks a refusal of what was not even an attempt to sign in.
	noAttempt bool
}

// write sends an answer.
func (s *Server) write(w http.ResponseWriter, r *http.Request, a reply) {
	body, kind := []byte(a.text), "text/plain; charset=utf-8"
	switch {
	case a.json != nil:
		b, err := json.Marshal(a.json)
		if err != nil {
			s.fail(w, r, nil, err)
			return
		}
		body, kind = b, "application/json"
	case a.text == "":
		kind = "application/octet-stream" // http-auth.md C-13
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	w.Header().Set("Content-Type", kind)
	if a.retryAfter != "" {
		w.Header().Set("Retry-After", a.retryAfter)
	}
	if a.cookie != nil {
		http.SetCookie(w, a.cookie)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // whoever hung up misses it
}

// fail answers with what the route's table says about an error; without a route it is the common table. An error that no
// table knows is a 500, and its cause goes to the log only.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, rt *route, err error) {
	var table errorTable
	if rt != nil {
		table = rt.errors
	}
	a, known := table.reply(err)
	if a.status == http.StatusServiceUnavailable {
		s.log.Warn("request refused for now", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	s.countRefusal(r, rt, a)
	if !known && !errors.Is(err, context.Canceled) {
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	s.write(w, r, a)
}

// recovered ends a request whose handler panicked. What was begun to be answered cannot be taken back: the connection
// is closed, so that nobody takes half an answer for a whole one.
func (s *Server) recovered(w *recorder, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // the very value is what net/http looks for
		panic(p)
	}
	s.log.Error("request panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
	if w.began {
		panic(http.ErrAbortHandler)
	}
	s.write(w, r, internalError())
}

// recorder remembers whether an answer was begun.
type recorder struct {
	http.ResponseWriter
	began bool
}

func (w *recorder) WriteHeader(status int) {
	w.began = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	w.began = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets [http.ResponseController], and so a WebSocket, reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
