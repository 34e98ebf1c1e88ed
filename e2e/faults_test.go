package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"
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
