package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"unicode/utf8"
)

const (
	// maxDepth is how deep a JSON document may be nested; none that is expected goes beyond two.
	maxDepth = 32
	// maxValues is how many values it may have; none that is expected has a dozen. Each takes a hundred bytes once it is
	// read, however few it takes on the line.
	maxValues = 1000
)

// readBody returns the whole body.
func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, errTooLarge
	} else if err != nil {
		return nil, errTorn
	}
	return body, nil
}

// key is what is known about one key of a JSON object.
type key struct {
	name     string
	optional bool
	// check says what is wrong with a value, in the words of http-auth.md C-8; nothing if it is fine.
	check func(any) string
}

// schema is what a JSON object must look like.
type schema struct {
	keys []key
	// extra allows keys that are not listed.
	extra bool
}

// object is a JSON object that fits its schema.
type object map[string]any

// text returns a text of the object, or the empty text.
func (o object) text(name string) string {
	s, _ := o[name].(string)
	return s
}

// readJSON reads the body as a JSON object, whatever the content type says (http-auth.md C-6). One problem is reported:
// wrong types and unknown keys in the order of the body, then what is missing (C-8).
func readJSON(r *http.Request, s schema) (object, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	names, values, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		i := slices.IndexFunc(s.keys, func(k key) bool { return k.name == name })
		switch {
		case i < 0 && !s.extra:
			return nil, misfit("extra keys not allowed @ data['%s']", name)
		case i >= 0:
			if problem := s.keys[i].check(values[name]); problem != "" {
				return nil, misfit("%s for dictionary value @ data['%s']", problem, name)
			}
		}
	}
	for _, k := range s.keys {
		if _, given := values[k.name]; !given && !k.optional {
			return nil, misfit("required key not provided @ data['%s']", k.name)
		}
	}
	return values, nil
}

// misfit is the answer of http-auth.md C-8.
func misfit(format string, args ...any) error {
	return refuse(reply{
		status: http.StatusBadRequest, noAttempt: true,
		json: message{Message: "Message format incorrect: " + fmt.Sprintf(format, args...)},
	})
}

// parseObject reads a JSON object and the order of its keys. Of a key that is repeated the last value counts.
func parseObject(body []byte) (names []string, values object, err error) {
	if !utf8.Valid(body) || !modest(body) || !json.Valid(body) {
		return nil, nil, errInvalidJSON
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if first, err := dec.Token(); err != nil {
		return nil, nil, errInvalidJSON
	} else if first != json.Delim('{') {
		return nil, nil, misfit("expected a dictionary")
	}
	values = object{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, nil, errInvalidJSON
		}
		var value any
		if err := dec.Decode(&value); err != nil {
			return nil, nil, errInvalidJSON
		}
		text, _ := name.(string) // the name of a member is always a text
		if _, again := values[text]; !again {
			names = append(names, text)
		}
		values[text] = value
	}
	return names, values, nil
}

// modest reports whether no part of a JSON document is nested deeper than maxDepth, and there are no more values than
// maxValues.
func modest(body []byte) bool {
	depth, commas, quoted := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return false
			}
		case c == '}' || c == ']':
			depth--
		case c == ',':
			if commas++; commas >= maxValues {
				return false
			}
		}
	}
	return true
}

// maxText is how many bytes a text may have that is kept until a login is done, or that is normalised for people who are not
// signed in.
const maxText = 4096

func isText(v any) string {
	if _, ok := v.(string); !ok {
		return "expected str"
	}
	return ""
}

func isShortText(v any) string {
	if s, ok := v.(string); ok && len(s) > maxText {
		return fmt.Sprintf("length of value must be at most %d", maxText)
	}
	return isText(v)
}

func isFilledText(v any) string {
	if v == "" {
		return "length of value must be at least 1"
	}
	return isText(v)
}

func isTextOrNull(v any) string {
	if v == nil {
		return ""
	}
	return isText(v)
}

func isTextOrList(v any) string {
	if _, ok := v.([]any); ok {
		return ""
	}
	return isText(v)
}
