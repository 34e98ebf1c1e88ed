package notify

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// DefaultMessage is what is sent unless it is configured otherwise (mfa.md §5).
const DefaultMessage = "{} is your Home Assistant login code"

// message is a text with places for the code: the texts before, between and behind them.
type message []string

// parseMessage reads a text in which {} or {0} stands for the code, and {{ and }} for braces.
func parseMessage(s string) (message, error) {
	m := message{""}
	for i := 0; i < len(s); i++ {
		rest := s[i:]
		switch {
		case strings.HasPrefix(rest, "{{"), strings.HasPrefix(rest, "}}"):
			m[len(m)-1] += rest[:1]
			i++
		case strings.HasPrefix(rest, "{}"):
			m = append(m, "")
			i++
		case strings.HasPrefix(rest, "{0}"):
			m = append(m, "")
			i += 2
		case rest[0] == '{' || rest[0] == '}':
			return nil, fmt.Errorf("message %q: write {} where the code goes, and {{ or }} for a brace of its own", s)
		default:
			m[len(m)-1] += rest[:1]
		}
	}
	if len(m) == 1 {
		return nil, fmt.Errorf("message %q has no {}: nobody would learn the code", s)
	}
	return m, nil
}

// with returns the message with the code.
func (m message) with(code string) string { return strings.Join(m, code) }

// ParseNames reads the settings include and exclude: one text, a list of texts, or nothing. Numbers become texts
// (mfa.md §5).
func ParseNames(v any) ([]string, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []string:
		return v, nil
	case []any:
		names := make([]string, len(v))
		for i, entry := range v {
			name, err := parseName(entry)
			if err != nil {
				return nil, err
			}
			names[i] = name
		}
		return names, nil
	default:
		name, err := parseName(v)
		if err != nil {
			return nil, err
		}
		return []string{name}, nil
	}
}

func parseName(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int, int64, uint64:
		return fmt.Sprint(v), nil
	case float64:
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			return strconv.FormatFloat(v, 'f', -1, 64), nil
		}
	}
	return "", errors.New("not the name of a service: write a text such as mobile_app_anna")
}
