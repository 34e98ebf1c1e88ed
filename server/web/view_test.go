package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// shown makes a page of a template in a language.
func shown(t *testing.T, p *Pages, path, language, body string, v View) *httptest.ResponseRecorder {
	t.Helper()
	templates, err := p.Templates(fstest.MapFS{"x.html": {Data: []byte(body)}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept-Language", language)
	w := httptest.NewRecorder()
	if err := templates.Show(w, r, http.StatusTeapot, "x.html", v); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAPageIsMadeInTheLanguageOfThePerson(t *testing.T) {
	p, err := build(overlay(t, map[string]string{"words/eo.json": `{"language.name":"Esperanto","bans.title":"Gesperrt","tokens.remove_title":"{name} weg?"}`}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	const body = `{{template "top" .}}{{t "tokens.remove_title" "name" .Data}}|{{rich "tokens.remove_title" "name" .Data}}|{{template "bottom" .}}`
	view := View{Title: Say("bans.title"), Person: "Anna", Admin: true, FormToken: "TOKEN", Data: `<b>{name}`, Done: Say("done.ban_lifted")}
	w := shown(t, p, "/admin/bans", "eo", body, view)
	page := w.Body.String()
	for _, part := range []string{
		`<html lang="eo" dir="ltr">`, "<title>Gesperrt · latchkey</title>", `<h1 id="title" tabindex="-1">Gesperrt</h1>`,
		"&lt;b&gt;{name} weg?|<strong><bdi>&lt;b&gt;{name}</bdi></strong> weg?|",
		`href="../static/app.css"`, `<a href="../admin/bans" aria-current="page">`, `<a href="../account">`,
		`action="../sign-out"`, `name="form_token" value="TOKEN"`, "The ban is lifted.", `<option value="eo" lang="eo" selected>Esperanto</option>`,
	} {
		if !strings.Contains(page, part) {
			t.Errorf("the page lacks %s:\n%s", part, page)
		}
	}
	if w.Code != http.StatusTeapot || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Encoding") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if csp := w.Header().Get("Content-Security-Policy"); csp != contentSecurityPolicy {
		t.Errorf("Content-Security-Policy: %s", csp)
	}
	view.Admin = false
	if page := shown(t, p, "/account", "en", body, view).Body.String(); strings.Contains(page, "admin/users") || !strings.Contains(page, `lang="en"`) {
		t.Errorf("for somebody who is no administrator:\n%s", page)
	}
}

// What has the name of its kind is called so in every language, also inside of other texts; a name of one's own stays.
func TestThingsAreNamedInTheLanguageOfThePerson(t *testing.T) {
	p, err := build(overlay(t, map[string]string{
		"words/eo.json": `{"ui.panel.page-authorize.named.Authenticator app":"Aplikaĵo","tokens.remove_title":"Ĉu {name}?"}`}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	templates, err := p.Templates(fstest.MapFS{"x.html": {}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Authenticator app": "Aplikaĵo|Ĉu Aplikaĵo?", "{name}": "{name}|Ĉu {name}?"} {
		named := templates.Named(name)
		page := shown(t, p, "/account", "eo", `{{say .Data}}|{{say .Title}}`, View{Title: Say("tokens.remove_title", "name", named), Data: named})
		if got := page.Body.String(); got != want {
			t.Errorf("%s is called %s, want %s", name, got, want)
		}
	}
}

// A slash that is escaped is part of a name, to a browser as well. The place that a page belongs to is marked.
func TestAPageKnowsWhereItIs(t *testing.T) {
	p := mustNew(t, Options{})
	view := View{Title: Say("bans.title"), Admin: true}
	for path, parts := range map[string][]string{
		"/admin/users":               {`href="../static/app.css"`, `<a href="../admin/users" aria-current="page">`, `<a href="../account">`},
		"/admin/users/a%2Fb":         {`href="../../static/app.css"`, `<a href="../../admin/users" aria-current="true">`, `<a href="../../account">`},
		"/admin/users/a%2Fb/delete":  {`href="../../../static/app.css"`, `<a href="../../../admin/users" aria-current="true">`},
		"/admin/userstuff":           {`<a href="../admin/users">`},
		"/account/factors/totp/off?": {`<a href="../../../account" aria-current="true">`, `<a href="../../../admin/users">`},
	} {
		page := shown(t, p, path, "en", `{{template "top" .}}{{template "bottom" .}}`, view).Body.String()
		for _, part := range parts {
			if !strings.Contains(page, part) {
				t.Errorf("%s lacks %s:\n%s", path, part, page)
			}
		}
	}
}

func TestAPageThatCannotBeMadeIsNotBegun(t *testing.T) {
	p := mustNew(t, Options{})
	for _, body := range []string{`{{t "no.such.key"}}`, `{{t "bans.title" "name"}}`, `{{t "bans.title" 1 2}}`, `{{.Data.Nothing}}`} {
		templates, err := p.Templates(fstest.MapFS{"x.html": {Data: []byte(body)}})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		if err := templates.Show(w, httptest.NewRequest(http.MethodGet, "/account", nil), 200, "x.html", View{Title: Say("bans.title"), Data: 5}); err == nil {
			t.Errorf("%s: no error", body)
		}
		if w.Body.Len() > 0 || len(w.Header()) > 0 {
			t.Errorf("%s: the answer was begun", body)
		}
	}
}

func TestInstantsAreWrittenForScripts(t *testing.T) {
	at := time.Date(2026, 11, 25, 23, 30, 0, 0, time.FixedZone("", 3600))
	if got := string(when(at)); got != `<time datetime="2026-11-25T22:30:00Z">2026-11-25 22:30 UTC</time>` {
		t.Error(got)
	}
}

func TestTheWayToTheRoot(t *testing.T) {
	for path, want := range map[string]string{"/": "./", "/account": "./", "/account/name": "../", "/admin/users/x/delete": "../../../"} {
		if got := Root(httptest.NewRequest(http.MethodGet, path, nil)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// spec: login-page.md, §11: no language lacks a text, has one that nobody needs, or drops what is filled in
func TestEveryLanguageIsComplete(t *testing.T) {
	all := map[string]catalogue{}
	names, err := files.ReadDir("words")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		all[name.Name()] = wordsOf(t, "words/"+name.Name())
	}
	for name, words := range all {
		for key, text := range all["en.json"] {
			switch own, ok := words[key]; {
			case !ok:
				t.Errorf("%s lacks %s", name, key)
			case strings.TrimSpace(own) == "":
				t.Errorf("%s: %s is empty", name, key)
			default:
				for _, place := range placeholder.FindAllString(text, -1) {
					if !strings.Contains(own, place) {
						t.Errorf("%s: %s does not say %s", name, key, place)
					}
				}
				if len(placeholder.FindAllString(own, -1)) != len(placeholder.FindAllString(text, -1)) {
					t.Errorf("%s: %s has other placeholders than in English", name, key)
				}
			}
		}
		for key := range words {
			if _, ok := all["en.json"][key]; !ok {
				t.Errorf("%s: %s is in no other language", name, key)
			}
		}
	}
}
