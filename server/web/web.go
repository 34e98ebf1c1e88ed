// Package web is what all pages are made of, and the pages for people who are not signed in: to sign in, to make the first
// account, and the way to both. Style, scripts and words are embedded in the program. It must not know users, tokens or
// flows: its pages talk to the API like any other client (login-page.md, onboarding.md), and only say where they found it
// lacking. Package server/pages has the pages for people who are signed in.
package web

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
)

//go:embed pages/*.html layout/*.html static/*.css static/*.js words/*.json
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
	authorize, home    page
	onboarding, locked page // the first-account page without and with the setup code
	doors              []page
	setupCodeNeeded    func(*http.Request) bool
	assets             map[string]document // by path below /static/

	tree      fs.FS
	words     map[string]catalogue
	languages chooser
}

// doorDepths is one more than how many folders deep a page may be that needs a sign-in first.
const doorDepths = 6

// New reads the embedded pages. An error means that the program was built from a damaged tree.
func New(opts Options) (*Pages, error) {
	return build(files, opts)
}

func build(tree fs.FS, opts Options) (*Pages, error) {
	words, err := readCatalogues(tree)
	if err != nil {
		return nil, fmt.Errorf("texts of the pages: %w", err)
	}
	assets, err := readAssets(tree, words)
	if err != nil {
		return nil, fmt.Errorf("assets of the pages: %w", err)
	}
	languages, err := newChooser(languagesOf(words))
	if err != nil {
		return nil, err
	}
	p := &Pages{
		doors: make([]page, doorDepths), setupCodeNeeded: opts.SetupCodeNeeded, assets: assets,
		tree: tree, words: words, languages: languages,
	}
	if p.setupCodeNeeded == nil {
		p.setupCodeNeeded = func(*http.Request) bool { return false }
	}
	for to, s := range p.sheets() {
		if *to, err = render(tree, s, words, languages); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// sheets is the table of all pages and where they are kept.
func (p *Pages) sheets() map[*page]sheet {
	first, home := []string{"onboarding", "authorize"}, []string{"home", "authorize"}
	all := map[*page]sheet{
		&p.authorize:  {file: "authorize.html", sections: []string{"authorize"}, root: "../"},
		&p.home:       {file: "home.html", sections: home, root: "./"},
		&p.onboarding: {file: "onboarding.html", sections: first, root: "./"},
		&p.locked:     {file: "onboarding.html", sections: first, root: "./", setupCode: true},
	}
	for depth := range p.doors {
		all[&p.doors[depth]] = sheet{file: "home.html", sections: home, root: up(depth), door: true}
	}
	return all
}

// up leads from an address so many folders deep to the root.
func up(depth int) string {
	if depth == 0 {
		return "./"
	}
	return strings.Repeat("../", depth)
}

// depth is how many folders below the server's root the address of a request is. A slash that is escaped is part of a name.
func depth(r *http.Request) int { return max(strings.Count(r.URL.EscapedPath(), "/")-1, 0) }

// Root leads from the address of a request to the server's root, without naming the path that a proxy may have put in
// front of it.
func Root(r *http.Request) string { return up(depth(r)) }

// readAssets reads everything below static, and makes the words for scripts.
func readAssets(tree fs.FS, words map[string]catalogue) (map[string]document, error) {
	assets := map[string]document{}
	err := fs.WalkDir(tree, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		asset, err := newDocument(name, body)
		assets[strings.TrimPrefix(name, "static/")] = asset
		return err
	})
	if err != nil {
		return nil, err
	}
	for language, texts := range words {
		if assets["i18n/"+language+".json"], err = texts.document(); err != nil {
			return nil, err
		}
	}
	return assets, nil
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

// Home serves the page at the root for who is not signed in, GET /, which is where a sign-in comes back to as well.
func (p *Pages) Home() http.Handler { return p.home }

// SignIn serves, with status 401, the page that leads through a sign-in back to the address that was asked for. Deeper down
// than any page there is nothing to come back to.
func (p *Pages) SignIn() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := depth(r)
		if at >= len(p.doors) {
			w.Header().Set("Cache-Control", "no-store")
			refuse(w, http.StatusUnauthorized)
			return
		}
		p.languages.varies(w.Header())
		p.doors[at].copies[p.languages.choose(r)].refuse(w, r, http.StatusUnauthorized)
	})
}

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
