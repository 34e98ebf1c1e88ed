package web

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
)

// sheet describes a page that is the same for everybody, before it is made. What differs, its script asks the API for.
type sheet struct {
	file string // below pages
	// sections of the catalogue in which the page looks for its texts, one after the other.
	sections []string
	// root leads from the page's address to the server's root, which may be below another server's path.
	root string
	// setupCode says that the first account takes the one-time code from the terminal.
	setupCode bool
	// door says that the page stands in the place of another, to which it leads back.
	door bool
}

// sheetData is all that the template of such a page hears.
type sheetData struct {
	Languages string // those that have a catalogue, separated by blanks
	Language  string // of this copy of the page
	Direction string
	Sections  string
	Root      string
	Words     map[string]string // of the sections, so that they need no request of their own
	SetupCode bool
	Door      bool
}

// page is a finished page in every language.
type page struct {
	chooser chooser
	copies  map[string]document
}

// ServeHTTP answers in the language of the person.
func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.chooser.varies(w.Header())
	p.copies[p.chooser.choose(r)].ServeHTTP(w, r)
}

// render makes a page in every language.
func render(tree fs.FS, s sheet, words map[string]catalogue, c chooser) (page, error) {
	made := page{chooser: c, copies: map[string]document{}}
	for _, name := range c.languages {
		copied, err := renderCopy(tree, s, words[name], sheetData{
			Languages: strings.Join(c.languages, " "), Language: name, Direction: direction(name),
			Sections: strings.Join(s.sections, " "), Root: s.root, Words: words[name].of(s.sections), SetupCode: s.setupCode, Door: s.door,
		})
		if err != nil {
			return page{}, fmt.Errorf("page %s in language %s: %w", s.file, name, err)
		}
		made.copies[name] = copied
	}
	return made, nil
}

func renderCopy(tree fs.FS, s sheet, words catalogue, data sheetData) (document, error) {
	texts := template.FuncMap{"text": func(key string) (string, error) { return words.find(s.sections, key) }}
	made, err := template.New(s.file).Funcs(texts).ParseFS(tree, "pages/"+s.file, "pages/client.html", "layout/parts.html")
	if err != nil {
		return document{}, err
	}
	var body bytes.Buffer
	if err := made.ExecuteTemplate(&body, s.file, data); err != nil {
		return document{}, err
	}
	return newDocument(s.file, body.Bytes())
}
