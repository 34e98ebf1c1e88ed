package web

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
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
	mux.Handle("GET /door/", p.SignIn())
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

// Who has to sign in first is told so by the status, wherever the page is.
func TestTheDoor(t *testing.T) {
	door := mustNew(t, Options{}).SignIn()
	for path, root := range map[string]string{"/": "./", "/account": "./", "/account/x": "../", "/admin/users/x/password": "../../../", "/admin/users/x/tokens/y/remove": "../../../../../"} {
		w := get(door, path)
		body := w.Body.String()
		if w.Code != http.StatusUnauthorized || !strings.Contains(body, " data-door") || !strings.Contains(body, `src="`+root+`static/home.js"`) {
			t.Errorf("%s: %d %.300s", path, w.Code, body)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control %s", path, got)
		}
	}
	if w := get(door, "/a/b/c/d/e/f/g"); w.Code != http.StatusUnauthorized || w.Body.String() != "401: Unauthorized" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("deeper than any page: %d %.300s %v", w.Code, w.Body, w.Header()) // whose parts a page would look for in vain
	}
	r := httptest.NewRequest(http.MethodHead, "/account", nil)
	w := httptest.NewRecorder()
	door.ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized || w.Body.Len() != 0 {
		t.Errorf("HEAD: %d with %d bytes", w.Code, w.Body.Len())
	}
}

// overlay is the embedded tree with some files replaced or added.
func overlay(t *testing.T, changes map[string]string) fstest.MapFS {
	t.Helper()
	tree := fstest.MapFS{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		tree[name] = &fstest.MapFile{Data: body}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range changes {
		tree[name] = &fstest.MapFile{Data: []byte(body)}
	}
	return tree
}

// spec: login-page.md, §11: a language is added by adding its catalogue, and what it lacks is said in English
func TestALanguageIsAddedByAddingItsCatalogue(t *testing.T) {
	pages, err := build(overlay(t, map[string]string{"words/ar.json": `{"ui.panel.page-authorize.welcome_home":"مرحبا"}`}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	body := get(pages.Authorize(), "/auth/authorize", "Accept-Language", "ar").Body.String()
	for _, part := range []string{`lang="ar" dir="rtl"`, "مرحبا", "<summary data-text=\"help\">Help</summary>", `"ui.panel.page-authorize.welcome_home":"مرحبا"`} {
		if !strings.Contains(body, part) {
			t.Errorf("the page lacks %s:\n%s", part, body)
		}
	}
	var words map[string]string
	if err := json.Unmarshal(get(pages.Static(), "/static/i18n/ar.json").Body.Bytes(), &words); err != nil {
		t.Fatal(err)
	}
	if words["ui.panel.page-authorize.welcome_home"] != "مرحبا" || words["ui.panel.page-authorize.help"] != "Help" {
		t.Errorf("the catalogue is %v", words)
	}
}

// spec: login-page.md, §11
func TestThePageComesInTheLanguageOfThePerson(t *testing.T) {
	pages, err := build(overlay(t, map[string]string{"words/pt-BR.json": "{}", "words/de.json": "{}",
		"words/es.json": "{}", "words/fr.json": "{}", "words/nl.json": "{}"}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, accept, cookie, want string }{
		{"nothing asked for", "", "", "en"},
		{"the browser's language", "de", "", "de"},
		{"with a region", "de-CH,en;q=0.5", "", "de"},
		{"by weight, not by order", "en;q=0.3, fr;q=0.9", "", "fr"},
		{"the first that there is", "ja, nl;q=0.8, en;q=0.7", "", "nl"},
		{"a region of its own", "pt-BR", "", "pt-BR"},
		{"nothing that there is", "ja,ko", "", "en"},
		{"anything", "*", "", "en"},
		{"nonsense", "\x00;;;q=x", "", "en"},
		{"what was picked goes first", "de", "es", "es"},
		{"what was picked does not exist", "de", "../en", "de"},
	} {
		t.Run(row.name, func(t *testing.T) {
			header := []string{"Accept-Language", row.accept}
			if row.cookie != "" {
				header = append(header, "Cookie", languageCookie+"="+row.cookie)
			}
			w := get(pages.Home(), "/", header...)
			if !strings.Contains(w.Body.String(), `<html lang="`+row.want+`"`) {
				t.Errorf("not in %s: %.80s", row.want, w.Body)
			}
			if vary := strings.Join(w.Header().Values("Vary"), ", "); vary != "Accept-Language, Cookie, Accept-Encoding" {
				t.Errorf("Vary: %s", vary)
			}
		})
	}
}

func TestADamagedTreeIsRefused(t *testing.T) {
	for name, changes := range map[string]map[string]string{
		"odd.exe": {"static/odd.exe": "x"},
		"fr.json": {"words/fr.json": "no JSON"},
		"x y":     {"words/x y.json": "{}"},
		"no text": {"words/en.json": "{}"},
	} {
		if _, err := build(overlay(t, changes), Options{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := mustNew(t, Options{}).Templates(fstest.MapFS{"x.html": {Data: []byte("{{nonsense}}")}}); err == nil {
		t.Error("a template that cannot be read is taken")
	}
	tree := overlay(t, nil)
	delete(tree, "pages/home.html")
	if _, err := build(tree, Options{}); err == nil || !strings.Contains(err.Error(), "home.html") {
		t.Errorf("a missing page: %v", err)
	}
	tree = overlay(t, nil)
	delete(tree, "words/en.json")
	if _, err := build(tree, Options{}); err == nil || !strings.Contains(err.Error(), "en.json is missing") {
		t.Errorf("no English: %v", err)
	}
}

// spec: RFC 9110 §12.5.3
func TestFilesAreCompressedForWhoTakesThat(t *testing.T) {
	static := mustNew(t, Options{}).Static()
	plain := get(static, "/static/app.css")
	for accept, zipped := range map[string]bool{
		"": false, "gzip": true, "gzip, deflate, br": true, "br": false, "GZIP;q=0.5": true, "gzip;q=0": false,
		"gzip; q=0.000": false, "*": true, "*;q=0": false, "identity, *;q=0.1": true, "gzip;q=0, *": false,
	} {
		w := get(static, "/static/app.css", "Accept-Encoding", accept)
		body := io.Reader(w.Body)
		if zipped {
			var err error
			if body, err = gzip.NewReader(body); err != nil {
				t.Errorf("%q: %v", accept, err)
				continue
			}
		}
		text, err := io.ReadAll(body)
		if err != nil || string(text) != plain.Body.String() {
			t.Errorf("%q: not what was asked for (%v)", accept, err)
		}
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != zipped {
			t.Errorf("%q: compressed is %v", accept, got)
		}
		if tag := w.Header().Get("ETag"); (tag == plain.Header().Get("ETag")) == zipped {
			t.Errorf("%q: ETag %s", accept, tag)
		}
		if w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: Vary %q", accept, w.Header().Get("Vary"))
		}
	}
}
