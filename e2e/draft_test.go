package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// Somebody whose session ends in the middle of a form signs in again and finds there what was typed, but no password.
func TestWhatWasTypedOutlivesTheSession(t *testing.T) {
	installClient(t)
	p := start(t, "")
	p.createOwner()
	p.run("some good words 1\n", "user", "add", "ida", "--name", "Ida", "--password-stdin")
	p.run("{}", "group", "create", "Guests", "--policy", "-")
	for _, window := range windows[:2] {
		t.Run(window.name, func(t *testing.T) {
			ctx := watch(t, browser(t, window.width, window.height, window.dark), p)
			size(t, ctx, window.width, window.height, window.dark)
			v := visitor{t, ctx, p, "anna"}
			v.do(chromedp.Navigate(p.address+"/admin/users/new"), chromedp.WaitVisible("#store-token"), signIn("anna", password), heads("Add a user"))
			v.addsUserTooLate("guest" + window.name)
			v.givesRightsTooLate()
			v.writesPolicyTooLate()
			v.sharesTheBrowser()
			v.goesOnElsewhere()
		})
	}
}

// isSignedOut ends all sessions of the visitor, as from another device, and waits until the server knows.
func (v visitor) isSignedOut() {
	v.t.Helper()
	v.p.run("", "session", "end", "--user", v.username, "--all", "--yes")
	v.do(chromedp.Evaluate[chromedp.Void](`(async () => { while ((await fetch("/account")).status !== 401); })()`, chromedp.EvalAwaitPromise))
}

const draftBack = "What you had typed is here again."

func (v visitor) addsUserTooLate(username string) {
	v.do(typed("name", "Ida B. Wells"), typed("username", username), typed("new_password", "some good words 1"), typed("repeat_password", "some good words 1"),
		chromedp.Click(".reveal"), chromedp.Click(`[value="system-read-only"]`), chromedp.Click(`[value="system-users"]`), chromedp.Click(`[name="local_only"]`))
	v.isSignedOut()
	v.do(press("Add a user"), chromedp.WaitVisible("#store-token"), holds(`!JSON.stringify(sessionStorage).includes("some good words")`),
		signIn("anna", password), heads("Add a user"), sees(draftBack), sees("Passwords and codes are not kept"),
		holds(`document.activeElement.name === "new_password" && sessionStorage.length === 0`),
		holds(`["name", "username", "new_password"].map((name) => document.querySelector("[name=" + name + "]").value).join() === "Ida B. Wells,`+username+`,"`),
		holds(`[...document.querySelectorAll(":checked")].map((one) => one.value).join() === "password,system-read-only,yes,en"`))
	v.look("user-new")
	v.do(typed("new_password", "some good words 1"), typed("repeat_password", "some good words 1\r"), sees("The user is added."), holds(`sessionStorage.length === 0`))
}

// givesRightsTooLate uses a form that has its page at another address.
func (v visitor) givesRightsTooLate() {
	v.do(chromedp.Navigate(v.p.address+"/admin/users?q=ida"), heads("Users"), press("Ida"), chromedp.WaitVisible(`[value="system-admin"]`), chromedp.Click(`[value="system-admin"]`))
	v.isSignedOut()
	v.do(press("Change rights"), chromedp.WaitVisible("#store-token"), signIn("anna", password), sees(draftBack), holds(`document.querySelector("[value=system-admin]").checked`))
	v.look("user-rights")
	// It is shown once, and was not sent.
	v.do(chromedp.Reload(), holds(`document.readyState === "complete" && !document.querySelector("[value=system-admin]").checked`))
	// What somebody else does meanwhile is not undone by what comes back.
	v.do(chromedp.Click(`[value="system-admin"]`))
	v.isSignedOut()
	v.do(press("Change rights"), chromedp.WaitVisible("#store-token"))
	v.p.run("", "user", "set", "ida", "--local-only")
	v.do(signIn("anna", password), sees(draftBack), press("Change rights"), sees("These rights were changed since this page was shown"),
		holds(`!document.querySelector("[value=system-admin]").checked && document.querySelector("[name=local_only]").checked`))
	v.look("user-rights-overtaken")
	v.p.run("", "user", "set", "ida", "--no-local-only")
}

func (v visitor) writesPolicyTooLate() {
	v.do(chromedp.Navigate(v.p.address+"/admin/groups"), heads("Groups"), press("Edit"), heads("Guests"))
	v.isSignedOut()
	v.do(typed("policy", `{"entities": {"labels": true}}`), sees("Your session has ended. Sign in again to go on"))
	v.do(holds(`!document.body.innerText.includes("This policy can be used.")`)) // that was another one
	v.look("policy-session-ended")
	v.do(press("Sign in again"), chromedp.WaitVisible("#store-token"), signIn("anna", password), heads("Guests"), sees(draftBack),
		holds(`document.getElementById("policy").value.includes("labels")`), says("#verdict", "Line 1 entities › labels"), holds(`document.activeElement.id === "policy"`), holds(`!document.body.innerText.includes("not kept")`))
	v.look("policy-back")
}

// sharesTheBrowser lets somebody else sign in where the session ended: they do not see what was typed.
func (v visitor) sharesTheBrowser() {
	v.do(chromedp.Navigate(v.p.address+"/account/name"), heads("Change name"), typed("name", "Annabel"))
	v.isSignedOut()
	v.do(press("Save"), chromedp.WaitVisible("#store-token"), signIn("ida", "some good words 1"), heads("Change name"),
		holds(`document.readyState === "complete" && document.querySelector("[name=name]").value === "Ida" && sessionStorage.length === 0`), press("Sign out"), sees("You are signed out."))
}

// goesOnElsewhere signs in anew in another tab, so that a form that is open here is not of the session any more.
func (v visitor) goesOnElsewhere() {
	v.do(press("Sign in"), chromedp.WaitVisible("#store-token"), signIn("anna", password), heads("Your account"), press("Change name"), heads("Change name"), typed("name", "Annabel"))
	other, cancel := chromedp.NewContext(v.ctx)
	defer cancel()
	must(v.t, other, chromedp.Navigate(v.p.address+"/account"), heads("Your account"), press("Sign out"), sees("You are signed out."), press("Sign in"),
		chromedp.WaitVisible("#store-token"), signIn("anna", password), heads("Your account"))
	v.do(press("Save"), heads("That did not work"), sees("This page is out of date"))
	v.look("form-outdated")
	v.do(press("Back to the form"), heads("Change name"), sees(draftBack), holds(`document.querySelector("[name=name]").value === "Annabel"`))
	if text := v.p.run("", "user", "list"); strings.Contains(text, "Annabel") {
		v.t.Errorf("the form was taken:\n%s", text)
	}
}
