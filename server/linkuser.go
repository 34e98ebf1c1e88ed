package server

import (
	"errors"
	"net/http"

	"github.com/seed-6a977b3d/latchkey"
)

// linkUser is POST /auth/link_user (http-auth.md §13).
func (s *Server) linkUser(r *http.Request) (reply, error) {
	in, err := readJSON(r, schema{keys: []key{{name: "client_id", check: isText}, {name: "code", check: isText}}})
	if err != nil {
		return reply{}, err
	}
	ctx := r.Context()
	code, err := s.manager.TakeCode(ctx, in.text("client_id"), latchkey.Secret(in.text("code")), latchkey.PurposeLink)
	if err != nil {
		return reply{}, err
	}
	if !code.MeetsChallenge("") {
		return reply{}, latchkey.ErrInvalidCode // this endpoint takes no verifier, so nobody can prove whose code it is
	}
	err = s.manager.LinkUser(ctx, sessionOf(r).User.ID, code.Credentials)
	if errors.Is(err, latchkey.ErrNotFound) {
		return reply{}, errUnauthorized // the user went away just now
	} else if err != nil {
		return reply{}, err
	}
	return reply{json: message{Message: "User linked"}}, nil
}
