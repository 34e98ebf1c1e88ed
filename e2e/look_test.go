package e2e

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// windows are the sizes and colours in which every page has to be good.
var windows = []struct {
	name          string
	width, height int
	dark          bool
}{
	{"1280", 1280, 800, false},
	{"390", 390, 844, false},
	{"1280-dark", 1280, 800, true},
	{"390-dark", 390, 844, true},
}

// axe is the accessibility checker, as a script.
var axe = sync.OnceValues(func() (string, error) {
	text, err := os.ReadFile("client/node_modules/axe-core/axe.min.js")
	return string(text), err
})

// violation is a rule that a page breaks, and where.
type violation struct {
	ID, Help string
	Nodes    []struct {
		Target         []any
		FailureSummary string
	}
}

// look keeps a picture of the page, and fails the test where it breaks a rule of WCAG 2.2 AA or is wider than its window.
func look(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	shot(t, ctx, name)
	script, err := axe()
	if err != nil {
		t.Fatalf("the accessibility checker is missing: %v", err)
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := chromedp.Run(limited, chromedp.Evaluate[string](script+`;
		axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
			.then(({ violations }) => JSON.stringify(violations))`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: the accessibility of the page cannot be checked: %v", name, err)
	}
	var violations []violation
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		t.Fatal(err)
	}
	for _, v := range violations {
		for _, n := range v.Nodes {
			t.Errorf("%s: %s (%s) at %v: %s", name, v.Help, v.ID, n.Target, n.FailureSummary)
		}
	}
	fits(t, ctx, name)
}

// fits fails the test where the page is wider than its window.
func fits(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	wide, err := chromedp.Run(limited, chromedp.Evaluate[string](`document.documentElement.scrollWidth > innerWidth
		? [...document.querySelectorAll("body *")].filter((n) => n.getBoundingClientRect().right > innerWidth + 1)
			.map((n) => n.tagName + "." + n.className + "#" + n.id).join(", ") || "something" : ""`))
	if err != nil || wide != "" {
		t.Errorf("%s: the page is wider than its window: %s (%v)", name, wide, err)
	}
}

// watch fails the test when a page breaks its own policy, throws, or asks another host for anything.
func watch(t *testing.T, ctx context.Context, p *program) context.Context {
	t.Helper()
	var mu sync.Mutex
	var complaints []string
	complain := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		complaints = append(complaints, text)
	}
	ctx, cancel := chromedp.NewContext(ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Source == log.EntrySourceSecurity {
				complain(e.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			complain(e.ExceptionDetails.Text)
		case *network.EventRequestWillBeSent:
			u, err := url.Parse(e.Request.URL)
			if err != nil || u.Scheme != "data" && u.Scheme != "blob" && !strings.HasPrefix(p.address, u.Scheme+"://"+u.Host) {
				complain("it asks for " + e.Request.URL)
			}
		}
	}))
	t.Cleanup(func() {
		cancel()
		mu.Lock()
		defer mu.Unlock()
		for _, text := range complaints {
			t.Errorf("the browser complained: %s", text)
		}
	})
	return ctx
}

// size gives a new tab the size and the colours of a window.
func size(t *testing.T, ctx context.Context, width, height int, dark bool) {
	t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	must(t, ctx, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
		return err
	}), chromedp.EmulateViewport(int64(width), int64(height)), prefers(scheme))
}
