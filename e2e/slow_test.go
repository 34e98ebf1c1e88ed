package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
)

// gate is a proxy before the program that holds back what is asked for while it is shut.
type gate struct {
	*program
	open chan struct{} // lets them on when it is closed
	shut atomic.Pointer[string]
}

// before puts a gate before the program, which is open.
func before(t *testing.T, p *program) *gate {
	t.Helper()
	target, err := url.Parse(p.address)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{open: make(chan struct{})}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if at := g.shut.Load(); at != nil && r.Method == http.MethodPost && r.URL.Path == *at {
			select {
			case <-g.open:
			case <-t.Context().Done():
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	g.program = &program{t: t, address: front.URL, log: p.log}
	return g
}

// A form is sent once to a server that is slow, however often its button is clicked. Whoever stops waiting can send it again.
func TestAFormForASlowServer(t *testing.T) {
	p := start(t, "")
	p.createOwner()
	g := before(t, p)
	ctx := watch(t, browser(t, 1280, 800, false), g.program)
	size(t, ctx, 1280, 800, false)
	must(t, ctx, chromedp.Navigate(g.address+"/admin/groups/new"), chromedp.WaitVisible("#store-token"), signIn("anna", password), heads("Make a group"))
	at := "/admin/groups/new"
	g.shut.Store(&at)
	// While a page waits for the next one the browser answers no questions about it, so that all is done in one go.
	inPage := func(script string) action {
		return chromedp.Evaluate[chromedp.Void](`(async () => {
			const save = document.querySelector("button[value=save]");
			const until = async (holds) => { while (!holds()) await new Promise((done) => setTimeout(done)); };
			`+script+`
		})()`, chromedp.EvalAwaitPromise)
	}
	must(t, ctx, typed("name", "Guests"), inPage(`save.click(); await until(() => save.disabled); stop(); await until(() => !save.disabled);`))
	must(t, ctx, typed("name", "Guests of the house"), inPage(`save.click(); save.click(); await until(() => save.disabled); save.click();`))
	close(g.open)
	must(t, ctx, heads("Groups"), sees("The group is made."), sees("Guests of the house"))
	if list := p.run("", "group", "list"); strings.Count(list, "Guests of the house") != 1 {
		t.Errorf("the form was not sent once:\n%s", list)
	}
}
