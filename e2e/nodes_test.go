package e2e

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pquerna/otp/totp"
)

// threeNodes is a house of three servers over one PostgreSQL, with the owner anna.
func threeNodes(t *testing.T) (at *url.URL, nodes []*node) {
	t.Helper()
	at = database(t)
	cli(t, at, password, "user", "add", "anna", "--password-stdin")
	for range 3 {
		nodes = append(nodes, startNode(t, at))
	}
	return at, nodes
}

// signIn signs anna in at an address and returns her tokens.
func (p *program) signIn(answers ...map[string]any) map[string]any {
	p.t.Helper()
	login := p.post("/auth/login_flow", http.StatusOK, map[string]any{
		"client_id": client, "redirect_uri": client, "handler": []any{"homeassistant", nil},
	})
	answers = append([]map[string]any{{"username": "anna", "password": password}}, answers...)
	for _, fields := range answers {
		fields["client_id"] = client
		login = p.post("/auth/login_flow/"+login["flow_id"].(string), http.StatusOK, fields)
	}
	if login["type"] != "create_entry" {
		p.t.Fatalf("the sign-in ended with %v", login)
	}
	return p.exchange(login["result"].(string), http.StatusOK)
}

// hangsUp reports when a socket was closed from the other side.
func (s *socket) hangsUp() <-chan time.Time {
	closed := make(chan time.Time, 1)
	go func() {
		for {
			if _, _, err := s.conn.Read(context.Background()); err != nil {
				closed <- time.Now()
				return
			}
		}
	}()
	return closed
}

// A person signs in with a second factor over alternating nodes; what one node revokes no other accepts.
func TestThreeNodesAreOneHouse(t *testing.T) {
	_, nodes := threeNodes(t)
	front := balance(t, nodes...)
	first := front.signIn()
	secret, used := front.setUpTOTP(first["access_token"].(string))
	code, err := totp.GenerateCode(secret, used.Add(30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	signedIn := front.signIn(map[string]any{"code": code})
	access := signedIn["access_token"].(string)
	var closed []<-chan time.Time
	for i, n := range nodes {
		if got := n.api(access); got != http.StatusOK {
			t.Errorf("node %d: status %d", i, got)
		}
		closed = append(closed, n.socket(access).hangsUp())
	}
	began := time.Now()
	if _, err := http.PostForm(nodes[0].address+"/auth/revoke", url.Values{"token": {signedIn["refresh_token"].(string)}}); err != nil {
		t.Fatal(err)
	}
	revoked := time.Now()
	for i, c := range closed {
		select {
		case at := <-c:
			t.Logf("node %d closed the socket %v after the revocation began", i, at.Sub(began))
		case <-time.After(patience):
			t.Errorf("node %d keeps a socket of a revoked token", i)
		}
	}
	for i, n := range nodes {
		waited := until(t, "the token is refused", func() bool { return n.api(access) == http.StatusUnauthorized })
		t.Logf("node %d refused the token %v after the revocation, looked at %v later", i, waited, time.Since(revoked))
	}
}

// setUpTOTP sets an authenticator app up and returns its secret, and when the code that is used up was made.
func (p *program) setUpTOTP(access string) (secret string, used time.Time) {
	p.t.Helper()
	s := p.socket(access)
	defer func() { _ = s.conn.Close(websocket.StatusNormalClosure, "") }()
	form := s.command("auth/setup_mfa", map[string]any{"mfa_module_id": "totp"})
	secret = form["description_placeholders"].(map[string]any)["code"].(string)
	for range 2 { // the first code may be outdated the moment it is sent
		used = time.Now()
		code, err := totp.GenerateCode(secret, used)
		if err != nil {
			p.t.Fatal(err)
		}
		done := s.command("auth/setup_mfa", map[string]any{"flow_id": form["flow_id"], "user_input": map[string]any{"code": code}})
		if done["type"] == "create_entry" {
			return secret, used
		}
	}
	p.t.Fatal("the authenticator app was not set up")
	return "", time.Time{}
}

// A login goes on elsewhere when the node that began it dies.
func TestALoginOutlivesItsNode(t *testing.T) {
	_, nodes := threeNodes(t)
	login := nodes[0].post("/auth/login_flow", http.StatusOK, map[string]any{
		"client_id": client, "redirect_uri": client, "handler": []any{"homeassistant", nil},
	})
	nodes[0].kill()
	done := nodes[1].post("/auth/login_flow/"+login["flow_id"].(string), http.StatusOK, map[string]any{
		"client_id": client, "username": "anna", "password": password,
	})
	tokens := nodes[2].exchange(done["result"].(string), http.StatusOK)
	if got := nodes[1].api(tokens["access_token"].(string)); got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	nodes[1].exchange(done["result"].(string), http.StatusBadRequest) // the code was used, on whichever node
}

// A node that cannot hear of revocations trusts nothing that it remembers.
func TestANodeThatHearsNothingAcceptsNothing(t *testing.T) {
	for name, fault := range map[string]struct{ begin, end func(*cable) }{
		"the line is cut":    {(*cable).cut, (*cable).mend},
		"the line is silent": {(*cable).freeze, (*cable).thaw},
	} {
		t.Run(name, func(t *testing.T) {
			_, nodes := threeNodes(t)
			tokens := nodes[0].signIn()
			access := tokens["access_token"].(string)
			if got := nodes[2].api(access); got != http.StatusOK {
				t.Fatalf("status %d", got)
			}
			fault.begin(nodes[2].cable)
			if _, err := http.PostForm(nodes[0].address+"/auth/revoke", url.Values{"token": {tokens["refresh_token"].(string)}}); err != nil {
				t.Fatal(err)
			}
			waited := until(t, "the cut-off node accepts the token no longer", func() bool {
				return nodes[2].api(access) != http.StatusOK
			})
			t.Logf("the node stopped accepting the token %v after the revocation", waited)
			if got := nodes[2].api(access); got != http.StatusServiceUnavailable && got != http.StatusUnauthorized {
				t.Errorf("cut off, it answers %d", got)
			}
			fault.end(nodes[2].cable)
			waited = until(t, "the node is back", func() bool { return nodes[2].api(access) == http.StatusUnauthorized })
			t.Logf("the node was back %v after the line was", waited)
			again := nodes[0].signIn()
			until(t, "the node accepts what is valid", func() bool {
				return nodes[2].api(again["access_token"].(string)) == http.StatusOK
			})
		})
	}
}
