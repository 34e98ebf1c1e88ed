package notify

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// spec: mfa.md §5, "message"
func TestMessages(t *testing.T) {
	for in, want := range map[string]string{
		DefaultMessage:         "123456 is your Home Assistant login code",
		"{0}":                  "123456",
		"code {}":              "code 123456",
		"{0} or {0}":           "123456 or 123456",
		"{{{}}} and {{}}":      "{123456} and {}",
		"Ihr Schlüssel: {} ✓":  "Ihr Schlüssel: 123456 ✓",
		"{{0}} is not it, {} ": "{0} is not it, 123456 ",
	} {
		m, err := parseMessage(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if got := m.with("123456"); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	for _, in := range []string{"", "no code", "{", "}", "{} {", "{1}", "{code}", "{!r}", "{:>8}", "{}}", "{{}}"} {
		if m, err := parseMessage(in); err == nil {
			t.Errorf("%q is accepted, and becomes %q", in, m.with("123456"))
		}
	}
}

// Texts whose braces are doubled come out as they were.
func TestAnyTextCanBeWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := rapid.String().Draw(t, "before"), rapid.String().Draw(t, "after")
		double := strings.NewReplacer("{", "{{", "}", "}}").Replace
		m, err := parseMessage(double(before) + "{0}" + double(after))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.with("123456"); got != before+"123456"+after {
			t.Fatalf("got %q", got)
		}
	})
}

func FuzzParseMessage(f *testing.F) {
	for _, s := range []string{DefaultMessage, "{{{}}}", "{", "{0", "}{"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := parseMessage(s); err == nil && !strings.Contains(m.with("123456"), "123456") {
			t.Errorf("%q is accepted and does not hold the code", s)
		}
	})
}

// spec: mfa.md §5, "one text or a list of texts (null = empty list, numbers become texts)"
func TestParseNames(t *testing.T) {
	for _, tt := range []struct {
		in   any
		want []string
	}{
		{nil, nil},
		{"a", []string{"a"}},
		{[]string{"a", "b"}, []string{"a", "b"}},
		{[]any{"a", 5, 1.5, int64(7)}, []string{"a", "5", "1.5", "7"}},
		{[]any{}, []string{}},
		{12, []string{"12"}},
	} {
		got, err := ParseNames(tt.in)
		if d := cmp.Diff(tt.want, got); err != nil || d != "" {
			t.Errorf("ParseNames(%v): %v (-want +got): %s", tt.in, err, d)
		}
	}
	for _, in := range []any{true, map[string]any{}, []any{nil}, []any{[]any{"a"}}} {
		if got, err := ParseNames(in); err == nil {
			t.Errorf("ParseNames(%v) = %v", in, got)
		}
	}
}
