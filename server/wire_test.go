package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/server"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

const (
	password = "correct horse battery"
	app      = "https://app.example/"
	callback = "https://app.example/cb"
)

// wire is a server over a store of its own, behind a real listener.
type wire struct {
	*latchkey.Manager
	t      testing.TB
	store  latchkey.Store
	local  *homeassistant.Provider
	server *server.Server
	url    string
	host   string
	// from is where requests seem to come from, when it is set.
	from atomic.Pointer[latchkey.Origin]
	log  *logBuffer
}

// setup is what a test wants to be different.
type setup struct {
	manager latchkey.Options
	server  func(*server.Options)
	store   func(latchkey.Store) latchkey.Store
}

// newWire starts a server without accounts.
func newWire(t testing.TB, with setup) *wire {
	t.Helper()
	w := &wire{t: t, log: &logBuffer{}}
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "latchkey.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w.store = store
	if with.store != nil {
		w.store = with.store(store)
	}
	if w.local, err = homeassistant.New(w.store, homeassistant.Options{Cost: 4}); err != nil {
		t.Fatal(err)
	}
	with.manager.Providers = append([]latchkey.Provider{w.local}, with.manager.Providers...)
	if w.Manager, err = latchkey.New(w.store, with.manager); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	w.serve(with)
	return w
}

// serve makes the server; doing so again is a restart.
func (w *wire) serve(with setup) {
	w.t.Helper()
	o := server.Options{
		Local: w.local, Onboarding: w.store, Origin: w.origin, Logger: slog.New(slog.NewTextHandler(w.log, nil)),
	}
	if with.server != nil {
		with.server(&o)
	}
	var err error
	if w.server, err = server.New(w.Manager, o); err != nil {
		w.t.Fatal(err)
	}
	listener := httptest.NewUnstartedServer(w.server)
	listener.Config = server.HTTPServer(w.server, o.Logger)
	listener.Start()
	w.t.Cleanup(listener.Close)
	w.url, w.host = listener.URL, listener.Listener.Addr().String()
}

// origin is the peer of the connection unless the test says otherwise.
func (w *wire) origin(r *http.Request) (latchkey.Origin, error) {
	if o := w.from.Load(); o != nil {
		return *o, nil
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return latchkey.Origin{Addr: peer.Addr()}, err
}

// comeFrom makes requests seem to come from an address.
func (w *wire) comeFrom(addr string) {
	w.from.Store(&latchkey.Origin{Addr: netip.MustParseAddr(addr)})
}

// person makes a user with a login of the same name. The first is the owner.
func (w *wire) person(username string, change func(*latchkey.NewUser)) latchkey.User {
	w.t.Helper()
	login, err := w.local.NewLogin(w.t.Context(), username, password)
	if err != nil {
		w.t.Fatal(err)
	}
	n := latchkey.NewUser{Name: latchkey.Text(username), GroupIDs: []string{latchkey.GroupUser}}
	if change != nil {
		change(&n)
	}
	u, err := w.CreateUser(w.t.Context(), n, login.GiveTo)
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// newHouse starts a server with the owner anna.
func newHouse(t testing.TB, with setup) *wire {
	t.Helper()
	w := newWire(t, with)
	w.person("anna", nil)
	return w
}

// request is what a client sends. A body that starts with { is JSON of no content type.
type request struct {
	method, path string
	body         string
	header       map[string]string
}

// answer is what it gets.
type answer struct {
	status int
	header http.Header
	body   string
}

func (w *wire) do(r request) answer {
	w.t.Helper()
	req, err := http.NewRequest(r.method, w.url+r.path, strings.NewReader(r.body))
	if err != nil {
		w.t.Fatal(err)
	}
	for name, value := range r.header {
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

func (w *wire) get(path string) answer {
	w.t.Helper()
	return w.do(request{method: http.MethodGet, path: path})
}

// post sends JSON; v is a text or anything that marshals.
func (w *wire) post(path string, v any) answer {
	w.t.Helper()
	return w.do(request{method: http.MethodPost, path: path, body: jsonText(w.t, v)})
}

func jsonText(t testing.TB, v any) string {
	t.Helper()
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// form sends an urlencoded form of names and values in turn.
func (w *wire) form(path string, pairs ...string) answer {
	w.t.Helper()
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return w.do(request{method: http.MethodPost, path: path, body: values.Encode(),
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}})
}

// multipart sends the same as browsers' FormData does.
func (w *wire) multipart(path string, pairs ...string) answer {
	w.t.Helper()
	kind, body := multipartForm(w.t, pairs...)
	return w.do(request{method: http.MethodPost, path: path, body: body, header: map[string]string{"Content-Type": kind}})
}

func multipartForm(t testing.TB, pairs ...string) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		if err := m.WriteField(pairs[i], pairs[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return m.FormDataContentType(), b.String()
}

// text returns a text member of the answer's JSON object.
func (a answer) text(name string) string {
	var object map[string]any
	_ = json.Unmarshal([]byte(a.body), &object)
	s, _ := object[name].(string)
	return s
}

// is fails the test unless the answer has this status and body. A body that starts with a bracket is compared as JSON.
func (a answer) is(t testing.TB, status int, body string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d", a.status, status)
	}
	if !strings.HasPrefix(body, "{") && !strings.HasPrefix(body, "[") {
		if a.body != body {
			t.Errorf("body %q, want %q", a.body, body)
		}
		return
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf(`Content-Type %q (spec: http-auth.md, "C-1")`, got)
	}
	if d := cmp.Diff(parseJSON(t, body), parseJSON(t, a.body)); d != "" {
		t.Error("body (-want +got):", d)
	}
}

func parseJSON(t testing.TB, s string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%v in %q", err, s)
	}
	return v
}

func says(text string) string { return fmt.Sprintf(`{"message":%q}`, text) }

// startFlow starts a login with the built-in provider and returns its id.
func (w *wire) startFlow(extra map[string]any) string {
	w.t.Helper()
	body := map[string]any{"client_id": app, "redirect_uri": callback, "handler": []any{"homeassistant", nil}}
	for k, v := range extra {
		body[k] = v
	}
	a := w.post("/auth/login_flow", body)
	id := a.text("flow_id")
	if a.status != http.StatusOK || id == "" {
		w.t.Fatalf("start: %d %s", a.status, a.body)
	}
	return id
}

// signIn goes on with a login by username and password.
func (w *wire) signIn(flowID, username, password string) answer {
	w.t.Helper()
	return w.post("/auth/login_flow/"+flowID, map[string]any{"client_id": app, "username": username, "password": password})
}

// code signs somebody in and returns the authorization code.
func (w *wire) code(username string, extra map[string]any) string {
	w.t.Helper()
	a := w.signIn(w.startFlow(extra), username, password)
	if a.text("type") != "create_entry" {
		w.t.Fatalf("sign in: %d %s", a.status, a.body)
	}
	return a.text("result")
}

// tokens signs somebody in and exchanges the code.
func (w *wire) tokens(username string) (access, refresh string) {
	w.t.Helper()
	a := w.form("/auth/token", "grant_type", "authorization_code", "client_id", app, "code", w.code(username, nil))
	if a.status != http.StatusOK {
		w.t.Fatalf("exchange: %d %s", a.status, a.body)
	}
	return a.text("access_token"), a.text("refresh_token")
}

// as sends a request with an access token.
func (w *wire) as(access string, r request) answer {
	w.t.Helper()
	header := map[string]string{"Authorization": "Bearer " + access}
	for name, value := range r.header {
		header[name] = value
	}
	r.header = header
	return w.do(r)
}

// works reports whether an access token is accepted.
func (w *wire) works(access string) bool {
	w.t.Helper()
	return w.as(access, request{method: http.MethodGet, path: "/api/"}).status == http.StatusOK
}

// logBuffer collects the log of a server.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// atHome shortens the changes of new users.
type atHome = latchkey.NewUser

// mount serves another handler beside the server.
func (w *wire) mount(h http.Handler) *wire {
	w.t.Helper()
	listener := httptest.NewServer(h)
	w.t.Cleanup(listener.Close)
	return &wire{t: w.t, url: listener.URL}
}

// whoAmI answers with the name of the session's user.
type whoAmI struct{}

func (whoAmI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	session, _ := server.SessionFrom(r.Context())
	from, _ := server.OriginFrom(r.Context())
	_, _ = fmt.Fprintf(w, "%s from %s", session.User.Name, from.Addr)
}

func (*wire) loopback() netip.Addr { return netip.MustParseAddr("127.0.0.1") }
