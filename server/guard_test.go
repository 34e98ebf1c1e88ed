package server_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server"
	"github.com/seed-6a977b3d/latchkey/server/ban"
)

// watchman counts what a guard is told, and keeps nobody out.
type watchman struct{ failed, passed atomic.Int32 }

func (*watchman) Banned(context.Context, latchkey.Origin) bool { return false }
func (g *watchman) Failed(*http.Request, latchkey.Origin)      { g.failed.Add(1) }
func (g *watchman) Passed(context.Context, latchkey.Origin)    { g.passed.Add(1) }

// spec: http-auth.md §9, the table; C-9; M-4
func TestWhatCountsAsAFailedLogin(t *testing.T) {
	guard, second := &watchman{}, &riddle{}
	w := newHouse(t, setup{
		manager: latchkey.Options{Modules: []latchkey.MFAModule{second}},
		server:  func(o *server.Options) { o.Guard = guard },
	})
	ben := w.person("ben", nil)
	second.users.Store(ben.ID, true)
	w.person("cleo", func(n *latchkey.NewUser) { n.LocalOnly = true })
	access, _ := w.tokens("anna")
	start := func(change string) string {
		return strings.Replace(`{"client_id":"`+app+`","handler":["homeassistant",null],"redirect_uri":"`+callback+`"}`, change, "", 1)
	}
	benFlow := w.startFlow(nil)
	w.signIn(benFlow, "ben", password)
	for _, tt := range []struct {
		name           string
		do             func() answer
		status         int
		failed, passed int32
	}{
		{"no token", func() answer { return w.get("/api/") }, 401, 1, 0},
		{"a wrong token", func() answer { return w.as("x", request{method: "GET", path: "/api/"}) }, 401, 1, 0},
		{"a wrong token where none is needed", func() answer { return w.as("x", request{method: "GET", path: "/auth/providers"}) }, 200, 0, 0},
		{"token endpoint, no grant", func() answer { return w.form("/auth/token") }, 400, 1, 0},
		{"token endpoint, wrong code", func() answer {
			return w.form("/auth/token", "grant_type", "authorization_code", "client_id", app, "code", "x")
		}, 400, 1, 0},
		{"token endpoint, too large", func() answer { return w.form("/auth/token", "x", strings.Repeat("x", server.MaxBody)) }, 413, 0, 0},
		{"token endpoint, cut off", func() answer {
			rec := httptest.NewRecorder()
			w.server.ServeHTTP(rec, httptest.NewRequest("POST", "/auth/token", iotest.ErrReader(io.ErrUnexpectedEOF)))
			return answer{status: rec.Code}
		}, 400, 0, 0},
		{"start, no JSON", func() answer { return w.post("/auth/login_flow", "{") }, 400, 0, 0},
		{"start, wrong schema", func() answer { return w.post("/auth/login_flow", "{}") }, 400, 0, 0},
		{"start", func() answer { return w.post("/auth/login_flow", start("")) }, 200, 0, 0},
		{"start, bad client", func() answer { return w.post("/auth/login_flow", start("https:")) }, 400, 1, 0},
		{"start, no such provider", func() answer { return w.post("/auth/login_flow", start("homeassistant")) }, 404, 1, 0},
		{"step, no JSON", func() answer { return w.post("/auth/login_flow/x", "") }, 400, 0, 0},
		{"step, wrong schema", func() answer { return w.post("/auth/login_flow/x", `{"client_id":1}`) }, 400, 0, 0},
		{"step, bad client", func() answer { return w.post("/auth/login_flow/x", `{"client_id":"x"}`) }, 400, 1, 0},
		{"step of no flow", func() answer { return w.signIn("x", "anna", password) }, 404, 1, 0},
		{"step, malformed input", func() answer { return w.post("/auth/login_flow/"+w.startFlow(nil), `{"client_id":"`+app+`"}`) }, 400, 1, 0},
		{"a wrong password", func() answer { return w.signIn(w.startFlow(nil), "anna", "wrong") }, 200, 1, 0},
		{"a wrong second factor", func() answer {
			return w.post("/auth/login_flow/"+benFlow, `{"client_id":"`+app+`","code":"1"}`)
		}, 200, 1, 0},
		{"the last wrong second factor", func() answer {
			return w.post("/auth/login_flow/"+benFlow, `{"client_id":"`+app+`","code":"1"}`)
		}, 200, 0, 0},
		{"the right password", func() answer { return w.signIn(w.startFlow(nil), "anna", password) }, 200, 0, 1},
		{"L-10: to link", func() answer { return w.signIn(w.startFlow(map[string]any{"type": "link_user"}), "anna", password) }, 200, 0, 0},
		{"a foreign redirect", func() answer {
			return w.signIn(w.startFlow(map[string]any{"redirect_uri": "https://evil.example/"}), "anna", password)
		}, 403, 1, 0},
		{"a flow that is given up", func() answer { return w.do(request{method: "DELETE", path: "/auth/login_flow/" + w.startFlow(nil)}) }, 200, 0, 0},
		{"giving up no flow", func() answer { return w.do(request{method: "DELETE", path: "/auth/login_flow/x"}) }, 404, 0, 0},
		{"reading a flow", func() answer { return w.get("/auth/login_flow/x") }, 404, 0, 0},
		{"R-5: revoking nothing", func() answer { return w.form("/auth/revoke") }, 200, 0, 0},
		{"R-5: revoking what is none", func() answer { return w.form("/auth/revoke", "token", "x") }, 200, 0, 0},
		{"R-5: revoking by action", func() answer { return w.form("/auth/token", "action", "revoke", "token", "x") }, 200, 0, 0},
		{"P-7: who lets people in", func() answer { return w.get("/auth/providers") }, 200, 0, 0},
		{"P-7: and to no known address", func() answer {
			defer w.from.Store(w.from.Load())
			w.from.Store(&latchkey.Origin{})
			return w.get("/auth/providers")
		}, 400, 0, 0},
		{"no such route", func() answer { return w.get("/nowhere") }, 404, 0, 0},
		{"no such method", func() answer { return w.get("/auth/token") }, 405, 0, 0},
		{"the filter", func() answer { return w.get("/auth/authorize?x=../") }, 400, 0, 0},
		{"U-3: a wrong code to link", func() answer {
			return w.as(access, request{method: "POST", path: "/auth/link_user", body: `{"client_id":"` + app + `","code":"x"}`})
		}, 400, 0, 0},
		{"linking without a token", func() answer { return w.post("/auth/link_user", "{}") }, 401, 1, 0},
	} {
		guard.failed.Store(0)
		guard.passed.Store(0)
		a := tt.do()
		if a.status != tt.status || guard.failed.Load() != tt.failed || guard.passed.Load() != tt.passed {
			t.Errorf("%s: status %d with %d failed and %d passed, want %d, %d and %d (%s)", tt.name,
				a.status, guard.failed.Load(), guard.passed.Load(), tt.status, tt.failed, tt.passed, a.body)
		}
	}
	w.comeFrom("203.0.113.9")
	guard.failed.Store(0)
	if a := w.signIn(w.startFlow(nil), "cleo", password); a.status != 403 || guard.failed.Load() != 1 {
		t.Errorf("somebody who may not sign in from outside: %d, counted %d times", a.status, guard.failed.Load())
	}
}

// guarded starts a server behind a trusted proxy on this machine, which bans after three failures.
func guarded(t *testing.T) (w *wire, list *ban.File) {
	t.Helper()
	list = ban.NewFile(t.TempDir()+"/"+ban.FileName, nil)
	w = newHouse(t, setup{server: func(o *server.Options) {
		guard := ban.NewGuard(ban.Options{
			Threshold: 3, List: list, Logger: o.Logger,
			LookupAddr: func(context.Context, string) ([]string, error) { return nil, nil },
		})
		t.Cleanup(guard.Close)
		o.Guard, o.Origin = guard, nil
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}})
	return w, list
}

func (w *wire) via(addr string, r request) answer {
	w.t.Helper()
	header := map[string]string{"X-Forwarded-For": addr}
	for name, value := range r.header {
		header[name] = value
	}
	r.header = header
	return w.do(r)
}

// spec: http-auth.md B-3, B-4, B-7; security.md W10
func TestW10OnlyTheAddressThatFailedIsBanned(t *testing.T) {
	w, list := guarded(t)
	const evil, good = "203.0.113.66", "203.0.113.7"
	for range 3 {
		w.via(evil, request{method: "GET", path: "/api/"}).is(t, 401, "401: Unauthorized")
	}
	const banned = "403: Forbidden"
	for _, r := range []request{
		{method: "GET", path: "/api/"}, {method: "GET", path: "/auth/providers"}, {method: "GET", path: "/nowhere"},
		{method: "GET", path: "/api/websocket"},
		{method: "OPTIONS", path: "/auth/token", header: map[string]string{"Origin": app, "Access-Control-Request-Method": "POST"}},
	} {
		a := w.via(evil, r)
		a.is(t, 403, banned)
		if a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf(`%s %s: without the headers of "C-17"`, r.method, r.path)
		}
		if a := w.via(good, r); a.status == 403 {
			t.Errorf("%s %s from another address: banned", r.method, r.path)
		}
	}
	w.via(evil, request{method: "GET", path: "/?x=../"}).is(t, 400, "400: Bad Request")
	w.via(evil+",", request{method: "GET", path: "/"}).is(t, 400, "400: Bad Request")
	w.via(good+", "+evil, request{method: "GET", path: "/api/"}).is(t, 403, banned) // what stands to the left is hearsay
	w.via(evil+", "+good, request{method: "GET", path: "/api/"}).is(t, 401, "401: Unauthorized")

	for range 9 { // as many failures by the proxy itself, and by what it passes on without saying for whom
		w.get("/api/").is(t, 401, "401: Unauthorized")
		w.via("127.0.0.2", request{method: "GET", path: "/api/"}).is(t, 401, "401: Unauthorized")
	}
	all, err := list.Bans(t.Context())
	if _, listed := all[netip.MustParseAddr(evil)]; err != nil || !listed || len(all) != 1 {
		t.Errorf("the ban file holds %v, %v", all, err)
	}
}

// spec: http-auth.md §12: the address, the host and the scheme behind a proxy
func TestBehindATrustedProxy(t *testing.T) {
	w, _ := guarded(t)
	a := w.via("192.168.1.20", request{method: "GET", path: "/auth/providers"})
	if !strings.Contains(a.body, `"preselect_remember_me":true`) {
		t.Errorf("P-4: %s", a.body)
	}
	if a := w.via("203.0.113.7", request{method: "GET", path: "/auth/providers"}); !strings.Contains(a.body, `"preselect_remember_me":false`) {
		t.Errorf("P-4: %s", a.body)
	}
	// spec: security.md 49
	w.person("cleo", func(n *latchkey.NewUser) { n.LocalOnly = true })
	flow := w.via("192.168.1.20", request{method: "POST", path: "/auth/login_flow",
		body: `{"client_id":"` + app + `","handler":["homeassistant",null],"redirect_uri":"` + callback + `"}`}).text("flow_id")
	w.via("192.168.1.20", request{method: "POST", path: "/auth/login_flow/" + flow,
		body: `{"client_id":"` + app + `","username":"cleo","password":"` + password + `"}`,
	}).is(t, 403, says("Login blocked: User cannot authenticate remotely"))
	// F-3: no proxy of ours
	w = newHouse(t, setup{server: func(o *server.Options) { o.Origin = nil }})
	w.via("192.168.1.20", request{method: "GET", path: "/auth/providers"}).is(t, 400, "400: Bad Request")
}

// spec: RFC 9207; security.md 35; http-auth.md §14 behind a proxy that names the host
func TestALoginNamesItsIssuer(t *testing.T) {
	w := newHouse(t, setup{server: func(o *server.Options) {
		o.Origin, o.URLs = nil, []string{"https://house.example"}
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	}})
	finish := func(host string) answer {
		return w.via("203.0.113.7", request{method: "POST", header: map[string]string{"X-Forwarded-Host": host},
			path: "/auth/login_flow/" + w.via("203.0.113.7", request{method: "POST", path: "/auth/login_flow",
				body: `{"client_id":"` + app + `","handler":["homeassistant",null],"redirect_uri":"` + callback + `"}`}).text("flow_id"),
			body: `{"client_id":"` + app + `","username":"anna","password":"` + password + `"}`})
	}
	if a := finish("house.example"); a.text("iss") != "https://house.example" || a.text("result") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := finish("evil.example"); strings.Contains(a.body, "iss") || a.text("result") == "" {
		t.Errorf("under an address that is not ours: %d %s", a.status, a.body)
	}
}

// notedRedirects allows every redirect and notes for whom.
type notedRedirects struct{ from []netip.Addr }

func (n *notedRedirects) Check(_ context.Context, _, _ string, from netip.Addr) error {
	n.from = append(n.from, from)
	return nil
}

// spec: security.md 45 and 49: behind a proxy nobody is near enough to have a page fetched from this machine or its network,
// also where another tunnel before the proxy makes everybody look so.
func TestWhoComesThroughAProxyHasNoPageFetchedFromTheHouse(t *testing.T) {
	noted := &notedRedirects{}
	w := newHouse(t, setup{server: func(o *server.Options) {
		o.Origin, o.Redirects = nil, noted
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	}})
	for _, header := range []map[string]string{
		{"X-Forwarded-For": "203.0.113.7"},
		{"X-Forwarded-For": "192.168.1.20"},
		{"X-Forwarded-For": "203.0.113.7, 127.0.0.2"},
		{"X-Forwarded-For": "203.0.113.7, ::1"},
		{"X-Forwarded-For": "127.0.0.1"},
		{}, // the proxy says nothing
	} {
		noted.from = nil
		send := func(path, body string) answer {
			return w.do(request{method: "POST", path: path, body: body, header: header})
		}
		flow := send("/auth/login_flow", `{"client_id":"`+app+`","handler":["homeassistant",null],"redirect_uri":"`+callback+`"}`).text("flow_id")
		if a := send("/auth/login_flow/"+flow, `{"client_id":"`+app+`","username":"anna","password":"`+password+`"}`); a.text("result") == "" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if len(noted.from) != 1 || noted.from[0].IsValid() {
			t.Errorf("%v: pages are fetched as for %v, want nobody near", header, noted.from)
		}
	}
	near := &notedRedirects{}
	w = newHouse(t, setup{server: func(o *server.Options) { o.Origin, o.Redirects = nil, near }})
	w.code("anna", nil)
	if len(near.from) != 1 || !near.from[0].IsLoopback() {
		t.Errorf("on this machine itself pages are fetched as for %v", near.from)
	}
}
