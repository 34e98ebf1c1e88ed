package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func mustNew(t *testing.T, opts Options) *Pages {
	t.Helper()
	pages, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// mount puts the pages where a server has them.
func mount(mux *http.ServeMux, p *Pages) {
	mux.Handle("GET /{$}", p.Home())
	mux.Handle("GET /auth/authorize", p.Authorize())
	mux.Handle("GET /onboarding.html", p.Onboarding())
	mux.Handle("GET /static/", p.Static())
}

func get(h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// spec: security.md, 42; http-auth.md, §4
func TestEveryAnswerIsGuardedAndRevalidated(t *testing.T) {
	mux := http.NewServeMux()
	mount(mux, mustNew(t, Options{}))
	rows := []struct{ path, contentType string }{
		{"/", "text/html; charset=utf-8"},
		{"/auth/authorize", "text/html; charset=utf-8"},
		{"/auth/authorize?client_id=x&nonsense=%3Cb%3E", "text/html; charset=utf-8"},
		{"/onboarding.html", "text/html; charset=utf-8"},
		{"/static/app.css", "text/css; charset=utf-8"},
		{"/static/authorize.js", "text/javascript; charset=utf-8"},
		{"/static/i18n/en.json", "application/json"},
	}
	for _, row := range rows {
		t.Run(row.path, func(t *testing.T) {
			w := get(mux, row.path)
			if w.Code != http.StatusOK || w.Body.Len() == 0 {
				t.Fatalf("status %d with %d bytes", w.Code, w.Body.Len())
			}
			for name, want := range map[string]string{
				"Content-Type":           row.contentType,
				"Cache-Control":          "no-cache",
				"Referrer-Policy":        "no-referrer",
				"X-Content-Type-Options": "nosniff",
				"X-Frame-Options":        "DENY",
				"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
					"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			again := get(mux, row.path, "If-None-Match", w.Header().Get("ETag"))
			if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
				t.Errorf("asked again with its ETag: status %d with %d bytes", again.Code, again.Body.Len())
			}
			if other := get(mux, row.path, "If-None-Match", `"other"`); other.Code != http.StatusOK {
				t.Errorf("asked again with another ETag: status %d", other.Code)
			}
		})
	}
}

// spec: http-auth.md, §1.3
func TestWhatIsNotThereIsNotFound(t *testing.T) {
	static := mustNew(t, Options{}).Static()
	for _, path := range []string{"/static/", "/static/nothing.js", "/static/../pages/home.html", "/static/i18n", "/static/package.json", "/other"} {
		w := get(static, path)
		if w.Code != http.StatusNotFound || w.Body.String() != "404: Not Found" {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
		if got := w.Header().Get("Content-Type"); got != "text/plain; charset=utf-8" {
			t.Errorf("%s: Content-Type %q", path, got)
		}
	}
}

func TestOnlyReadingIsAllowed(t *testing.T) {
	w := httptest.NewRecorder()
	mustNew(t, Options{}).Home().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("x")))
	if w.Code != http.StatusMethodNotAllowed || w.Body.String() != "405: Method Not Allowed" || w.Header().Get("Allow") != "GET,HEAD" {
		t.Errorf("POST: %d %q, Allow %q", w.Code, w.Body, w.Header().Get("Allow"))
	}
	w = httptest.NewRecorder()
	mustNew(t, Options{}).Home().ServeHTTP(w, httptest.NewRequest(http.MethodHead, "/", nil))
	if w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("HEAD: %d with %d bytes", w.Code, w.Body.Len())
	}
}

func TestTheFirstAccountPageAsksForASetupCodeWhenTheServerDoes(t *testing.T) {
	needed := false
	h := mustNew(t, Options{SetupCodeNeeded: func(*http.Request) bool { return needed }}).Onboarding()
	const mark = `data-setup-code="required"`
	without := get(h, "/onboarding.html")
	if strings.Contains(without.Body.String(), mark) {
		t.Error("asked for a code that is not needed")
	}
	needed = true
	with := get(h, "/onboarding.html", "If-None-Match", without.Header().Get("ETag"))
	if with.Code != http.StatusOK || !strings.Contains(with.Body.String(), mark) {
		t.Errorf("status %d, page without %s", with.Code, mark)
	}
}

// spec: login-page.md, §11: a language is added by adding its catalogue
func TestPagesKnowWhichLanguagesThereAre(t *testing.T) {
	tree := fstest.MapFS{
		"static/i18n/de.json": {Data: []byte("{}")},
		"static/i18n/ar.json": {Data: []byte("{}")},
		"static/i18n/en.json": {Data: []byte("{}")},
	}
	for _, name := range []string{"authorize", "home", "onboarding", "parts"} {
		body, err := files.ReadFile("pages/" + name + ".html")
		if err != nil {
			t.Fatal(err)
		}
		tree["pages/"+name+".html"] = &fstest.MapFile{Data: body}
	}
	pages, err := build(tree, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if body := get(pages.Authorize(), "/auth/authorize").Body.String(); !strings.Contains(body, `data-languages="en ar de"`) {
		t.Errorf("page does not list its languages:\n%.200s", body)
	}
	tree["static/odd.exe"] = &fstest.MapFile{Data: []byte("x")}
	if _, err := build(tree, Options{}); err == nil || !strings.Contains(err.Error(), "odd.exe") {
		t.Errorf("a file of an unknown kind: %v", err)
	}
	delete(tree, "static/odd.exe")
	delete(tree, "pages/home.html")
	if _, err := build(tree, Options{}); err == nil || !strings.Contains(err.Error(), "home.html") {
		t.Errorf("a missing page: %v", err)
	}
}
