package ws_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/ws"
)

// spec: websocket.md, "W-1"
func TestRequestsThatAreNoHandshake(t *testing.T) {
	h := newHouse(t, houseOptions{})
	upgrade := http.Header{
		"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="},
	}
	without := func(name string) http.Header {
		header := upgrade.Clone()
		header.Del(name)
		return header
	}
	for _, tt := range []struct {
		name, method string
		header       http.Header
		status       int
	}{
		{"plain GET", "GET", nil, 400},
		{"no Upgrade", "GET", without("Upgrade"), 400},
		{"no Connection", "GET", without("Connection"), 400},
		{"no key", "GET", without("Sec-Websocket-Key"), 400},
		{"no version", "GET", without("Sec-Websocket-Version"), 400},
		{"POST", "POST", nil, 405},
		{"POST with an upgrade", "POST", upgrade, 405},
		{"HEAD", "HEAD", nil, 405},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), tt.method, h.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header = tt.header
			if r.Header == nil {
				r.Header = http.Header{}
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != tt.status || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/plain") {
				t.Errorf("status %d, type %q, want %d and text", answer.StatusCode, answer.Header.Get("Content-Type"), tt.status)
			}
			if len(body) == 0 && tt.method != "HEAD" {
				t.Error("the body is empty")
			}
		})
	}
}

// spec: websocket.md, "W-1": no HTTP authentication, no sub-protocol, no check of the origin
func TestTheUpgradeLooksAtNothingElse(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.dial(t, &websocket.DialOptions{
		Subprotocols: []string{"mqtt"},
		HTTPHeader: http.Header{
			"Origin":        {"https://evil.example"},
			"Authorization": {"Bearer " + h.accessToken(t, h.refreshToken(t, h.anna))},
		},
	})
	if p := c.conn.Subprotocol(); p != "" {
		t.Errorf("sub-protocol %q", p)
	}
	c.want(`{"type":"auth_required","ha_version":"2024.1.0"}`)
	c.send(`{"type":"ping","id":1}`) // a bearer header has not authenticated anybody
	if frames := c.wantClosed(websocket.StatusNormalClosure); len(frames) != 1 || !strings.Contains(frames[0], "auth_invalid") {
		t.Error(frames)
	}
}

// spec: websocket.md, "W-2"
func TestDeflateIsNegotiatedIfOffered(t *testing.T) {
	h := newHouse(t, houseOptions{})
	for _, mode := range []websocket.CompressionMode{
		websocket.CompressionDisabled, websocket.CompressionNoContextTakeover, websocket.CompressionContextTakeover,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), rescue)
		conn, answer, err := websocket.Dial(ctx, h.url, &websocket.DialOptions{CompressionMode: mode, CompressionThreshold: 1})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		negotiated := strings.HasPrefix(answer.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
		if offered := mode != websocket.CompressionDisabled; negotiated != offered {
			t.Errorf("mode %v: extensions %q", mode, answer.Header.Get("Sec-WebSocket-Extensions"))
		}
		c := client{t, conn}
		c.authenticate(h.accessToken(t, h.refreshToken(t, h.anna)))
		for i := range 30 { // until the list is long enough to be compressed
			c.succeed(`{"id":` + number(i+1) + `,"type":"auth/long_lived_access_token","lifespan":1,"client_name":"` + number(i) + `"}`)
		}
		if list := decode[[]any](t, c.succeed(`{"id":31,"type":"auth/refresh_tokens"}`)); len(list) < 30 {
			t.Errorf("%d tokens", len(list))
		}
		names := decode[[]struct{ ID string }](t, c.succeed(`{"id":32,"type":"auth/refresh_tokens"}`))
		_ = conn.CloseNow()
		for _, token := range names {
			if err := h.RemoveRefreshToken(t.Context(), token.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
}

const invalid = `{"type":"auth_invalid","message":"Invalid access token or password"}`

// spec: websocket.md §2, the table of first frames, "W-8", "W-9", "W-10"
func TestFirstFrames(t *testing.T) {
	h := newHouse(t, houseOptions{})
	refresh := h.refreshToken(t, h.anna)
	access := h.accessToken(t, refresh)
	parts := strings.Split(access, ".")
	for _, tt := range []struct {
		name, frame string
		// answer is the one frame before the close frame. A colon at its end stands for any detail.
		answer  string
		counted bool
	}{
		{"empty text", ``, ``, false},
		{"not JSON", `hello`, ``, false},
		{"two values", `{"type":"auth"} {}`, ``, false},
		{"nested without end", strings.Repeat("[", 100_000), ``, false},
		{"nested too deeply", strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), ``, false},

		{"a list", `[{"type":"auth","access_token":"` + access + `"}]`, malformed, false},
		{"a text", `"auth"`, malformed, false},
		{"null", `null`, malformed, false},
		{"no type", `{"access_token":"` + access + `"}`, malformed, false},
		{"another type", `{"type":"ping","access_token":"` + access + `"}`, malformed, false},
		{"type null", `{"type":null,"access_token":"` + access + `"}`, malformed, false},
		{"type in upper case", `{"type":"AUTH","access_token":"` + access + `"}`, malformed, false},
		{"an id", `{"id":1,"type":"auth","access_token":"` + access + `"}`, malformed, false},
		{"token and password", `{"type":"auth","access_token":"` + access + `","api_password":"x"}`, malformed, false},
		{"token null", `{"type":"auth","access_token":null}`, malformed, false},
		{"token a number", `{"type":"auth","access_token":5}`, malformed, false},
		{"password a list", `{"type":"auth","api_password":["x"]}`, malformed, false},

		{"no token", `{"type":"auth"}`, invalid, true},
		{"empty token", `{"type":"auth","access_token":""}`, invalid, true},
		{"unknown token", `{"type":"auth","access_token":"abc"}`, invalid, true},
		{"password", `{"type":"auth","api_password":"` + password + `"}`, invalid, true},
		{"forged signature", `{"type":"auth","access_token":"` + parts[0] + `.` + parts[1] + `.AAAA"}`, invalid, true},
		{"not ASCII", `{"type":"auth","access_token":"ключ"}`, invalid, true},
		{"refresh token", `{"type":"auth","access_token":"` + refresh.Secret.Reveal() + `"}`, invalid, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := h.failed.Load()
			c := h.dial(t, nil)
			c.send(tt.frame)
			c.want(`{"type":"auth_required","ha_version":"2024.1.0"}`)
			frames := c.wantClosed(websocket.StatusNormalClosure)
			switch {
			case tt.answer == "" && len(frames) == 0:
			case len(frames) != 1:
				t.Fatalf("answered with %q", frames)
			case tt.answer == malformed:
				var m struct{ Type, Message string }
				if err := json.Unmarshal([]byte(frames[0]), &m); err != nil {
					t.Fatal(err)
				}
				if m.Type != "auth_invalid" || !strings.HasPrefix(m.Message, malformed) || m.Message == malformed {
					t.Errorf("answered with %s", frames[0])
				}
			case frames[0] != tt.answer:
				t.Errorf("answered with %s", frames[0])
			}
			if strings.Contains(strings.Join(frames, ""), access) {
				t.Error("the token was repeated (W-8)")
			}
			if counted := h.failed.Load() > before; counted != tt.counted {
				t.Errorf("counted as a failed login: %t", counted)
			}
		})
	}
	if h.passed.Load() != 0 {
		t.Error("counted as a success")
	}
}

const malformed = "Auth message incorrectly formatted: "

// spec: websocket.md §2, "binary frame": closed without a message, not counted
func TestBinaryFirstFrame(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.dial(t, nil)
	c.want(`{"type":"auth_required","ha_version":"2024.1.0"}`)
	c.sendFrame(websocket.MessageBinary, `{"type":"auth","access_token":"`+h.accessToken(t, h.refreshToken(t, h.anna))+`"}`)
	if frames := c.wantClosed(websocket.StatusNormalClosure); len(frames) != 0 || h.failed.Load() != 0 {
		t.Error(frames, h.failed.Load())
	}
}

// spec: websocket.md §2, "close frame"
func TestCloseAsFirstFrame(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.dial(t, nil)
	if err := c.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	if h.failed.Load() != 0 {
		t.Error("counted")
	}
}

// spec: websocket.md §2, "valid token", and step 2: without waiting for auth_required; "W-14"
func TestValidTokens(t *testing.T) {
	h := newHouse(t, houseOptions{})
	refresh := h.refreshToken(t, h.anna)
	access := h.accessToken(t, refresh)
	used, err := h.RefreshToken(t.Context(), refresh.ID)
	if err != nil {
		t.Fatal(err)
	}
	c := h.dial(t, nil)
	c.send(`{"access_token":"` + access + `","type":"auth"}`)
	c.send(`{"id":1,"type":"ping"}`)
	c.want(`{"type":"auth_required","ha_version":"2024.1.0"}`)
	c.want(`{"type":"auth_ok","ha_version":"2024.1.0"}`)
	c.want(`{"id":1,"type":"pong"}`)
	if h.passed.Load() != 1 || h.failed.Load() != 0 {
		t.Errorf("%d passed, %d failed", h.passed.Load(), h.failed.Load())
	}
	after, err := h.RefreshToken(t.Context(), refresh.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !after.LastUsedAt.Equal(used.LastUsedAt) || after.LastUsedIP != used.LastUsedIP {
		t.Errorf("authenticating counted as a use at %v", after.LastUsedAt)
	}
}

// spec: websocket.md, "W-11": long-lived tokens are as good
func TestLongLivedTokenAuthenticates(t *testing.T) {
	h := newHouse(t, houseOptions{})
	access := decode[string](t, h.connect(t, h.anna).succeed(
		`{"id":1,"type":"auth/long_lived_access_token","lifespan":3650,"client_name":"script"}`))
	h.connectWith(t, access).ask(`{"id":1,"type":"ping"}`, `{"id":1,"type":"pong"}`)
}

// spec: websocket.md §2, "user may not authenticate from here"; http-auth.md 10.3
func TestLocalOnlyUserFromOutside(t *testing.T) {
	origin := latchkey.Origin{Addr: netip.MustParseAddr("203.0.113.9")}
	h := newHouse(t, houseOptions{ws: ws.Options{Origin: func(*http.Request) latchkey.Origin { return origin }}})
	local := true
	if _, err := h.UpdateUser(t.Context(), h.anna.ID, latchkey.UserUpdate{LocalOnly: &local}); err != nil {
		t.Fatal(err)
	}
	access := h.accessToken(t, h.refreshToken(t, h.anna))
	for _, tt := range []struct {
		from latchkey.Origin
		text string
	}{
		{origin, "User cannot authenticate remotely"},
		{latchkey.Origin{}, "Invalid remote IP"},
		{latchkey.Origin{Addr: netip.MustParseAddr("127.0.0.1"), Tunnel: true}, "User is local only"},
	} {
		origin = tt.from
		before := h.failed.Load()
		c := h.dial(t, nil)
		c.want(`{"type":"auth_required","ha_version":"2024.1.0"}`)
		c.ask(`{"type":"auth","access_token":"`+access+`"}`, `{"type":"auth_invalid","message":"`+tt.text+`"}`)
		c.wantClosed(websocket.StatusNormalClosure)
		if h.failed.Load() != before+1 {
			t.Error("not counted as a failed login")
		}
	}
	origin = latchkey.Origin{Addr: netip.MustParseAddr("192.168.1.20")}
	h.connectWith(t, access)
}

// spec: websocket.md §8: that somebody may sign in at home only takes effect on the next command, and the socket stays; so
// does that they may come from anywhere again.
func TestAUserWhoBecomesLocalOnlyOnAnOpenSocket(t *testing.T) {
	outside := latchkey.Origin{Addr: netip.MustParseAddr("203.0.113.9")}
	h := newHouse(t, houseOptions{ws: ws.Options{Origin: func(*http.Request) latchkey.Origin { return outside }}})
	c := h.connect(t, h.anna)
	c.succeed(`{"id":1,"type":"subscribe_events"}`)
	only := func(local bool) {
		t.Helper()
		if _, err := h.UpdateUser(t.Context(), h.anna.ID, latchkey.UserUpdate{LocalOnly: &local}); err != nil {
			t.Fatal(err)
		}
	}
	only(true) // and no event tells of it
	c.refused(`{"id":2,"type":"auth/current_user"}`, "unauthorized", "Unauthorized")
	c.refused(`{"id":3,"type":"auth/long_lived_access_token","lifespan":1,"client_name":"x"}`, "unauthorized", "Unauthorized")
	only(false)
	if event := c.receive(); !strings.Contains(event, "user_updated") {
		t.Errorf("%s, want the event", event)
	}
	c.succeed(`{"id":4,"type":"auth/current_user"}`)
}

// spec: websocket.md §2, "inactive user"
func TestInactiveUser(t *testing.T) {
	h := newHouse(t, houseOptions{})
	ben := h.person(t, "ben", latchkey.GroupUser)
	access := h.accessToken(t, h.refreshToken(t, ben))
	if err := h.DeactivateUser(t.Context(), ben.ID); err != nil {
		t.Fatal(err)
	}
	c := h.dial(t, nil)
	c.want(`{"type":"auth_required","ha_version":"2024.1.0"}`)
	c.ask(`{"type":"auth","access_token":"`+access+`"}`, invalid)
	c.wantClosed(websocket.StatusNormalClosure)
}

// spec: websocket.md, "W-12"
func TestVersionsThatClientsCannotRead(t *testing.T) {
	m := newManager(t, openStore(t)).Manager
	for _, bad := range []string{"2024", "2024.1", "v2024.1.0", "2024.1.0 ", "24.1.0", "2022.8.9", "2021.12.0", "2024.1.x"} {
		if _, err := ws.New(m, ws.Options{HAVersion: bad}); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	for _, good := range []string{"", "2022.9.0", "2024.12.10"} {
		if _, err := ws.New(m, ws.Options{HAVersion: good}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

// spec: websocket.md, "W-3": in this phase, too
func TestFirstFrameTooLong(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.dial(t, nil)
	c.want(`{"type":"auth_required","ha_version":"2024.1.0"}`)
	go func() { // the close frame may come before everything is written
		ctx, cancel := context.WithTimeout(context.Background(), rescue)
		defer cancel()
		_ = c.conn.Write(ctx, websocket.MessageText, []byte(strings.Repeat(" ", 8<<20)))
	}()
	if frames := c.wantClosed(websocket.StatusMessageTooBig); len(frames) != 0 {
		t.Error(frames)
	}
}
