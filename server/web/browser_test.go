package web

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// missing skips a test whose tool is not installed, except where everything has to be.
func missing(t *testing.T, tool string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal("needs " + tool + " on the path")
	}
	t.Skip("needs " + tool + " on the path")
}

// startBrowser gives the context of a running browser, or skips the test where there is none.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a browser and some seconds")
	}
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		missing(t, "Chromium or Chrome")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "en-US"))
	ctx, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		stop()
		stopAllocator()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return ctx
}

// A tab is one person's browser: it shares nothing with other tabs.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// openTab opens a tab that fails the test when the page breaks its own policy or throws.
func openTab(t *testing.T, browser context.Context) *tab {
	t.Helper()
	var mu sync.Mutex
	var complaints []string
	ctx, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Source == log.EntrySourceSecurity {
				complaints = append(complaints, e.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, e.ExceptionDetails.Text)
		}
	}))
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(func() {
		stop()
		closeTab()
		mu.Lock()
		defer mu.Unlock()
		for _, complaint := range complaints {
			t.Errorf("the browser complained: %s", complaint)
		}
	})
	return &tab{t, ctx}
}

// do runs steps one after the other; a step that never comes to its end fails the test with what the page shows.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	for i, step := range steps {
		if err := chromedp.Do(b.ctx, step); err != nil {
			ctx, stop := context.WithTimeout(context.WithoutCancel(b.ctx), 5*time.Second)
			defer stop()
			text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href + ': ' + document.body.innerText"))
			b.t.Fatalf("step %d: %v\npage: %s", i+1, err, text)
		}
	}
}

// see waits until the page shows the selector.
func see(selector string) chromedp.Action[chromedp.Void] { return chromedp.WaitVisible(selector) }

// fill puts text into a field by its name, and presses Enter when the text ends in "\r".
func fill(name, text string) chromedp.Action[chromedp.Void] {
	selector := "input[name=" + name + "]"
	return chromedp.Steps(see(selector), chromedp.Evaluate[chromedp.Void](`document.querySelector("`+selector+`").select()`),
		chromedp.SendKeys(selector, text))
}

func signIn(password string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(fill("username", "anna"), fill("password", password+"\r"))
}

func (b *tab) eval(expression string) string {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// text is what a part of the page says: nothing when it is not there.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return b.eval("(document.querySelector('" + selector + "')?.innerText ?? '').trim()")
}

func (b *tab) says(selector, want string) {
	b.t.Helper()
	if got := b.text(selector); !strings.Contains(got, want) || want == "" && got != "" {
		b.t.Errorf("%s says %q, want %q", selector, got, want)
	}
}

func (b *tab) is(expression, want string) {
	b.t.Helper()
	if got := b.eval("String(" + expression + ")"); got != want {
		b.t.Errorf("%s is %q, want %q", expression, got, want)
	}
}

func (api *fakeAPI) authorize(clientID, redirectURI string, more ...string) string {
	query := url.Values{"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURI}, "state": {"a+b="}}
	for i := 0; i < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	return api.root() + "auth/authorize?" + query.Encode()
}

// spec: login-page.md, §12: the checks to run in a browser
func TestSigningInWithABrowser(t *testing.T) {
	browser := startBrowser(t)
	rows := []struct {
		name string
		run  func(*testing.T, *fakeAPI, *tab)
	}{
		{"1: without a query it says so and asks for nothing", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.root()+"auth/authorize"), see("#alert .note"))
			b.says("#alert", "without saying which app")
			b.is(`document.querySelector("#step a").href`, api.root())
			if asked := api.requests(); len(asked) != 0 {
				t.Errorf("asked %q", asked)
			}
		}},
		{"2: its own client sees no box and may stay signed in", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), see("#step form"))
			b.says("#requester", "")
			b.is(`document.querySelector("#store-token").checked`, "true")
		}},
		{"2: a foreign client is named, with the host that gets access", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize("https://apps.example/", "https://other.example/cb")), see("#step form"))
			b.says("#requester .note-warning strong", "https://apps.example/")
			b.says("#requester .note-warning", "other.example")
			b.is(`document.querySelector("#store-token")`, "null")
		}},
		{"2: a known app is named", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize("https://home-assistant.io/iOS", "homeassistant://auth-callback")), see("#step form"))
			b.says("#requester .note-info", "the iOS app")
		}},
		{"3: a wrong password keeps the name; the right one leads back with code and state", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize(api.elsewhere(""), api.elsewhere("landed?x=1"))), signIn("wrong"), see("#alert .note-error"))
			b.says("#alert[role=alert]", "User name or password is wrong.")
			b.is(`document.querySelector("[name=username]").value`, "anna")
			b.is(`document.activeElement.name`, "password")
			b.do(fill("password", "right\r"), see("#landed"))
			b.is("location.href", api.elsewhere("landed?x=1&code=THECODE&state=a%2Bb%3D"))
		}},
		{"3: whoever stays signed in says so to the own client", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), signIn("with a code"), fill("code", "012345\r"), see("#landed"))
			b.is("location.search", "?code=THECODE&state=a%2Bb%3D&storeToken=true")
		}},
		{"4: the second step takes the code without its blanks", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), signIn("with a code"), see("[name=code]"))
			b.says("h1", "One more check")
			b.says("#step", "Authenticator app")
			b.do(pickLanguage("de"), see(`html[lang="de"] [name=code]`))
			b.says("#step", "„Authenticator-App“")
			b.do(pickLanguage("en"), see(`html[lang="en"] [name=code]`))
			b.is(`document.querySelector("#store-token")`, "null")
			b.is(`document.querySelector("[name=code]").autocomplete`, "one-time-code")
			b.do(fill("code", "999999\r"), see("#alert .note-error"))
			b.says("#alert", "That code is not right.")
			b.do(fill("code", " 012 345\r"), see("#landed"))
		}},
		{"5: a refused redirect stays on the page", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize("https://apps.example/", "https://other.example/cb")), signIn("refused"), see("#alert .note-error"))
			b.says("#alert", "Problem: Invalid redirect URI")
			b.is("location.pathname", api.prefix+"/auth/authorize")
			b.do(chromedp.Click("#step button"), see("#step form"))
			b.says("#alert", "")
		}},
		{"who tried too often is told how long to wait", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize("https://apps.example/", "https://apps.example/cb")), signIn("too often"), see("#alert .note-error"))
			b.says("#alert", "Too many failed attempts. Try again in 37\u00a0s.")
			b.is("document.activeElement.name", "password")
		}},
		{"6: an address that would run is refused", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize("https://apps.example/", "javascript:alert(1)")), see("#alert .note-error"))
			b.says("#alert", "Invalid redirect URI: javascript:alert(1)")
			if asked := api.requests(); len(asked) != 0 {
				t.Errorf("asked %q", asked)
			}
		}},
		{"7: markup in the client id is text", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize(`"><img src=x onerror=alert(1)>`, "https://apps.example/")), see("#step form"))
			b.says("#requester strong", `"><img src=x onerror=alert(1)>`)
			b.is("document.images.length", "0")
		}},
		{"8: choosing another provider drops the flow", func(t *testing.T, api *fakeAPI, b *tab) {
			api.providers = append(api.providers, object{"name": "Trusted Networks", "id": nil, "type": "trusted_networks"})
			b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), see("#others button"))
			b.says("#others", "Trusted Networks")
			b.do(chromedp.Click("#others button"), see("button[value=u1]:focus"))
			b.says("#others", "Home Assistant Local")
			b.says("#step", "Your network is trusted here.")
			b.is(`document.activeElement.value`, "u1")
			b.do(chromedp.Click("button[value=u2]"), see("#landed"))
			if n := api.count("DELETE /auth/login_flow/"); n != 1 {
				t.Errorf("%d flows dropped", n)
			}
		}},
		{"9: without a first account it goes to make one", func(t *testing.T, api *fakeAPI, b *tab) {
			api.onboarded.Store(false)
			address := api.authorize("https://home-assistant.io/iOS", "homeassistant://auth-callback")
			b.do(chromedp.Navigate(address), see("[name=confirm_password]"))
			b.is("location.href", strings.Replace(address, "auth/authorize", "onboarding.html", 1))
		}},
		{"10: an empty form is not sent", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), fill("username", "\r"), see("[aria-invalid=true]"))
			b.says("form", "Please fill this in.")
			b.is(`document.querySelector("[name=username]").getAttribute("aria-invalid")`, "true")
			if n := api.count("POST /auth/login_flow/"); n != 0 {
				t.Errorf("%d answers sent", n)
			}
		}},
		{"10: what was wrong with the last try goes when the next one cannot be sent", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), signIn("wrong"), see("#alert .note-error"), see("form[aria-busy=false]"),
				fill("password", "\b\r"), see("[aria-invalid=true]"))
			b.says("form", "Please fill this in.")
			b.says("#alert", "")
			b.do(pickLanguage("de"), see(`html[lang="de"] [aria-invalid=true]`))
			b.says("form", "Bitte fülle dieses Feld aus.")
			b.says("#alert", "")
		}},
		{"a server that does not answer is said to, and the form can be sent again as it is", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), see("#step form"),
				chromedp.Evaluate[chromedp.Void](`window.asks = window.fetch; window.fetch = () => Promise.reject(new TypeError("away"))`),
				signIn("right"), see("#alert .note-error"))
			b.says("#alert", "The server does not answer. Please try again in a moment.")
			b.is(`["username", "password"].map((name) => document.querySelector("[name=" + name + "]").value).join()`, "anna,right")
			b.is("document.activeElement.type", "submit")
			b.do(pickLanguage("de"), chromedp.Poll[chromedp.Void](`document.querySelector("#language").value === "en"`)) // nothing else can be had now
			b.says("#alert", "The server does not answer. Please try again in a moment.")
			b.is("document.documentElement.lang", "en")
			b.do(chromedp.Evaluate[chromedp.Void](`window.fetch = () => Promise.resolve(new Response("503: Service Unavailable", { status: 503 }))`),
				chromedp.Click("#step form button[type=submit]"), see("form[aria-busy=false]"))
			b.says("#alert", "The server does not answer. Please try again in a moment.")
			b.do(chromedp.Evaluate[chromedp.Void](`window.fetch = window.asks`), chromedp.Click("#step form button[type=submit]"), see("#landed"))
		}},
		{"the first field has the focus", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), see("[name=username]:focus"))
		}},
		{"the password can be looked at, but is hidden when it is sent", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), see(".reveal"), chromedp.Click(".reveal"))
			b.is(`document.querySelector("[name=password]").type`, "text")
			b.is(`document.querySelector(".reveal").getAttribute("aria-label")`, "Hide password")
			b.do(signIn("wrong"), see("#alert .note-error"))
			b.is(`document.querySelector("[name=password]").type`, "password")
		}},
		{"a flow that the server forgot is begun again without a word", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), see("#step form"))
			api.mu.Lock()
			api.forget = true
			api.mu.Unlock()
			b.do(signIn("right"), see("#landed"))
			if n := api.count("POST /auth/login_flow/"); n != 2 {
				t.Errorf("%d answers sent, want a refused and an accepted one", n)
			}
		}},
		{"a flow that waited long for its first step is replaced by a fresh one", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), see("#step form"),
				chromedp.Evaluate[chromedp.Void](`{ const then = Date.now(); Date.now = () => then + 180_000; }`), signIn("right"), see("#landed"))
			asked := []int{api.count("POST /auth/login_flow") - api.count("POST /auth/login_flow/"), api.count("POST /auth/login_flow/"), api.count("DELETE")}
			if !slices.Equal(asked, []int{2, 1, 1}) {
				t.Errorf("starts, answers and drops: %d, want 2, 1 and 1", asked)
			}
		}},
		{"a form is sent once, however often it is submitted", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), fill("username", "anna"), fill("password", "right"),
				chromedp.Evaluate[chromedp.Void](`for (let i = 0; i < 3; i++) document.forms[0].requestSubmit()`),
				see("#landed"))
			if n := api.count("POST /auth/login_flow/"); n != 1 {
				t.Errorf("%d answers sent", n)
			}
		}},
		{"a flow that was forgotten at the second step offers to start again", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), signIn("with a code"), see("[name=code]"))
			api.mu.Lock()
			api.forget = true
			api.mu.Unlock()
			b.do(fill("code", "012345\r"), see("#alert .note-error"))
			b.says("#alert", "Problem: Invalid flow specified")
			b.do(chromedp.Click("#step button"), signIn("right"), see("#landed"))
		}},
		{"an abort says why and offers to start again", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), signIn("aborted"), see("#alert .note-error"))
			b.says("#alert", "Sign-in stopped: there were too many wrong codes.")
			b.do(chromedp.Click("#step button"), signIn("right"), see("#landed"))
		}},
		{"who is let in without a form is asked before a foreign client gets the code", func(t *testing.T, api *fakeAPI, b *tab) {
			api.providers = []object{{"name": "Bypass", "id": nil, "type": "bypass"}}
			b.do(chromedp.Navigate(api.authorize(api.elsewhere(""), api.elsewhere("landed"))), see("#step button"))
			b.is("location.pathname", api.prefix+"/auth/authorize")
			b.do(chromedp.Click("#step button"), see("#landed"))
		}},
		{"who is let in without a form goes on to the own client at once", func(t *testing.T, api *fakeAPI, b *tab) {
			api.providers = []object{{"name": "Bypass", "id": nil, "type": "bypass"}}
			b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), see("#landed"))
		}},
		{"P-10: no provider is an error", func(t *testing.T, api *fakeAPI, b *tab) {
			api.providers = []object{}
			b.do(chromedp.Navigate(api.authorize(api.root(), api.root()+"landed")), see("#alert .note-error"))
			b.says("#alert", "No auth providers returned.")
		}},
		{"P-15: a refused start says why", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize("no url", api.root()+"landed")), see("#alert .note-error"))
			b.says("#alert", "Problem: Invalid client id")
		}},
		{"P-31: an app that does not open is offered as a link", func(t *testing.T, api *fakeAPI, b *tab) {
			b.do(chromedp.Navigate(api.authorize("https://home-assistant.io/iOS", "homeassistant://auth-callback")), signIn("right"), see("#step a"))
			b.is(`document.querySelector("#step a").href`, "homeassistant://auth-callback?code=THECODE&state=a%2Bb%3D")
		}},
	}
	for _, prefix := range []string{"", "/hub"} {
		for _, row := range rows {
			if prefix != "" && !strings.HasPrefix(row.name, "3") && !strings.HasPrefix(row.name, "9") {
				continue // below a path only what builds addresses can differ
			}
			t.Run(row.name+prefix, func(t *testing.T) {
				row.run(t, newFakeAPI(t, prefix), openTab(t, browser))
			})
		}
	}
}
