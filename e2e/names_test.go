package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Names of people, groups and ways to sign in may be as long as they are allowed to be, and without a blank.
func TestLongNamesFit(t *testing.T) {
	installClient(t)
	settings := filepath.Join(t.TempDir(), "latchkey.yaml")
	text := `homeassistant:
  auth_providers:
    - {type: trusted_networks, trusted_networks: 127.0.0.1}
    - {type: homeassistant, name: ` + strings.Repeat("Schlüsselprüfung", 6) + `}
`
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "", "--config", settings)
	p.createOwner()
	p.run("some good words 1\n", "user", "add", "trouble", "--name", strings.Repeat("Wolfe", 38), "--password-stdin")
	p.run("{}", "group", "create", strings.Repeat("Donaudampfschiff", 12), "--policy", "-")
	ctx := watch(t, browser(t, 390, 844, false), p)
	size(t, ctx, 390, 844, false)
	must(t, ctx, chromedp.Navigate(p.address+"/admin/users/new"), sees("Your network is trusted here."), sees("WolfeWolfe"))
	look(t, ctx, "sign-in")
	must(t, ctx, press("Anna Example"), heads("Add a user"), sees("DonaudampfschiffDonaudampfschiff"))
	look(t, ctx, "user-new")
	must(t, ctx, chromedp.Navigate(p.address+"/admin/groups/new"), heads("Make a group"), typed("who", "anna"),
		typed("entity", "light."+strings.Repeat("kitchen", 30)), says("#outlook", "No device is known that light.kitchenkitchen"))
	look(t, ctx, "preview")
}

// Whoever has chosen all colours themselves still sees which page they are on.
func TestThePageOneIsOnShowsInForcedColours(t *testing.T) {
	p := start(t, "")
	p.createOwner()
	ctx := watch(t, browser(t, 1280, 800, false), p)
	size(t, ctx, 1280, 800, false)
	must(t, ctx, chromedp.Navigate(p.address+"/account"), chromedp.WaitVisible("#store-token"), signIn("anna", password), heads("Your account"),
		forcedColours, holds(`matchMedia("(forced-colors: active)").matches`))
	shot(t, ctx, "account")
	must(t, ctx, holds(`[...document.querySelectorAll("nav a")].filter((a) => getComputedStyle(a).textDecorationLine === "underline").map((a) => a.innerText).join() === "Account"`))
}

// forcedColours makes pages believe that the person has chosen all colours themselves.
var forcedColours = chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}},
	})
	return err
})
