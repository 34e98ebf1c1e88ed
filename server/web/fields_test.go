package web

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// oddForm has a field of each kind, required and not, with and without a value to begin with.
func oddForm() object {
	choice := func(n int) (options [][]any) {
		for i := range n {
			options = append(options, []any{string(rune('a' + i)), "Choice " + string(rune('A'+i))})
		}
		return options
	}
	return object{"type": "form", "handler": []any{"odd", nil}, "step_id": "init", "errors": nil, "description_placeholders": nil,
		"data_schema": []object{
			{"type": "string", "name": "house name", "required": true},
			{"type": "string", "name": "nick", "optional": true, "default": "Ann"},
			{"type": "string", "name": "old_password", "optional": true},
			{"type": "select", "name": "few", "optional": true, "options": choice(3)},
			{"type": "select", "name": "first", "required": true, "options": choice(2)},
			{"type": "select", "name": "many", "optional": true, "options": choice(9), "default": "h"},
			{"type": "boolean", "name": "yes", "required": true, "default": true},
			{"type": "boolean", "name": "no", "optional": true},
			{"type": "integer", "name": "floor", "optional": true, "default": 0},
			{"type": "float", "name": "height", "required": true},
			{"type": "colour", "name": "wall", "optional": true},
		}}
}

// spec: login-page.md, §5 with P-18 to P-22: a form of any kind, as a provider of one's own may ask for it
func TestEveryKindOfFieldWithABrowser(t *testing.T) {
	api := newFakeAPI(t, "")
	api.providers = []object{{"name": "Odd one", "id": nil, "type": "odd"}}
	api.odd = oddForm()
	b := openTab(t, startBrowser(t))
	b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), see("#step form"))
	b.says("#step", "house name") // P-18: the field's name, where there are no words for it
	for expression, want := range map[string]string{
		`[...document.querySelectorAll("#step [name]")].map((e) => e.type).join(" ")`: "text text password radio radio radio radio radio " +
			"select-one checkbox checkbox number number text",
		`document.querySelector("[name=nick]").value`:          "Ann",
		`document.querySelector("[name=few]:checked")`:         "null",
		`document.querySelector("[name=first]:checked").value`: "a",
		`document.querySelector("[name=many]").value`:          "h",
		`document.querySelector("[name=yes]").checked`:         "true",
		`document.querySelector("[name=no]").checked`:          "false",
		`document.querySelector("[name=floor]").value`:         "0",
		`document.querySelector("[name=floor]").step`:          "1",
		`document.querySelector("[name=wall]").value`:          "",
		`document.querySelector("[name=old_password]").type`:   "password",
		`document.querySelectorAll("#step .reveal").length`:    "1",
		`document.querySelectorAll("#step fieldset").length`:   "2",
		`document.querySelector("[name=height]").ariaRequired`: "true",
		`document.querySelector("[name=nick]").ariaRequired`:   "null",
	} {
		b.is(expression, want)
	}

	// P-19. The first field has been moved to by then (P-24), and nothing moves any more under the click.
	b.do(see("#step form input:focus"), chromedp.Click("#step button[type=submit]"), see("[aria-invalid=true]"))
	b.is(`[...document.querySelectorAll("[aria-invalid=true]")].map((e) => e.name).join(" ")`, "house name height")
	b.is(`document.activeElement.name`, "house name")

	api.mu.Lock()
	if len(api.given) != 0 {
		t.Errorf("sent while empty: %v", api.given)
	}
	api.odd["errors"] = object{"nick": "taken_already", "base": "invalid_auth", "wall": "invalid_code"}
	api.mu.Unlock()
	b.do(
		chromedp.SendKeys(`[name="house name"]`, "Lake house"), chromedp.Click(`[name=few][value=b]`), chromedp.Click("[name=yes]"),
		chromedp.SendKeys("[name=wall]", "blue"), chromedp.SendKeys("[name=height]", "2.5\r"), see("#alert .note-error"),
	)
	b.says("#alert", "User name or password is wrong.")
	b.is(`[...document.querySelectorAll("[aria-invalid=true]")].map((e) => e.name + ": " + document.getElementById(e.id + "-error").textContent).join("; ")`,
		"nick: taken_already; wall: That code is not right. Please try the next one.") // P-22
	b.is(`document.querySelector("[name='house name']").value`, "Lake house") // P-21
	b.is(`document.querySelector("[name=few]:checked").value`, "b")
	api.mu.Lock()
	defer api.mu.Unlock()
	want := []object{{
		"client_id": api.root(), "house name": "Lake house", "nick": "Ann", "few": "b", "first": "a", "many": "h",
		"yes": false, "no": false, "floor": 0.0, "height": 2.5, "wall": "blue",
	}}
	if diff := cmp.Diff(want, api.given); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

// What the server may answer besides a form (spec: login-page.md, §6 and §7).
func TestRareAnswersWithABrowser(t *testing.T) {
	browser := startBrowser(t)
	at := func(api *fakeAPI) string { return api.authorize(api.root(), api.root()+"landed") }
	t.Run("P-26: nobody stays signed in on a shared screen unless they say so", func(t *testing.T) {
		api, b := newFakeAPI(t, ""), openTab(t, browser)
		api.shared = true
		b.do(chromedp.Navigate(at(api)), see("#store-token"))
		b.is(`document.querySelector("#store-token").checked`, "false")
		b.do(signIn("right"), see("#landed"))
		b.is("location.search", "?code=THECODE&state=a%2Bb%3D")
	})
	t.Run("P-27: the choice survives a second factor", func(t *testing.T) {
		api, b := newFakeAPI(t, ""), openTab(t, browser)
		api.shared = true
		b.do(chromedp.Navigate(at(api)), see("[name=username]:focus"), chromedp.Click("#store-token"),
			signIn("with a code"), fill("code", "012345\r"), see("#landed"))
		b.is("location.search", "?code=THECODE&state=a%2Bb%3D&storeToken=true")
	})
	t.Run("external: a way out, by the web only", func(t *testing.T) {
		api, b := newFakeAPI(t, ""), openTab(t, browser)
		api.providers = []object{{"name": "Odd one", "id": nil, "type": "odd"}}
		api.odd = object{"type": "external", "url": "https://sso.example/in?x=1"}
		b.do(chromedp.Navigate(at(api)), see("#step a.primary"))
		b.is(`document.querySelector("#step a").href`, "https://sso.example/in?x=1")
		for _, bad := range []any{"javascript:alert(1)", "sso:go", "/relative", nil} {
			api.mu.Lock()
			api.odd["url"] = bad
			api.mu.Unlock()
			b.do(chromedp.Navigate(at(api)), see("#alert .note-error"))
			b.says("#alert", "Something failed")
			b.is(`document.querySelectorAll("#step a").length`, "0")
		}
	})
	t.Run("P-16: a server that went away, and came back", func(t *testing.T) {
		api, b := newFakeAPI(t, ""), openTab(t, browser)
		b.do(chromedp.Navigate(at(api)), see("#step form"))
		api.away.Store(true)
		b.do(signIn("right"), see("#alert .note-error"))
		b.says("#alert", "Something failed")
		api.away.Store(false)
		b.do(chromedp.Click("#step button"), signIn("right"), see("#landed"))
	})
	t.Run("P-10: and one that was away at the start", func(t *testing.T) {
		api, b := newFakeAPI(t, ""), openTab(t, browser)
		api.away.Store(true)
		b.do(chromedp.Navigate(at(api)), see("#alert .note-error"))
		b.says("#alert", "Unable to fetch auth providers.")
		api.away.Store(false)
		b.do(chromedp.Click("#step button"), signIn("right"), see("#landed"))
	})
}
