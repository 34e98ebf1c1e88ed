package web

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// spec: onboarding.md, §4
func TestTheFirstAccountWithABrowser(t *testing.T) {
	browser := startBrowser(t)
	person := func(username, password, again string) chromedp.Action[chromedp.Void] {
		return chromedp.Steps(fill("name", "Anna"), fill("username", username), fill("password", password), fill("confirm_password", again+"\r"))
	}
	for _, prefix := range []string{"", "/hub"} {
		t.Run("from the home page to being signed in"+prefix, func(t *testing.T) {
			api, b := newFakeAPI(t, prefix), openTab(t, browser)
			api.onboarded.Store(false)
			api.setupCode = "123-456"
			b.do(chromedp.Navigate(api.root()), person("anna", "short", "short"), see("[aria-invalid=true]"))
			b.says("form", "Please use at least 8 characters.")
			b.do(person("anna", "long enough", "long enougn"), see("[aria-invalid=true]"))
			b.says("form", "The two passwords differ.")
			if n := api.count("POST /api/onboarding/users"); n != 0 {
				t.Errorf("%d accounts asked for", n)
			}
			b.do(person("anna", "password1", "password1"), see("#alert .note-error"))
			b.says("#alert", "That is one of the most common passwords, which are tried first.")
			b.is("document.activeElement.name", "password")
			b.do(pickLanguage("nl"), chromedp.Poll[chromedp.Void](`document.documentElement.lang === "nl"`))
			b.says("#alert", "Dat is een van de meest gebruikte wachtwoorden")
			b.do(pickLanguage("en"), chromedp.Poll[chromedp.Void](`document.documentElement.lang === "en"`))
			b.says("#alert", "That is one of the most common passwords, which are tried first.")
			b.do(person("anna", "long enough", "long enough"), see("[name=setup_code]"))
			b.says("form", "Give the setup code")
			b.is(`document.querySelector("[name=username]").value`, "anna")
			b.do(fill("setup_code", "999\r"), chromedp.Poll[chromedp.Void](`document.body.innerText.includes("The setup code is wrong")`))
			b.do(fill("setup_code", " 123-456\r"), see(".who"))
			b.is("location.href", api.root()+"account")
		})
	}
	t.Run("on the way to an app's sign-in", func(t *testing.T) {
		api, b := newFakeAPI(t, ""), openTab(t, browser)
		api.onboarded.Store(false)
		address := api.authorize(api.elsewhere(""), api.elsewhere("landed"))
		b.do(chromedp.Navigate(address), see("[name=name]"))
		api.onboarded.Store(true)
		b.do(person("anna", "long enough", "long enough"), see("[name=username]:not([autocomplete=off])"), see("#requester .note"))
		b.is("location.href", address)
	})
	t.Run("too late", func(t *testing.T) {
		api, b := newFakeAPI(t, ""), openTab(t, browser)
		api.onboarded.Store(false)
		b.do(chromedp.Navigate(api.root()+"onboarding.html"), person("late", "long enough", "long enough"), see("#step a"))
		b.says("#alert", "This server has its first account already.")
		b.is(`document.querySelector("#step a").href`, api.root())
	})
	t.Run("when there is nothing left to do", func(t *testing.T) {
		api, b := newFakeAPI(t, ""), openTab(t, browser)
		b.do(chromedp.Navigate(api.root()+"onboarding.html"), see("#step button"))
		b.is("location.href", api.root())
	})
}

func TestTheHomePageWithABrowser(t *testing.T) {
	browser := startBrowser(t)
	t.Run("signs in through the sign-in page, with a proof of who began it, and stays signed in", func(t *testing.T) {
		api, b := newFakeAPI(t, "/hub"), openTab(t, browser)
		b.do(chromedp.Navigate(api.root()), see("#step button"))
		b.says("#step button", "Sign in")
		b.do(chromedp.Click("#step button"), see("#store-token"))
		b.says("#requester", "")
		b.do(signIn("right"), see(".who"))
		b.says(".who", "Signed in, kept: true")
		b.is("location.href", api.root()+"account")
		b.is("document.cookie", "")
		b.is("sessionStorage.length + localStorage.length", "0")
		if api.challenge == "" {
			t.Error("no challenge was sent")
		}
	})
	t.Run("does not stay signed in when not asked to", func(t *testing.T) {
		api, b := newFakeAPI(t, ""), openTab(t, browser)
		b.do(chromedp.Navigate(api.root()), see("#step button"), chromedp.Click("#step button"), see("#store-token"),
			chromedp.Click("#store-token"), signIn("right"), see(".who"))
		b.says(".who", "Signed in, kept: false")
	})
	t.Run("leads from the page that was wanted through the sign-in and back", func(t *testing.T) {
		api, b := newFakeAPI(t, "/hub"), openTab(t, browser)
		b.do(chromedp.Navigate(api.root()+"account?done=x"), see("#store-token"), signIn("right"), see(".who"))
		b.is("location.href", api.root()+"account?done=x")
	})
	t.Run("does not take a code that it did not ask for", func(t *testing.T) {
		api, b := newFakeAPI(t, ""), openTab(t, browser)
		b.do(chromedp.Navigate(api.root()+"?auth_callback=1&code=THECODE&state=forged"), see("#alert .note-error"))
		b.says("#alert", "This sign-in was not started in this tab.")
		b.is("location.href", api.root())
		if n := api.count("POST /session"); n != 0 {
			t.Errorf("%d sessions begun", n)
		}
	})
	t.Run("says so where a browser keeps nothing for this address", func(t *testing.T) {
		api, b := newFakeAPI(t, ""), openTab(t, browser)
		b.do(chromedp.Navigate(api.root()), see("#step button"),
			chromedp.Evaluate[chromedp.Void](`void Object.defineProperty(window, "sessionStorage", { get() { throw new DOMException("denied", "SecurityError"); } })`),
			chromedp.Click("#step button"), see("#alert .note-error"))
		b.says("#alert", "This browser keeps no cookies")
	})
	t.Run("says goodbye once", func(t *testing.T) {
		api, b := newFakeAPI(t, ""), openTab(t, browser)
		b.do(chromedp.Navigate(api.root()+"#signed-out"), see("#alert .note-info"))
		b.says("#alert", "You are signed out.")
		b.is("location.href", api.root())
	})
}

// spec: login-page.md, §11
func TestAnotherLanguageWithABrowser(t *testing.T) {
	browser := startBrowser(t)
	tree := overlay(t, map[string]string{"words/ar.json": `{"ui.panel.page-authorize.welcome_home":"مرحبا",` +
		`"ui.panel.page-authorize.form.providers.homeassistant.step.init.data.username":"الاسم"}`})
	pages, err := build(tree, Options{})
	if err != nil {
		t.Fatal(err)
	}
	api, b := newFakeAPIWith(t, "", pages), openTab(t, browser)
	b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), see("#language"), fill("username", "anna"))
	b.says("h1", "Welcome")
	b.do(fill("password", "wrong\r"), see("#alert .note-error"), see("form[aria-busy=false]"), pickLanguage("de"),
		chromedp.Poll[chromedp.Void](`document.querySelector("h1").textContent === "Willkommen"`))
	b.says("#alert", "Benutzername oder Passwort ist falsch.")
	b.is(`document.querySelector("#status").textContent`, "")
	b.is(`document.querySelector("#language [value=es]").textContent`, "Español")
	b.do(pickLanguage("ar"), see("[dir=rtl] form"))
	b.do(chromedp.Poll[chromedp.Void](`document.querySelector("h1").textContent === "مرحبا"`))
	b.says("form", "الاسم")
	b.says("form", "Password")
	b.is(`document.querySelector("[name=username]").value`, "anna")
	b.is("document.documentElement.lang", "ar")
	b.is(`localStorage.getItem("selectedLanguage")`, `"ar"`)
	b.do(chromedp.Reload(), see("[dir=rtl] form"))
	b.says("h1", "مرحبا")
}

// pickLanguage chooses a language from the list.
func pickLanguage(language string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(
		`{ const pick = document.querySelector("#language"); pick.value = %q; pick.dispatchEvent(new Event("change")) }`, language))
}
