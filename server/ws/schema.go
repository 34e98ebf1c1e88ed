package ws

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// schema says which members a command's message has. It is made from the struct that the command takes.
type schema struct {
	in     reflect.Type
	fields []member
	secret bool // some member is a secret
}

type member struct {
	name     string
	index    int
	optional bool
	pointer  bool
	kind     kind
}

// kind reads one JSON value into a Go value, or says what was expected instead.
type kind func(raw json.RawMessage, at string) (any, []problem)

// problem is one thing that is wrong with a message.
type problem struct {
	text string
	got  any
	// name is the member that got belongs to; secrets are not repeated.
	name string
}

// validator is a message that has rules beside the types of its members.
type validator interface{ Validate() error }

// schemaOf makes the schema of a command.
func schemaOf[In any](command string) (schema, error) {
	t := reflect.TypeFor[In]()
	if t.Kind() != reflect.Struct {
		return schema{}, fmt.Errorf("command %q: %v is not a struct with the members of the message", command, t)
	}
	s := schema{in: t}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		m := member{name: name, index: i, optional: options == "omitzero"}
		if f.Type.Kind() == reflect.Pointer {
			m.pointer = true
			m.kind = kindOf(f.Type.Elem())
		} else {
			m.kind = kindOf(f.Type)
		}
		if !f.IsExported() || name == "" || name == "id" || name == "type" || m.kind == nil {
			return schema{}, fmt.Errorf("command %q: field %s cannot be a member of a message; see Define", command, f.Name)
		}
		s.secret = s.secret || isSecret(name)
		s.fields = append(s.fields, m)
	}
	return s, nil
}

func kindOf(t reflect.Type) kind {
	switch t {
	case reflect.TypeFor[string]():
		return readString
	case reflect.TypeFor[bool]():
		return readBool
	case reflect.TypeFor[int64]():
		return readInt
	case reflect.TypeFor[[]string]():
		return readStrings
	case reflect.TypeFor[map[string]int64]():
		return readInts
	case reflect.TypeFor[any]():
		return readAny
	default:
		return nil
	}
}

// decode reads a message into the struct of the command. The error says everything that is wrong (websocket.md W-20).
func (s schema) decode(fields map[string]json.RawMessage) (any, error) {
	var problems []problem
	in := reflect.New(s.in).Elem()
	known := 0
	for _, m := range s.fields {
		raw, given := fields[m.name]
		if !given {
			if !m.optional {
				problems = append(problems, problem{text: "required key not provided @ " + path(m.name)})
			}
			continue
		}
		known++
		value, wrong := m.kind(raw, path(m.name))
		for _, p := range wrong {
			p.name = m.name
			problems = append(problems, p)
		}
		if wrong == nil {
			m.set(in, value)
		}
	}
	if known+2 < len(fields) { // beside id and type
		problems = append(problems, s.extra(fields)...)
	}
	if len(problems) > 0 {
		return nil, s.report(problems)
	}
	if v, ok := in.Interface().(validator); ok {
		if err := v.Validate(); err != nil {
			return nil, invalidFormat(err.Error())
		}
	}
	return in.Interface(), nil
}

func (m member) set(in reflect.Value, value any) {
	if value == nil { // only a member that takes anything
		return
	}
	v := reflect.ValueOf(value)
	if m.pointer {
		p := reflect.New(v.Type())
		p.Elem().Set(v)
		v = p
	}
	in.Field(m.index).Set(v)
}

// maxProblems bounds how many superfluous members are told.
const maxProblems = 100

// extra is a problem for each member that the command does not have.
func (s schema) extra(fields map[string]json.RawMessage) []problem {
	var problems []problem
	for name, raw := range fields {
		known := slices.ContainsFunc(s.fields, func(m member) bool { return m.name == name })
		if len(problems) == maxProblems {
			break
		}
		if !known && name != "id" && name != "type" {
			problems = append(problems, problem{text: "extra keys not allowed @ " + path(name), got: parse(raw), name: name})
		}
	}
	return problems
}

// report puts the problems into words, in order.
func (s schema) report(problems []problem) error {
	lines := make([]string, len(problems))
	for i, p := range problems {
		// A misspelt member of a message with secrets may be one of them.
		misspelt := s.secret && strings.HasPrefix(p.text, "extra keys")
		lines[i] = p.text + ". Got " + got(p.name, p.got, misspelt)
	}
	slices.Sort(lines)
	return invalidFormat(strings.Join(lines, "\n"))
}

// path names a member as clients of Home Assistant know it.
func path(name string) string { return "data[" + quote(cut(name)) + "]" }

func wrongType(expected string, raw json.RawMessage, at string) []problem {
	return []problem{{text: "expected " + expected + " for dictionary value @ " + at, got: parse(raw)}}
}

func readString(raw json.RawMessage, at string) (any, []problem) {
	if text, ok := parseText(raw); ok {
		return text, nil
	}
	return nil, wrongType("str", raw, at)
}

func readBool(raw json.RawMessage, at string) (any, []problem) {
	switch string(raw) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return nil, wrongType("bool", raw, at)
}

func readInt(raw json.RawMessage, at string) (any, []problem) {
	if n, ok := parseInt(raw); ok {
		return n, nil
	}
	return nil, wrongType("int", raw, at)
}

func readStrings(raw json.RawMessage, at string) (any, []problem) {
	var elements []json.RawMessage
	if json.Unmarshal(raw, &elements) != nil || elements == nil {
		return nil, wrongType("a list", raw, at)
	}
	texts := make([]string, len(elements))
	for i, e := range elements {
		text, ok := parseText(e)
		if !ok { // one is enough: the list may be long
			return nil, []problem{{text: "expected str @ " + at + "[" + strconv.Itoa(i) + "]", got: parse(e)}}
		}
		texts[i] = text
	}
	return texts, nil
}

func readInts(raw json.RawMessage, at string) (any, []problem) {
	var elements map[string]json.RawMessage
	if json.Unmarshal(raw, &elements) != nil || elements == nil {
		return nil, wrongType("a dictionary", raw, at)
	}
	numbers := make(map[string]int64, len(elements))
	for name, e := range elements {
		n, ok := parseInt(e)
		if !ok {
			return nil, wrongType("int", e, at+"["+quote(cut(name))+"]")
		}
		numbers[name] = n
	}
	return numbers, nil
}

func readAny(raw json.RawMessage, _ string) (any, []problem) { return parse(raw), nil }

// parseInt reads a whole number. Truth values count as 0 and 1; a number beyond what an int64 holds, up to 2⁶⁴-1, comes
// back as the greatest there is, which is too great for every command.
func parseInt(raw json.RawMessage) (int64, bool) {
	text := string(raw)
	switch text {
	case "true":
		return 1, true
	case "false":
		return 0, true
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	if _, err := strconv.ParseUint(text, 10, 64); err == nil {
		return math.MaxInt64, true
	}
	return 0, false
}
