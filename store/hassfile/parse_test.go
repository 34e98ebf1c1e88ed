package hassfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// standard reads a document with encoding/json.
func standard(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	if _, more := d.Token(); err == nil && more != io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return v, err
}

// exact turns a document into what encoding/json makes, with numbers as they stand.
func exact(v any) any {
	switch v := v.(type) {
	case []any:
		list := []any{}
		for _, each := range v {
			list = append(list, exact(each))
		}
		return list
	case *object:
		values := map[string]any{}
		for _, m := range v.members {
			values[m.key] = exact(m.value)
		}
		return values
	}
	return v
}

// records returns the records in a document that are kept as they stand.
func records(v any) (all []*object) {
	switch v := v.(type) {
	case []any:
		for _, each := range v {
			all = append(all, records(each)...)
		}
	case *object:
		if v.text != "" {
			all = append(all, v)
		}
		for _, m := range v.members {
			all = append(all, records(m.value)...)
		}
	}
	return all
}

// FuzzParse holds any text against encoding/json: both refuse it, or read the same. What is kept as it stands is what
// would be written.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", " ", "{}", "[]", "null", "true", "nul", "-", "-0", "01", "1.", "1.5e+3", "1e", ".5", "NaN", "[1,]", "[,1]", "[1 2]",
		`{"a":1,"a":2}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{1:2}`, `{"a" : [ ] , "b":{ }}`, `"\ud83d\udd11"`, `"\ud800"`, `"\x"`, "\"\n\"",
		`"` + "\x00" + `"`, `"unended`, `"\`, `"\u12`, "[[[[", "{} {}", "\ufeff{}", "[\"\u2028\", \"\u00e4\"]", "1 // no",
	} {
		f.Add([]byte(text))
	}
	files, err := filepath.Glob("testdata/[0-9o]*/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		f.Add([]byte(text(f, filepath.Dir(path), filepath.Base(path))))
	}
	f.Fuzz(func(t *testing.T, given []byte) {
		if !utf8.Valid(given) {
			if _, err := parseJSON(string(given)); err == nil {
				t.Fatal("bytes that are no text were read")
			}
			return
		}
		got, err := parseJSON(string(given))
		if errors.Is(err, errTooDeep) {
			return
		}
		want, wrong := standard(string(given))
		if (err == nil) != (wrong == nil) {
			t.Fatalf("%v, where encoding/json says %v", err, wrong)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(want, exact(got)); diff != "" {
			t.Error(diff)
		}
		for _, o := range records(got) {
			if diff := cmp.Diff(string(appendValue(nil, o, recordDepth)), string(o.text)); diff != "" {
				t.Error(diff)
			}
		}
	})
}

func TestWhatIsWrongIsToldWithItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"{\n\"a\": 1,\n}":         "line 3: '}' is found where a name is expected",
		"[\n1\n":                  "line 3: it ends where a comma or ']' is expected",
		"{\"a\" 1}":               "line 1: '1' is found where a colon is expected",
		"[1, 2]\n\n3":             "line 3: nothing more is expected",
		"[\nnan]":                 "line 2: 'n' is found where a value is expected",
		"[\n\"a\nb\"]":            "line 2: '\\n' is found where the end of a text is expected",
		"[1, \"\\q\"]":            "line 1: an escape in the text is not understood",
		"ä":                       "line 1: 'ä' is found where a value is expected",
		strings.Repeat("[", 1100): "line 1: it is nested too deeply",
	} {
		if _, err := parseJSON(text); err == nil || err.Error() != want {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}

// What is large passes on what has gathered, and is the same text.
func TestALargeDocumentIsWrittenPieceByPiece(t *testing.T) {
	list := []encoded{}
	for range 100 {
		list = append(list, encoded(`"`+strings.Repeat("x", enough/10)+`"`))
	}
	var b bytes.Buffer
	if err := (envelope{}).seal(&b, authFile, member{"users", list}); err != nil {
		t.Fatal(err)
	}
	if doc, err := parseJSON(b.String()); err != nil || b.Len() < 100*enough/10 {
		t.Errorf("%d bytes, %v: %T", b.Len(), err, doc)
	}
}
