package e2e

import (
	"net/http"
	"net/url"
	"syscall"
	"testing"
	"time"
)

// revoke ends the session of a refresh token.
func (p *program) revoke(refresh string) {
	p.t.Helper()
	res, err := http.PostForm(p.address+"/auth/revoke", url.Values{"token": {refresh}})
	if err != nil {
		p.t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		p.t.Fatalf("revoke: status %d", res.StatusCode)
	}
}

// freeze stops the server where it is, and waits until every thread of it stands still.
func (p *program) freeze() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		p.t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(p.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		p.t.Fatalf("the server does not stand still: %v %v", status, err)
	}
}

// Two servers are open on one file. What one revokes the other accepts no longer, and closes the sockets of.
func TestTwoServersOnOneFile(t *testing.T) {
	first := start(t, "")
	first.run(password, "user", "add", "anna", "--password-stdin")
	second := start(t, first.store)
	for round := range 5 {
		tokens := first.signIn()
		access := tokens["access_token"].(string)
		if got := second.api(access); got != http.StatusOK {
			t.Fatalf("round %d: status %d", round, got)
		}
		closed := second.socket(access).hangsUp()
		first.revoke(tokens["refresh_token"].(string))
		revoked := time.Now()
		waited := until(t, "the other server refuses the token", func() bool { return second.api(access) == http.StatusUnauthorized })
		if waited > 2*time.Second {
			t.Errorf("round %d: the token was accepted for %v", round, waited)
		}
		select {
		case at := <-closed:
			t.Logf("round %d: refused after %v, the socket closed after %v", round, waited, at.Sub(revoked))
		case <-time.After(patience):
			t.Fatal("the other server keeps the socket of a revoked token")
		}
	}
}

// A server that was stopped in the meantime has heard of nothing, and relies on nothing that it remembers: already its
// first answer is true.
func TestAServerThatStoodStill(t *testing.T) {
	first := start(t, "")
	first.run(password, "user", "add", "anna", "--password-stdin")
	second := start(t, first.store)
	for round := range 5 {
		tokens := first.signIn()
		access := tokens["access_token"].(string)
		for range 3 { // and now it is in memory, and the connection is open
			if got := second.api(access); got != http.StatusOK {
				t.Fatalf("round %d: status %d", round, got)
			}
		}
		second.freeze()
		stopped := time.Now()
		first.revoke(tokens["refresh_token"].(string))
		answer := make(chan int, 1)
		go func() { answer <- second.api(access) }()
		<-time.After(time.Until(stopped.Add(1500 * time.Millisecond))) // longer than a memory is trusted
		if err := second.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if got := <-answer; got != http.StatusUnauthorized {
			t.Errorf("round %d: a revoked token is answered with %d", round, got)
		}
	}
}
