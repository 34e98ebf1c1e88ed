package flow

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Kind is the type of a form field's value.
type Kind string

// The kinds of fields that the forms of sign-in and of setting up second factors use.
const (
	String  Kind = "string"
	Integer Kind = "integer"
	Float   Kind = "float"
	Boolean Kind = "boolean"
	Select  Kind = "select"
)

// Presence says whether a field must be there.
type Presence string

// Unmarked fields may be missing, as Optional ones may; the difference is what the wire says of them (flows.md §7).
const (
	Unmarked Presence = ""
	Required Presence = "required"
	Optional Presence = "optional"
)

// Option is one choice of a Select field. A nil Label is a choice without a name.
type Option struct {
	Value string  `json:"value"`
	Label *string `json:"label"`
}

// Choice is an option with a name.
func Choice(value, label string) Option { return Option{Value: value, Label: &label} }

// Field is one entry of a form.
type Field struct {
	Name     string   `json:"name"`
	Kind     Kind     `json:"kind"`
	Presence Presence `json:"presence,omitempty"`
	// Options are the choices of a Select field; other kinds have none.
	Options []Option `json:"options,omitempty"`
	// Default is the value of a field that was left out; nil when there is none.
	Default any `json:"default,omitempty"`
}

// Schema is a form's fields in the order in which they are shown.
type Schema []Field

// InvalidData says that input does not fit its form (flows.md §5). Fields maps a field's name to what is wrong with
// its value; Base holds what belongs to no field of the form.
type InvalidData struct {
	Fields map[string]string
	Base   []string
}

// Error names every field with what is wrong with its value.
func (e *InvalidData) Error() string {
	parts := slices.Clone(e.Base)
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		parts = append(parts, name+": "+e.Fields[name])
	}
	return "Schema validation failed: " + strings.Join(parts, "; ")
}

// Validate returns the input with its values converted and defaults filled in, or an [*InvalidData].
func (s Schema) Validate(in Input) (Input, error) {
	out := make(Input, len(s))
	bad := &InvalidData{Fields: map[string]string{}}
	for _, f := range s {
		v, given := in[f.Name]
		switch {
		case given:
			converted, problem := f.convert(v)
			if problem != "" {
				bad.Fields[f.Name] = problem
				continue
			}
			out[f.Name] = converted
		case f.Default != nil:
			out[f.Name] = f.Default
		case f.Presence == Required:
			bad.Fields[f.Name] = "required key not provided"
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if !slices.ContainsFunc(s, func(f Field) bool { return f.Name == name }) {
			bad.Base = append(bad.Base, fmt.Sprintf("extra keys not allowed @ data['%s']", name))
		}
	}
	if len(bad.Fields) > 0 || len(bad.Base) > 0 {
		return nil, bad
	}
	return out, nil
}

// maxText is how many bytes the text of a field may have. No name, password or code that can be set is longer, and people who
// are not signed in yet fill in forms: what is made of a name takes many times its length.
const maxText = 4096

// convert returns the value as the field's kind holds it, or what is wrong with it.
func (f Field) convert(v any) (any, string) {
	switch f.Kind {
	case String:
		s, ok := v.(string)
		switch {
		case !ok:
			return nil, "expected str"
		case len(s) > maxText:
			return nil, fmt.Sprintf("length of value must be at most %d", maxText)
		}
		return s, ""
	case Boolean:
		if b, ok := v.(bool); ok {
			return b, ""
		}
		return nil, "expected bool"
	case Integer:
		if n, ok := number(v); ok && n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n), ""
		}
		return nil, "expected int"
	case Float:
		if n, ok := number(v); ok {
			return n, ""
		}
		return nil, "expected float"
	case Select:
		s, ok := v.(string)
		if ok && slices.ContainsFunc(f.Options, func(o Option) bool { return o.Value == s }) {
			return s, ""
		}
		return nil, "value must be one of [" + strings.Join(f.sortedOptions(), ", ") + "]"
	default:
		return nil, "unknown kind of field: " + string(f.Kind)
	}
}

func (f Field) sortedOptions() []string {
	values := make([]string, len(f.Options))
	for i, o := range f.Options {
		values[i] = "'" + o.Value + "'"
	}
	slices.Sort(values)
	return values
}

// number reads the forms in which a number arrives: from a JSON document, or from Go code.
func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	default:
		return 0, false
	}
}
