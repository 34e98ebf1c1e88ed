package server_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/seed-6a977b3d/latchkey/server"
)

// Every row of the table of routes is in docs/openapi.yaml, and nothing else is.
func TestTheReferenceKnowsEveryRoute(t *testing.T) {
	text, err := os.ReadFile("../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Security *[]any `yaml:"security"`
		} `yaml:"paths"`
	}
	if err := yaml.Unmarshal([]byte(withoutParameters(string(text))), &doc); err != nil {
		t.Fatal(err)
	}
	w := newWire(t, setup{server: func(o *server.Options) { o.Pages, o.WebSocket = pages{}, http.NotFoundHandler() }})
	for _, r := range w.server.Routes() {
		path := strings.ReplaceAll(r.Path, "...}", "}")
		operation, ok := doc.Paths[path][strings.ToLower(r.Method)]
		if !ok {
			t.Errorf("%s %s is not in the reference", r.Method, path)
			continue
		}
		open := operation.Security != nil && len(*operation.Security) == 0
		browser := operation.Security != nil && len(*operation.Security) == 1
		if open != r.Open || browser != r.Browser {
			t.Errorf("%s %s: the reference says open: %v, for browsers: %v; the table %v, %v", r.Method, path, open, browser, r.Open, r.Browser)
		}
		delete(doc.Paths[path], strings.ToLower(r.Method))
	}
	for path, rest := range doc.Paths {
		for method := range rest {
			t.Errorf("%s %s is in the reference only", strings.ToUpper(method), path)
		}
	}
}

// withoutParameters leaves out the lists of parameters that stand beside the methods of a path.
func withoutParameters(text string) string {
	var kept []string
	skipping := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "    parameters:") {
			skipping = true
			continue
		}
		if skipping && strings.HasPrefix(line, "      ") {
			continue
		}
		skipping = false
		kept = append(kept, line)
	}
	return strings.Join(kept, "")
}
