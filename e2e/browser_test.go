package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// output is where screenshots are kept for people to look at.
const output = "../testoutput"

// browser starts a headless Chromium with a profile of its own.
func browser(t *testing.T, width, height int, dark bool) context.Context {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(needs(t, "chromium")),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.WindowSize(width, height),
	)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel() })
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	must(t, ctx, chromedp.EmulateViewport(int64(width), int64(height)), prefers(scheme))
	return ctx
}

// prefers makes pages believe that the person likes light or dark colours.
func prefers(scheme string) action {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

// action is something done in the browser that gives no value.
type action = chromedp.Action[chromedp.Void]

// must runs browser actions, which must succeed in good time.
func must(t *testing.T, ctx context.Context, actions ...action) {
	t.Helper()
	if err := try(ctx, actions...); err != nil {
		shot(t, ctx, "failed")
		t.Fatal(err)
	}
}

// try runs browser actions. The first run of a context starts the browser, which must outlive the time limit.
func try(ctx context.Context, actions ...action) error {
	if err := chromedp.Do(ctx); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, a := range actions {
		if err := steadily(limited, a); err != nil {
			return err
		}
	}
	return nil
}

// gone is the code by which the browser says that what an action was about went away with its page meanwhile.
const gone = -32000

// steadily does an action, again on the next page if its own went away before it was done. Some pages are on their way out
// when they show what a test waits for.
func steadily(ctx context.Context, a action) error {
	for {
		err := chromedp.Do(ctx, a)
		var refused *cdproto.Error
		if !errors.As(err, &refused) || refused.Code != gone || ctx.Err() != nil {
			return err
		}
	}
}

// shot keeps a picture of the page.
func shot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	png, err := chromedp.Run(limited, chromedp.FullScreenshot(100))
	if err != nil {
		t.Logf("no picture of %s: %v", name, err)
		return
	}
	file := filepath.Join(output, t.Name()+"-"+name+".png")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// sees waits until the page shows the text, or the page that it leads to does.
func sees(text string) action {
	return holds(fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
}

// isAt waits until the browser is at an address that begins so.
func isAt(address string) action { return holds(fmt.Sprintf(`location.href.startsWith(%q)`, address)) }

// holds waits until an expression is true. A page that goes away while it is asked is no failure: the next one is asked.
func holds(expression string) action {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		for {
			ok, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(patience)))
			if ok || ctx.Err() != nil {
				return errors.Join(err, ctx.Err())
			}
		}
	})
}

// retype types over what stands in a field.
func retype(field, text string) action {
	return chromedp.Steps(
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).select()`, field)),
		chromedp.SendKeys(field, text),
	)
}

// A person makes the first account and later signs in, first with a wrong password, in windows of two sizes.
func TestBrowser(t *testing.T) {
	for _, window := range []struct {
		name          string
		width, height int
		dark          bool
	}{
		{"1280x800", 1280, 800, false},
		{"390x844", 390, 844, false},
		{"1280x800-dark", 1280, 800, true},
		{"390x844-dark", 390, 844, true},
	} {
		t.Run(window.name, func(t *testing.T) {
			p := start(t, "")
			ctx := browser(t, window.width, window.height, window.dark)
			onboard(t, ctx, p)
			signOutAndIn(t, ctx, p)
			p.kill()
			must(t, ctx, chromedp.Navigate(start(t, p.store).address+"/"), sees("Anna Example")) // the session outlives the power cut
		})
	}
}

func onboard(t *testing.T, ctx context.Context, p *program) {
	t.Helper()
	must(t, ctx, chromedp.Navigate(p.address+"/"), chromedp.WaitVisible(`input[name="username"]`))
	shot(t, ctx, "1-onboarding")
	must(t, ctx,
		chromedp.SendKeys(`input[name="name"]`, "Anna Example"),
		chromedp.SendKeys(`input[name="username"]`, "anna"),
		chromedp.SendKeys(`input[name="password"]`, "password1"),
		chromedp.SendKeys(`input[name="confirm_password"]`, "password1"),
		chromedp.Click(`button[type="submit"]`),
		sees("most common"),
	)
	shot(t, ctx, "2-onboarding-common-password")
	must(t, ctx,
		retype(`input[name="password"]`, password),
		retype(`input[name="confirm_password"]`, password),
		chromedp.Click(`button[type="submit"]`),
		sees("Anna Example"), sees("Sign out"),
	)
	shot(t, ctx, "3-signed-in")
}

func signOutAndIn(t *testing.T, ctx context.Context, p *program) {
	t.Helper()
	must(t, ctx, chromedp.Click(`//button[contains(., "Sign out")]`), sees("Sign in"))
	shot(t, ctx, "4-signed-out")
	must(t, ctx, chromedp.Click(`//*[self::a or self::button][contains(., "Sign in")]`),
		chromedp.WaitVisible(`input[name="password"]`),
		chromedp.SendKeys(`input[name="username"]`, "anna"),
		chromedp.SendKeys(`input[name="password"]`, "not the password"),
		chromedp.Click(`button[type="submit"]`), sees("is wrong"), holds(`document.activeElement.name === "password"`),
	)
	shot(t, ctx, "5-wrong-password")
	// spec: login-page.md P-21: what was entered survives an error; the keyboard is enough to go on.
	username, err := chromedp.Run(ctx, chromedp.Value(`input[name="username"]`))
	if err != nil {
		t.Fatal(err)
	}
	must(t, ctx,
		retype(`input[name="password"]`, password+"\r"),
		sees("Anna Example"),
	)
	if username != "anna" {
		t.Errorf("the username was not kept after a wrong password: %q", username)
	}
	shot(t, ctx, "6-signed-in-again")
}

// An application elsewhere gets its code and its state back at its redirect URI (spec: login-page.md §8, §12).
func TestForeignApplication(t *testing.T) {
	p := start(t, "")
	p.createOwner()
	ctx := browser(t, 1280, 800, false)
	authorize := func(clientID, redirectURI string) string {
		return p.address + "/auth/authorize?" + url.Values{
			"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURI}, "state": {"a+b/c="},
		}.Encode()
	}
	signIn := chromedp.Steps(
		chromedp.WaitVisible(`input[name="password"]`),
		chromedp.SendKeys(`input[name="username"]`, "anna"),
		chromedp.SendKeys(`input[name="password"]`, password),
		chromedp.Click(`button[type="submit"]`),
	)
	visits := make(chan *url.URL, 10)
	application := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { visits <- r.URL }))
	defer application.Close()
	app := application.URL + "/"
	must(t, ctx, chromedp.Navigate(authorize(app, app+"cb?x=1")), chromedp.WaitVisible(`input[name="password"]`),
		sees(strings.TrimPrefix(application.URL, "http://")))
	shot(t, ctx, "warning")
	must(t, ctx, signIn, isAt(app))
	landed := <-visits
	if q := landed.Query(); q.Get("x") != "1" || q.Get("state") != "a+b/c=" || len(q.Get("code")) != 32 {
		t.Errorf("the redirect is %s", landed)
	}

	// spec: login-page.md §12 check 5: a redirect URI elsewhere that the client does not declare
	must(t, ctx, chromedp.Navigate(authorize(app, "http://other.example/cb")), signIn, sees("Invalid redirect URI"))
	shot(t, ctx, "invalid-redirect")
	// spec: login-page.md §12 check 6
	must(t, ctx, chromedp.Navigate(authorize(app, "javascript:alert(1)")), sees("Invalid redirect URI"))
	// spec: login-page.md §12 check 7
	must(t, ctx, chromedp.Navigate(authorize(`"><img src=x onerror=alert(1)>`, app)), sees("Invalid client id"))
	shot(t, ctx, "invalid-client")
}
