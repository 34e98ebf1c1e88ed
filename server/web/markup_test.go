package web

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"math"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/seed-6a977b3d/latchkey/mfa/notify"
	"github.com/seed-6a977b3d/latchkey/mfa/totp"
	"github.com/seed-6a977b3d/latchkey/provider/commandline"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/provider/legacyapipassword"
	"github.com/seed-6a977b3d/latchkey/provider/trustednetworks"
)

// pagesOf are the finished pages in English by the path they are served at.
func pagesOf(t *testing.T) map[string][]byte {
	p := mustNew(t, Options{})
	found := map[string][]byte{
		"/auth/authorize":                p.authorize.copies[english].body,
		"/onboarding.html":               p.onboarding.copies[english].body,
		"/onboarding.html?with the code": p.locked.copies[english].body,
		"/":                              p.home.copies[english].body,
	}
	for depth, door := range p.doors {
		found["/door"+strings.Repeat("/x", depth)] = door.copies[english].body
	}
	return found
}

func elements(t *testing.T, page []byte) []*html.Node {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var all []*html.Node
	for node := range root.Descendants() {
		if node.Type == html.ElementNode {
			all = append(all, node)
		}
	}
	return all
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func textOf(node *html.Node) string {
	var text strings.Builder
	for child := range node.Descendants() {
		if child.Type == html.TextNode {
			text.WriteString(child.Data)
		}
	}
	return strings.TrimSpace(text.String())
}

// spec: security.md, 42: the policy would block all of these
func TestPagesCarryNoScriptOrStyleOfTheirOwn(t *testing.T) {
	for name, page := range pagesOf(t) {
		scripts := 0
		for _, node := range elements(t, page) {
			switch node.Data {
			case "script":
				if attribute(node, "type") == "application/json" {
					continue // texts, which nobody runs
				}
				scripts++
				if attribute(node, "src") == "" || textOf(node) != "" {
					t.Errorf("%s: script within the page", name)
				}
			case "style", "base", "iframe", "object", "embed":
				t.Errorf("%s: element %s", name, node.Data)
			}
			for _, a := range node.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
					t.Errorf("%s: attribute %s of %s", name, a.Key, node.Data)
				}
			}
		}
		if scripts != 1 {
			t.Errorf("%s: %d scripts", name, scripts)
		}
	}
}

// knownAddresses appear in the files without being fetched: the ids of the known apps (login-page.md, P-5) and the name
// of the SVG vocabulary.
var knownAddresses = []string{"https://home-assistant.io/iOS", "https://home-assistant.io/android", "http://www.w3.org/2000/svg"}

func TestNothingComesFromAnotherHost(t *testing.T) {
	address := regexp.MustCompile(`(?i)\b(?:https?|wss?):?//[^\s"'` + "`" + `),]*|[("'=]//[a-z]`)
	check := func(name string, body []byte) {
		for _, found := range address.FindAllString(string(body), -1) {
			if !slices.Contains(knownAddresses, found) {
				t.Errorf("%s: address %s", name, found)
			}
		}
	}
	for name, page := range pagesOf(t) {
		check(name, page)
	}
	for name, asset := range mustNew(t, Options{}).assets {
		check(name, asset.body)
	}
}

// The pages must work below another server's path, so they may only name their files relatively.
func TestPagesNameExistingFilesRelatively(t *testing.T) {
	pages := mustNew(t, Options{})
	for name, page := range pagesOf(t) {
		base, _ := url.Parse("http://host/hub" + name)
		for _, node := range elements(t, page) {
			link := attribute(node, "src") + attribute(node, "href")
			if link == "" || strings.HasPrefix(link, "data:") {
				continue
			}
			target, err := base.Parse(link)
			if err != nil || strings.HasPrefix(link, "/") || target.Host != "host" {
				t.Errorf("%s: %s is not relative", name, link)
				continue
			}
			if node.Data == "a" { // to another page, or to the content of this one
				if _, ok := pagesOf(t)[strings.TrimPrefix(target.Path, "/hub")]; !ok {
					t.Errorf("%s: page %s does not exist", name, target.Path)
				}
				continue
			}
			if _, ok := pages.assets[strings.TrimPrefix(target.Path, "/hub/static/")]; !ok {
				t.Errorf("%s: %s does not exist", name, target.Path)
			}
		}
	}
}

var imports = regexp.MustCompile(`(?m)^import [^;]*from "\./([a-z]+\.js)";$`)

// loadedBy lists the files that a page loads: what it names, and what those import.
func loadedBy(t *testing.T, page []byte) map[string]document {
	pages := mustNew(t, Options{})
	loaded := map[string]document{}
	var add func(name string)
	add = func(name string) {
		asset, ok := pages.assets[name]
		if !ok {
			t.Errorf("%s does not exist", name)
			return
		}
		loaded[name] = asset
		for _, found := range imports.FindAllSubmatch(asset.body, -1) {
			if _, ok := loaded[string(found[1])]; !ok {
				add(string(found[1]))
			}
		}
	}
	for _, node := range elements(t, page) {
		if link := attribute(node, "src") + attribute(node, "href"); node.Data != "a" && !strings.HasPrefix(link, "data:") {
			if _, name, ok := strings.Cut(link, "static/"); ok {
				add(name)
			}
		}
	}
	return loaded
}

// The way in is light, in whatever language: 60 KiB over the wire in six requests.
func TestTheSignInPageIsSmall(t *testing.T) {
	for language, page := range mustNew(t, Options{}).authorize.copies {
		size, requests := len(page.zipped), 1
		for name, file := range loadedBy(t, page.body) {
			if file.zipped == nil {
				t.Errorf("%s is not compressed", name)
			}
			size += len(file.zipped)
			requests++
		}
		t.Logf("%s: %d bytes in %d requests", language, size, requests)
		if size > 60<<10 || requests > 6 {
			t.Errorf("%s: %d bytes in %d requests; at most %d in 6", language, size, requests, 60<<10)
		}
	}
}

func wordsOf(t *testing.T, name string) catalogue {
	t.Helper()
	body, err := fs.ReadFile(files, name)
	if err != nil {
		t.Fatal(err)
	}
	var words catalogue
	if err := json.Unmarshal(body, &words); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return words
}

var (
	// wordCalls are the functions that take keys, and the places where keys are kept for later.
	wordCalls = regexp.MustCompile(`\b(?:text|parts|head|show|showWaiting|showFailure)\(|\bkey: |problems\[name\] = `)
	kinds     = regexp.MustCompile(`kind: "[a-z]+"`)
	literals  = regexp.MustCompile(`"([a-z_.]+)"`)
	// inTemplates are the keys that templates use.
	inTemplates = regexp.MustCompile(`\{\{text "([a-z_.]+)"\}\}`)
)

// keysIn finds the keys in a script: the literals up to the next parenthesis or line after a place that takes keys.
func keysIn(script []byte) []string {
	var keys []string
	script = kinds.ReplaceAll(script, nil)
	for _, at := range wordCalls.FindAllIndex(script, -1) {
		arguments := script[at[1]:]
		if end := bytes.IndexAny(arguments, "()\n"); end >= 0 {
			arguments = arguments[:end]
		}
		for _, key := range literals.FindAllSubmatch(arguments, -1) {
			keys = append(keys, string(key[1]))
		}
	}
	return keys
}

// keysOfTemplates finds the keys that the pages themselves use.
func keysOfTemplates(t *testing.T) []string {
	t.Helper()
	var keys []string
	err := fs.WalkDir(files, "pages", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(files, name)
		for _, key := range inTemplates.FindAllSubmatch(body, -1) {
			keys = append(keys, string(key[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestTheCatalogueHasEveryWordThatAPageUses(t *testing.T) {
	words := wordsOf(t, "words/en.json")
	used := map[string]bool{}
	for name, page := range pagesOf(t) {
		all := elements(t, page)
		at := slices.IndexFunc(all, func(node *html.Node) bool { return node.Data == "html" })
		sections := strings.Fields(attribute(all[at], "data-sections"))
		if len(sections) == 0 {
			t.Fatalf("%s: names no section of the catalogue", name)
		}
		find := func(key string) bool {
			for _, section := range sections {
				if key := "ui.panel.page-" + section + "." + key; words[key] != "" {
					used[key] = true
					return true
				}
			}
			return false
		}
		keys := 0
		for file, asset := range loadedBy(t, page) {
			if path.Ext(file) != ".js" {
				continue
			}
			for _, key := range keysIn(asset.body) {
				keys++
				if !find(key) {
					t.Errorf("%s: %s uses %q, which has no text", name, file, key)
				}
			}
		}
		if keys < 10 {
			t.Errorf("%s: only %d keys found", name, keys)
		}
		for _, node := range all {
			if key := attribute(node, "data-text"); key != "" && !find(key) {
				t.Errorf("%s: %q has no text", name, key)
			}
		}
		for _, key := range keysOfTemplates(t) {
			find(key) // a page with a key that has no text cannot be made
		}
	}
	for key := range words {
		if strings.HasPrefix(key, forScripts) && !used[key] && !strings.Contains(key, ".form.providers.") && !strings.Contains(key, ".error.") &&
			!strings.Contains(key, ".named.") {
			t.Errorf("%s is used by no page", key)
		}
	}
}

// spec: login-page.md, §11: the table of keys
func TestTheCatalogueHasTheKeysOfEveryProvider(t *testing.T) {
	mfa := "step.mfa.data.code step.mfa.description step.select_mfa_module.data.multi_factor_auth_module error.invalid_code " +
		"abort.login_expired abort.too_many_retry abort.unknown_error "
	local := mfa + "step.init.data.username step.init.data.password error.invalid_auth error.too_many_attempts error.invalid_auth_module"
	providers := map[string]string{
		"homeassistant":       local,
		"command_line":        local,
		"insecure_example":    local,
		"trusted_networks":    "step.init.data.user step.init.description abort.not_allowed",
		"legacy_api_password": mfa + "step.init.data.password error.invalid_auth error.too_many_attempts abort.no_api_password_set",
	}
	words := wordsOf(t, "words/en.json")
	for provider, keys := range providers {
		for key := range strings.FieldsSeq(keys) {
			shared := words["ui.panel.page-authorize.form.providers.homeassistant."+key]
			if words["ui.panel.page-authorize.form.providers."+provider+"."+key] == "" && shared == "" {
				t.Errorf("%s: no text for %s", provider, key)
			}
		}
	}
	general := "initializing authorizing_app authorizing_client pick_auth_provider abort_intro welcome_home just_checking store_token " +
		"forgot_password help show_password hide_password form.working form.unknown_error form.next form.start_over form.error"
	for key := range strings.FieldsSeq(general) {
		if words["ui.panel.page-authorize."+key] == "" {
			t.Errorf("no text for %s", key)
		}
	}
	for key, placeholder := range map[string]string{"authorizing_app": "{app}", "authorizing_client": "{clientId}", "form.error": "{error}",
		"form.providers.homeassistant.step.mfa.description": "{mfa_module_name}"} {
		if !strings.Contains(words["ui.panel.page-authorize."+key], placeholder) {
			t.Errorf("%s lacks %s", key, placeholder)
		}
	}
}

// What providers and second factors are called by default is said in every language; a name that was chosen is left alone.
func TestTheCatalogueHasTheNamesOfEveryKind(t *testing.T) {
	names := []string{
		homeassistant.DefaultName, trustednetworks.DefaultName, commandline.DefaultName, legacyapipassword.DefaultName,
		totp.DefaultName, notify.DefaultName, "Authenticator app",
	}
	all, err := readCatalogues(files)
	if err != nil {
		t.Fatal(err)
	}
	for language, words := range all {
		for _, name := range names {
			if words["ui.panel.page-authorize.named."+name] == "" || language == english && words["ui.panel.page-authorize.named."+name] != name {
				t.Errorf("%s: %s has no name, or another one", language, name)
			}
		}
	}
}

var tokens = regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`)

// WCAG 2.2, 1.4.3 (text) and 1.4.11 (edges of controls, focus)
func TestColoursCanBeToldApart(t *testing.T) {
	css := string(mustNew(t, Options{}).assets["app.css"].body)
	_, dark, found := strings.Cut(css, "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("no dark colours")
	}
	light, _, _ := strings.Cut(css, "@media")
	rows := []struct {
		front, back string
		atLeast     float64
	}{
		{"text", "ground", 4.5}, {"text", "surface", 4.5}, {"muted", "ground", 4.5}, {"muted", "surface", 4.5},
		{"text", "accent-soft", 4.5}, {"text", "warning-soft", 4.5}, {"error", "error-soft", 4.5}, {"error", "surface", 4.5},
		{"on-accent", "accent", 4.5}, {"on-accent", "accent-strong", 4.5},
		{"edge", "surface", 3}, {"accent", "surface", 3}, {"accent", "ground", 3}, {"error", "surface", 3}, {"warning", "warning-soft", 3},
	}
	for scheme, source := range map[string]string{"light": light, "dark": dark} {
		colour := map[string]string{}
		for _, token := range tokens.FindAllStringSubmatch(source, -1) {
			colour[token[1]] = token[2]
		}
		for _, row := range rows {
			if got := contrast(t, colour[row.front], colour[row.back]); got < row.atLeast {
				t.Errorf("%s: %s on %s has contrast %.2f, want %.1f", scheme, row.front, row.back, got, row.atLeast)
			}
		}
	}
}

// contrast is the ratio of WCAG 2.2 between two colours.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	light, dark := luminance(t, a), luminance(t, b)
	return (max(light, dark) + 0.05) / (min(light, dark) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	value, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
	if err != nil {
		t.Fatalf("colour %q: %v", colour, err)
	}
	linear := func(shift uint) float64 {
		c := float64(value>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(16) + 0.7152*linear(8) + 0.0722*linear(0)
}
