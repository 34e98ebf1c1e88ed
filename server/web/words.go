package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// english is the language that has every text, and the one of people whose languages have no catalogue.
const english = "en"

// languageCookie remembers which language somebody picked.
const languageCookie = "latchkey_language"

// forScripts begins the keys of the texts that scripts show (login-page.md §11). The others are only ever put into pages
// by the server.
const forScripts = "ui.panel."

// catalogue is the texts of one language by key.
type catalogue map[string]string

// readCatalogues reads the words. What a language lacks is filled in from English, so that a page needs no second
// catalogue (login-page.md §11).
func readCatalogues(tree fs.FS) (map[string]catalogue, error) {
	names, err := fs.Glob(tree, "words/*.json")
	if err != nil {
		return nil, err
	}
	all := map[string]catalogue{}
	for _, name := range names {
		body, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		var words catalogue
		if err := json.Unmarshal(body, &words); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all[strings.TrimSuffix(path.Base(name), ".json")] = words
	}
	if all[english] == nil {
		return nil, fmt.Errorf("words/%s.json is missing: it has the texts that other languages lack", english)
	}
	for _, words := range all {
		for key, text := range all[english] {
			if _, ok := words[key]; !ok {
				words[key] = text
			}
		}
	}
	return all, nil
}

// document is the part of the catalogue that scripts load.
func (c catalogue) document() (document, error) {
	shown := maps.Clone(c)
	maps.DeleteFunc(shown, func(key, _ string) bool { return !strings.HasPrefix(key, forScripts) })
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(shown); err != nil {
		return document{}, err
	}
	return newDocument("words.json", body.Bytes())
}

// find returns the text of a key in the first of the sections that has one.
func (c catalogue) find(sections []string, key string) (string, error) {
	for _, section := range sections {
		if text, ok := c[forScripts+"page-"+section+"."+key]; ok {
			return text, nil
		}
	}
	return "", fmt.Errorf("no text %q in the sections %s", key, strings.Join(sections, ", "))
}

// of is the part of the catalogue that is in these sections.
func (c catalogue) of(sections []string) map[string]string {
	found := map[string]string{}
	for _, section := range sections {
		for key, text := range c {
			if strings.HasPrefix(key, forScripts+"page-"+section+".") {
				found[key] = text
			}
		}
	}
	return found
}

// languagesOf lists the languages that have a catalogue, English first.
func languagesOf(all map[string]catalogue) []string {
	languages := []string{english}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if name != english {
			languages = append(languages, name)
		}
	}
	return languages
}

// chooser finds the language for a request.
type chooser struct {
	languages []string
	matcher   language.Matcher
}

func newChooser(languages []string) (chooser, error) {
	tags := make([]language.Tag, len(languages))
	for i, name := range languages {
		tag, err := language.Parse(name)
		if err != nil {
			return chooser{}, fmt.Errorf("words/%s.json: %q is no language: %w", name, name, err)
		}
		tags[i] = tag
	}
	return chooser{languages, language.NewMatcher(tags)}, nil
}

// choose takes the language that was picked, else the best of those that the browser asks for, else English.
func (c chooser) choose(r *http.Request) string {
	if cookie, err := r.Cookie(languageCookie); err == nil && slices.Contains(c.languages, cookie.Value) {
		return cookie.Value
	}
	// A header that cannot be read asks for nothing.
	wishes, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	_, i, confidence := c.matcher.Match(wishes...)
	if confidence == language.No {
		return english
	}
	return c.languages[i]
}

// varies notes that an answer depends on the language.
func (c chooser) varies(h http.Header) {
	h.Add("Vary", "Accept-Language")
	h.Add("Vary", "Cookie")
}

// direction is the one in which a language is written, for the attribute dir.
func direction(language string) string {
	switch base, _, _ := strings.Cut(language, "-"); base {
	case "ar", "ckb", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi":
		return "rtl"
	default:
		return "ltr"
	}
}
