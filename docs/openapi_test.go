package docs

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// object is a mapping of the document.
type object = map[string]any

// readOpenAPI reads the document as plain values, as JSON would be.
func readOpenAPI(t *testing.T) object {
	t.Helper()
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	plain, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var out object
	if err := json.Unmarshal(plain, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// at walks down a document; what is missing is nil.
func at(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(object)
		v = m[name]
	}
	return v
}

// fields returns a mapping of the document, or none.
func fields(v any, path ...string) object {
	m, _ := at(v, path...).(object)
	return m
}

// exchange is an example: a request and its answer.
type exchange struct {
	method, path string
	bearer       bool
	kind         string // the content type of the request
	body         any
	asked        bool // a request body was given
	status       string
	answers      bool // an answer was given
	accepts      string
	want         any
	schema       any
	headers      object
}

// exchanges gathers the examples of all operations by name.
func exchanges(t *testing.T, doc object) map[string]*exchange {
	t.Helper()
	all := map[string]*exchange{}
	for path, item := range fields(doc, "paths") {
		shared, _ := item.(object)
		for _, method := range []string{"get", "post", "put", "delete", "head"} {
			operation := fields(shared, method)
			if operation == nil {
				continue
			}
			gather(t, doc, all, path, strings.ToUpper(method), operation)
		}
		params, _ := shared["parameters"].([]any)
		for _, p := range params {
			for name, example := range fields(p, "examples") {
				if all[name] == nil {
					t.Errorf("%s: the parameter's example %s belongs to nothing", path, name)
					continue
				}
				value, _ := at(example, "value").(string)
				all[name].path = strings.ReplaceAll(all[name].path, "{"+at(p, "name").(string)+"}", value)
			}
		}
	}
	return all
}

func gather(t *testing.T, doc object, all map[string]*exchange, path, method string, operation object) {
	t.Helper()
	one := func(name string) *exchange {
		if all[name] == nil {
			all[name] = &exchange{method: method, path: path, bearer: operation["security"] == nil}
		}
		e := all[name]
		if e.method != method || !strings.HasPrefix(e.path, path) {
			t.Fatalf("the example %s is one of %s %s and of %s %s", name, e.method, e.path, method, path)
		}
		return e
	}
	for kind, media := range fields(operation, "requestBody", "content") {
		for name, example := range fields(media, "examples") {
			e := one(name)
			e.kind, e.body, e.asked = kind, at(example, "value"), true
		}
	}
	for status, r := range fields(operation, "responses") {
		r = resolve(doc, r)
		for kind, media := range fields(r, "content") {
			for name, example := range fields(media, "examples") {
				e := one(name)
				if e.answers {
					t.Errorf("the example %s has two answers", name)
				}
				e.status, e.accepts, e.want, e.answers = status, kind, at(example, "value"), true
				e.schema, e.headers = at(media, "schema"), fields(r, "headers")
			}
		}
		bare, _ := at(r, "x-examples").([]any)
		for _, name := range bare {
			e := one(name.(string))
			e.status, e.answers, e.headers = status, true, fields(r, "headers")
		}
	}
}

// resolve follows a reference within the document.
func resolve(doc object, v any) any {
	ref, ok := at(v, "$ref").(string)
	if !ok {
		return v
	}
	return at(doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
}

// Every example of the document is what the program does.
func TestOpenAPIIsTrue(t *testing.T) {
	doc := readOpenAPI(t)
	all := exchanges(t, doc)
	walk, _ := doc["x-walkthrough"].([]any)
	h := open(t)
	known := placeholders{"issuer": h.url}
	for _, step := range walk {
		name := step.(string)
		e := all[name]
		if e == nil || !e.answers {
			t.Errorf("%s: there is no such example, or it has no answer", name)
			continue
		}
		delete(all, name)
		t.Run(name, func(t *testing.T) { e.replay(t, h, doc, known) })
	}
	for name := range all {
		t.Errorf("the example %s is not in x-walkthrough, so it is not replayed", name)
	}
}

// replay sends the request and compares the answer.
func (e *exchange) replay(t *testing.T, h house, doc object, known placeholders) {
	kind, body := e.encode(t, known)
	path, err := known.fill(e.path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), e.method, h.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if e.bearer && e.status != "401" {
		r.Header.Set("Authorization", "Bearer "+known["access token"])
	}
	res, err := http.DefaultTransport.RoundTrip(r) // which follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(res.Status, e.status+" ") {
		t.Fatalf("%s %s: %s %s, want %s", e.method, path, res.Status, text, e.status)
	}
	for name, header := range e.headers {
		if want := at(header, "schema", "const"); want != res.Header.Get(name) {
			t.Errorf("%s: %q, want %q", name, res.Header.Get(name), want)
		}
	}
	if e.accepts == "" {
		if len(text) > 0 {
			t.Errorf("the answer has the body %s", text)
		}
		return
	}
	if got := res.Header.Get("Content-Type"); !strings.HasPrefix(got, e.accepts) {
		t.Errorf("Content-Type %q, want %s", got, e.accepts)
	}
	var got any = string(text)
	if e.accepts == "application/json" {
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
	}
	for _, problem := range append(known.compare("", e.want, got), misfits(doc, e.schema, got, "")...) {
		t.Error(problem)
	}
}

// encode returns the body in the encoding that the document names.
func (e *exchange) encode(t *testing.T, known placeholders) (kind, body string) {
	t.Helper()
	if !e.asked {
		return "", ""
	}
	filled, err := known.fillAll(e.body)
	if err != nil {
		t.Fatal(err)
	}
	switch e.kind {
	case "text/plain":
		return e.kind, filled.(string)
	case "application/x-www-form-urlencoded":
		values := url.Values{}
		for name, value := range filled.(object) {
			values.Set(name, value.(string))
		}
		return e.kind, values.Encode()
	case "multipart/form-data":
		var b bytes.Buffer
		form := multipart.NewWriter(&b)
		for name, value := range filled.(object) {
			if err := form.WriteField(name, value.(string)); err != nil {
				t.Fatal(err)
			}
		}
		_ = form.Close() // a buffer takes everything
		return form.FormDataContentType(), b.String()
	}
	text, err := json.Marshal(filled)
	if err != nil {
		t.Fatal(err)
	}
	return e.kind, string(text)
}

// The methods of each path are exactly those that the server says it has.
func TestOpenAPIKnowsEveryMethod(t *testing.T) {
	doc, h := readOpenAPI(t), open(t)
	for path, item := range fields(doc, "paths") {
		var want []string
		for _, method := range []string{"get", "post", "put", "delete", "head"} {
			if fields(item, method) != nil {
				want = append(want, strings.ToUpper(method))
			}
		}
		r, err := http.NewRequestWithContext(t.Context(), "TRACE", h.url+strings.NewReplacer("{id}", "x", "{rest}", "x").Replace(path), nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		got := strings.Split(res.Header.Get("Allow"), ",")
		got = slices.DeleteFunc(got, func(m string) bool { return m == http.MethodOptions })
		slices.Sort(got)
		slices.Sort(want)
		if res.StatusCode != http.StatusMethodNotAllowed || !slices.Equal(got, want) {
			t.Errorf("%s: %s with the methods %v, documented are %v", path, res.Status, got, want)
		}
	}
}
