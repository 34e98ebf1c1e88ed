package server

import "net/http"

// apiStatus is GET /api/, by which clients find out whether their token is good (http-auth.md §10.5).
func (s *Server) apiStatus(*http.Request) (reply, error) {
	return reply{json: message{Message: "API running."}}, nil
}
