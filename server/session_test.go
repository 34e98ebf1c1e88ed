package server_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server"
)

// desk is a page that shows the token of its forms, and what was sent.
type desk struct{ pages }

func (desk) Account() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = w.Write([]byte("took " + r.PostFormValue("what")))
			return
		}
		_, _ = w.Write([]byte(server.FormToken(r.Context())))
	})
}

func newDesk(t *testing.T, change func(*server.Options)) *wire {
	t.Helper()
	return newHouse(t, setup{server: func(o *server.Options) {
		o.Pages = desk{}
		if change != nil {
			change(o)
		}
	}})
}

// session begins a browser's session and returns the answer and the value of the Cookie header.
func (w *wire) session(username string, more ...string) (answer, string) {
	w.t.Helper()
	kind, body := multipartForm(w.t, append([]string{"client_id", app, "code", w.code(username, nil)}, more...)...)
	a := w.do(request{method: "POST", path: "/session", body: body,
		header: map[string]string{"Content-Type": kind, "X-Latchkey-Page": "1"}})
	set, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	return a, set
}

// with sends a form with a session's cookie, and further headers as names and values in turn.
func (w *wire) with(cookie, method, path, body string, headers ...string) answer {
	w.t.Helper()
	r := request{method: method, path: path, body: body, header: map[string]string{"Cookie": cookie}}
	if body != "" {
		r.header["Content-Type"] = "application/x-www-form-urlencoded"
	}
	for i := 0; i < len(headers); i += 2 {
		r.header[headers[i]] = headers[i+1]
	}
	return w.do(r)
}

// The session of our own pages is a cookie that no script can read, no other site can use and no other path sees.
func TestASessionIsKeptInACookie(t *testing.T) {
	w := newDesk(t, nil)
	a, cookie := w.session("anna")
	a.is(t, 200, says("Signed in"))
	set := a.header.Get("Set-Cookie")
	if want := cookie + "; HttpOnly; SameSite=Lax"; set != want || !strings.HasPrefix(cookie, "latchkey_session=") {
		t.Errorf("Set-Cookie: %s", set)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: %s", got)
	}
	if strings.Contains(a.body, strings.TrimPrefix(cookie, "latchkey_session=")) {
		t.Error("the secret is in the body, where scripts read it")
	}
	if a := w.with(cookie, "GET", "/account", ""); a.status != 200 || len(a.body) < 40 || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the account: %d %q %s", a.status, a.body, a.header.Get("Cache-Control"))
	}
	kept, _ := w.session("anna", "keep", "true")
	if set := kept.header.Get("Set-Cookie"); !strings.Contains(set, "; Max-Age=34560000") {
		t.Errorf("whoever stays signed in gets the cookie %s", set)
	}
	w.with(cookie, "GET", "/", "").leads(t, "account")
	w.with(cookie, "GET", "/?auth_callback=1&code=x&state=y", "").is(t, 200, "home") // where a sign-in comes back to
	w.get("/").is(t, 200, "home")
}

// leads fails the test unless the answer leads to this relative address.
func (a answer) leads(t *testing.T, to string) {
	t.Helper()
	if a.status != http.StatusSeeOther || a.header.Get("Location") != to {
		t.Errorf("%d to %q, want 303 to %q", a.status, a.header.Get("Location"), to)
	}
}

// A session begins with a code like at the token endpoint, and only for our own pages: a form of another site, which would
// sign somebody in as somebody else, lacks the header.
func TestWhatBeginsNoSession(t *testing.T) {
	w := newDesk(t, nil)
	for name, tt := range map[string]struct {
		header map[string]string
		change func(map[string]string)
		want   string
	}{
		"no header":         {nil, nil, `{"error":"invalid_request","error_description":"This is for the server's own pages: use /auth/token"}`},
		"no code":           {ownPage(), func(f map[string]string) { delete(f, "code") }, `{"error":"invalid_request","error_description":"Invalid code"}`},
		"no client":         {ownPage(), func(f map[string]string) { delete(f, "client_id") }, `{"error":"invalid_request","error_description":"Invalid client id"}`},
		"another client":    {ownPage(), func(f map[string]string) { f["client_id"] = "https://evil.example/" }, `{"error":"invalid_request","error_description":"Invalid code"}`},
		"an unasked proof":  {ownPage(), func(f map[string]string) { f["code_verifier"] = strings.Repeat("v", 43) }, `{"error":"invalid_grant"}`},
		"a code to link":    {ownPage(), func(f map[string]string) { f["code"] = w.code("anna", map[string]any{"type": "link_user"}) }, `{"error":"invalid_request","error_description":"Invalid code"}`},
		"a code used twice": {ownPage(), func(f map[string]string) { w.exchange(f["code"]) }, `{"error":"invalid_request","error_description":"Invalid code"}`},
	} {
		t.Run(name, func(t *testing.T) {
			fields := map[string]string{"client_id": app, "code": w.code("anna", nil)}
			if tt.change != nil {
				tt.change(fields)
			}
			var pairs []string
			for k, v := range fields {
				pairs = append(pairs, k, v)
			}
			kind, body := multipartForm(t, pairs...)
			r := request{method: "POST", path: "/session", body: body, header: map[string]string{"Content-Type": kind}}
			for k, v := range tt.header {
				r.header[k] = v
			}
			a := w.do(r)
			a.is(t, 400, tt.want)
			if a.header.Get("Set-Cookie") != "" {
				t.Error("a cookie was set")
			}
		})
	}
}

func ownPage() map[string]string { return map[string]string{"X-Latchkey-Page": "1"} }

func (w *wire) exchange(code string) {
	w.form("/auth/token", "grant_type", "authorization_code", "client_id", app, "code", code)
}

// secretIn is the refresh token's own secret in a session's cookie.
func secretIn(cookie string) string {
	secret, _, _ := strings.Cut(strings.TrimPrefix(cookie, "latchkey_session="), ".")
	return secret
}

// What an application was given for itself does not open the pages, nor is the cookie a refresh token (spec: security.md 31).
func TestACookieIsNoRefreshTokenNorTheOtherWayRound(t *testing.T) {
	w := newDesk(t, nil)
	_, refresh := w.tokens("anna")
	_, cookie := w.session("anna")
	for name, cookie := range map[string]string{
		"the refresh token of an application":    "latchkey_session=" + refresh,
		"the refresh token in the cookie, alone": "latchkey_session=" + secretIn(cookie),
		"the proof of another session":           "latchkey_session=" + refresh + strings.TrimPrefix(cookie, "latchkey_session="+secretIn(cookie)),
	} {
		if a := w.with(cookie, "GET", "/account", ""); a.status != 401 || a.body != "sign in" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := w.form("/auth/token", "grant_type", "refresh_token", "client_id", app, "refresh_token", strings.TrimPrefix(cookie, "latchkey_session=")); a.status != 400 {
		t.Errorf("the cookie as a refresh token: %d %s", a.status, a.body)
	}
	if a := w.with(cookie, "GET", "/account", ""); a.status != 200 {
		t.Errorf("the cookie itself: %d", a.status)
	}
	if a := w.with("latchkey_session=; "+cookie, "GET", "/account", ""); a.status != 200 {
		t.Errorf("the cookie behind an empty one: %d", a.status)
	}
}

// No other site can send a form of ours: it does not know the token, which is another one for each session.
func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	w := newDesk(t, nil)
	_, cookie := w.session("anna")
	token := w.with(cookie, "GET", "/account", "").body
	_, other := w.session("anna")
	foreign := w.with(other, "GET", "/account", "").body
	if token == foreign {
		t.Fatal("two sessions have one token")
	}
	for name, tt := range map[string]struct {
		body, site string
		want       int
	}{
		"ours":                          {"form_token=" + token + "&what=it", "", 200},
		"ours, says the browser":        {"form_token=" + token + "&what=it", "same-origin", 200},
		"no token":                      {"what=it", "", 403},
		"no body":                       {"", "", 403},
		"an empty token":                {"form_token=&what=it", "", 403},
		"the token of another session":  {"form_token=" + foreign + "&what=it", "", 403},
		"a token and more":              {"form_token=" + token + "x&what=it", "", 403},
		"from elsewhere with the token": {"form_token=" + token + "&what=it", "cross-site", 403},
		"from a neighbour":              {"form_token=" + token + "&what=it", "same-site", 403},
		"too long":                      {"what=" + strings.Repeat("x", 1<<20) + "&form_token=" + token, "", 413},
		"not a form":                    {"form_token=" + token + "&what=%zz", "", 400},
	} {
		t.Run(name, func(t *testing.T) {
			var headers []string
			if tt.site != "" {
				headers = []string{"Sec-Fetch-Site", tt.site}
			}
			a := w.with(cookie, "POST", "/account", tt.body, headers...)
			if a.status != tt.want || (a.body == "took it") != (tt.want == 200) {
				t.Errorf("%d %.100s", a.status, a.body)
			}
		})
	}
	// The token counts in the form only: an address with it could leak.
	if a := w.with(cookie, "POST", "/account?form_token="+token, "what=it"); a.status != 403 {
		t.Errorf("a token in the query: %d", a.status)
	}
}

// spec: security.md 20 and 21
func TestWhatEndsASession(t *testing.T) {
	w := newDesk(t, nil)
	alive := func(cookie string) bool { return w.with(cookie, "GET", "/account", "").status == 200 }
	begin := func(username string) string {
		t.Helper()
		_, cookie := w.session(username)
		if !alive(cookie) {
			t.Fatal("the session does not work")
		}
		return cookie
	}
	ben := w.person("ben", nil)
	for name, end := range map[string]func(cookie string){
		"signing out": func(cookie string) {
			token := w.with(cookie, "GET", "/account", "").body
			a := w.with(cookie, "POST", "/sign-out", "form_token="+token)
			a.leads(t, "./#signed-out")
			if set := a.header.Get("Set-Cookie"); !strings.HasPrefix(set, "latchkey_session=; Max-Age=0;") {
				t.Errorf("Set-Cookie: %s", set)
			}
		},
		"revoking its token": func(cookie string) {
			w.form("/auth/revoke", "token", secretIn(cookie))
		},
		"deactivating the user": func(string) {
			if err := w.DeactivateUser(t.Context(), ben.ID); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = w.ActivateUser(t.Context(), ben.ID) })
		},
		"signing in anew": func(cookie string) {
			kind, body := multipartForm(t, "client_id", app, "code", w.code("ben", nil))
			w.do(request{method: "POST", path: "/session", body: body,
				header: map[string]string{"Content-Type": kind, "X-Latchkey-Page": "1", "Cookie": cookie}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := w.ActivateUser(t.Context(), ben.ID); err != nil {
				t.Fatal(err)
			}
			cookie := begin("ben")
			end(cookie)
			if alive(cookie) {
				t.Error("it goes on")
			}
		})
	}
	t.Run("not a sign-out from elsewhere", func(t *testing.T) {
		cookie := begin("anna")
		if a := w.with(cookie, "POST", "/sign-out", "x=y"); a.status != 403 || !alive(cookie) {
			t.Errorf("%d, alive: %v", a.status, alive(cookie))
		}
	})
	// Browsers keep the cookie from forms of other sites, but would take the answer's.
	t.Run("not a form without the cookie", func(t *testing.T) {
		a := w.form("/sign-out")
		a.leads(t, "./#signed-out")
		if set := a.header.Get("Set-Cookie"); set != "" {
			t.Errorf("Set-Cookie: %s", set)
		}
	})
	t.Run("the cookie of a session that is over", func(t *testing.T) {
		a := w.with("latchkey_session="+strings.Repeat("0", 128), "POST", "/sign-out", "x=y")
		a.leads(t, "./#signed-out")
		if set := a.header.Get("Set-Cookie"); !strings.HasPrefix(set, "latchkey_session=; Max-Age=0;") {
			t.Errorf("Set-Cookie: %s", set)
		}
	})
	t.Run("no page where somebody may not sign in", func(t *testing.T) {
		w.person("cleo", func(n *latchkey.NewUser) { n.LocalOnly = true })
		cookie := begin("cleo")
		w.comeFrom("203.0.113.7")
		if alive(cookie) {
			t.Error("a session of somebody at home goes on elsewhere")
		}
		w.comeFrom("127.0.0.1")
		if !alive(cookie) {
			t.Error("and is gone for good")
		}
	})
}

// The session is a refresh token like any other: people see it, and see when and from where it was used.
func TestASessionIsOneAmongOthers(t *testing.T) {
	w := newDesk(t, nil)
	before := time.Now()
	_, cookie := w.session("anna")
	w.with(cookie, "GET", "/account", "")
	owner, err := w.Owner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all, err := w.RefreshTokens(t.Context(), owner.ID)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d tokens, %v", len(all), err)
	}
	one := all[0]
	if one.Type != latchkey.TokenNormal || one.ClientID.Text != app || one.LastUsedIP != "127.0.0.1" || one.LastUsedAt.Before(before.Add(-time.Second)) {
		t.Errorf("%+v", one)
	}
}

// Below the path of a proxy the browser sends the cookie back to that path, and over TLS to nobody who is not.
func TestTheCookieBehindAProxy(t *testing.T) {
	w := newDesk(t, func(o *server.Options) {
		o.Origin, o.TrustedProxies = nil, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	kind, body := multipartForm(t, "client_id", app, "code", w.code("anna", nil))
	a := w.do(request{method: "POST", path: "/session", body: body, header: map[string]string{
		"Content-Type": kind, "X-Latchkey-Page": "1", "X-Forwarded-For": "192.168.1.9", "X-Forwarded-Proto": "https",
	}})
	set := a.header.Get("Set-Cookie")
	if a.status != 200 || !strings.Contains(set, "; Secure") || strings.Contains(strings.ToLower(set), "path=") {
		t.Fatalf("%d, Set-Cookie: %s", a.status, set)
	}
	// A browser that posted to /hub/session takes /hub for the cookie's path (RFC 6265 §5.1.4).
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	at := func(path string) *http.Request {
		r, err := http.NewRequest(http.MethodGet, "https://house.example"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	jar.SetCookies(at("/hub/session").URL, (&http.Response{Header: a.header}).Cookies())
	for path, want := range map[string]int{"/hub/": 1, "/hub/admin/users/x": 1, "/": 0, "/other/account": 0} {
		if got := len(jar.Cookies(at(path).URL)); got != want {
			t.Errorf("%s is sent %d cookies, want %d", path, got, want)
		}
	}
}

// Many pages at once are one session.
func TestPagesLoadedAtOnce(t *testing.T) {
	w := newDesk(t, nil)
	_, cookie := w.session("anna")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if a := w.with(cookie, "GET", "/account", ""); a.status != 200 {
				t.Errorf("%d", a.status)
			}
		})
	}
	all.Wait()
	// Cookies of our name that other servers on this host have set do no harm.
	if a := w.with("latchkey_session=theirs; "+cookie, "GET", "/account/x", ""); a.status != 200 {
		t.Errorf("beside another's cookie: %d %s", a.status, a.body)
	}
}
