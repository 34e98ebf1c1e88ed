package e2e

import (
	"encoding/json"
	"testing"

	"github.com/chromedp/chromedp"
)

// The way in is light: at most 60 KiB over the wire, in at most six requests. What the page asks the API for comes behind
// that.
func TestTheFirstPaintOfTheSignInPageIsLight(t *testing.T) {
	p := start(t, "")
	p.createOwner()
	ctx := browser(t, 390, 844, false)
	must(t, ctx, chromedp.Navigate(p.address+"/auth/authorize?client_id="+p.address+"/&redirect_uri="+p.address+"/"),
		chromedp.WaitVisible(`input[name="username"]`))
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`JSON.stringify(
		[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
			.filter((one) => !/\/auth\/(login_flow|providers)$/.test(one.name)).map((one) => [one.name, one.transferSize]))`))
	if err != nil {
		t.Fatal(err)
	}
	var files [][2]any
	if err := json.Unmarshal([]byte(text), &files); err != nil {
		t.Fatal(err)
	}
	size := 0.0
	for _, file := range files {
		size += file[1].(float64)
	}
	t.Logf("%.0f bytes in %d requests", size, len(files))
	if size > 60<<10 || len(files) > 6 || len(files) < 3 {
		t.Errorf("%.0f bytes in %d requests, at most %d in 6: %v", size, len(files), 60<<10, files)
	}
}
