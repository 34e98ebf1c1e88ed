package pages_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every text that a page uses is in the catalogue, and every text in the catalogue that is not for scripts is used.
func TestTheCatalogueHasEveryWordThatAPageUses(t *testing.T) {
	words := map[string]string{}
	text, err := os.ReadFile("../web/words/en.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &words); err != nil {
		t.Fatal(err)
	}
	used := append(literalsOfGo(t), literalsOfTemplates(t)...)
	isKey := regexp.MustCompile(`^(account|again|bans|common|done|factors|groups|others|problem|recovery|sessions|tokens|users)\.[a-z_]+(\.[a-z_]+)*$`)
	for _, key := range used {
		if isKey.MatchString(key) && path.Ext(key) != ".html" && path.Ext(key) != ".js" && words[key] == "" {
			t.Errorf("%q has no text", key)
		}
	}
	for key := range words {
		section, rest, _ := strings.Cut(key, ".")
		switch {
		case strings.HasPrefix(key, "ui.panel."), key == "language.name", slices.Contains(used, key):
		case (section == "done" || section == "problem") && slices.Contains(used, rest):
		case strings.HasPrefix(key, "factors.field."), strings.HasPrefix(key, "factors.error."), strings.HasPrefix(key, "factors.abort."):
		default:
			t.Errorf("%s is used by no page", key)
		}
	}
}

// literalsOfGo are the texts in the source of the pages and of what shows them.
func literalsOfGo(t *testing.T) (found []string) {
	t.Helper()
	own, err := filepath.Glob("*.go")
	if err != nil || len(own) == 0 {
		t.Fatalf("no source: %v", err)
	}
	shared, err := filepath.Glob("../web/*.go")
	if err != nil || len(shared) == 0 {
		t.Fatalf("no source of what shows the pages: %v", err)
	}
	for _, name := range append(own, shared...) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					found = append(found, text)
				}
			}
			return true
		})
	}
	return found
}

// literalsOfTemplates are the texts in the templates, those of the layout among them.
func literalsOfTemplates(t *testing.T) (found []string) {
	t.Helper()
	own, err := filepath.Glob("templates/*.html")
	if err != nil || len(own) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	layout, err := filepath.Glob("../web/layout/*.html")
	if err != nil || len(layout) == 0 {
		t.Fatalf("no layout: %v", err)
	}
	literal := regexp.MustCompile(`"([a-z_]+\.[a-z_.]+)"`)
	for _, name := range append(own, layout...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range literal.FindAllSubmatch(text, -1) {
			found = append(found, string(match[1]))
		}
	}
	return found
}
