package server_test

import "testing"

// spec: http-auth.md §8, "R-1" to "R-4"; §7.4; security.md 20 and 36. TestWhatCountsAsAFailedLogin has "R-5", and the tests
// of the sockets that they close ("R-3").
func TestRevoking(t *testing.T) {
	w := newHouse(t, setup{})
	for _, tt := range []struct {
		name, path string
		extra      []string
		multipart  bool
	}{
		{"revoke", "/auth/revoke", nil, false},
		{"multipart, with what is ignored", "/auth/revoke", []string{"token_type_hint", "access_token", "client_id", "nonsense"}, true},
		{"action", "/auth/token", []string{"action", "revoke", "grant_type", "authorization_code"}, false},
		{"action, multipart", "/auth/token", []string{"action", "revoke"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			send := w.form
			if tt.multipart {
				send = w.multipart
			}
			empty := func(form ...string) {
				t.Helper()
				a := send(tt.path, append(form, tt.extra...)...)
				a.is(t, 200, "")
				if got := a.header.Get("Content-Type"); got != "application/octet-stream" {
					t.Errorf("Content-Type %q", got)
				}
			}
			access, refresh := w.tokens("anna")
			empty()
			empty("token", "")
			empty("token", "unknown")
			empty("token", access) // spec: http-auth.md, "R-4"
			if !w.works(access) {
				t.Fatal("a token was revoked that was not named")
			}
			empty("token", refresh)
			empty("token", refresh)
			if w.works(access) {
				t.Error("the access token outlives its refresh token")
			}
			w.form("/auth/token", "grant_type", "refresh_token", "refresh_token", refresh, "client_id", app).is(t, 400, invalidGrant)
		})
	}
}
