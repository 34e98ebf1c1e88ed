package docs

import (
	"fmt"
	"regexp"
	"slices"
)

// misfits says how a value differs from a schema, as far as the schemas of the document go: references, types, constants,
// enumerations, patterns, members, elements and alternatives.
func misfits(doc object, schema, value any, where string) []string {
	schema = resolve(doc, schema)
	rules, _ := schema.(object)
	if rules == nil {
		return nil
	}
	if alternatives, ok := rules["oneOf"].([]any); ok {
		return oneOf(doc, alternatives, value, where)
	}
	var problems []string
	say := func(format string, args ...any) {
		problems = append(problems, where+": "+fmt.Sprintf(format, args...))
	}
	if types := typesOf(rules["type"]); len(types) > 0 && !slices.ContainsFunc(types, func(t string) bool { return isOf(value, t) }) {
		say("%v is not of the type %v", value, types)
	}
	if want, ok := rules["const"]; ok && want != value {
		say("%v is not %v", value, want)
	}
	if choices, ok := rules["enum"].([]any); ok && !slices.Contains(choices, value) {
		say("%v is none of %v", value, choices)
	}
	if pattern, ok := rules["pattern"].(string); ok {
		if text, _ := value.(string); !regexp.MustCompile(pattern).MatchString(text) {
			say("%v does not match %s", value, pattern)
		}
	}
	switch value := value.(type) {
	case object:
		problems = append(problems, memberMisfits(doc, rules, value, where)...)
	case []any:
		if least, ok := rules["minItems"].(float64); ok && float64(len(value)) < least {
			say("there are only %d elements", len(value))
		}
		if most, ok := rules["maxItems"].(float64); ok && float64(len(value)) > most {
			say("there are %d elements", len(value))
		}
		for i, each := range value {
			problems = append(problems, misfits(doc, rules["items"], each, fmt.Sprintf("%s/%d", where, i))...)
		}
	}
	return problems
}

func memberMisfits(doc, rules, value object, where string) []string {
	var problems []string
	required, _ := rules["required"].([]any)
	for _, name := range required {
		if _, ok := value[name.(string)]; !ok {
			problems = append(problems, fmt.Sprintf("%s: %s is missing", where, name))
		}
	}
	members := fields(rules, "properties")
	for name, each := range value {
		schema, known := members[name]
		if !known && rules["additionalProperties"] == false {
			problems = append(problems, fmt.Sprintf("%s: %s is not in the schema", where, name))
		}
		problems = append(problems, misfits(doc, schema, each, where+"/"+name)...)
	}
	return problems
}

func oneOf(doc object, alternatives []any, value any, where string) []string {
	var all []string
	for _, schema := range alternatives {
		problems := misfits(doc, schema, value, where)
		if len(problems) == 0 {
			return nil
		}
		all = append(all, problems...)
	}
	return append([]string{where + ": it is none of the alternatives:"}, all...)
}

func typesOf(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var types []string
		for _, t := range v {
			types = append(types, t.(string))
		}
		return types
	}
	return nil
}

func isOf(value any, kind string) bool {
	switch value := value.(type) {
	case nil:
		return kind == "null"
	case bool:
		return kind == "boolean"
	case float64:
		return kind == "number" || kind == "integer" && value == float64(int64(value))
	case string:
		return kind == "string"
	case []any:
		return kind == "array"
	case object:
		return kind == "object"
	}
	return false
}
