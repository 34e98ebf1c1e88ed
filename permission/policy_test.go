package permission_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/seed-6a977b3d/latchkey/permission"
)

// spec: storage.md §2, a stored policy is not validated, and nothing of it may be lost.
func TestPoliciesSurviveTheRoundTripThroughJSON(t *testing.T) {
	for _, text := range []string{
		`{}`, `null`, `true`, `false`, `[]`, `"text"`, `1.50`,
		`{"entities":null}`, `{"entities":{"all":null,"domains":{}}}`, `{"entities":false}`,
		`{"config_entries":{"a":[1,null,{"b":[]}]},"entities":{"labels":{"x":"<&>"}}}`,
		`{"n":[12345678901234567890123,0.1,1e400,-0,1.0]}`,
	} {
		t.Run(text, func(t *testing.T) {
			policy := stored(t, text)
			if got := policy.String(); got != text {
				t.Errorf("written back as %s", got)
			}
			inside := struct{ Policy permission.Policy }{policy}
			data, err := json.Marshal(inside)
			if err != nil {
				t.Fatal(err)
			}
			inside.Policy = permission.Policy{}
			if err := json.Unmarshal(data, &inside); err != nil {
				t.Fatal(err)
			}
			if !inside.Policy.Equal(policy) {
				t.Errorf("inside another value it comes back as %s", inside.Policy)
			}
		})
	}
}

func TestEqualComparesValues(t *testing.T) {
	cases := []struct {
		a, b string
		want bool
	}{
		{`{"a": 1, "b": [true, null]}`, `{"b": [true, null], "a": 1}`, true},
		{`{"a": null}`, `{}`, false},
		{`{"a": null}`, `{"b": null}`, false},
		{`{"a": {}}`, `{"a": []}`, false},
		{`{"a": [1]}`, `{"a": [1, 2]}`, false},
		{`{"a": [1, 2]}`, `{"a": [2, 1]}`, false},
		{`{"a": "1"}`, `{"a": 1}`, false},
		{`{"a": true}`, `{"a": {"b": true}}`, false},
		{`null`, `{}`, false},
		{`false`, `false`, true},
	}
	for _, c := range cases {
		t.Run(c.a+" and "+c.b, func(t *testing.T) {
			a, b := stored(t, c.a), stored(t, c.b)
			if a.Equal(b) != c.want || b.Equal(a) != c.want || !a.Equal(a) {
				t.Errorf("equal is %t and %t, want %t", a.Equal(b), b.Equal(a), c.want)
			}
		})
	}
	if !stored(t, `{}`).Equal(permission.Policy{}) {
		t.Error("the zero policy is not {}")
	}
	if diff := cmp.Diff(stored(t, `{"entities": true}`), permission.AdminPolicy()); diff != "" {
		t.Error(diff)
	}
}

func TestParseRefusesWhatIsNotOneJSONValue(t *testing.T) {
	for _, text := range []string{
		``, ` `, `{`, `{"entities": true`, `{"entities": true}}`, `{} {}`, `{"entities": tru}`, `{entities: true}`, "\x00",
	} {
		policy, err := permission.Parse([]byte(text))
		if err == nil {
			t.Errorf("%q parsed as %s", text, policy)
			continue
		}
		var invalid *permission.ValidationError
		if errors.As(err, &invalid) {
			t.Errorf("%q: %v, want an error of the syntax", text, err)
		}
		if !strings.HasPrefix(err.Error(), "policy is not JSON: ") {
			t.Errorf("%q: error %q does not say what is wrong", text, err)
		}
	}
}

func TestASyntaxErrorSaysItsLineAndColumn(t *testing.T) {
	for text, want := range map[string]permission.SyntaxError{
		"":                             {Line: 1, Column: 1, Cause: io.ErrUnexpectedEOF},
		"{\n  ":                        {Line: 2, Column: 3, Cause: io.ErrUnexpectedEOF},
		"{} \n\n 1":                    {Line: 3, Column: 2, Cause: permission.ErrTrailing},
		"{}\n}":                        {Line: 2, Column: 1, Cause: permission.ErrTrailing},
		"{\n\"é\": tru}":               {Line: 2, Column: 9},
		"{\"entities\": {\n  all: 1}}": {Line: 2, Column: 3},
	} {
		_, err := permission.Parse([]byte(text))
		var got *permission.SyntaxError
		if !errors.As(err, &got) || got.Line != want.Line || got.Column != want.Column {
			t.Errorf("%q: %#v, want line %d and column %d", text, err, want.Line, want.Column)
		} else if want.Cause != nil && !errors.Is(err, want.Cause) {
			t.Errorf("%q: %v, want %v", text, err, want.Cause)
		}
	}
}

func TestASyntaxErrorSaysItsLine(t *testing.T) {
	for text, want := range map[string]string{
		``:                          "line 1: ",
		"{":                         "line 1: ",
		"{\n":                       "line 2: ",
		"{\n\t\"entities\": tru\n}": "line 2: ",
		"{\n\t\"entities\": {\n\t\tall: true\n\t}\n}": "line 3: ",
		"\xff": "line 1: ",
	} {
		if _, err := permission.Parse([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), "policy is not JSON: "+want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestOfANameThatStandsTwiceTheLastCounts(t *testing.T) {
	policy, err := permission.Parse([]byte(`{"entities": true, "entities": {"all": {"edit": true}, "all": {"read": true}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if !policy.Equal(permission.ReadOnlyPolicy()) {
		t.Errorf("parsed as %s", policy)
	}
}

func TestNewTakesAGoLiteral(t *testing.T) {
	rules := permission.Object{"entities": permission.Object{"domains": permission.Object{"light": permission.Object{"read": true}}}}
	policy, err := permission.New(rules)
	if err != nil {
		t.Fatal(err)
	}
	rules["entities"].(permission.Object)["all"] = true
	if want := `{"entities":{"domains":{"light":{"read":true}}}}`; policy.String() != want {
		t.Errorf("policy is %s, want %s: it must not share the literal's maps", policy, want)
	}
	if empty, err := permission.New(nil); err != nil || empty.String() != `{}` {
		t.Errorf("New(nil) = %s, %v", empty, err)
	}
}

func TestNewRefusesWhatIsNoPolicy(t *testing.T) {
	circle := permission.Object{}
	circle["entities"] = circle
	for name, rules := range map[string]permission.Object{
		"null":           {"entities": nil},
		"false":          {"entities": false},
		"map of bools":   {"entities": map[string]bool{"all": true}},
		"slice":          {"entities": []string{"all"}},
		"function":       {"entities": func() {}},
		"circle":         circle,
		"other category": {"config_entries": true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := permission.New(rules)
			var invalid *permission.ValidationError
			if !errors.As(err, &invalid) {
				t.Errorf("error %v, want a ValidationError", err)
			}
		})
	}
}

func TestMustPanicsOnAnUnsoundPolicyOnly(t *testing.T) {
	if got := permission.Must(permission.Parse([]byte(`{"entities": true}`))); !got.Equal(permission.AdminPolicy()) {
		t.Errorf("policy is %s", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic for an unsound policy")
		}
	}()
	permission.Must(permission.New(permission.Object{"entities": false}))
}

func TestDeepNestingIsAnErrorOrAPolicyNeverAPanic(t *testing.T) {
	for _, depth := range []int{100, 9_000, 1_000_000} {
		for name, text := range map[string]string{
			"objects": strings.Repeat(`{"entities":`, depth) + "true" + strings.Repeat("}", depth),
			"lists":   `{"entities":` + strings.Repeat(`[`, depth) + strings.Repeat("]", depth) + "}",
			"open":    strings.Repeat(`{"all":`, depth),
		} {
			if _, err := permission.Parse([]byte(text)); err == nil {
				t.Errorf("%s, depth %d: accepted", name, depth)
			}
			var policy permission.Policy
			if err := json.Unmarshal([]byte(text), &policy); err != nil {
				continue
			}
			if policy.Validate() == nil {
				t.Errorf("%s, depth %d: valid", name, depth)
			}
			if got := policy.String(); got != text {
				t.Errorf("%s, depth %d: written back otherwise", name, depth)
			}
			if merged, err := permission.Merge(policy, policy); err == nil && !merged.Equal(policy) {
				t.Errorf("%s, depth %d: merged with itself it is another", name, depth)
			}
			if permission.Compile(policy, nil).Check("light.kitchen", permission.Read) {
				t.Errorf("%s, depth %d: granted", name, depth)
			}
		}
	}
}
