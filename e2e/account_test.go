package e2e

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"
)

// press clicks the button or link with this text.
func press(text string) action {
	return chromedp.Click(fmt.Sprintf(`//*[(self::a or self::button) and contains(normalize-space(.), %q)]`, text))
}

// typed fills in a field of a page, over what stands in it.
func typed(name, text string) action {
	field := fmt.Sprintf(`[name="%s"]`, name)
	return chromedp.Steps(chromedp.WaitVisible(field), retype(field, text))
}

// signIn goes through the sign-in page.
func signIn(username, password string) action {
	return chromedp.Steps(typed("username", username), typed("password", password+"\r"))
}

// heads waits until the page has this heading.
func heads(title string) action {
	return holds(fmt.Sprintf(`document.readyState === "complete" && document.querySelector("h1")?.innerText === %q`, title))
}

// readCode is the current code of the secret that the page shows.
func readCode(t *testing.T, ctx context.Context) string {
	t.Helper()
	secret, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.getElementById("secret").innerText.replaceAll(" ", "")`))
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// One's own account, from the first sign-in to the second factor and out again, on every window: every page and each main
// error, looked at and checked for who cannot see.
func TestTheAccount(t *testing.T) {
	installClient(t)
	p := start(t, "")
	p.createOwner()
	chromium := browser(t, 1280, 800, false)
	must(t, chromium)
	for i, window := range windows {
		username := fmt.Sprint("visitor", i)
		p.run("some good words 1\n", "user", "add", username, "--name", "Grace Hopper", "--password-stdin")
		t.Run(window.name, func(t *testing.T) {
			ctx := watch(t, chromium, p)
			size(t, ctx, window.width, window.height, window.dark)
			v := visitor{t, ctx, p, username}
			v.signsIn()
			v.changesName()
			v.changesPassword()
			v.makesToken()
			v.setsUpFactor()
			v.usesRecoveryCode()
			v.turnsFactorOff()
			v.leaves()
		})
	}
}

// visitor is somebody at a browser.
type visitor struct {
	t        *testing.T
	ctx      context.Context
	p        *program
	username string
}

func (v visitor) do(actions ...action) { v.t.Helper(); must(v.t, v.ctx, actions...) }
func (v visitor) look(name string)     { v.t.Helper(); look(v.t, v.ctx, name) }

func (v visitor) signsIn() {
	v.do(chromedp.Navigate(v.p.address+"/"), sees("Sign in to see your account"))
	v.look("home")
	v.do(chromedp.Navigate(v.p.address+"/account"), chromedp.WaitVisible("#store-token"))
	v.look("sign-in")
	v.do(signIn(v.username, "wrong"), sees("User name or password is wrong."))
	v.look("sign-in-wrong")
	v.do(typed("password", "some good words 1\r"), heads("Your account"))
	v.look("account")
	// spec: security.md 42; no script reads the session
	v.do(holds(`document.cookie === "" && localStorage.length + sessionStorage.length === 0`))
}

func (v visitor) changesName() {
	v.do(press("Change name"), heads("Change name"), holds(`document.activeElement.name === "name"`), typed("name", " "), press("Save"),
		sees("Please fill this in."), holds(`document.activeElement.name === "name"`))
	v.look("name-wrong")
	v.do(typed("name", "Rear Admiral Grace Hopper"), press("Save"), heads("Your account"), sees("Your name is changed."))
	v.look("name-changed")
	v.do(chromedp.Reload(), heads("Your account"), holds(`!document.body.innerText.includes("Your name is changed.")`))
}

func (v visitor) changesPassword() {
	v.do(press("Change password"), heads("Change password"), holds(`document.activeElement.name === "current_password"`),
		typed("current_password", "not this one"), typed("new_password", "some good words 2"), typed("repeat_password", "some good words 2"),
		press("Change password"), sees("That password is not right."))
	v.look("password-wrong")
	// The keyboard is enough, and what was typed can be looked at.
	v.do(chromedp.Click(".reveal"), holds(`document.querySelector("[name=current_password]").type === "text"`),
		typed("current_password", "some good words 1"), typed("new_password", "some good words 2"), typed("repeat_password", "some good words 2\r"),
		heads("Your account"), sees("Your password is changed."))
}

func (v visitor) makesToken() {
	v.do(press("Make a token"), heads("Make a token"))
	v.look("token")
	v.do(typed("name", "GPS logger"), press("Make a token"), heads("Your new token"))
	v.look("token-made")
	v.do(press("Done"), heads("Your account"), sees("GPS logger"), press("Make a token"), heads("Make a token"),
		typed("name", "GPS logger"), press("Make a token"), sees("You have a token of this name."))
	v.look("token-taken")
	v.do(press("Cancel"), heads("Your account"), press("Remove"), heads("Remove GPS logger?"))
	v.look("token-remove")
	v.do(press("Remove"), heads("Your account"), sees("The token is removed."))
}

func (v visitor) setsUpFactor() {
	v.do(press("Set up"), heads("Set up Authenticator app"), holds(`document.activeElement.name === "field_code"`),
		typed("field_code", "000000"), press("Continue"), sees("That code is not right."))
	v.look("factor")
	for range 3 { // a code may be outdated the moment it is sent
		v.do(typed("field_code", readCode(v.t, v.ctx)), press("Continue"), holds(`document.readyState === "complete"`))
		if err := try(v.ctx, holds(`document.querySelector("h1").innerText === "Recovery codes" || document.querySelector("[aria-invalid]")`)); err != nil {
			v.t.Fatal(err)
		}
		if done, _ := chromedp.Run(v.ctx, chromedp.Evaluate[bool](`document.querySelector("h1").innerText === "Recovery codes"`)); done {
			break
		}
	}
	v.do(heads("Recovery codes"), sees("The second step is on."))
	v.look("recovery-offer")
	v.do(press("Make recovery codes"), sees("They are shown only now."))
	v.look("recovery-codes")
}

// usesRecoveryCode signs in from another browser, where the telephone is lost.
func (v visitor) usesRecoveryCode() {
	code, err := chromedp.Run(v.ctx, chromedp.Evaluate[string](`document.querySelector("#codes code").innerText`))
	if err != nil {
		v.t.Fatal(err)
	}
	v.do(press("I have saved them"), heads("Your account"), sees("10 of 10 left"), press("Sign out"), sees("You are signed out."))
	v.look("signed-out")
	v.do(press("Sign in"), chromedp.WaitVisible("#store-token"), signIn(v.username, "some good words 2"), heads("One more check"),
		holds(`document.activeElement.name === "code"`), typed("code", "123456\r"), sees("That code is not right."))
	v.look("second-step-wrong")
	v.do(typed("code", strings.ToUpper(code)+"\r"), heads("Your account"), sees("9 of 10 left"))
	v.look("account-with-factor")
}

func (v visitor) turnsFactorOff() {
	v.do(press("Turn off"), heads("Turn off Authenticator app?"))
	v.look("factor-off")
	v.do(press("Turn off"), heads("Your account"), sees("The second step is off."))
}

func (v visitor) leaves() {
	v.do(chromedp.Navigate(v.p.address+"/account/nothing"), heads("That did not work"), sees("That is not there, or not any more."))
	v.look("not-found")
	v.do(chromedp.Navigate(v.p.address+"/admin/bans"), heads("That did not work"), sees("This page is for administrators."))
	v.look("not-for-you")
	v.do(press("Sign out"), sees("You are signed out."))
	// The browser's back button does not show what was signed out of.
	v.do(chromedp.Navigate(v.p.address+"/account"), chromedp.WaitVisible("#store-token"))
}

// The pages work below the path of a proxy, and so does the session's cookie.
func TestThePagesBelowAPath(t *testing.T) {
	p := start(t, "")
	p.createOwner()
	target, err := url.Parse(p.address)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.URL.Path = strings.TrimPrefix(r.Out.URL.Path, "/house/keys")
		r.Out.URL.RawPath = ""
		r.Out.Host = r.In.Host
		r.Out.Header.Del("X-Forwarded-For")
	}}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	below := &program{t: t, address: front.URL}
	ctx := watch(t, browser(t, 1280, 800, false), below)
	size(t, ctx, 1280, 800, false)
	root := front.URL + "/house/keys/"
	must(t, ctx, chromedp.Navigate(root+"account/tokens"), chromedp.WaitVisible("#store-token"), signIn("anna", password),
		heads("Make a token"), isAt(root+"account/tokens"), typed("name", "proxy"), press("Make a token"), heads("Your new token"),
		press("Done"), heads("Your account"), isAt(root+"account#tokens"), press("Bans"), heads("Banned addresses"), isAt(root+"admin/bans"),
		press("Account"), heads("Your account"), press("Sign out"), sees("You are signed out."), isAt(root))
	must(t, ctx, chromedp.Navigate(front.URL+"/house/keys/account"), chromedp.WaitVisible("#store-token"))
}
