package docs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pquerna/otp/totp"
)

// script is a session of the reference.
type script struct {
	heading string
	who     string
	lines   []string
}

// scripts reads the sessions of websocket.md.
func scripts(t *testing.T) []script {
	t.Helper()
	text, err := os.ReadFile("websocket.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []script
	heading, inside := "", false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "#"):
			heading = strings.Trim(line, "# `")
		case strings.HasPrefix(line, "```session "):
			all = append(all, script{heading: heading, who: strings.TrimPrefix(line, "```session ")})
			inside = true
		case strings.HasPrefix(line, "```"):
			inside = false
		case inside:
			last := &all[len(all)-1]
			last.lines = append(last.lines, line)
		}
	}
	return all
}

// within is how long an answer is waited for. No result depends on it.
const within = 30 * time.Second

// Every session of the reference is what the program does.
func TestWebSocketReferenceIsTrue(t *testing.T) {
	h := open(t)
	known := placeholders{}
	for _, name := range []string{"anna", "ben"} {
		u, _, access := h.person(t, name)
		known["id of "+name], known["access token of "+name] = u.ID, access
	}
	err := h.bans.Ban(t.Context(), netip.MustParseAddr("203.0.113.9"), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	all := scripts(t)
	if len(all) < 30 {
		t.Fatalf("only %d sessions were read", len(all))
	}
	for i, s := range all {
		t.Run(fmt.Sprintf("%02d %s", i, s.heading), func(t *testing.T) { s.play(t, h, known) })
	}
}

// play replays a session on a new socket.
func (s script) play(t *testing.T, h house, known placeholders) {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, strings.Replace(h.url, "http", "ws", 1)+"/api/websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	send := func(text string) {
		if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if s.who != "stranger" {
		send(fmt.Sprintf(`{"type":"auth","access_token":%q}`, known["access token of "+s.who]))
		for range 2 { // auth_required, auth_ok
			if _, _, err := conn.Read(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, line := range s.lines {
		from, text, _ := strings.Cut(line, " ")
		switch {
		case from == "C":
			if strings.Contains(text, "{{code for secret}}") {
				known["code for secret"] = codeFor(t, known["secret"])
			}
			filled, err := known.fill(text)
			if err != nil {
				t.Fatal(err)
			}
			send(filled)
		case from == "S" && strings.HasPrefix(text, "close "):
			_, got, err := conn.Read(ctx)
			if code := fmt.Sprintf("close %d", websocket.CloseStatus(err)); code != text {
				t.Errorf("%s: got %s %s, %v", line, code, got, err)
			}
		case from == "S":
			_, got, err := conn.Read(ctx)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			for _, problem := range known.compare("", decode(t, text), decode(t, string(got))) {
				t.Errorf("%s\n got %s\n%s", line, got, problem)
			}
		default:
			t.Fatalf("a line begins with C or S: %s", line)
		}
	}
}

func decode(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// codeFor is the code that an authenticator app shows now, and for some seconds more.
func codeFor(t *testing.T, secret string) string {
	t.Helper()
	const step, enough = 30 * time.Second, 5 * time.Second
	if left := step - time.Duration(time.Now().UnixNano())%step; left < enough {
		<-time.After(left)
	}
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}
