package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey/server/pages"
)

// split tells the method of a route from a path that it answers. Ids are those of things that do not exist.
func split(route string) (method, path string) {
	method, path, _ = strings.Cut(route, " ")
	return method, strings.NewReplacer("{id}", strings.Repeat("0", 32), "{module}", "totp", "{token}", strings.Repeat("0", 32)).Replace(path)
}

// spec: security.md 37, 42: whatever page it is, nobody may frame it, keep it or learn from it where somebody came from
func TestEveryPageIsGuarded(t *testing.T) {
	b := open(t).signIn("anna")
	for _, route := range pages.Routes() {
		method, path := split(route)
		p := b.do(method, path, url.Values{})
		for header, want := range map[string]string{
			"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		} {
			if got := p.header.Get(header); got != want && !(method == http.MethodPost && header == "X-Frame-Options") {
				t.Errorf("%s: %s is %q, want %q", route, header, got, want)
			}
		}
		csp := p.header.Get("Content-Security-Policy")
		if method == http.MethodGet && (!strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe")) {
			t.Errorf("%s: Content-Security-Policy is %q", route, csp)
		}
		for _, n := range append(p.all("script"), p.all("style")...) {
			if attribute(n, "src") == "" || readableSource(n) != "" {
				t.Errorf("%s: a script or style of its own: %s", route, readableSource(n))
			}
		}
	}
}

// No form does anything without the token of the session, and none that stands in a page lacks it.
func TestEveryFormIsOurs(t *testing.T) {
	b := open(t).signIn("anna")
	for _, route := range pages.Routes() {
		method, path := split(route)
		if method == http.MethodPost {
			if p := b.do(method, path, url.Values{"name": {"x"}}); p.status != http.StatusForbidden {
				t.Errorf("%s without the token: %d %s", route, p.status, p.text)
			}
			continue
		}
		for _, form := range b.get(path).all("form") {
			if strings.EqualFold(attribute(form, "method"), "post") && filled(form).Get("form_token") == "" {
				t.Errorf("%s: a form without the token", route)
			}
		}
	}
}

// Whoever sends a form of a page that was shown before they signed in anew, or one that is too long, is told so on a page and
// in their language; nothing is done.
func TestAFormThatIsNotTakenIsAnsweredWithAPage(t *testing.T) {
	b := open(t).signIn("anna")
	token := formToken(t, b.get("/account"))
	for name, tt := range map[string]struct {
		path   string
		form   url.Values
		site   string
		status int
		says   string
	}{
		"of another session":   {"/account/name", url.Values{"form_token": {"old"}, "name": {"x"}}, "", http.StatusForbidden, "Diese Seite ist veraltet"},
		"of another site":      {"/account/name", url.Values{"form_token": {token}, "name": {"x"}}, "cross-site", http.StatusForbidden, "Diese Seite ist veraltet"},
		"too long":             {"/admin/users/new", url.Values{"form_token": {token}, "name": {strings.Repeat("x", 1<<20)}}, "", http.StatusRequestEntityTooLarge, "Das ist mehr, als in ein Formular passt."},
		"an outdated sign-out": {"/sign-out", url.Values{"form_token": {"old"}}, "", http.StatusForbidden, "Diese Seite ist veraltet"},
	} {
		t.Run(name, func(t *testing.T) {
			p := b.do(http.MethodPost, tt.path, tt.form, "Accept-Language", "de", "Sec-Fetch-Site", tt.site)
			p.is(tt.status, "Das hat nicht geklappt", tt.says, "Zu deinem Konto")
			if back := p.leads("Zurück zum Formular"); (back != "") != (tt.path != "/sign-out") || back != "" && back != tt.path {
				t.Errorf("the form is looked for at %q", back)
			}
			if got := p.header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control: %s", got)
			}
		})
	}
	p := b.do(http.MethodPost, "/account/name", url.Values{"form_token": {token + "\xff"}}, "Accept-Language", "de")
	p.is(http.StatusForbidden, "Diese Seite ist veraltet")
	b.get("/account").is(http.StatusOK).lacks("Name x ")
}

// A session that ran out leads through the sign-in from every page: what the door is made of is found from there.
func TestEveryPageHasADoor(t *testing.T) {
	b := open(t).signIn("anna")
	b.client.Jar = nil
	for _, route := range pages.Routes() {
		method, path := split(route)
		p := b.do(method, path, nil).is(http.StatusUnauthorized)
		led := false
		for _, n := range p.all("script") {
			if attribute(n, "type") != "module" {
				continue
			}
			led = true
			if at, err := p.url.Parse(attribute(n, "src")); err != nil || at.Path != "/static/home.js" {
				t.Errorf("%s: the script is looked for at %s, %v", route, at, err)
			}
		}
		if !led {
			t.Errorf("%s: no script that leads through the sign-in", route)
		}
	}
	b.get("/admin" + strings.Repeat("/x", 9)).is(http.StatusUnauthorized)
}

// Where the server's root is, only the browser knows: no address that is not quite right leads to one without it.
func TestNoAddressIsTidiedUp(t *testing.T) {
	b := open(t).signIn("anna")
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, path := range []string{"/account//name", "/account/./name", "/account/x/..", "/admin//users", "/admin/users//", "/account/tokens//remove"} {
		b.get(path).is(http.StatusNotFound, "That is not there, or not any more.")
	}
}

// What the domain refuses is said in the language of the person, also where the page offers it to nobody: the last second
// factor was turned off in another window, say.
func TestRecoveryCodesWithoutASecondFactor(t *testing.T) {
	b := open(t).signIn("anna")
	token := formToken(t, b.get("/account"))
	for language, says := range map[string]string{
		"en": "Recovery codes stand in for a second step. Set one up first.", "de": "Wiederherstellungscodes ersetzen einen zweiten Faktor.",
	} {
		p := b.do(http.MethodPost, "/account/recovery", url.Values{"form_token": {token}}, "Accept-Language", language)
		p.is(http.StatusUnprocessableEntity, says)
	}
}

// Pages for administrators are for nobody else.
func TestAdministrationIsForAdministrators(t *testing.T) {
	h := open(t)
	h.person("ben", nil)
	b := h.signIn("ben")
	token := formToken(t, b.get("/account"))
	for _, route := range pages.Routes() {
		method, path := split(route)
		if !strings.HasPrefix(path, "/admin/") {
			continue
		}
		b.do(method, path, url.Values{"form_token": {token}}).is(http.StatusForbidden, "This page is for administrators.")
	}
	b.get("/admin/nothing").is(http.StatusForbidden)
}

// What is sent to a page can be asked for as well: a sign-in in between, or another language, comes back to it.
func TestEveryAddressOfAFormAnswersGet(t *testing.T) {
	all := map[string]bool{}
	for _, route := range pages.Routes() {
		all[route] = true
	}
	for route := range all {
		if path, ok := strings.CutPrefix(route, "POST "); ok && !all["GET "+path] {
			t.Errorf("%s: there is no GET", route)
		}
	}
}
