package permission

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The texts of the problems, as existing clients know them (permissions.md §7).
const (
	textExtraKey  = "extra keys not allowed"
	textBadValue  = "not a valid value for dictionary value"
	textNotObject = "expected a dictionary"
)

// ValidationError tells everything that is wrong with a policy, in the order of the keys.
type ValidationError struct {
	// Problems has at least one element.
	Problems []Problem
}

// Error names the first problem and what to write instead.
func (e *ValidationError) Error() string {
	if len(e.Problems) == 0 {
		return "policy is not valid"
	}
	first := e.Problems[0]
	text := fmt.Sprintf("policy: %s; %s", first, first.Advice)
	if more := len(e.Problems) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// Problem is one thing that is wrong with a policy.
type Problem struct {
	// Path holds the keys that lead to the place; empty for the policy itself.
	Path []string
	// Text is one of the texts of permissions.md §7, such as "extra keys not allowed".
	Text string
	// Advice says what may stand there.
	Advice string
	// Fault says the same for who tells it in other words.
	Fault Fault
	// Known are the keys that may stand beside or instead of an [UnknownKey].
	Known []string
}

// Fault is a kind of problem.
type Fault int

// The faults that a policy can have.
const (
	// NotAnObject: the policy as a whole has to be an object.
	NotAnObject Fault = iota + 1
	// UnknownKey: the last key of the path has no meaning there.
	UnknownKey
	// NoGrant: what stands there is neither true nor an object.
	NoGrant
	// NotTrue: what stands there is not true.
	NotTrue
)

// String is the problem as permissions.md §7 writes it: extra keys not allowed @ data['entities']['labels'].
func (p Problem) String() string {
	if len(p.Path) == 0 {
		return p.Text
	}
	return p.Text + " @ " + placeOf(p.Path)
}

// Validate tells whether the policy follows the schema of permissions.md §7: objects of the known keys whose leaves
// are true. Neither null nor false may stand anywhere. The error is a [*ValidationError].
func (p Policy) Validate() error {
	if problems := validate(p.value()); len(problems) > 0 {
		return &ValidationError{Problems: problems}
	}
	return nil
}

func validate(policy any) []Problem {
	var v validator
	categories, ok := policy.(Object)
	if !ok {
		v.report(Problem{
			Fault: NotAnObject, Text: textNotObject, Advice: "write an object, {} for a policy that grants nothing",
		})
		return v.problems
	}
	v.fields(categories, v.category, Entities)
	return v.problems
}

// validator walks through a policy; each method checks the value at path.
type validator struct {
	path     []string
	problems []Problem
}

func (v *validator) category(value any) {
	if object, ok := v.objectOrTrue(value); ok {
		v.fields(object, v.subcategory, EntityIDs, DeviceIDs, AreaIDs, Domains, All)
	}
}

func (v *validator) subcategory(value any) {
	if v.path[len(v.path)-1] == All {
		v.grant(value)
		return
	}
	if object, ok := v.objectOrTrue(value); ok {
		for _, id := range slices.Sorted(maps.Keys(object)) {
			v.below(id, object[id], v.grant)
		}
	}
}

func (v *validator) grant(value any) {
	if object, ok := v.objectOrTrue(value); ok {
		v.fields(object, v.key, Read, Control, Edit)
	}
}

func (v *validator) key(value any) {
	if value != true {
		v.report(Problem{Fault: NotTrue, Text: textBadValue, Advice: "write true, or leave the key out"})
	}
}

// objectOrTrue returns the object to look into, if there is one.
func (v *validator) objectOrTrue(value any) (Object, bool) {
	object, ok := value.(Object)
	if !ok && value != true {
		v.report(Problem{Fault: NoGrant, Text: textBadValue, Advice: "write true or an object, or leave the key out"})
	}
	return object, ok
}

// fields checks an object that may have the known keys only.
func (v *validator) fields(object Object, check func(any), known ...string) {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if slices.Contains(known, key) {
			v.below(key, object[key], check)
			continue
		}
		v.below(key, object[key], func(any) {
			v.report(Problem{
				Fault: UnknownKey, Text: textExtraKey, Advice: "what may stand here: " + strings.Join(known, ", "), Known: known,
			})
		})
	}
}

func (v *validator) below(key string, value any, check func(any)) {
	v.path = append(v.path, key)
	check(value)
	v.path = v.path[:len(v.path)-1]
}

// report notes a problem with the value at path.
func (v *validator) report(problem Problem) {
	problem.Path = slices.Clone(v.path)
	v.problems = append(v.problems, problem)
}
