package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// A thousand clients at a time are little to hold, and all are gone when their tokens are.
func TestAThousandSockets(t *testing.T) {
	const many, most = 1000, 60 << 10 // bytes each
	p := start(t, "")
	owner := p.tokens(url.Values{"grant_type": {"authorization_code"}, "code": {p.createOwner()}}, http.StatusOK)
	s := p.socket(owner["access_token"].(string))
	tokens := make([]string, many)
	for i := range tokens {
		tokens[i] = s.text("auth/long_lived_access_token", map[string]any{"client_name": fmt.Sprint("program ", i), "lifespan": 1})
	}
	before := p.resident()
	closed := make(chan time.Time, many)
	var signing sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	atOnce := make(chan struct{}, 50) // as many as a listener's queue takes easily
	for _, token := range tokens {
		atOnce <- struct{}{}
		signing.Go(func() {
			defer func() { <-atOnce }()
			conn, err := p.signedIn(ctx, token)
			if err != nil {
				t.Error(err)
				closed <- time.Time{}
				return
			}
			go func() {
				defer func() { _ = conn.CloseNow() }()
				for {
					if _, _, err := conn.Read(context.Background()); err != nil {
						closed <- time.Now()
						return
					}
				}
			}()
		})
	}
	signing.Wait()
	each := (p.resident() - before) / many
	t.Logf("%d signed-in sockets cost %d KiB of resident memory each", many, each>>10)
	if each > most {
		t.Errorf("a socket costs %d bytes, more than %d", each, most)
	}
	if len(closed) > 0 {
		t.Fatalf("%d sockets closed by themselves", len(closed))
	}

	began := time.Now()
	s.command("auth/delete_all_refresh_tokens", map[string]any{"token_type": "long_lived_access_token"})
	var last time.Time
	for n := range many {
		select {
		case at := <-closed:
			if at.After(last) {
				last = at
			}
		case <-time.After(patience):
			t.Fatalf("%d of %d sockets are open after their tokens were deleted", many-n, many)
		}
	}
	t.Logf("all were closed %v after the deletion began", last.Sub(began))
}

// signedIn opens a socket with an access token.
func (p *program) signedIn(ctx context.Context, token string) (*websocket.Conn, error) {
	conn, _, err := websocket.Dial(ctx, strings.Replace(p.address, "http", "ws", 1)+"/api/websocket", nil)
	if err != nil {
		return nil, err
	}
	err = wsjson.Write(ctx, conn, map[string]any{"type": "auth", "access_token": token})
	var answer struct{ Type string }
	for answer.Type != "auth_ok" && err == nil {
		err = wsjson.Read(ctx, conn, &answer)
	}
	return conn, err
}

// text sends a command whose result is a text.
func (s *socket) text(kind string, fields map[string]any) string {
	s.t.Helper()
	s.last++
	message := map[string]any{"id": s.last, "type": kind}
	for k, v := range fields {
		message[k] = v
	}
	s.send(message)
	answer := s.read()
	text, ok := answer["result"].(string)
	if !ok {
		s.t.Fatalf("%s: %v", kind, answer)
	}
	return text
}

var residentLine = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// resident returns how many bytes of memory the server occupies.
func (p *program) resident() int {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Skipf("this system does not tell what memory a process occupies: %v", err)
	}
	m := residentLine.FindSubmatch(status)
	if m == nil {
		p.t.Fatal("the system does not tell what memory the server occupies")
	}
	kib, err := strconv.Atoi(string(m[1]))
	if err != nil {
		p.t.Fatal(err)
	}
	return kib << 10
}
