package e2e

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/pquerna/otp/totp"
)

// socket is a signed-in WebSocket.
type socket struct {
	*program
	conn *websocket.Conn
	last int
	// broken says that the socket is of no use any more.
	broken bool
}

// socket signs in with an access token.
func (p *program) socket(token string) *socket {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, strings.Replace(p.address, "http", "ws", 1)+"/api/websocket", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(-1) // lists may be long
	s := &socket{program: p, conn: conn}
	s.send(map[string]any{"type": "auth", "access_token": token})
	for range 2 { // auth_required, auth_ok
		s.read()
	}
	return s
}

func (s *socket) send(message map[string]any) {
	s.t.Helper()
	if err := wsjson.Write(s.t.Context(), s.conn, message); err != nil {
		s.t.Fatal(err)
	}
}

func (s *socket) read() map[string]any {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	var answer map[string]any
	if err := wsjson.Read(ctx, s.conn, &answer); err != nil {
		s.t.Fatal(err)
	}
	return answer
}

// command sends a command and returns its result, which must be a success.
func (s *socket) command(kind string, fields map[string]any) map[string]any {
	s.t.Helper()
	s.last++
	message := map[string]any{"id": s.last, "type": kind}
	for k, v := range fields {
		message[k] = v
	}
	s.send(message)
	answer := s.read()
	if answer["success"] != true {
		s.t.Fatalf("%s: %v", kind, answer)
	}
	result, _ := answer["result"].(map[string]any)
	return result
}

// A person sets an authenticator app up and signs in with it; a code works once.
func TestAuthenticatorApp(t *testing.T) {
	p := start(t, "")
	signedIn := p.tokens(url.Values{"grant_type": {"authorization_code"}, "code": {p.createOwner()}}, http.StatusOK)
	s := p.socket(signedIn["access_token"].(string))
	form := s.command("auth/setup_mfa", map[string]any{"mfa_module_id": "totp"})
	secret := form["description_placeholders"].(map[string]any)["code"].(string)
	if qr := form["description_placeholders"].(map[string]any)["qr_code"].(string); !strings.HasPrefix(qr, "<svg") {
		t.Errorf("qr_code = %.40s", qr)
	}
	code := func(at time.Time) string {
		c, err := totp.GenerateCode(secret, at)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	var now time.Time
	var setUp string
	var done map[string]any
	for range 2 { // the first code may be outdated the moment it is sent
		now = time.Now()
		setUp = code(now)
		done = s.command("auth/setup_mfa", map[string]any{"flow_id": form["flow_id"], "user_input": map[string]any{"code": setUp}})
		if done["type"] == "create_entry" {
			break
		}
	}
	if done["type"] != "create_entry" {
		t.Fatalf("set-up: %v", done)
	}

	login := p.post("/auth/login_flow", http.StatusOK, map[string]any{
		"client_id": p.clientID(), "redirect_uri": p.clientID(), "handler": []any{"homeassistant", nil},
	})
	step := func(fields map[string]any) map[string]any {
		t.Helper()
		fields["client_id"] = p.clientID()
		return p.post("/auth/login_flow/"+login["flow_id"].(string), http.StatusOK, fields)
	}
	if got := step(map[string]any{"username": "anna", "password": password}); got["step_id"] != "mfa" {
		t.Fatalf("after the password: %v", got)
	}
	// spec: security.md 12: the code that ended the set-up is used up
	if got := step(map[string]any{"code": setUp}); got["type"] != "form" {
		t.Fatalf("a code was accepted twice: %v", got)
	}
	if got := step(map[string]any{"code": code(now.Add(30 * time.Second))}); got["type"] != "create_entry" {
		t.Fatalf("with the next code: %v", got)
	}
}

// A path that a client has signed works without a token, and ends with the session that signed it.
func TestSignedPath(t *testing.T) {
	p := start(t, "")
	signedIn := p.tokens(url.Values{"grant_type": {"authorization_code"}, "code": {p.createOwner()}}, http.StatusOK)
	s := p.socket(signedIn["access_token"].(string))
	signed := p.address + s.command("auth/sign_path", map[string]any{"path": "/api/?a=1"})["path"].(string)
	status := func() int {
		t.Helper()
		res, err := http.Get(signed)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	if got := status(); got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	if _, err := http.PostForm(p.address+"/auth/revoke", url.Values{"token": {signedIn["refresh_token"].(string)}}); err != nil {
		t.Fatal(err)
	}
	if got := status(); got != http.StatusUnauthorized {
		t.Errorf("after the session was revoked: status %d", got)
	}
}
