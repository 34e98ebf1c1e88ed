package server

import "net/http"

// RequireAuth lets requests through to next that carry a valid access token or whose path was signed, and answers all
// others as the API does: bans, proxies and people who may sign in at home only are looked at here, too. next finds who
// it is with [SessionFrom]. It is for handlers that an embedding program mounts beside the Server. As [http.ServeMux] does,
// RequireAuth and the others like it panic when they are made with a nil handler or function, rather than at a request.
func (s *Server) RequireAuth(next http.Handler) http.Handler {
	return s.require(next, func(*http.Request) error { return nil })
}

// RequireAdmin is RequireAuth for administrators. Others get the 401 of those who are not signed in (http-auth.md §10.6).
func (s *Server) RequireAdmin(next http.Handler) http.Handler {
	return s.require(next, func(r *http.Request) error {
		if !sessionOf(r).User.IsAdmin() {
			return errUnauthorized
		}
		return nil
	})
}

// RequireEntity is RequireAuth for people whose groups grant the key, such as [permission.Control], on the entity that
// the request is about. Others get the same 401, and so does a request that is about no entity: entity returns the empty
// text for it.
//
//	mux.Handle("POST /lights/{id}", api.RequireEntity(permission.Control, func(r *http.Request) string {
//		return "light." + r.PathValue("id")
//	}, lights))
func (s *Server) RequireEntity(key string, entity func(*http.Request) string, next http.Handler) http.Handler {
	if entity == nil {
		panic("server: RequireEntity needs a function that says which entity a request is about")
	}
	return s.require(next, func(r *http.Request) error {
		allowed, err := s.manager.Permissions(r.Context(), sessionOf(r).User)
		if err != nil {
			return err
		}
		if id := entity(r); id == "" || !allowed.Check(id, key) {
			return errUnauthorized
		}
		return nil
	})
}

// require is the pipeline in front of a handler that is not in the table of routes.
func (s *Server) require(next http.Handler, may func(*http.Request) error) http.Handler {
	if next == nil {
		panic("server: there is no handler to let requests through to")
	}
	judged := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := may(r); err != nil {
			s.fail(w, r, nil, err)
			return
		}
		next.ServeHTTP(w, r)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setSecurityHeaders(w.Header())
		if !withinLimits(r) || suspicious(r.URL) || climbs(r.URL.EscapedPath()) {
			s.fail(w, r, nil, errBadRequest)
			return
		}
		r, err := s.admit(r)
		if err != nil {
			s.fail(w, r, nil, err)
			return
		}
		s.serve(w, r, &route{access: bearer, serve: judged})
	})
}
