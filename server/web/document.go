package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// contentSecurityPolicy allows a page nothing but its own files and its own server (security.md 42).
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// contentTypes are the kinds of files that are served; any other file in the tree is a mistake.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json",
}

// A document is one finished answer: it is read once and served from memory for ever.
type document struct {
	contentType string
	etag        string // hash of the body, quoted
	body        []byte
}

func newDocument(name string, body []byte) (document, error) {
	kind, ok := contentTypes[path.Ext(name)]
	if !ok {
		return document{}, fmt.Errorf("%s: no content type known for this kind of file", name)
	}
	sum := sha256.Sum256(body)
	return document{contentType: kind, etag: `"` + hex.EncodeToString(sum[:12]) + `"`, body: body}, nil
}

// ServeHTTP answers GET and HEAD. Browsers may keep the answer but ask each time whether it is still the one, so that a
// new version of the program is seen at once.
func (d document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET,HEAD")
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	secure(w.Header())
	w.Header().Set("Content-Type", d.contentType)
	w.Header().Set("ETag", d.etag)
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(d.body))
}

// secure sets the headers that every answer of this package has (security.md 42).
func secure(h http.Header) {
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}

// refuse answers in the server's words for such cases (http-auth.md §1.3).
func refuse(w http.ResponseWriter, status int) {
	secure(w.Header())
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "%d: %s", status, http.StatusText(status))
}

// pageData is all that a page hears from the server.
type pageData struct {
	Languages string // the languages that have a catalogue, separated by blanks
	SetupCode bool   // the first account takes the one-time code from the terminal
}

func renderPage(tree fs.FS, name string, data pageData) (document, error) {
	page, err := template.ParseFS(tree, "pages/"+name, "pages/parts.html")
	if err != nil {
		return document{}, err
	}
	var body bytes.Buffer
	if err := page.ExecuteTemplate(&body, name, data); err != nil {
		return document{}, err
	}
	return newDocument(name, body.Bytes())
}

// readAssets reads everything below static.
func readAssets(tree fs.FS) (map[string]document, error) {
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
		return nil, fmt.Errorf("assets of the pages: %w", err)
	}
	return assets, nil
}

// languagesOf lists the languages that have a catalogue. English comes first: it is what pages fall back to.
func languagesOf(assets map[string]document) []string {
	languages := []string{"en"}
	for _, name := range slices.Sorted(maps.Keys(assets)) {
		language, ok := strings.CutPrefix(strings.TrimSuffix(name, ".json"), "i18n/")
		if ok && language != "en" {
			languages = append(languages, language)
		}
	}
	return languages
}
