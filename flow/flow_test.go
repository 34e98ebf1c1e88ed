package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey/flow"
)

var userAndPassword = flow.Schema{
	{Name: "username", Kind: flow.String, Presence: flow.Required},
	{Name: "password", Kind: flow.String, Presence: flow.Required},
}

// spec: flows.md §5
func TestInputIsCheckedAgainstTheForm(t *testing.T) {
	users := flow.Schema{{Name: "user", Kind: flow.Select, Presence: flow.Required,
		Options: []flow.Option{flow.Choice("u2", "B"), flow.Choice("u1", "A")}}}
	tests := []struct {
		name   string
		schema flow.Schema
		in     flow.Input
		fields map[string]string
		base   []string
	}{
		{"missing", userAndPassword, flow.Input{"username": "a"}, map[string]string{"password": "required key not provided"}, nil},
		{"wrong type", userAndPassword, flow.Input{"username": 1, "password": "b"}, map[string]string{"username": "expected str"}, nil},
		{"extra", userAndPassword, flow.Input{"username": "a", "password": "b", "zz": 1}, map[string]string{},
			[]string{"extra keys not allowed @ data['zz']"}},
		{"not offered", users, flow.Input{"user": "zz"}, map[string]string{"user": "value must be one of ['u1', 'u2']"}, nil},
		{"null", userAndPassword, flow.Input{"username": nil, "password": "b"}, map[string]string{"username": "expected str"}, nil},
		{"fraction", flow.Schema{{Name: "x", Kind: flow.Integer}}, flow.Input{"x": 1.5}, map[string]string{"x": "expected int"}, nil},
		{"not a bool", flow.Schema{{Name: "x", Kind: flow.Boolean}}, flow.Input{"x": "true"}, map[string]string{"x": "expected bool"}, nil},
		{"longer than any password", userAndPassword, flow.Input{"username": strings.Repeat("ﷺ", 1366), "password": strings.Repeat("b", 4096)},
			map[string]string{"username": "length of value must be at most 4096"}, nil},
		{"not a number", flow.Schema{{Name: "x", Kind: flow.Float}}, flow.Input{"x": "1"}, map[string]string{"x": "expected float"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.schema.Validate(tt.in)
			var invalid *flow.InvalidData
			if !errors.As(err, &invalid) {
				t.Fatalf("error = %v, want an InvalidData", err)
			}
			if d := cmp.Diff(tt.fields, invalid.Fields); d != "" {
				t.Error("fields (-want +got):", d)
			}
			if d := cmp.Diff(tt.base, invalid.Base); d != "" {
				t.Error("base (-want +got):", d)
			}
		})
	}
}

// spec: flows.md §3 configure, "converted, defaults filled"
func TestInputIsConvertedAndCompleted(t *testing.T) {
	schema := flow.Schema{
		{Name: "n", Kind: flow.Integer, Presence: flow.Required},
		{Name: "f", Kind: flow.Float},
		{Name: "d", Kind: flow.Integer, Presence: flow.Optional, Default: 3},
		{Name: "left out", Kind: flow.String, Presence: flow.Optional},
	}
	got, err := schema.Validate(flow.Input{"n": 5.0, "f": json.Number("2.5")})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(flow.Input{"n": int64(5), "f": 2.5, "d": 3}, got); d != "" {
		t.Error("(-want +got):", d)
	}
}

// spec: flows.md §6 and §7, http-auth.md §5.5, L-12, L-18
func TestResultsOnTheWire(t *testing.T) {
	handler := [2]any{"homeassistant", nil}
	tests := []struct {
		name   string
		result flow.Result
		want   string
	}{
		{"form", flow.Form{StepID: "init", Schema: userAndPassword, Errors: flow.NoErrors()},
			`{"type":"form","flow_id":"F","handler":["homeassistant",null],"step_id":"init",
			"data_schema":[{"type":"string","name":"username","required":true},{"type":"string","name":"password","required":true}],
			"errors":{},"description_placeholders":null,"last_step":null,"preview":null}`},
		{"form without fields and errors", flow.Form{StepID: "init"},
			`{"type":"form","flow_id":"F","handler":["homeassistant",null],"step_id":"init","data_schema":[],
			"errors":null,"description_placeholders":null,"last_step":null,"preview":null}`},
		{"select without a mark", flow.Form{StepID: "select_mfa_module", Errors: flow.NoErrors(), Schema: flow.Schema{
			{Name: "multi_factor_auth_module", Kind: flow.Select, Options: []flow.Option{flow.Choice("totp", "App"), {Value: "x"}}}}},
			`{"type":"form","flow_id":"F","handler":["homeassistant",null],"step_id":"select_mfa_module",
			"data_schema":[{"type":"select","options":[["totp","App"],["x",null]],"name":"multi_factor_auth_module"}],
			"errors":{},"description_placeholders":null,"last_step":null,"preview":null}`},
		{"optional with default", flow.Form{StepID: "init", Errors: flow.BaseError("invalid_code"), Schema: flow.Schema{
			{Name: "x", Kind: flow.Integer, Presence: flow.Optional, Default: 3}}, Placeholders: map[string]string{"a": "b"}},
			`{"type":"form","flow_id":"F","handler":["homeassistant",null],"step_id":"init",
			"data_schema":[{"type":"integer","name":"x","required":false,"optional":true,"default":3}],
			"errors":{"base":"invalid_code"},"description_placeholders":{"a":"b"},"last_step":null,"preview":null}`},
		{"abort", flow.Abort{Reason: "login_expired"},
			`{"type":"abort","flow_id":"F","handler":["homeassistant",null],"reason":"login_expired","description_placeholders":null}`},
		{"done", flow.Done{Data: map[string]any{"result": "C"}},
			`{"version":1,"minor_version":1,"type":"create_entry","flow_id":"F","handler":["homeassistant",null],
			"description":null,"description_placeholders":null,"result":"C"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := flow.Encode("F", handler, tt.result)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(parse(t, tt.want), parse(t, string(got))); d != "" {
				t.Error("(-want +got):", d)
			}
		})
	}
}

func parse(t *testing.T, s string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return v
}

// A flow survives being written down and read again at every step.
func TestStateIsPlainData(t *testing.T) {
	counting := func(_ context.Context, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
		var seen []string
		if err := s.Recall(&seen); err != nil {
			return s, nil, err
		}
		if in != nil {
			seen = append(seen, in.Text("word"))
		}
		if len(seen) == 2 {
			return s, flow.Done{Data: map[string]any{"words": seen}}, nil
		}
		s, err := s.Remember(seen)
		return s, flow.Form{StepID: flow.InitStep, Errors: flow.NoErrors(),
			Schema: flow.Schema{{Name: "word", Kind: flow.String, Presence: flow.Required}}}, err
	}
	s := flow.New(flow.Context{RedirectURI: "https://app.example/"})
	var result flow.Result
	for _, in := range []flow.Input{nil, {"word": "a"}, {"word": "b"}} {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		s = flow.State{}
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatal(err)
		}
		if s, result, err = flow.Advance(t.Context(), s, in, counting); err != nil {
			t.Fatal(err)
		}
	}
	want := flow.Done{Data: map[string]any{"words": []string{"a", "b"}}}
	if d := cmp.Diff(flow.Result(want), result); d != "" {
		t.Error("(-want +got):", d)
	}
}

// spec: flows.md §3, "the flow stays as it is"
func TestWrongInputLeavesTheFlowAsItIs(t *testing.T) {
	step := func(_ context.Context, s flow.State, _ flow.Input) (flow.State, flow.Result, error) {
		s.Memory = json.RawMessage(`"changed"`)
		return s, flow.Form{StepID: "next", Schema: userAndPassword}, nil
	}
	s, _, err := flow.Advance(t.Context(), flow.New(flow.Context{}), nil, step)
	if err != nil {
		t.Fatal(err)
	}
	after, _, err := flow.Advance(t.Context(), s, flow.Input{"zz": 1}, step)
	if err == nil {
		t.Fatal("accepted")
	}
	if d := cmp.Diff(s, after, cmp.Comparer(func(a, b flow.Context) bool { return a == b })); d != "" {
		t.Error("(-before +after):", d)
	}
	if len(s.ID) != 32 {
		t.Errorf("id %q, want 32 digits (spec: http-auth.md L-3)", s.ID)
	}
}
