package web

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// Templates are pages that are made anew for each request, in the layout that all of them share. In a template,
//
//	{{t "key" "name" .Value}}     is the text of a key in the language of the person, with {name} filled in
//	{{rich "key" "name" .Value}}  is the same with what was filled in set off
//	{{say .Text}}                 is a [Text]
//	{{when .Time}}                is an instant, which a script writes in the person's time zone
//	{{args "a" .A "b" .B}}        is what a partial template is given
//	{{below .Here "admin/users"}} is true on the pages that belong to another
type Templates struct {
	languages chooser
	words     map[string]catalogue
	sets      map[string]*template.Template // by language
}

// Text is a text by its key in the catalogue, with pairs of a name and what is filled in for it, which may be a text itself.
type Text struct {
	Key  string
	Args []any
}

// Say is the text of a key; args are pairs of a name and what is filled in for it.
func Say(key string, args ...any) *Text { return &Text{key, args} }

// Plain is a text that is the same in all languages, such as a name.
func Plain(text string) *Text { return Say("common.plain", "text", text) }

// View is what a page is about.
type View struct {
	Title *Text
	// Person is the name of who is signed in, Admin whether they may go to the pages for administrators.
	Person string
	Admin  bool
	// PersonID tells one person from another, so that what one of them had typed comes back to nobody else.
	PersonID string
	// FormToken goes into every form, so that no other site can send it.
	FormToken string
	// Done says what was just done, Problem what could not be.
	Done, Problem *Text
	// Unsent says that the page stands in the place of the answer to a form, which was not taken. What was typed into it comes
	// back where the form is.
	Unsent bool
	// Scripts are the modules that the page needs beside the one that all pages have, such as policy.js.
	Scripts []string
	// Data is the page's own.
	Data any
}

// scene is what a template is executed with.
type scene struct {
	View
	Root      string
	Here      string // the address of the page below the root
	Language  string
	Direction string
	Languages []choice
}

// choice is a language that can be picked.
type choice struct {
	Code, Name string
	Current    bool
}

// Templates reads the templates of another package, which are files of the form *.html.
func (p *Pages) Templates(tree fs.FS) (*Templates, error) {
	t := &Templates{languages: p.languages, words: p.words, sets: map[string]*template.Template{}}
	for _, language := range p.languages.languages {
		set, err := template.New(language).Funcs(functions(p.words[language])).ParseFS(p.tree, "layout/*.html")
		if err == nil {
			set, err = set.ParseFS(tree, "*.html")
		}
		if err != nil {
			return nil, fmt.Errorf("templates of the pages: %w", err)
		}
		t.sets[language] = set
	}
	return t, nil
}

func functions(words catalogue) template.FuncMap {
	return template.FuncMap{
		"t":     words.text,
		"say":   func(t *Text) (string, error) { return words.text(t.Key, t.Args...) },
		"rich":  words.rich,
		"when":  when,
		"args":  pairs,
		"below": func(here, place string) bool { return strings.HasPrefix(here, place+"/") },
	}
}

// text returns the text of a key with values filled in.
func (c catalogue) text(key string, args ...any) (string, error) {
	return c.filled(key, args, func(value string) string { return value })
}

// rich escapes a text for HTML and sets off what is filled in, whatever the direction that it is written in.
func (c catalogue) rich(key string, args ...any) (template.HTML, error) {
	text, err := c.filled(key, args, func(value string) string { return setOff + value + setBack })
	if err != nil {
		return "", err
	}
	marked := strings.NewReplacer(setOff, "<strong><bdi>", setBack, "</bdi></strong>")
	return template.HTML(marked.Replace(template.HTMLEscapeString(text))), nil
}

// setOff and setBack stand around what is filled in until it was escaped. No text has these characters of nobody's.
const setOff, setBack = "\ufdd0", "\ufdd1"

var placeholder = regexp.MustCompile(`\{\w+\}`)

// filled returns the text of a key with each placeholder that there is a value for filled in.
func (c catalogue) filled(key string, args []any, form func(string) string) (string, error) {
	text, ok := c[key]
	if !ok {
		return "", fmt.Errorf("no text %q in the catalogue", key)
	}
	values, err := pairs(args...)
	if err != nil {
		return "", fmt.Errorf("text %q: %w", key, err)
	}
	for name, value := range values {
		if word, ok := value.(*Text); ok {
			if values[name], err = c.text(word.Key, word.Args...); err != nil {
				return "", err
			}
		}
	}
	return placeholder.ReplaceAllStringFunc(text, func(name string) string {
		value, ok := values[strings.Trim(name, "{}")]
		if !ok {
			return name
		}
		return form(strings.NewReplacer(setOff, "", setBack, "").Replace(fmt.Sprint(value)))
	}), nil
}

// when writes an instant in UTC; a script puts it into the person's own time.
func when(at time.Time) template.HTML {
	at = at.UTC()
	return template.HTML(`<time datetime="` + at.Format(time.RFC3339) + `">` + at.Format("2006-01-02 15:04 UTC") + `</time>`)
}

// pairs makes a map of names and values in turn.
func pairs(args ...any) (map[string]any, error) {
	if len(args)%2 != 0 {
		return nil, errors.New("a name without a value")
	}
	values := make(map[string]any, len(args)/2)
	for i := 0; i < len(args); i += 2 {
		name, ok := args[i].(string)
		if !ok {
			return nil, fmt.Errorf("%v is no name", args[i])
		}
		values[name] = args[i+1]
	}
	return values, nil
}

// Has reports whether there is a text of this key.
func (t *Templates) Has(key string) bool {
	_, ok := t.words[english][key]
	return ok
}

// Named is what something is called that may have been given a name: where it has the one of its kind, that is a word like
// others.
func (t *Templates) Named(name string) *Text {
	if key := forScripts + "page-authorize.named." + name; t.Has(key) {
		return Say(key)
	}
	return Plain(name)
}

// Show answers with a page. It is not compressed, since it holds a form's token beside what others may have typed, and
// nobody may keep it. When the page cannot be made nothing was answered yet.
func (t *Templates) Show(w http.ResponseWriter, r *http.Request, status int, name string, v View) error {
	language := t.languages.choose(r)
	s := scene{
		View: v, Root: Root(r), Here: strings.TrimPrefix(r.URL.Path, "/"), Language: language, Direction: direction(language),
	}
	for _, code := range t.languages.languages {
		s.Languages = append(s.Languages, choice{code, t.words[code]["language.name"], code == language})
	}
	var body bytes.Buffer
	if err := t.sets[language].ExecuteTemplate(&body, name, s); err != nil {
		return fmt.Errorf("make the page %s: %w", name, err)
	}
	secure(w.Header())
	t.languages.varies(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body.Bytes()) // whoever hung up misses it
	}
	return nil
}
