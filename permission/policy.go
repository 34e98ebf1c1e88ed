package permission

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
)

// The keys (rights) that a valid policy grants (permissions.md §1). When a question is asked, a key is free text.
const (
	Read    = "read"
	Control = "control"
	Edit    = "edit"
)

// Entities is the only category that has a meaning (permissions.md §1).
const Entities = "entities"

// The sub-categories of [Entities], in the order in which they are asked (permissions.md §2).
const (
	EntityIDs = "entity_ids"
	DeviceIDs = "device_ids"
	AreaIDs   = "area_ids"
	Domains   = "domains"
	All       = "all"
)

// Object is a JSON object; it lets a policy be written as a Go literal, see [New].
type Object = map[string]any

// Policy says what the members of a group may do (permissions.md §1). It is an immutable value as small as a
// pointer: copy it freely and share it between goroutines. The zero value is the empty policy {}, which grants nothing.
//
// A policy made by [New] or [Parse] is valid. Files may hold policies that no schema admits: json.Unmarshal takes
// any JSON value, and json.Marshal gives back exactly that value, apart from white space and the order of keys
// (ill-formed Unicode becomes U+FFFD). So nothing that an old file holds is lost, and [Policy.Validate] tells
// whether it is sound.
//
// Policies are compared with [Policy.Equal]; the operator == does not compile.
type Policy struct {
	_    [0]func()
	root *any // nil: {}. Else nil, bool, json.Number, string, []any or Object; never changed once it is set.
}

// New makes a policy of a Go literal and validates it, as [Parse] does with text. The policy keeps no part of rules.
// The error is a [*ValidationError].
func New(rules Object) (Policy, error) {
	if problems := validate(rules); len(problems) > 0 {
		return Policy{}, &ValidationError{Problems: problems}
	}
	return policyOf(cloneValid(rules)), nil
}

// Parse reads a policy from JSON and validates it (permissions.md §7). When a name stands twice in an object, the
// last one counts. A text that is no JSON gives a [*SyntaxError], an unsound policy a [*ValidationError] with every
// problem; the policy is then empty.
func Parse(data []byte) (Policy, error) {
	var policy Policy
	if err := policy.UnmarshalJSON(data); err != nil {
		return Policy{}, err
	}
	if err := policy.Validate(); err != nil {
		return Policy{}, err
	}
	return policy, nil
}

// Must returns the policy, and panics when there is an error. It is for policies that are written in the program:
//
//	var guests = permission.Must(permission.New(permission.Object{"entities": true}))
func Must(policy Policy, err error) Policy {
	if err != nil {
		panic(err)
	}
	return policy
}

// Equal tells whether both policies are the same JSON value; the order of keys does not matter.
func (p Policy) Equal(other Policy) bool {
	return p.root == other.root || equal(p.value(), other.value())
}

// String returns the policy as JSON with sorted keys.
func (p Policy) String() string {
	text, err := p.MarshalJSON()
	if err != nil {
		return "policy: " + err.Error()
	}
	return string(text)
}

// MarshalJSON writes the policy with sorted keys.
func (p Policy) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(p.value()); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

// UnmarshalJSON takes any JSON value, sound or not, null included; see [Policy] for why. Anything else is a
// [*SyntaxError].
func (p *Policy) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // a float64 would round numbers that must be written back as they were
	var value any
	if err := decoder.Decode(&value); err != nil {
		return syntaxError(data, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return syntaxError(data, ErrTrailing)
	}
	*p = policyOf(value)
	return nil
}

func policyOf(value any) Policy { return Policy{root: &value} }

// value returns the policy in the JSON model. Nobody may change it.
func (p Policy) value() any {
	if p.root == nil {
		return Object{}
	}
	return *p.root
}

// entities returns the value of the category, nil when there is none.
func (p Policy) entities() any {
	categories, _ := p.value().(Object)
	return categories[Entities]
}

// cloneValid copies a valid policy, which consists of objects and true.
func cloneValid(value any) any {
	object, ok := value.(Object)
	if !ok {
		return value
	}
	clone := make(Object, len(object))
	for key, below := range object {
		clone[key] = cloneValid(below)
	}
	return clone
}

func equal(a, b any) bool {
	switch a := a.(type) {
	case Object:
		b, ok := b.(Object)
		return ok && maps.EqualFunc(a, b, equal)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	default:
		return a == b
	}
}
