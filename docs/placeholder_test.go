package docs

import (
	"fmt"
	"regexp"
	"strings"
)

// placeholders are the values of {{name}} in examples, as far as they are known.
type placeholders map[string]string

var placeholder = regexp.MustCompile(`\{\{([^{}]+)\}\}`)

// fill puts the values into a text of a request.
func (p placeholders) fill(text string) (string, error) {
	var unknown error
	filled := placeholder.ReplaceAllStringFunc(text, func(m string) string {
		value, ok := p[m[2:len(m)-2]]
		if !ok {
			unknown = fmt.Errorf("%s is not known yet", m)
		}
		return value
	})
	return filled, unknown
}

// fillAll does so in all texts of a value.
func (p placeholders) fillAll(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return p.fill(v)
	case map[string]any:
		out := map[string]any{}
		for name, each := range v {
			filled, err := p.fillAll(each)
			if err != nil {
				return nil, err
			}
			out[name] = filled
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, each := range v {
			filled, err := p.fillAll(each)
			if err != nil {
				return nil, err
			}
			out[i] = filled
		}
		return out, nil
	}
	return v, nil
}

// compare says how an answer differs from an example, and learns the placeholders that it did not know.
func (p placeholders) compare(where string, want, got any) []string {
	switch want := want.(type) {
	case string:
		return p.compareText(where, want, got)
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %v, want an object", where, got)}
		}
		var problems []string
		for name, each := range want {
			value, there := object[name]
			if !there {
				problems = append(problems, fmt.Sprintf("%s/%s is missing", where, name))
				continue
			}
			problems = append(problems, p.compare(where+"/"+name, each, value)...)
		}
		for name := range object {
			if _, expected := want[name]; !expected {
				problems = append(problems, fmt.Sprintf("%s/%s is not in the example", where, name))
			}
		}
		return problems
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return []string{fmt.Sprintf("%s is %v, want a list of %d", where, got, len(want))}
		}
		var problems []string
		for i := range want {
			problems = append(problems, p.compare(fmt.Sprintf("%s/%d", where, i), want[i], list[i])...)
		}
		return problems
	}
	if want != got {
		return []string{fmt.Sprintf("%s is %v, want %v", where, got, want)}
	}
	return nil
}

func (p placeholders) compareText(where, want string, got any) []string {
	if want == "{{*}}" {
		return nil
	}
	text, ok := got.(string)
	if !ok {
		return []string{fmt.Sprintf("%s is %v, want a text", where, got)}
	}
	if m := placeholder.FindStringSubmatch(want); m != nil && m[0] == want {
		if known, ok := p[m[1]]; !ok {
			p[m[1]] = text
			return nil
		} else if known != text {
			return []string{fmt.Sprintf("%s is %q, and {{%s}} was %q before", where, text, m[1], known)}
		}
		return nil
	}
	parts := placeholder.Split(want, -1)
	for i, m := range placeholder.FindAllStringSubmatch(want, -1) {
		value := regexp.QuoteMeta(p[m[1]])
		if m[1] == "*" {
			value = ".*"
		}
		parts[i] = regexp.QuoteMeta(parts[i]) + value
	}
	parts[len(parts)-1] = regexp.QuoteMeta(parts[len(parts)-1])
	if !regexp.MustCompile("(?s)^" + strings.Join(parts, "") + "$").MatchString(text) {
		return []string{fmt.Sprintf("%s is %q, want %q", where, text, want)}
	}
	return nil
}
