package config

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/seed-6a977b3d/latchkey"
)

// list returns the entries of a list. A single value counts as a list of one, and no value as an empty one (manager.md
// §1).
func (n node) list() ([]node, error) {
	n, err := n.resolve()
	switch {
	case err != nil:
		return nil, err
	case n.yaml == nil || n.yaml.Tag == "!!null":
		return nil, nil
	case n.yaml.Kind != yaml.SequenceNode:
		return []node{n}, nil
	}
	var entries []node
	for _, value := range n.yaml.Content {
		e := n
		e.yaml, e.line = value, value.Line
		if n.secret != "" {
			e.line = n.line // the place of the secret's use
		}
		if e, err = e.resolve(); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// plain returns a single value as Home Assistant's checks see it: a text, a number, a truth value or nil.
func (n node) plain() (any, error) {
	if n.yaml.Kind != yaml.ScalarNode {
		return nil, n.errorf("must be a single value")
	}
	if b, ok := n.oldBool(); ok {
		return b, nil
	}
	switch n.yaml.Tag {
	case "!!str", "!!timestamp", "!!binary":
		return n.yaml.Value, nil
	}
	var v any
	if err := n.yaml.Decode(&v); err != nil {
		return nil, n.wrap(err)
	}
	return v, nil
}

// oldBool reads the words without quotation marks that are truth values in the YAML that Home Assistant reads.
func (n node) oldBool() (value, ok bool) {
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	if n.yaml.Style&(quoted|yaml.TaggedStyle) != 0 {
		return false, false
	}
	word := n.yaml.Value
	lower := strings.ToLower(word)
	if word != lower && word != strings.ToUpper(word) && word != word[:1]+lower[1:] {
		return false, false
	}
	switch lower {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off":
		return false, true
	}
	return false, false
}

// options reads the settings of one entry. The first thing that is wrong stays in err, and what is read after it counts
// for nothing.
type options struct {
	at    node // the entry itself
	typ   string
	given []node
	asked []string // in the order in which they were asked for
	err   error
	// secret names a secret that was used, or is empty.
	secret string
}

// newOptions reads an entry whose kind the key says.
func newOptions(n node, kindKey string) *options {
	o := &options{at: n}
	if n.yaml.Kind != yaml.MappingNode && n.yaml.Tag != "!!null" {
		o.err = n.errorf("each entry must be keys with values, and have the key %s", kindKey)
	} else {
		o.given, o.err = n.entries()
	}
	o.typ = o.text(kindKey, true)
	return o
}

// take returns the value of an option, with what its tag stands for.
func (o *options) take(key string) (node, bool) {
	o.asked = append(o.asked, key)
	for _, n := range o.given {
		if o.err != nil || n.key != key {
			continue
		}
		value, err := n.resolve()
		if err != nil {
			o.fail(err)
			return node{}, false
		}
		if value.secret != "" {
			o.secret = value.secret
		}
		return value, true
	}
	return node{}, false
}

// must is take for an option that cannot be left out.
func (o *options) must(key string) (node, bool) {
	n, ok := o.take(key)
	if !ok && o.err == nil {
		missing := o.at
		missing.key = key
		o.fail(missing.errorf("is missing, and must be given"))
	}
	return n, ok
}

func (o *options) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

// done returns what is wrong. What was given but never asked for is.
func (o *options) done() error {
	if o.err != nil {
		return o.err
	}
	for _, n := range o.given {
		if !slices.Contains(o.asked, n.key) {
			return n.errorf("unknown option; %s knows %s", o.typ, strings.Join(o.asked, ", "))
		}
	}
	return nil
}

// text reads a text that is not empty.
func (o *options) text(key string, required bool) string {
	take := o.take
	if required {
		take = o.must
	}
	n, ok := take(key)
	if !ok {
		return ""
	}
	s, err := n.text()
	if err == nil && s == "" {
		err = n.errorf("is empty: write something")
	}
	if err != nil {
		o.fail(err)
	}
	return s
}

// id and name read the options that all kinds have.
func (o *options) id() latchkey.NullString {
	if s := o.text("id", false); s != "" {
		return latchkey.Text(s)
	}
	return latchkey.NullString{}
}

func (o *options) name() string { return o.text("name", false) }

// texts reads one text or a list of them. Nothing is an empty list.
func (o *options) texts(key string) []string {
	var texts []string
	o.each(key, func(n node) error {
		s, err := n.text()
		texts = append(texts, s)
		return err
	})
	return texts
}

// each reads a list, entry by entry.
func (o *options) each(key string, read func(node) error) {
	n, ok := o.take(key)
	if !ok {
		return
	}
	entries, err := n.list()
	if err != nil {
		o.fail(err)
		return
	}
	for _, e := range entries {
		if e.secret != "" {
			o.secret = e.secret
		}
		if err := read(e); err != nil {
			o.fail(err)
			return
		}
	}
}

// strictBool reads a truth value, for which no text will do.
func (o *options) strictBool(key string) bool {
	n, ok := o.take(key)
	if !ok {
		return false
	}
	v, err := n.plain()
	if err != nil {
		o.fail(err)
		return false
	}
	b, ok := v.(bool)
	if !ok {
		o.fail(n.errorf("must be true or false, without quotation marks"))
	}
	return b
}

// number reads a whole number, which may be written as a text.
func (o *options) number(key string) int {
	n, ok := o.take(key)
	if !ok {
		return 0
	}
	if n.yaml.Kind == yaml.ScalarNode {
		if i, err := strconv.Atoi(n.yaml.Value); err == nil {
			return i
		}
	}
	o.fail(n.errorf("must be a whole number"))
	return 0
}

// parsed reads a single value with a function of the package that the option is for.
func parsed[T any](o *options, n node, parse func(any) (T, error)) T {
	var zero T
	v, err := n.plain()
	if err != nil {
		o.fail(err)
		return zero
	}
	t, err := parse(v)
	if err != nil {
		o.fail(n.wrap(err))
		return zero
	}
	return t
}
