package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// speaks makes the browser ask for a language.
func speaks(language string) action {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{
			Headers: network.Headers{"Accept-Language": language},
		})
		return err
	})
}

// pick chooses a language on a page.
func pick(language string) action {
	return chromedp.Steps(chromedp.WaitVisible("#language"), chromedp.Evaluate[chromedp.Void](fmt.Sprintf(
		`{ const list = document.getElementById("language"); list.value = %q; list.dispatchEvent(new Event("change", { bubbles: true })) }`, language)))
}

// spread sets the text of a page as wide as WCAG 1.4.12 lets people have it, in the narrowest window of 1.4.10.
var spread = chromedp.Steps(chromedp.EmulateViewport(320, 844), chromedp.Evaluate[chromedp.Void](`document.styleSheets[0].insertRule(
	"* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important }")`))

// speaksPage waits until the page is in a language and has a title.
func speaksPage(language string) action {
	return holds(fmt.Sprintf(`document.readyState === "complete" && document.documentElement.lang === %q && document.querySelector("h1")?.innerText !== ""`, language))
}

// Everybody is spoken to in the language of their browser, or in the one that they pick, on the way in as on the pages behind
// it (spec: login-page.md §11). Long words do not break a narrow page.
func TestEveryLanguage(t *testing.T) {
	installClient(t)
	settings := filepath.Join(t.TempDir(), "latchkey.yaml")
	if err := os.WriteFile(settings, []byte("http: {login_attempts_threshold: 5}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "", "--config", settings)
	p.createOwner()
	p.run("", "ban", "add", "203.0.113.9", "--config", settings)
	chromium := browser(t, 390, 844, false)
	must(t, chromium)
	for language, words := range map[string]struct{ welcome, factor string }{
		"en": {"Welcome", "Authenticator app"}, "de": {"Willkommen", "Authenticator-App"}, "fr": {"Bienvenue", "Application d’authentification"},
		"es": {"bienvenida", "Aplicación de autenticación"}, "nl": {"Welkom", "Authenticator-app"},
	} {
		t.Run(language, func(t *testing.T) {
			ctx := watch(t, chromium, p)
			size(t, ctx, 390, 844, false)
			must(t, ctx, speaks(language+", en;q=0.5"), chromedp.Navigate(p.address+"/account"), chromedp.WaitVisible("#store-token"),
				speaksPage(language), sees(words.welcome))
			look(t, ctx, "sign-in")
			must(t, ctx, signIn("anna", password), isAt(p.address+"/account"), speaksPage(language), sees(words.factor))
			for _, path := range []string{
				"account", "account/password", "account/factors/totp", "account/tokens", "admin/users", "admin/users/new", "admin/groups",
				"admin/groups/new", "admin/bans",
			} {
				must(t, ctx, chromedp.Navigate(p.address+"/"+path), speaksPage(language))
				look(t, ctx, path)
				must(t, ctx, spread)
				fits(t, ctx, path+" in a narrow window and with wide letters")
				must(t, ctx, chromedp.EmulateViewport(390, 844))
			}
			must(t, ctx, sees("203.0.113.9"))
		})
	}
	t.Run("picked", func(t *testing.T) {
		ctx := watch(t, chromium, p)
		size(t, ctx, 390, 844, false)
		must(t, ctx, speaks("de"), chromedp.Navigate(p.address+"/account"), chromedp.WaitVisible("#store-token"), speaksPage("de"),
			typed("username", "anna"), pick("nl"), speaksPage("nl"), holds(`document.querySelector("[name=username]").value === "anna"`),
			typed("password", password+"\r"), isAt(p.address+"/account"), speaksPage("nl"),
			pick("fr"), speaksPage("fr"), chromedp.Navigate(p.address+"/admin/users"), speaksPage("fr"),
			chromedp.Click(".leave button"), isAt(p.address+"/"), speaksPage("fr"))
	})
}

// Who has no mouse gets everywhere, too: the skip link leads past the navigation, and Enter sends forms.
func TestTheKeyboardIsEnough(t *testing.T) {
	p := start(t, "")
	p.createOwner()
	ctx := watch(t, browser(t, 1280, 800, false), p)
	size(t, ctx, 1280, 800, false)
	focused := func(what string) action {
		return holds(fmt.Sprintf(`(document.activeElement.innerText || document.activeElement.name || "").trim().startsWith(%q)`, what))
	}
	must(t, ctx, chromedp.Navigate(p.address+"/account"), focused("username"),
		chromedp.KeyEvent("anna\t"), focused("password"), chromedp.KeyEvent(password+"\r"), heads("Your account"),
		chromedp.KeyEvent("\t"), focused("Skip to the content"), chromedp.KeyEvent("\r\t"), focused("Change name"),
		chromedp.KeyEvent("\r"), heads("Change name"), focused("name"))
	must(t, ctx, chromedp.Evaluate[chromedp.Void](`document.activeElement.select()`), chromedp.KeyEvent("Anna by keys\r"),
		heads("Your account"), sees("Your name is changed."), sees("Anna by keys"))
}
