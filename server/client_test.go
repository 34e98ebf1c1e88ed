package server_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

const (
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	// challenge is that of RFC 7636, appendix B.
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// spec: http-auth.md §7.6, security.md 32, RFC 7636
func TestPKCE(t *testing.T) {
	w := newHouse(t, setup{})
	sum := sha256.Sum256([]byte(verifier))
	if base64.RawURLEncoding.EncodeToString(sum[:]) != challenge {
		t.Fatal("the vector is wrong")
	}
	with := map[string]any{"code_challenge": challenge, "code_challenge_method": "S256", "response_type": "code"}
	for _, tt := range []struct {
		name     string
		start    map[string]any
		verifier string
		status   int
		want     string
	}{
		{"right", with, verifier, 200, ""},
		{"none at all", nil, "", 200, ""},
		{"missing", with, "", 400, invalidRequest},
		{"wrong", with, verifier + "x", 400, invalidGrant},
		{"the challenge itself", with, challenge, 400, invalidGrant},
		{"for a code without challenge", nil, verifier, 400, invalidGrant},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code := w.code("anna", tt.start)
			form := []string{"grant_type", "authorization_code", "client_id", app, "code", code}
			if tt.verifier != "" {
				form = append(form, "code_verifier", tt.verifier)
			}
			a := w.form("/auth/token", form...)
			if tt.status == 200 {
				if a.status != 200 {
					t.Errorf("%d %s", a.status, a.body)
				}
				return
			}
			a.is(t, tt.status, tt.want)
			// The code is used up: nobody gets a second guess.
			w.form("/auth/token", "grant_type", "authorization_code", "client_id", app, "code", code, "code_verifier", verifier).
				is(t, 400, invalidCode)
		})
	}
	for name, start := range map[string]map[string]any{
		"plain":                 {"code_challenge": challenge, "code_challenge_method": "plain"},
		"plain by leaving out":  {"code_challenge": challenge},
		"method alone":          {"code_challenge_method": "S256"},
		"too short":             {"code_challenge": challenge[:42], "code_challenge_method": "S256"},
		"too long":              {"code_challenge": strings.Repeat("a", 129), "code_challenge_method": "S256"},
		"of strange characters": {"code_challenge": challenge[:42] + "=", "code_challenge_method": "S256"},
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			start["client_id"], start["redirect_uri"], start["handler"] = app, callback, []any{"homeassistant", nil}
			if a := w.post("/auth/login_flow", start); a.status != 400 || !strings.HasPrefix(a.text("message"), "Invalid code challenge") {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// spec: security.md 31: every client meets the codes and tokens of every other.
func TestClientMatrix(t *testing.T) {
	w := newHouse(t, setup{})
	clients := []string{app, "https://app.example", "https://other.example/", "http://app.example/", "https://app.example/sub"}
	for _, owner := range clients {
		for _, other := range clients {
			start := map[string]any{"client_id": owner, "redirect_uri": owner, "handler": []any{"homeassistant", nil},
				"code_challenge": challenge, "code_challenge_method": "S256"}
			id := w.post("/auth/login_flow", start).text("flow_id")
			login := func(client string) answer {
				return w.post("/auth/login_flow/"+id, map[string]any{"client_id": client, "username": "anna", "password": password})
			}
			exchange := func(client, code string) answer {
				return w.form("/auth/token", "grant_type", "authorization_code", "client_id", client, "code", code, "code_verifier", verifier)
			}
			refresh := func(client, token string) answer {
				return w.form("/auth/token", "grant_type", "refresh_token", "client_id", client, "refresh_token", token)
			}
			if other != owner {
				login(other).is(t, 400, badClient)
			}
			code := login(owner).text("result")
			if other != owner {
				exchange(other, code).is(t, 400, invalidCode)
			}
			token := exchange(owner, code).text("refresh_token")
			if other != owner {
				refresh(other, token).is(t, 400, invalidRequest)
			}
			if a := refresh(owner, token); a.status != http.StatusOK {
				t.Errorf("%s: its own token is refused: %d %s", owner, a.status, a.body)
			}
		}
	}
}
