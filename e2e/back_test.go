package e2e

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp"
)

// The browser's back button shows a form as it was left, so that nothing is typed twice, but no password; and after signing
// out nothing of what was to be seen before.
func TestTheBackButton(t *testing.T) {
	p := start(t, "")
	p.createOwner()
	ctx := watch(t, browser(t, 1280, 800, false), p)
	size(t, ctx, 1280, 800, false)
	goBack := chromedp.Evaluate[chromedp.Void](`void setTimeout(() => history.back())`)
	must(t, ctx, chromedp.Navigate(p.address+"/admin/users/new"), chromedp.WaitVisible("#store-token"), signIn("anna", password), heads("Add a user"),
		typed("name", "Ida"), typed("username", "ida"), typed("new_password", "some good words 1"), typed("repeat_password", "some good words 1\r"),
		sees("The user is added."), goBack, becomes(t, `document.querySelector("h1").innerText === "Add a user"`),
		becomes(t, `[...document.querySelectorAll("[autocomplete=new-password]")].map((one) => one.value).join() === ","`))
	must(t, ctx, chromedp.Navigate(p.address+"/account"), heads("Your account"), sees("Anna Example"), press("Sign out"), sees("You are signed out."),
		goBack, becomes(t, `document.querySelector("#store-token") !== null && !document.body.innerText.includes("Anna Example")`))
}

// becomes waits until an expression is true. Other than [holds] it can be asked of a page that comes back as it was left.
func becomes(t *testing.T, expression string) action {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		until(t, expression, func() bool {
			is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
			return err == nil && is
		})
		return nil
	})
}
