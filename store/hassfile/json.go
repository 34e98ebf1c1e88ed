package hassfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A document keeps the order of the members, and numbers as they were written: what latchkey does not know goes back into
// the file as it came. A value is nil, a bool, a string, a json.Number, a []any or an *object.

// object is a JSON object in its order.
type object struct{ members []member }

type member struct {
	key   string
	value any
}

// get returns a member, and whether there is one. Of several of one name the last counts, as in Home Assistant.
func (o *object) get(key string) (any, bool) {
	if o == nil {
		return nil, false
	}
	for i := len(o.members) - 1; i >= 0; i-- {
		if o.members[i].key == key {
			return o.members[i].value, true
		}
	}
	return nil, false
}

// set changes a member, or adds it as the last one.
func (o *object) set(key string, value any) {
	for i := range o.members {
		if o.members[i].key == key {
			o.members[i].value = value
			return
		}
	}
	o.members = append(o.members, member{key, value})
}

// without returns the members that are not among the keys; nil if there are none.
func (o *object) without(keys ...string) []member {
	var rest []member
	for _, m := range o.members {
		known := false
		for _, key := range keys {
			known = known || m.key == key
		}
		if !known {
			rest = append(rest, m)
		}
	}
	return rest
}

// errNotUTF8 says that a file holds bytes that are no text.
var errNotUTF8 = errors.New("it is not valid UTF-8")

// parseJSON reads a document. What is wrong with it is told with its line.
func parseJSON(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, errNotUTF8
	}
	if !json.Valid(text) {
		var v any
		err := json.Unmarshal(text, &v)
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			line := 1 + bytes.Count(text[:min(int(syntax.Offset), len(text))], []byte("\n"))
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		return nil, err
	}
	p := parser{text: text}
	return p.value(), nil
}

// parser reads a document that is known to be valid.
type parser struct {
	text []byte
	at   int
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

// next skips white space and returns the byte behind it.
func (p *parser) next() byte {
	p.space()
	return p.text[p.at]
}

func (p *parser) value() any {
	switch c := p.next(); c {
	case '{':
		return p.object()
	case '[':
		return p.array()
	case '"':
		return p.string()
	case 't':
		p.at += len("true")
		return true
	case 'f':
		p.at += len("false")
		return false
	case 'n':
		p.at += len("null")
		return nil
	}
	start := p.at
	for p.at < len(p.text) && strings.IndexByte("+-.eE0123456789", p.text[p.at]) >= 0 {
		p.at++
	}
	return json.Number(p.text[start:p.at])
}

func (p *parser) object() *object {
	o := &object{}
	p.at++
	for p.next() != '}' {
		if p.text[p.at] == ',' {
			p.at++
			p.space()
		}
		key := p.string()
		p.next() // the colon
		p.at++
		o.members = append(o.members, member{key, p.value()})
	}
	p.at++
	return o
}

func (p *parser) array() []any {
	list := []any{}
	p.at++
	for p.next() != ']' {
		if p.text[p.at] == ',' {
			p.at++
		}
		list = append(list, p.value())
	}
	p.at++
	return list
}

func (p *parser) string() string {
	start := p.at
	plain := true
	for p.at++; p.text[p.at] != '"'; p.at++ {
		if p.text[p.at] == '\\' {
			plain = false
			p.at++
		}
	}
	p.at++
	if plain {
		return string(p.text[start+1 : p.at-1])
	}
	var s string
	_ = json.Unmarshal(p.text[start:p.at], &s) // it is valid
	return s
}

// indentation is what each level of a document is indented by (storage.md §1).
const indentation = "  "

// appendValue writes a value the way Home Assistant does: each element on a line of its own, no blanks at the end.
func appendValue(b []byte, v any, depth int) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return appendString(b, v)
	case json.Number:
		return append(b, v...)
	case encoded:
		return append(b, v...)
	case []any:
		if len(v) == 0 {
			return append(b, "[]"...)
		}
		b = append(b, '[')
		for i, each := range v {
			b = appendBreak(b, i, depth+1)
			b = appendValue(b, each, depth+1)
		}
		return append(appendBreak(b, 0, depth), ']')
	case *object:
		if len(v.members) == 0 {
			return append(b, "{}"...)
		}
		b = append(b, '{')
		for i, m := range v.members {
			b = appendBreak(b, i, depth+1)
			b = append(appendString(b, m.key), ": "...)
			b = appendValue(b, m.value, depth+1)
		}
		return append(appendBreak(b, 0, depth), '}')
	}
	return append(b, "null"...) // nothing else is ever put into a document
}

// encoded is a part of a document that is written already.
type encoded []byte

func appendBreak(b []byte, i, depth int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b = append(b, '\n')
	for range depth {
		b = append(b, indentation...)
	}
	return b
}

// appendString writes a text with no more escapes than JSON asks for.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// toDocument turns what encoding/json understands into a document.
func toDocument(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return parseJSON(text)
}

// plain turns a document into the values that encoding/json makes.
func plain(v any) (any, error) {
	var out any
	err := json.Unmarshal(appendValue(nil, v, 0), &out)
	return out, err
}

// float writes a number as Python writes a float: a whole one has its .0.
func float(f float64) json.Number {
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.ContainsRune(text, '.') {
		text += ".0"
	}
	return json.Number(text)
}
