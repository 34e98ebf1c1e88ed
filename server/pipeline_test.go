package server_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/seed-6a977b3d/latchkey/server"
)

// spec: http-auth.md, "C-16", "C-17"
func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	w := newHouse(t, setup{server: func(o *server.Options) {
		o.WebSocket = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("on purpose") })
	}})
	for name, r := range map[string]request{
		"200":               {method: "GET", path: "/auth/providers"},
		"400":               {method: "POST", path: "/auth/login_flow"},
		"400 of the filter": {method: "GET", path: "/a?b=%0a"},
		"401":               {method: "GET", path: "/api/"},
		"403":               {method: "OPTIONS", path: "/auth/token"},
		"404":               {method: "GET", path: "/nowhere"},
		"405":               {method: "PUT", path: "/auth/token"},
		"413":               {method: "POST", path: "/auth/token", body: strings.Repeat("x", server.MaxBody+1)},
		"500":               {method: "GET", path: "/api/websocket"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.do(r)
			if want := name[:3]; want != strconv.Itoa(a.status) {
				t.Errorf("status %d, want %s", a.status, want)
			}
			for header, want := range map[string]string{
				"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "SAMEORIGIN", "Server": "",
			} {
				if got, ok := a.header[header]; !ok || !slices.Equal(got, []string{want}) {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
		})
	}
}

// spec: http-auth.md §1.3, "C-13", "C-14", "C-15"
func TestFrameworkErrors(t *testing.T) {
	w := newHouse(t, setup{server: func(o *server.Options) { o.Pages = pages{} }})
	for _, tt := range []struct {
		name   string
		r      request
		status int
		body   string
		allow  string
	}{
		{"unknown path", request{method: "GET", path: "/nowhere"}, 404, "404: Not Found", ""},
		{"unknown path, any method", request{method: "POST", path: "/nowhere"}, 404, "404: Not Found", ""},
		{"OPTIONS of an unknown path", request{method: "OPTIONS", path: "/nowhere"}, 404, "404: Not Found", ""},
		{"C-14: /api is not /api/", request{method: "GET", path: "/api"}, 404, "404: Not Found", ""},
		{"C-14: /auth/token/ is not /auth/token", request{method: "POST", path: "/auth/token/"}, 404, "404: Not Found", ""},
		{"C-14: nothing is cleaned", request{method: "POST", path: "//auth/token"}, 404, "404: Not Found", ""},
		{"an escaped slash is none", request{method: "POST", path: "/auth%2ftoken"}, 404, "404: Not Found", ""},
		{"no flow id", request{method: "POST", path: "/auth/login_flow/"}, 404, "404: Not Found", ""},
		{"more than a flow id", request{method: "POST", path: "/auth/login_flow/a/b"}, 404, "404: Not Found", ""},
		{"wrong method", request{method: "GET", path: "/auth/token"}, 405, "405: Method Not Allowed", "OPTIONS,POST"},
		{"wrong method on a flow", request{method: "PUT", path: "/auth/login_flow/x"}, 405, "405: Method Not Allowed", "DELETE,GET,OPTIONS,POST"},
		{"wrong method on a page without CORS", request{method: "POST", path: "/"}, 405, "405: Method Not Allowed", "GET,HEAD"},
		{"C-15: HEAD of the API", request{method: "HEAD", path: "/auth/providers"}, 405, "", "GET,OPTIONS"},
		{"no token", request{method: "GET", path: "/api/"}, 401, "401: Unauthorized", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do(tt.r)
			a.is(t, tt.status, tt.body)
			if got := a.header.Get("Allow"); got != tt.allow {
				t.Errorf("Allow %q, want %q", got, tt.allow)
			}
			if got := a.header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
				t.Errorf("Content-Type %q", got)
			}
			if got, given := a.header["Www-Authenticate"]; given {
				t.Errorf("WWW-Authenticate %q", got)
			}
		})
	}
}

// pages are all pages, each of which says which it is.
type pages struct{}

func (pages) Authorize() http.Handler  { return pageCalled("authorize") }
func (pages) Onboarding() http.Handler { return pageCalled("onboarding") }
func (pages) Home() http.Handler       { return pageCalled("home") }
func (pages) SignIn() http.Handler     { return refusing(http.StatusUnauthorized, "sign in") }
func (pages) Account() http.Handler    { return whoAmI{} }
func (pages) Admin() http.Handler      { return whoAmI{} }
func (pages) Static() http.Handler     { return pageCalled("static") }

func (pages) Refused(status int) http.Handler { return refusing(status, "refused") }

func pageCalled(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Frame-Options", "DENY")
		_, _ = io.WriteString(w, name)
	})
}

func refusing(status int, name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, name)
	})
}

// spec: http-auth.md, "C-15", "A-1"
func TestPagesAreServed(t *testing.T) {
	w := newHouse(t, setup{server: func(o *server.Options) { o.Pages = pages{} }})
	for path, name := range map[string]string{
		"/": "home", "/onboarding.html": "onboarding", "/auth/authorize": "authorize",
		"/auth/authorize?client_id=x&unknown=%3Cb%3E": "authorize", "/static/a.css": "static", "/static/i18n/en.json": "static",
	} {
		a := w.get(path)
		a.is(t, 200, name)
		if got := a.header.Get("X-Frame-Options"); got != "DENY" {
			t.Errorf("%s: a page cannot be stricter: X-Frame-Options %q", path, got)
		}
		if a := w.do(request{method: "HEAD", path: path}); a.status != 200 {
			t.Errorf("HEAD %s: %d", path, a.status)
		}
	}
	if a := newHouse(t, setup{}).get("/"); a.status != 404 {
		t.Errorf("without pages / is %d", a.status)
	}
}

// spec: http-auth.md, "C-19"; security.md 46
func TestSecurityFilter(t *testing.T) {
	w := newHouse(t, setup{server: func(o *server.Options) { o.Pages = pages{} }})
	refused := []string{
		"/auth/authorize?a=%0a", "/auth/authorize?a=%0D", "/auth/authorize?a=b%09c", "/auth%0a",
		"/auth/authorize?f=/proc/self/environ", "/auth/authorize?f=PROC%2Fself%252fenviron",
		"/auth/authorize?q=%3Cscript%3E", "/auth/authorize?q=%253CsCriPt%2520a%253E", "/auth/authorize?q=%3C-script-%3E",
		"/auth/authorize?redirect_uri=http%3A%2F%2Fex.com%2F..%2Fx", "/static/..%2fx", "/static/%252e%252e%252fx", "/static/../x",
		"/auth/authorize?v=/a/", "/auth/authorize?v=/.//", "/auth/authorize?v%3D%2Fa%2F",
		"/auth/authorize?q=union+select+(", "/auth/authorize?q=UNION%20ALL%20SELECT", "/auth/authorize?q=concat%28",
	}
	for _, path := range refused {
		w.get(path).is(t, 400, "400: Bad Request")
	}
	passed := []string{
		"/auth/authorize?a=%250a", "/auth/authorize?v=/ab/", "/auth/authorize?-=/a/", "/auth/authorize?q=select+union+(",
		"/auth/authorize?q=script%3E%3C", "/auth/authorize?q=..%5Cx", "/auth/authorize?q=%zz%",
		"/auth/authorize?redirect_uri=https%3A%2F%2Fapp.example%2Fcb%3Fauth_callback%3D1&state=eyJhIjoiYiJ9%3D",
	}
	for _, path := range passed {
		w.get(path).is(t, 200, "authorize")
	}
}

// spec: http-auth.md, "C-12"
func TestLongLinesAreRefused(t *testing.T) {
	w := newHouse(t, setup{server: func(o *server.Options) { o.Pages = pages{} }})
	path := "/auth/authorize?q="
	w.get(path+strings.Repeat("a", server.MaxLine-len(path))).is(t, 200, "authorize")
	w.get(path+strings.Repeat("a", server.MaxLine-len(path)+1)).is(t, 400, "400: Bad Request")
	header := func(n int) request {
		return request{method: "GET", path: "/auth/authorize", header: map[string]string{"X-Long": strings.Repeat("a", n)}}
	}
	w.do(header(server.MaxLine)).is(t, 200, "authorize")
	w.do(header(server.MaxLine+1)).is(t, 400, "400: Bad Request")
}

// spec: http-auth.md, "C-12", with the server's own limit
func TestLongBodiesAreRefused(t *testing.T) {
	w := newHouse(t, setup{})
	access, _ := w.tokens("anna")
	for _, path := range []string{"/auth/token", "/auth/revoke", "/auth/login_flow", "/auth/login_flow/x", "/auth/link_user"} {
		r := request{method: "POST", path: path, body: strings.Repeat(" ", server.MaxBody+1)}
		w.as(access, r).is(t, 413, "413: Request Entity Too Large")
		r.body = r.body[1:]
		if a := w.as(access, r); a.status == 413 {
			t.Errorf("%s: a body of exactly the limit is refused", path)
		}
	}
}

// spec: http-auth.md, "F-2"
func TestForwardedRequestsAreRefusedWithoutTrustedProxies(t *testing.T) {
	w := newHouse(t, setup{server: func(o *server.Options) { o.Origin = nil }})
	for _, value := range []string{"198.51.100.7", "", "127.0.0.1"} {
		r := request{method: "GET", path: "/auth/providers", header: map[string]string{"X-Forwarded-For": value}}
		w.do(r).is(t, 400, "400: Bad Request")
		r.path = "/nowhere"
		w.do(r).is(t, 400, "400: Bad Request")
	}
	// spec: http-auth.md, "F-1", "F-9"
	for _, header := range []string{"X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Real-IP"} {
		if a := w.do(request{method: "GET", path: "/auth/providers", header: map[string]string{header: "x"}}); a.status != 200 {
			t.Errorf("%s: %d", header, a.status)
		}
	}
}

// Whatever goes wrong inside, the client hears nothing of it and the log hears all.
func TestFailuresAreNotToldToClients(t *testing.T) {
	store := &brokenStore{}
	socket := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret detail of the code") })
	with := setup{server: func(o *server.Options) { o.WebSocket = socket }, store: store.over}
	w := newHouse(t, with)
	store.broken.Store(true)
	w.get("/api/websocket").is(t, 500, "500: Internal Server Error")
	w.form("/auth/revoke", "token", "x").is(t, 500, "500: Internal Server Error")
	w.form("/auth/token", "grant_type", "refresh_token", "refresh_token", "x").is(t, 500, "500: Internal Server Error")
	w.get("/auth/providers").is(t, 500, "500: Internal Server Error")
	w.get("/api/onboarding").is(t, 500, "500: Internal Server Error")
	w.get("/api/onboarding/installation_type").is(t, 500, "500: Internal Server Error")
	w.post("/api/onboarding/users", owner(nil)).is(t, 500, "500: Internal Server Error")
	if _, err := server.New(w.Manager, server.Options{Local: w.local, Onboarding: w.store}); !errors.Is(err, errDisk) {
		t.Errorf("a server over a store that cannot be read: %v", err)
	}
	for _, detail := range []string{"secret detail of the code", "secret detail of the disk", "pipeline_test.go"} {
		if !strings.Contains(w.log.String(), detail) {
			t.Errorf("the log does not hold %q", detail)
		}
	}
}

// A handler that panics in mid-answer must not look as if it had finished.
func TestAPanicInMidAnswerEndsTheConnection(t *testing.T) {
	w := newHouse(t, setup{server: func(o *server.Options) {
		o.WebSocket = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic("on purpose")
		})
	}})
	res, err := http.Get(w.url + "/api/websocket")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, err := io.ReadAll(res.Body); err == nil || string(body) != "half" {
		t.Errorf("body %q, error %v; want half and an error", body, err)
	}
}

// The handler of the WebSocket can take the connection over, and keeps it longer than a request may last.
func TestAConnectionCanBecomeAWebSocket(t *testing.T) {
	w := newHouse(t, setup{server: func(o *server.Options) {
		o.WebSocket = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			from, _ := server.OriginFrom(r.Context())
			_ = c.Write(r.Context(), websocket.MessageText, []byte("hello "+from.Addr.String()))
			_ = c.Close(websocket.StatusNormalClosure, "")
		})
	}})
	c, _, err := websocket.Dial(t.Context(), w.url+"/api/websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	if _, b, err := c.Read(t.Context()); err != nil || string(b) != "hello 127.0.0.1" {
		t.Errorf("%q %v", b, err)
	}
}

// What net/http would answer by itself goes through the pipeline, too.
func TestOptionsOfTheServerAsAWhole(t *testing.T) {
	w := newHouse(t, setup{})
	c, err := net.Dial("tcp", w.host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 404 ") || !strings.Contains(string(answer), "X-Frame-Options") {
		t.Errorf("%q %v", answer, err)
	}
}

// spec: http-auth.md, "M-1": of several Authorization lines only the first is looked at.
func TestOnlyTheFirstAuthorizationCounts(t *testing.T) {
	w := newHouse(t, setup{})
	access, _ := w.tokens("anna")
	for want, lines := range map[int][]string{
		200: {"Bearer " + access, "Basic x"},
		401: {"Basic x", "Bearer " + access},
	} {
		req := httptest.NewRequest("GET", "/api/", nil)
		req.RemoteAddr = "127.0.0.1:1"
		req.Header["Authorization"] = lines
		rec := httptest.NewRecorder()
		w.server.ServeHTTP(rec, req)
		if rec.Code != want {
			t.Errorf("%d, want %d", rec.Code, want)
		}
	}
}
