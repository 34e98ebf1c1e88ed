package server_test

import (
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

// spec: http-auth.md §13
func TestLinkingALogin(t *testing.T) {
	p := &porter{}
	w := newHouse(t, setup{manager: latchkey.Options{Providers: []latchkey.Provider{p}}})
	anna, _ := w.tokens("anna")
	w.person("bob", nil)
	bob, _ := w.tokens("bob")
	code := func() string {
		return w.post("/auth/login_flow", map[string]any{
			"client_id": app, "redirect_uri": callback, "handler": []any{"porter", "1"}, "type": "link_user",
		}).text("result")
	}
	link := func(access string, body any) answer {
		return w.as(access, request{method: "POST", path: "/auth/link_user", body: jsonText(t, body)})
	}
	with := func(code string) map[string]any { return map[string]any{"client_id": app, "code": code} }

	w.post("/auth/link_user", "nonsense").is(t, 401, "401: Unauthorized")
	link(anna, "nonsense").is(t, 400, says("Invalid JSON."))
	link(anna, `{"code":"x"}`).is(t, 400, says("Message format incorrect: required key not provided @ data['client_id']"))
	link(anna, `{"code":"x","client_id":"y","z":1}`).is(t, 400, says("Message format incorrect: extra keys not allowed @ data['z']"))
	link(anna, with("unknown")).is(t, 400, says("Invalid code"))
	// spec: http-auth.md, "U-2", "K-6"
	c := code()
	link(anna, map[string]any{"client_id": "anything", "code": c}).is(t, 400, says("Invalid code"))
	link(anna, with(c)).is(t, 200, says("User linked"))
	link(anna, with(c)).is(t, 400, says("Invalid code"))

	session, err := w.ValidateAccessToken(t.Context(), anna)
	if err != nil || len(session.User.Credentials) != 2 {
		t.Fatalf("credentials %+v, error %v", session.User.Credentials, err)
	}
	p.credential.Store(&session.User.Credentials[1])
	// spec: http-auth.md, "U-1"
	link(anna, with(code())).is(t, 200, says("User linked"))
	link(bob, with(code())).is(t, 400, says("Credential already linked"))
}

// A code with a challenge needs its verifier, for which there is no place here.
func TestALinkCodeWithAChallengeIsOfNoUse(t *testing.T) {
	w := newHouse(t, setup{})
	access, _ := w.tokens("anna")
	code := w.code("anna", map[string]any{"type": "link_user", "code_challenge": challenge, "code_challenge_method": "S256"})
	w.as(access, request{method: "POST", path: "/auth/link_user", body: jsonText(t, map[string]any{"client_id": app, "code": code})}).
		is(t, 400, says("Invalid code"))
}
