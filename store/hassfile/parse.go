package hassfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// errNotUTF8 says that a file holds bytes that are no text.
var errNotUTF8 = errors.New("it is not valid UTF-8")

// parseJSON reads a document. What is wrong with it is told with its line.
func parseJSON(text string) (any, error) { return (&parser{text: text}).document() }

func (p *parser) document() (any, error) {
	text := p.text
	if !utf8.ValidString(text) {
		return nil, errNotUTF8
	}
	v := p.value(0)
	if p.space(); p.err == nil && p.at < len(p.text) {
		p.fail("nothing more is expected")
	}
	if p.err != nil {
		return nil, fmt.Errorf("line %d: %w", 1+strings.Count(text[:p.failedAt], "\n"), p.err)
	}
	return v, nil
}

// parser reads a document in one pass. The texts of the document are parts of the text that is read, which lives as long as
// any of them. What is wrong first stays in err, and ends the reading.
type parser struct {
	text     string
	at       int
	err      error
	failedAt int
	// recall returns what is known of a record that begins here, and how long its text is; 0 if nothing is. It may be nil.
	recall func(rest string) (known any, length int)
	// tidy says that what was read since it was set is laid out as we write it.
	tidy bool
	// What is inside of lists and objects is gathered here until they end.
	members []member
	values  []any
}

// deepest bounds how a document may be nested: Home Assistant reads none that is deeper.
const deepest = 1024

var errTooDeep = errors.New("it is nested too deeply")

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err, p.failedAt = fmt.Errorf(format, args...), min(p.at, len(p.text))
	}
	p.at = len(p.text)
}

// unexpected fails at the next byte.
func (p *parser) unexpected(wanted string) {
	if p.at >= len(p.text) {
		p.fail("it ends where %s is expected", wanted)
		return
	}
	p.fail("%q is found where %s is expected", []rune(p.text[p.at:min(p.at+utf8.UTFMax, len(p.text))])[0], wanted)
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

// peek returns the next byte, or 0 at the end.
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// indentations is as much of it as a document usually needs.
const indentations = "\n                                                                "

// line skips to what stands at the next line of this depth, which is one step where the layout is ours.
func (p *parser) line(depth int) {
	if end := 1 + depth*len(indentation); end <= len(indentations) {
		if rest := p.text[p.at:]; len(rest) > end && rest[:end] == indentations[:end] && rest[end] > ' ' {
			p.at += end
			return
		}
	}
	p.tidy = false
	p.space()
}

// value reads what comes next, at a depth of so many lists and objects.
func (p *parser) value(depth int) any {
	p.space()
	switch c := p.peek(); {
	case c == '{' || c == '[':
		if depth == deepest {
			p.fail("%w", errTooDeep)
			return nil
		}
		if c == '[' {
			return p.array(depth)
		}
		if p.recall != nil && depth == recordDepth {
			if known, length := p.recall(p.text[p.at:]); length > 0 {
				p.at += length
				return known
			}
		}
		return p.object(depth)
	case c == '"':
		return p.string()
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	}
	return p.literal()
}

func (p *parser) literal() any {
	is := func(word string) bool {
		if strings.HasPrefix(p.text[p.at:], word) {
			p.at += len(word)
			return true
		}
		return false
	}
	switch {
	case is("null"):
		return nil
	case is("true"):
		return true
	case is("false"):
		return false
	}
	p.unexpected("a value")
	return nil
}

func (p *parser) object(depth int) *object {
	outside, first, start := p.tidy, len(p.members), p.at
	p.tidy = true
	p.at++
	o := &object{}
	p.items(depth, '}', func() {
		if p.peek() != '"' {
			p.unexpected("a name")
			return
		}
		key := p.string()
		if rest := p.text[p.at:]; len(rest) < 3 || rest[:2] != ": " || rest[2] <= ' ' {
			p.tidy = false
			p.space()
		}
		if p.peek() != ':' {
			p.unexpected("a colon")
			return
		}
		p.at++
		p.members = append(p.members, member{key, p.value(depth + 1)})
	})
	o.members = append(o.members, p.members[first:]...)
	clear(p.members[first:])
	p.members = p.members[:first]
	o.settle()
	if p.tidy && o.twice == "" && depth == recordDepth {
		o.text = encoded(p.text[start:p.at])
	}
	p.tidy = p.tidy && outside
	return o
}

func (p *parser) array(depth int) []any {
	first := len(p.values)
	p.at++
	p.items(depth, ']', func() { p.values = append(p.values, p.value(depth+1)) })
	list := append([]any{}, p.values[first:]...)
	clear(p.values[first:])
	p.values = p.values[:first]
	return list
}

// items reads what is between two brackets, each item with a function.
func (p *parser) items(depth int, end byte, item func()) {
	if p.peek() == end { // which is how an empty one is written
		p.at++
		return
	}
	for n := 0; p.err == nil; n++ {
		p.line(depth + 1)
		if n == 0 && p.peek() == end {
			p.tidy = false
			p.at++
			return
		}
		if item(); p.err != nil {
			return
		}
		if p.peek() == ',' {
			p.at++
			continue
		}
		if p.line(depth); p.peek() == end {
			p.at++
			return
		}
		if p.peek() != ',' {
			p.unexpected(fmt.Sprintf("a comma or %q", end))
			return
		}
		p.tidy = false
		p.at++
	}
}

func (p *parser) string() string {
	start := p.at
	plain := true
	for p.at++; ; p.at++ {
		switch c := p.peek(); {
		case c == '"':
			p.at++
			if plain {
				return p.text[start+1 : p.at-1]
			}
			return p.unescaped(start)
		case c == '\\':
			plain = false
			p.at++
		case c < ' ':
			p.unexpected("the end of a text")
			return ""
		}
	}
}

// unescaped reads a text with escapes, which ends here.
func (p *parser) unescaped(start int) string {
	raw := p.text[start:p.at]
	var s string
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		p.at = start
		p.fail("an escape in the text is not understood")
		return ""
	}
	if string(appendString(nil, s)) != raw {
		p.tidy = false
	}
	return s
}

func (p *parser) number() json.Number {
	start := p.at
	if p.peek() == '-' {
		p.at++
	}
	if p.peek() == '0' {
		p.at++
	} else {
		p.digits()
	}
	if p.peek() == '.' {
		p.at++
		p.digits()
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.at++
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		p.digits()
	}
	return json.Number(p.text[start:p.at])
}

// digits skips one digit or more.
func (p *parser) digits() {
	start := p.at
	for '0' <= p.peek() && p.peek() <= '9' {
		p.at++
	}
	if p.at == start {
		p.unexpected("a digit")
	}
}
