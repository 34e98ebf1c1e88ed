package server

import (
	"errors"
	"net/http"

	"github.com/seed-6a977b3d/latchkey"
)

// revoke is POST /auth/revoke (http-auth.md §8).
func (s *Server) revoke(r *http.Request) (reply, error) {
	in, err := readForm(r)
	if err != nil {
		return reply{}, err
	}
	return s.revokeToken(r, in)
}

// revokeToken removes the refresh token that a form names. Whether there was one is not told (R-1, RFC 7009 §2.2).
func (s *Server) revokeToken(r *http.Request, in form) (reply, error) {
	refresh, err := s.manager.RefreshTokenBySecret(r.Context(), latchkey.Secret(in["token"]))
	if errors.Is(err, latchkey.ErrNotFound) {
		return reply{}, nil
	} else if err != nil {
		return reply{}, err
	}
	return reply{}, s.manager.RemoveRefreshToken(r.Context(), refresh.ID)
}
