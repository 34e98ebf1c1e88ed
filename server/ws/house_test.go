package ws_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/server/ws"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	password = "correct horse battery"
	appID    = "https://app.example/"
	version  = "2024.1.0"
	// rescue ends a test that would otherwise wait for ever. No result depends on it.
	rescue = 30 * time.Second
)

// house is a manager with its sockets. Anna owns it.
type house struct {
	*latchkey.Manager
	store   latchkey.Store
	local   *homeassistant.Provider
	handler *ws.Handler
	anna    latchkey.User
	failed  *atomic.Int64 // failed logins
	passed  *atomic.Int64 // successful ones
	url     string
}

type houseOptions struct {
	store   latchkey.Store // a new one if nil
	modules []latchkey.MFAModule
	ws      ws.Options
	// logins adds the commands about usernames and passwords.
	logins bool
	wrap   func(http.Handler) http.Handler
}

// openStore opens a store in an empty folder. Tests with a clock of their own open it before they step into the bubble:
// it asks its file for news a few times a second, which would be often in ninety days.
func openStore(t testing.TB) latchkey.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "latchkey.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// newManager makes the house without a door.
func newManager(t testing.TB, store latchkey.Store, modules ...latchkey.MFAModule) house {
	t.Helper()
	local, err := homeassistant.New(store, homeassistant.Options{Cost: 4})
	if err != nil {
		t.Fatal(err)
	}
	m, err := latchkey.New(store, latchkey.Options{
		Providers: []latchkey.Provider{local}, Modules: modules, Logger: quiet(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	h := house{Manager: m, store: store, local: local, failed: new(atomic.Int64), passed: new(atomic.Int64)}
	h.anna = h.person(t, "anna", latchkey.GroupAdmin)
	return h
}

// withSockets adds the handler, counting logins.
func (h house) withSockets(t testing.TB, o ws.Options) house {
	t.Helper()
	if o.HAVersion == "" {
		o.HAVersion = version
	}
	if o.Logger == nil {
		o.Logger = quiet()
	}
	o.AuthFailed = func(*http.Request) { h.failed.Add(1) }
	o.AuthOK = func(*http.Request) { h.passed.Add(1) }
	handler, err := ws.New(h.Manager, o)
	if err != nil {
		t.Fatal(err)
	}
	h.handler = handler
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), rescue)
		defer cancel()
		if err := handler.Shutdown(ctx); err != nil {
			t.Error("shutdown:", err)
		}
	})
	return h
}

// newHouse opens a house over a real listener.
func newHouse(t testing.TB, o houseOptions) house {
	t.Helper()
	if o.store == nil {
		o.store = openStore(t)
	}
	h := newManager(t, o.store, o.modules...)
	var server *httptest.Server
	t.Cleanup(func() { // runs after the sockets are shut down
		if server != nil {
			server.Close()
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	if o.logins {
		o.ws.Local = h.local
	}
	h = h.withSockets(t, o.ws)
	var handler http.Handler = h.handler
	if o.wrap != nil {
		handler = o.wrap(handler)
	}
	server = httptest.NewServer(handler)
	h.url = server.URL + "/api/websocket"
	return h
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// person makes a user with a login of the same name.
func (h house) person(t testing.TB, name string, groups ...string) latchkey.User {
	t.Helper()
	login, err := h.local.NewLogin(t.Context(), name, password)
	if err != nil {
		t.Fatal(err)
	}
	u, err := h.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text(name), GroupIDs: groups}, login.GiveTo)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// robot makes a system user.
func (h house) robot(t testing.TB) latchkey.User {
	t.Helper()
	u, err := h.CreateSystemUser(t.Context(), latchkey.NewUser{Name: latchkey.Text("Robot")})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// refreshToken makes a refresh token as signing in does.
func (h house) refreshToken(t testing.TB, u latchkey.User) latchkey.RefreshToken {
	t.Helper()
	n := latchkey.NewRefreshToken{UserID: u.ID, ClientID: latchkey.Text(appID)}
	if u.SystemGenerated {
		n.ClientID = latchkey.NullString{}
	} else if len(u.Credentials) > 0 {
		n.Credentials = &u.Credentials[0]
	}
	r, err := h.CreateRefreshToken(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (h house) accessToken(t testing.TB, r latchkey.RefreshToken) string {
	t.Helper()
	token, err := h.CreateAccessToken(t.Context(), r.ID, netip.MustParseAddr("192.168.1.20"))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// client is the other end of a socket.
type client struct {
	testing.TB
	conn *websocket.Conn
}

// dial opens a socket that has not authenticated yet.
func (h house) dial(t testing.TB, o *websocket.DialOptions) client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rescue)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, h.url, o)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return client{t, conn}
}

// connect opens a socket for a user.
func (h house) connect(t testing.TB, u latchkey.User) client {
	t.Helper()
	return h.connectWith(t, h.accessToken(t, h.refreshToken(t, u)))
}

func (h house) connectWith(t testing.TB, access string) client {
	t.Helper()
	c := h.dial(t, nil)
	c.authenticate(access)
	return c
}

func (c client) authenticate(access string) {
	c.Helper()
	c.want(`{"type":"auth_required","ha_version":"2024.1.0"}`)
	c.send(`{"type":"auth","access_token":"` + access + `"}`)
	c.want(`{"type":"auth_ok","ha_version":"2024.1.0"}`)
}

func (c client) send(text string) { c.Helper(); c.sendFrame(websocket.MessageText, text) }

func (c client) sendFrame(kind websocket.MessageType, data string) {
	c.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rescue)
	defer cancel()
	if err := c.conn.Write(ctx, kind, []byte(data)); err != nil {
		c.Fatalf("send %.100s: %v", data, err)
	}
}

// receive returns the next frame.
func (c client) receive() string {
	c.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rescue)
	defer cancel()
	_, data, err := c.conn.Read(ctx)
	if err != nil {
		c.Fatal("receive:", err)
	}
	return string(data)
}

// want compares the next frame byte by byte.
func (c client) want(text string) {
	c.Helper()
	if got := c.receive(); got != text {
		c.Fatalf("\n got %s\nwant %s", got, text)
	}
}

// ask sends a message and compares the answer.
func (c client) ask(message, answer string) {
	c.Helper()
	c.send(message)
	c.want(answer)
}

// wantClosed reads on until the socket is closed, and returns what came before.
func (c client) wantClosed(code websocket.StatusCode) (frames []string) {
	c.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rescue)
	defer cancel()
	for {
		_, data, err := c.conn.Read(ctx)
		if err == nil {
			frames = append(frames, string(data))
			continue
		}
		if got := websocket.CloseStatus(err); got != code {
			c.Fatalf("closed with %d (%v), want %d", got, err, code)
		}
		return frames
	}
}

// result is the answer to a command.
type result struct {
	ID      json.RawMessage
	Type    string
	Success bool
	Result  json.RawMessage
	Error   struct{ Code, Message string }
}

// call sends a message and parses the answer.
func (c client) call(message string) result {
	c.Helper()
	c.send(message)
	return c.parse(c.receive())
}

func (c client) parse(text string) result {
	c.Helper()
	var r result
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		c.Fatalf("%v in %s", err, text)
	}
	return r
}

// succeed sends a command that has to succeed, and returns its result.
func (c client) succeed(message string) json.RawMessage {
	c.Helper()
	r := c.call(message)
	if !r.Success {
		c.Fatalf("%.200s: %s: %s", message, r.Error.Code, r.Error.Message)
	}
	return r.Result
}

// refused sends a command that has to fail with this code and message; only the code counts when the message is empty.
func (c client) refused(message, code, text string) {
	c.Helper()
	r := c.call(message)
	if r.Success || r.Error.Code != code || text != "" && r.Error.Message != text {
		c.Errorf("%.200s:\n got success %t, %s: %s\nwant %s: %s", message, r.Success, r.Error.Code, r.Error.Message, code, text)
	}
}

// sameJSON compares two JSON texts by their meaning.
func sameJSON(t testing.TB, got []byte, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if err := json.NewDecoder(strings.NewReader(want)).Decode(&w); err != nil {
		t.Fatalf("%v in %s", err, want)
	}
	if d := cmp.Diff(w, g); d != "" {
		t.Error("(-want +got):", d)
	}
}

func decode[T any](t testing.TB, raw json.RawMessage) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return v
}
