package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket/wsjson"
)

// ledger is what clients were told is done.
type ledger struct {
	mu      sync.Mutex
	made    map[string]bool // access tokens of long-lived tokens
	revoked map[string]bool
}

func (l *ledger) note(which map[string]bool, token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	which[token] = true
}

func (l *ledger) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.made)
}

// PostgreSQL restarts under load. Whatever was acknowledged holds afterwards, and what was revoked stays so.
func TestTheDatabaseRestartsUnderLoad(t *testing.T) {
	pg := newCluster(t)
	at := pg.address()
	cli(t, at, password, "user", "add", "anna", "--password-stdin")
	nodes := []*node{startNode(t, at), startNode(t, at), startNode(t, at)}
	access := nodes[0].signIn()["access_token"].(string)
	done := &ledger{made: map[string]bool{}, revoked: map[string]bool{}}
	enough := make(chan struct{})
	var workers sync.WaitGroup
	for w := range 6 {
		s := nodes[w%len(nodes)].socket(access)
		workers.Go(func() { s.work(fmt.Sprint("worker ", w), done, enough) })
	}
	for range 3 {
		before := done.size()
		until(t, "some work is done", func() bool { return done.size() > before+40 })
		pg.stop()
		failed := time.Now()
		if got := nodes[0].refuses(); got != http.StatusServiceUnavailable {
			t.Errorf("without the database: status %d", got)
		}
		t.Logf("without the database a request was refused within %v", time.Since(failed))
		pg.start()
	}
	before := done.size()
	waited := until(t, "work goes on", func() bool { return done.size() > before+40 })
	t.Logf("work went on within %v of the last restart", waited)
	close(enough)
	workers.Wait()
	checked := 0
	for token := range done.made {
		want := http.StatusOK
		if done.revoked[token] {
			want = http.StatusUnauthorized
		}
		if got := nodes[checked%len(nodes)].api(token); got != want {
			t.Errorf("an acknowledged token is answered with %d, want %d", got, want)
		}
		checked++
	}
	t.Logf("%d acknowledged tokens were checked, %d of them revoked", checked, len(done.revoked))
}

// refuses asks for something that needs the database and returns the status.
func (p *program) refuses() int {
	p.t.Helper()
	res, err := http.PostForm(p.address+"/auth/token", url.Values{
		"grant_type": {"refresh_token"}, "client_id": {client}, "refresh_token": {"nobody's"},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// work makes long-lived tokens and deletes every third, until it is enough. A command that fails is no harm: nothing was
// acknowledged.
func (s *socket) work(name string, done *ledger, enough <-chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-enough:
			return
		default:
		}
		made, ok := s.ask("auth/long_lived_access_token", map[string]any{"client_name": fmt.Sprint(name, " ", n), "lifespan": 1})
		if s.broken {
			return
		}
		if !ok {
			<-time.After(10 * time.Millisecond) // as a client that tries again
			continue
		}
		token := made.(string)
		done.note(done.made, token)
		if n%3 != 0 {
			continue
		}
		list, ok := s.ask("auth/refresh_tokens", nil)
		if !ok {
			continue
		}
		for _, each := range list.([]any) {
			entry := each.(map[string]any)
			if entry["client_name"] != fmt.Sprint(name, " ", n) {
				continue
			}
			if _, ok := s.ask("auth/delete_refresh_token", map[string]any{"refresh_token_id": entry["id"]}); ok {
				done.note(done.revoked, token)
			} else {
				done.forget(token) // nobody knows what became of it
			}
		}
	}
}

func (l *ledger) forget(token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.made, token)
}

// ask sends a command and returns its result, or false when it failed.
func (s *socket) ask(kind string, fields map[string]any) (any, bool) {
	s.last++
	message := map[string]any{"id": s.last, "type": kind}
	for k, v := range fields {
		message[k] = v
	}
	if err := wsjson.Write(s.t.Context(), s.conn, message); err != nil {
		s.t.Error(err)
		s.broken = true
		return nil, false
	}
	var answer map[string]any
	if err := wsjson.Read(s.t.Context(), s.conn, &answer); err != nil {
		s.t.Error(err)
		s.broken = true
		return nil, false
	}
	return answer["result"], answer["success"] == true
}
