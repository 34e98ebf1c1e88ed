// Package web serves what people see in a browser: the sign-in page, the first-account page and the home page, with
// their style, scripts and words, all embedded in the program. It must not know users, tokens or flows: the pages talk
// to the HTTP API like any other client (login-page.md, onboarding.md), and only say where they found it lacking.
package web

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
)

//go:embed pages/*.html static/*.css static/*.js static/i18n/*.json
var files embed.FS

// Options are what the pages need to hear from the server that carries them. The zero value works.
type Options struct {
	// SetupCodeNeeded says whether creating the first account takes the one-time code that the server printed in its
	// terminal; the first-account page then asks for it from the start. Nil means never. It is called from many
	// goroutines.
	SetupCodeNeeded func(*http.Request) bool
}

// Pages holds the finished pages and assets. Make it with [New]; it never changes and serves any number of requests.
type Pages struct {
	authorize, home    document
	onboarding, locked document // the first-account page without and with the setup code
	setupCodeNeeded    func(*http.Request) bool
	assets             map[string]document // by path below /static/
}

// New reads the embedded pages. An error means that the program was built from a damaged tree.
func New(opts Options) (*Pages, error) {
	return build(files, opts)
}

func build(tree fs.FS, opts Options) (*Pages, error) {
	assets, err := readAssets(tree)
	if err != nil {
		return nil, err
	}
	pages := &Pages{setupCodeNeeded: opts.SetupCodeNeeded, assets: assets}
	if pages.setupCodeNeeded == nil {
		pages.setupCodeNeeded = func(*http.Request) bool { return false }
	}
	languages := strings.Join(languagesOf(assets), " ")
	for _, page := range []struct {
		name string
		data pageData
		to   *document
	}{
		{"authorize.html", pageData{Languages: languages}, &pages.authorize},
		{"home.html", pageData{Languages: languages}, &pages.home},
		{"onboarding.html", pageData{Languages: languages}, &pages.onboarding},
		{"onboarding.html", pageData{Languages: languages, SetupCode: true}, &pages.locked},
	} {
		if *page.to, err = renderPage(tree, page.name, page.data); err != nil {
			return nil, fmt.Errorf("page %s: %w", page.name, err)
		}
	}
	return pages, nil
}

// Authorize serves the sign-in page, GET /auth/authorize. Neither path nor query are looked at (http-auth.md §4): what
// is in the query is for the page's script and for the login flow.
func (p *Pages) Authorize() http.Handler { return p.authorize }

// Onboarding serves the page that creates the first account, GET /onboarding.html.
func (p *Pages) Onboarding() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.setupCodeNeeded(r) {
			p.locked.ServeHTTP(w, r)
			return
		}
		p.onboarding.ServeHTTP(w, r)
	})
}

// Home serves the page at the root, GET /, which is the server's own client.
func (p *Pages) Home() http.Handler { return p.home }

// Static serves what the pages are made of, GET /static/…, by the path below that prefix.
func (p *Pages) Static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asset, ok := p.assets[strings.TrimPrefix(r.URL.Path, "/static/")]
		if !ok {
			refuse(w, http.StatusNotFound)
			return
		}
		asset.ServeHTTP(w, r)
	})
}
