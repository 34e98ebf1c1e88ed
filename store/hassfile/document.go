package hassfile

import (
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
)

// A document keeps the order of the members, and numbers as they were written: what latchkey does not know goes back into
// the file as it came. A value is nil, a bool, a string, a json.Number, a []any or an *object. It may also be a *tokenEntry
// that is known already; and what is to be written, an encoded or a []encoded.

// object is a JSON object in its order. It never changes once it is part of a state.
type object struct {
	members []member
	// twice is a name that stood there more than once; of such members the last counts, as in Home Assistant.
	twice string
	// text is the object as it was read, if it is a record that was laid out as we write it.
	text encoded
}

type member struct {
	key   string
	value any
}

// encoded is a part of a document that is written already.
type encoded string

// newObject makes an object.
func newObject(members ...member) *object { return &object{members: members} }

// settle makes one member of those that have the same name.
func (o *object) settle() {
	const few = 32
	var at map[string]int
	if len(o.members) > few {
		at = make(map[string]int, len(o.members))
	}
	kept := o.members[:0]
	for _, m := range o.members {
		i, there := at[m.key]
		if at == nil {
			i = index(kept, m.key)
			there = i >= 0
		}
		if there {
			o.twice = m.key
			kept[i].value = m.value
			continue
		}
		if at != nil {
			at[m.key] = len(kept)
		}
		kept = append(kept, m)
	}
	o.members = kept
}

func index(members []member, key string) int {
	for i := range members {
		if members[i].key == key {
			return i
		}
	}
	return -1
}

// get returns a member, and whether there is one.
func (o *object) get(key string) (any, bool) {
	if o != nil {
		if i := index(o.members, key); i >= 0 {
			return o.members[i].value, true
		}
	}
	return nil, false
}

// set changes a member, or adds it as the last one.
func (o *object) set(key string, value any) {
	if i := index(o.members, key); i >= 0 {
		o.members[i].value = value
		return
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

// indentation is what each level of a document is indented by (storage.md §1).
const indentation = "  "

// sink is where a document is written to. What has gathered is passed on now and then, if there is a writer.
type sink struct {
	b   []byte
	to  io.Writer
	err error
}

// enough is how much is gathered before it is passed on.
const enough = 1 << 18

// relieve passes on what has gathered if that is enough.
func (s *sink) relieve() {
	if len(s.b) >= enough {
		s.flush()
	}
}

func (s *sink) flush() {
	if s.to == nil || s.err != nil {
		return
	}
	_, s.err = s.to.Write(s.b)
	s.b = s.b[:0]
}

// appendValue writes a value the way Home Assistant does: each element on a line of its own, no blanks at the end.
func appendValue(b []byte, v any, depth int) []byte {
	s := sink{b: b}
	s.value(v, depth)
	return s.b
}

func (s *sink) value(v any, depth int) {
	s.relieve()
	switch v := v.(type) {
	case bool:
		s.b = strconv.AppendBool(s.b, v)
	case string:
		s.b = appendString(s.b, v)
	case json.Number:
		s.b = append(s.b, v...)
	case encoded:
		s.b = append(s.b, v...)
	case *tokenEntry:
		s.b = append(s.b, v.text...)
	case []any:
		s.items(depth, "[]", len(v), func(i int) { s.value(v[i], depth+1) })
	case []encoded:
		s.items(depth, "[]", len(v), func(i int) {
			s.relieve()
			s.b = append(s.b, v[i]...)
		})
	case *object:
		s.items(depth, "{}", len(v.members), func(i int) {
			s.b = append(appendString(s.b, v.members[i].key), ": "...)
			s.value(v.members[i].value, depth+1)
		})
	default: // nothing else is ever put into a document
		s.b = append(s.b, "null"...)
	}
}

// items writes what is between two brackets.
func (s *sink) items(depth int, brackets string, n int, item func(int)) {
	if n == 0 {
		s.b = append(s.b, brackets...)
		return
	}
	s.b = append(s.b, brackets[0])
	for i := range n {
		if i > 0 {
			s.b = append(s.b, ',')
		}
		s.line(depth + 1)
		item(i)
	}
	s.line(depth)
	s.b = append(s.b, brackets[1])
}

func (s *sink) line(depth int) {
	s.b = append(s.b, '\n')
	for range depth {
		s.b = append(s.b, indentation...)
	}
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
	return parseJSON(string(text))
}

// plain turns a document into the values of a provider's data (see [latchkey.ParseData]), with memory of their own.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return strings.Clone(v), nil
	case json.Number:
		return latchkey.DataNumber(json.Number(strings.Clone(v.String())))
	case []any:
		list := make([]any, len(v))
		for i, each := range v {
			var err error
			if list[i], err = plain(each); err != nil {
				return nil, err
			}
		}
		return list, nil
	case *object:
		values := make(map[string]any, len(v.members))
		for _, m := range v.members {
			value, err := plain(m.value)
			if err != nil {
				return nil, err
			}
			values[strings.Clone(m.key)] = value
		}
		return values, nil
	}
	return v, nil
}

// renewed returns new data of credentials in the order of the former, and what is the same in both as it stands in the file:
// much of it may be an affair of Home Assistant alone.
func renewed(before, now any) any {
	old, _ := before.(*object)
	fresh, _ := now.(*object)
	next := newObject()
	for _, m := range append(slices.Clone(old.members), fresh.members...) {
		value, there := fresh.get(m.key)
		if _, done := next.get(m.key); done || !there {
			continue
		}
		if same(m.value, value) {
			value = m.value
		}
		next.set(m.key, value)
	}
	return next
}

// same reports whether two values are one to whoever reads them.
func same(a, b any) bool {
	x, err1 := plain(a)
	y, err2 := plain(b)
	return err1 == nil && err2 == nil && reflect.DeepEqual(x, y)
}

// float writes a number as Python writes a float: a whole one has its .0.
func float(f float64) json.Number {
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.ContainsRune(text, '.') {
		text += ".0"
	}
	return json.Number(text)
}
