package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// tokens exchanges a code or a refresh token.
func (p *program) tokens(form url.Values, status int) map[string]any {
	p.t.Helper()
	form.Set("client_id", p.clientID())
	res, err := http.PostForm(p.address+"/auth/token", form)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != status {
		p.t.Fatalf("POST /auth/token: status %d, want %d: %v, %v", res.StatusCode, status, answer, err)
	}
	return answer
}

// api asks for the protected page with a token and returns the status.
func (p *program) api(token string) int {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.address+"/api/", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// What was acknowledged is there after the server was killed and started again: the account, the session, the tokens.
func TestKilledAndStartedAgain(t *testing.T) {
	p := start(t, "")
	code := p.createOwner()
	signedIn := p.tokens(url.Values{"grant_type": {"authorization_code"}, "code": {code}}, http.StatusOK)
	clientID := p.clientID()
	p.kill()
	again := start(t, p.store)
	if got := again.api(signedIn["access_token"].(string)); got != http.StatusOK {
		t.Errorf("the access token from before: status %d", got)
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {signedIn["refresh_token"].(string)}, "client_id": {clientID}}
	res, err := http.PostForm(again.address+"/auth/token", refresh)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("the refresh token from before: status %d", res.StatusCode)
	}
	// spec: onboarding.md §5: the door stays shut after a restart.
	again.post("/api/onboarding/users", http.StatusForbidden, map[string]any{
		"client_id": again.clientID(), "name": "Eve", "username": "eve", "password": password, "language": "en",
	})
}

// What an operator does on the command line is true in the running server, too.
func TestCommandLineBesideTheServer(t *testing.T) {
	p := start(t, "")
	p.createOwner()
	p.run(password+"\n", "user", "add", "bob", "--name", "Bob", "--password-stdin")
	login := p.post("/auth/login_flow", http.StatusOK, map[string]any{
		"client_id": p.clientID(), "redirect_uri": p.clientID(), "handler": []any{"homeassistant", nil},
	})
	done := p.post("/auth/login_flow/"+login["flow_id"].(string), http.StatusOK, map[string]any{
		"client_id": p.clientID(), "username": "bob", "password": password,
	})
	signedIn := p.tokens(url.Values{"grant_type": {"authorization_code"}, "code": {done["result"].(string)}}, http.StatusOK)
	access := signedIn["access_token"].(string)
	longLived := p.run("", "token", "create", "--user", "bob", "--name", "GPS logger", "--days", "30")
	if first, second := p.api(access), p.api(longLived); first != http.StatusOK || second != http.StatusOK {
		t.Fatalf("access token: status %d, long-lived token: status %d", first, second)
	}
	if list := p.run("", "user", "list"); !strings.Contains(list, "bob") || !strings.Contains(list, "Anna Example") {
		t.Errorf("user list:\n%s", list)
	}
	p.run("another long one\n", "user", "passwd", "bob", "--password-stdin")
	for deadline := time.Now().Add(patience); p.api(access) != http.StatusUnauthorized; {
		if time.Now().After(deadline) {
			t.Fatal("the session from before the password was reset is still accepted")
		}
	}
}

// client is who signs in behind any address.
const client = "https://app.example/"

// exchange makes tokens of a code.
func (p *program) exchange(code string, status int) map[string]any {
	p.t.Helper()
	res, err := http.PostForm(p.address+"/auth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {client}, "code": {code},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != status {
		p.t.Fatalf("POST /auth/token: status %d, want %d: %v, %v", res.StatusCode, status, answer, err)
	}
	return answer
}
