package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// answer asks for the protected page with a token.
func (p *program) answer(token string) (status int, retryAfter string, took time.Duration) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.address+"/api/", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	began := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode, res.Header.Get("Retry-After"), time.Since(began)
}

// The connection on which a node hears the others is gone, and no other is to be had; the database itself is there. The
// node goes on, and trusts nothing that it remembers: a token that was revoked elsewhere is refused at once, and its
// socket closed.
func TestANodeWhoseEarIsCutOff(t *testing.T) {
	_, nodes := threeNodes(t)
	far := nodes[2]
	for round := range 5 {
		tokens := nodes[0].signIn()
		access := tokens["access_token"].(string)
		if got := far.api(access); got != http.StatusOK { // and now it is in memory
			t.Fatalf("round %d: status %d", round, got)
		}
		closed := far.socket(access).hangsUp()
		far.cable.sever()
		nodes[0].revoke(tokens["refresh_token"].(string))
		if got := far.api(access); got != http.StatusUnauthorized {
			t.Errorf("round %d: the first look at the revoked token is answered with %d", round, got)
		}
		again := nodes[0].signIn()
		if got := far.api(again["access_token"].(string)); got != http.StatusOK {
			t.Errorf("round %d: what is valid is answered with %d", round, got)
		}
		revoked := time.Now()
		select {
		case <-closed:
			t.Logf("round %d: the socket was closed %v after that", round, time.Since(revoked))
		case <-time.After(patience):
			t.Fatal("a node that hears nothing keeps the socket of a revoked token")
		}
		far.cable.mend()
		nodes[0].revoke(again["refresh_token"].(string))
		until(t, "the other token is refused as well", func() bool {
			return far.api(again["access_token"].(string)) == http.StatusUnauthorized
		})
	}
}

// A database that answers too late counts as one that does not: requests are refused in time, and clients told to try
// again. It is well again by itself when the database is.
func TestTheDatabaseIsSlow(t *testing.T) {
	at := database(t)
	cli(t, at, password, "user", "add", "anna", "--password-stdin")
	n := startNode(t, at)
	access := n.signIn()["access_token"].(string)
	if got := n.api(access); got != http.StatusOK {
		t.Fatalf("status %d", got)
	}
	n.cable.slow.Store(int64(3 * time.Second))
	until(t, "what is in memory is not relied on", func() bool {
		status, retryAfter, took := n.answer(access)
		if status == http.StatusOK {
			return false
		}
		if status != http.StatusServiceUnavailable || retryAfter == "" || took > 10*time.Second {
			t.Errorf("a look at a token is answered with %d, Retry-After %q, after %v", status, retryAfter, took)
		}
		t.Logf("refused after %v", took)
		return true
	})
	began := time.Now()
	if got := n.refuses(); got != http.StatusServiceUnavailable {
		t.Errorf("a refresh is answered with %d", got)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a refresh was answered after %v", took)
	}
	n.cable.slow.Store(0)
	waited := until(t, "all is well again", func() bool { return n.api(access) == http.StatusOK })
	t.Logf("all was well %v after the database was", waited)
	if got := n.refuses(); got != http.StatusBadRequest { // it is judged, and wrong
		t.Errorf("a refresh is answered with %d", got)
	}
}

// A node that starts before its database waits for it, and says so.
func TestANodeWaitsForItsDatabase(t *testing.T) {
	pg := newCluster(t)
	at := pg.address()
	cli(t, at, password, "user", "add", "anna", "--password-stdin")
	pg.stop()
	started := make(chan struct{})
	go func() {
		defer close(started)
		<-time.After(2 * time.Second) // in which the node is started
		pg.start()
	}()
	n := startNode(t, at)
	<-started
	if got := n.refuses(); got != http.StatusBadRequest {
		t.Errorf("status %d", got)
	}
	n.stop()
	if text := n.log.String(); !strings.Contains(text, "waiting for PostgreSQL") || strings.Contains(text, "panic") {
		t.Errorf("the node's log:\n%s", text)
	}
}

// Without the database nobody is told that they are wrong, or that something was done: a client that is told 503 tries
// again, and one that is told 4xx signs its person out (client-js.md §7).
func TestNothingIsClaimedWithoutTheDatabase(t *testing.T) {
	at := database(t)
	cli(t, at, password, "user", "add", "anna", "--password-stdin")
	n := startNode(t, at)
	tokens := n.signIn()
	access, refresh := tokens["access_token"].(string), tokens["refresh_token"].(string)
	login := n.post("/auth/login_flow", http.StatusOK, map[string]any{
		"client_id": client, "redirect_uri": client, "handler": []any{"homeassistant", nil},
	})
	s := n.socket(access)
	n.cable.cut()
	until(t, "what is in memory is not relied on", func() bool { return n.api(access) != http.StatusOK })
	form, document := "application/x-www-form-urlencoded", "application/json"
	for name, row := range map[string]struct{ method, path, kind, body string }{
		"a look at a token":    {http.MethodGet, "/api/", "", ""},
		"the beginning":        {http.MethodPost, "/auth/login_flow", document, `{"client_id": "` + client + `", "redirect_uri": "` + client + `", "handler": ["homeassistant", null]}`},
		"a step":               {http.MethodPost, "/auth/login_flow/" + login["flow_id"].(string), document, `{"client_id": "` + client + `", "username": "anna", "password": "` + password + `"}`},
		"giving up":            {http.MethodDelete, "/auth/login_flow/" + login["flow_id"].(string), "", ""},
		"a code":               {http.MethodPost, "/auth/token", form, url.Values{"grant_type": {"authorization_code"}, "client_id": {client}, "code": {"x"}}.Encode()},
		"a refresh":            {http.MethodPost, "/auth/token", form, url.Values{"grant_type": {"refresh_token"}, "client_id": {client}, "refresh_token": {refresh}}.Encode()},
		"a revocation":         {http.MethodPost, "/auth/revoke", form, url.Values{"token": {refresh}}.Encode()},
		"one by the token":     {http.MethodPost, "/auth/token", form, url.Values{"action": {"revoke"}, "token": {refresh}}.Encode()},
		"a link":               {http.MethodPost, "/auth/link_user", document, `{"client_id": "` + client + `", "code": "x"}`},
		"the state of a setup": {http.MethodGet, "/api/onboarding", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), row.method, n.address+row.path, strings.NewReader(row.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+access)
			if row.kind != "" {
				req.Header.Set("Content-Type", row.kind)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
				t.Errorf("status %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
			}
		})
	}
	if result, ok := s.ask("auth/refresh_tokens", nil); ok || s.broken {
		t.Errorf("a command over a socket is answered with %v", result)
	}
	conn, _, err := websocket.Dial(t.Context(), strings.Replace(n.address, "http", "ws", 1)+"/api/websocket", nil)
	if err == nil {
		defer func() { _ = conn.CloseNow() }()
		_ = wsjson.Write(t.Context(), conn, map[string]any{"type": "auth", "access_token": access})
		for err == nil {
			var message map[string]any
			if err = wsjson.Read(t.Context(), conn, &message); err == nil && message["type"] != "auth_required" {
				t.Errorf("a new socket is told %v", message)
			}
		}
	}
	n.cable.mend()
	until(t, "all is well again", func() bool { return n.api(access) == http.StatusOK })
	if got := s.command("auth/current_user", nil); got["name"] == nil {
		t.Errorf("the socket that was open is told %v", got)
	}
}
