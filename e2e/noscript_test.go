package e2e

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// withoutScripts switches JavaScript off for the pages that are opened from then on.
var withoutScripts = chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
	_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	return err
})

// Without scripts every form of the account and of administrators does what it says, and nothing is offered that does nothing.
func TestThePagesWithoutScripts(t *testing.T) {
	p := start(t, "")
	p.createOwner()
	p.run("some good words 1\n", "user", "add", "ida", "--name", "Ida", "--password-stdin")
	p.run("{}", "group", "create", "Guests", "--policy", "-")
	ctx := watch(t, browser(t, 390, 844, false), p)
	size(t, ctx, 390, 844, false)
	v := visitor{t, ctx, p, "anna"}
	v.do(chromedp.Navigate(p.address+"/account"), chromedp.WaitVisible("#store-token"), signIn("anna", password), heads("Your account"), withoutScripts)
	for _, path := range []string{
		"account", "account/name", "account/password", "account/tokens", "account/factors/totp", "admin/users", "admin/users/new", "admin/groups",
		"admin/groups/new", "admin/bans", "account/nothing",
	} {
		v.do(chromedp.Navigate(p.address+"/"+path), holds(`document.readyState === "complete"`))
		v.offersNothingDead(path)
	}
	v.do(chromedp.Navigate(p.address+"/account/name"), typed("name", "Anna B."), press("Save"), sees("Your name is changed."))
	v.do(press("Make a token"), heads("Make a token"), typed("name", "GPS logger"), press("Make a token"), heads("Your new token"), holds(`document.getElementById("token").value.length > 100`))
	v.offersNothingDead("the new token")
	v.do(press("Done"), heads("Your account"), press("Remove"), heads("Remove GPS logger?"), press("Remove"), sees("The token is removed."))
	v.do(press("Users"), heads("Users"), typed("q", "ida"), press("Search"), holds(`document.querySelectorAll(".list .name").length === 1`), press("Ida"), heads("Ida (ida)"), typed("name", "Ida B."), press("Change name"), sees("The name is changed."))
	v.do(chromedp.Click(`[value="system-read-only"]`), press("Change rights"), sees("The rights are changed."))
	v.do(press("Set a new password"), heads("Set a new password for Ida B. (ida)"), typed("new_password", "some good words 2"), typed("repeat_password", "some good words 2"), press("Set a new password"),
		sees("The password is changed."))
	v.do(press("Deactivate"), heads("Deactivate Ida B. (ida)?"), press("Deactivate"), sees("The user is inactive"), press("Activate"), sees("The user is active again."), press("Delete"),
		heads("Delete Ida B. (ida)?"), press("Delete"), sees("The user is deleted."))
	v.do(press("Groups"), heads("Groups"), press("Delete"), heads("Delete Guests?"), press("Delete"), sees("The group is deleted."))
	v.do(press("Sign out"), sees("You are signed out."), sees("This page needs JavaScript."), holds(`!document.body.innerText.includes("Getting ready")`))
	// Nobody was signed out who only comes by.
	v.do(chromedp.Navigate(p.address+"/account"), sees("This page needs JavaScript."),
		holds(`!document.body.innerText.includes("signed out") && !document.body.innerText.includes("Getting ready")`))
}

// offersNothingDead fails the test where the page shows what only a script would give an effect.
func (v visitor) offersNothingDead(path string) {
	v.t.Helper()
	dead, err := chromedp.Run(v.ctx, chromedp.Evaluate[string](`[...document.querySelectorAll("button[type=button], select:not([name])")]
		.filter((one) => one.getClientRects().length > 0).map((one) => one.outerHTML).join()`))
	if err != nil || dead != "" {
		v.t.Errorf("%s: this does nothing: %s (%v)", path, dead, err)
	}
}
