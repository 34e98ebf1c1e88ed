package server

import (
	"context"
	"net/http"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
)

// Guard keeps out addresses from which logins fail again and again (http-auth.md §9). [*ban.Guard] is one.
type Guard interface {
	// Banned reports whether a request of this origin is refused.
	Banned(ctx context.Context, from latchkey.Origin) bool
	// Failed notes a failed login.
	Failed(r *http.Request, from latchkey.Origin)
	// Passed notes a successful one.
	Passed(ctx context.Context, from latchkey.Origin)
}

// openDoor is the guard of a server that has none.
type openDoor struct{}

func (openDoor) Banned(context.Context, latchkey.Origin) bool { return false }
func (openDoor) Failed(*http.Request, latchkey.Origin)        {}
func (openDoor) Passed(context.Context, latchkey.Origin)      {}

// countRefusal notes the answers that stand for a failed login (the table of http-auth.md §9). A route that signs people
// in counts all that is the client's fault, except for what is no attempt at all: a body that was not understood (C-9).
// Elsewhere only a missing or wrong token counts.
func (s *Server) countRefusal(r *http.Request, rt *route, a reply) {
	attempt := rt != nil && rt.signsIn && a.status >= 400 && a.status < 500 && a.status != http.StatusRequestEntityTooLarge
	if a.status == http.StatusUnauthorized || attempt && !a.noAttempt {
		s.guard.Failed(r, originOf(r))
	}
}

// countStep notes what a step of a login says about the person.
func (s *Server) countStep(r *http.Request, login latchkey.Login, result flow.Result) {
	switch result := result.(type) {
	case flow.Form:
		if wrong := result.Errors["base"]; wrong == "invalid_auth" || wrong == "invalid_code" {
			s.guard.Failed(r, originOf(r))
		}
	case flow.Done:
		if login.Purpose != latchkey.PurposeLink { // L-10
			s.guard.Passed(r.Context(), originOf(r))
		}
	}
}
