package server_test

import (
	"strings"
	"testing"
)

// spec: security.md 18, 19: a session is begun anew at each sign-in, under a secret that cannot be guessed
func TestEverySignInHasASecretOfItsOwn(t *testing.T) {
	w := newHouse(t, setup{})
	seen := map[string]bool{}
	for range 8 {
		_, refresh := w.tokens("anna")
		if len(refresh) != 128 || strings.Trim(refresh, "0123456789abcdef") != "" {
			t.Errorf("the secret %q is not 64 bytes in hex", refresh)
		}
		for _, id := range []string{w.startFlow(nil), w.code("anna", nil), refresh} {
			if len(id) < 32 || seen[id] { // 128 bits and more
				t.Errorf("%q is short, or was there before", id)
			}
			seen[id] = true
		}
	}
}

// spec: security.md 33: no implicit grant and no password grant, nor any other that hands out tokens without a code
func TestOtherGrantsAreNotKnown(t *testing.T) {
	w := newHouse(t, setup{})
	who := []string{"client_id", app, "username", "anna", "password", password, "scope", "*", "response_type", "token"}
	for _, grant := range []string{
		"password", "implicit", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code", "token",
		"urn:ietf:params:oauth:grant-type:jwt-bearer", "Authorization_Code", "refresh_token ", "",
	} {
		w.form("/auth/token", append([]string{"grant_type", grant}, who...)...).is(t, 400, `{"error":"unsupported_grant_type"}`)
	}
}

// spec: security.md 38: of a parameter that comes twice the first counts, in every form
func TestOfTwoParametersTheFirstCounts(t *testing.T) {
	w := newHouse(t, setup{})
	for name, send := range map[string]func(string, ...string) answer{"urlencoded": w.form, "multipart": w.multipart} {
		code := w.code("anna", nil)
		send("/auth/token", "grant_type", "authorization_code", "client_id", app, "code", "x", "code", code).is(t, 400, invalidCode)
		send("/auth/token", "grant_type", "password", "grant_type", "authorization_code", "client_id", app, "code", code).
			is(t, 400, `{"error":"unsupported_grant_type"}`)
		send("/auth/token", "grant_type", "authorization_code", "client_id", "https://evil.example/", "client_id", app, "code", code).
			is(t, 400, invalidCode)
		a := send("/auth/token", "grant_type", "authorization_code", "grant_type", "password", "client_id", app, "client_id", "x", "code", code, "code", "x")
		if a.status != 200 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}
