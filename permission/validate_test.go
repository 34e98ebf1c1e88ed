package permission_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/seed-6a977b3d/latchkey/permission"
)

// spec: permissions.md §7, S1 to S27. An empty problem means that the policy is valid.
func TestValidate(t *testing.T) {
	cases := []struct {
		id, policy, problem string
	}{
		{"S1", `{}`, ""},
		{"S2", `{"entities": true}`, ""},
		{"S3", `{"entities": {}}`, ""},
		{"S4", `{"entities": null}`, "not a valid value for dictionary value @ data['entities']"},
		{"S5", `{"entities": false}`, "not a valid value for dictionary value @ data['entities']"},
		{"S6", `{"entities": "yes"}`, "not a valid value for dictionary value @ data['entities']"},
		{"S7", `{"entities": {"all": true}}`, ""},
		{"S8", `{"entities": {"all": {}}}`, ""},
		{"S9", `{"entities": {"all": {"read": true, "control": true, "edit": true}}}`, ""},
		{"S10", `{"entities": {"all": {"read": false}}}`, "not a valid value for dictionary value @ data['entities']['all']['read']"},
		{"S11", `{"entities": {"all": {"read": null}}}`, "not a valid value for dictionary value @ data['entities']['all']['read']"},
		{"S12", `{"entities": {"all": {"write": true}}}`, "extra keys not allowed @ data['entities']['all']['write']"},
		{"S13", `{"entities": {"all": null}}`, "not a valid value for dictionary value @ data['entities']['all']"},
		{"S14", `{"entities": {"all": false}}`, "not a valid value for dictionary value @ data['entities']['all']"},
		{"S15", `{"entities": {"domains": true}}`, ""},
		{"S16", `{"entities": {"domains": {}}}`, ""},
		{"S17", `{"entities": {"domains": {"light": true}}}`, ""},
		{"S18", `{"entities": {"domains": {"light": false}}}`, "not a valid value for dictionary value @ data['entities']['domains']['light']"},
		{"S19", `{"entities": {"domains": {"light": {"read": true}}}}`, ""},
		{"S20", `{"entities": {"domains": {"light": {"frob": true}}}}`, "extra keys not allowed @ data['entities']['domains']['light']['frob']"},
		{"S21", `{"entities": {"entity_ids": {"light.kitchen": true}}}`, ""},
		{"S22", `{"entities": {"entity_ids": {"light.kitchen": false}}}`, "not a valid value for dictionary value @ data['entities']['entity_ids']['light.kitchen']"},
		{"S23", `{"entities": {"entity_ids": ["light.kitchen"]}}`, "not a valid value for dictionary value @ data['entities']['entity_ids']"},
		{"S24", `{"entities": {"device_ids": {"d": {"edit": true}}, "area_ids": {"a": true}}}`, ""},
		{"S25", `{"entities": {"labels": true}}`, "extra keys not allowed @ data['entities']['labels']"},
		{"S26", `{"config_entries": true}`, "extra keys not allowed @ data['config_entries']"},
		{"S27", `{"entities": {"area_ids": true, "all": {"read": true}}}`, ""},
		{"1 is not true", `{"entities": 1}`, "not a valid value for dictionary value @ data['entities']"},
		{"1 is not true for a key", `{"entities": {"all": {"read": 1}}}`, "not a valid value for dictionary value @ data['entities']['all']['read']"},
		{"null policy", `null`, "expected a dictionary"},
		{"true policy", `true`, "expected a dictionary"},
		{"list policy", `[]`, "expected a dictionary"},
		{"quotes in a key", `{"entities": {"domains": {"it's\n": 0}}}`, `not a valid value for dictionary value @ data['entities']['domains']['it\'s\n']`},
	}
	for _, c := range cases {
		t.Run(c.id, func(t *testing.T) {
			policy, parseErr := permission.Parse([]byte(c.policy))
			err := stored(t, c.policy).Validate()
			if c.problem == "" {
				if err != nil || parseErr != nil {
					t.Fatalf("refused: %v, %v", err, parseErr)
				}
				if !policy.Equal(stored(t, c.policy)) {
					t.Errorf("parsed as %s", policy)
				}
				return
			}
			var invalid *permission.ValidationError
			if !errors.As(err, &invalid) || !errors.As(parseErr, &invalid) {
				t.Fatalf("errors %v and %v, want two ValidationErrors", err, parseErr)
			}
			if !policy.Equal(permission.Policy{}) {
				t.Errorf("parsed as %s, want the empty policy", policy)
			}
			if len(invalid.Problems) != 1 || invalid.Problems[0].String() != c.problem {
				t.Errorf("problems %q, want %q", invalid.Problems, c.problem)
			}
			if !strings.HasPrefix(err.Error(), "policy: "+c.problem+"; ") {
				t.Errorf("the error %q does not begin with the problem", err)
			}
		})
	}
}

func TestValidateTellsAllProblems(t *testing.T) {
	err := stored(t, `{"x": 1, "entities": {"all": {"read": null, "write": true}, "labels": {}, "domains": {"light": 0}}}`).Validate()
	var invalid *permission.ValidationError
	if !errors.As(err, &invalid) {
		t.Fatalf("error %v", err)
	}
	var got []string
	for _, problem := range invalid.Problems {
		got = append(got, problem.String())
	}
	want := []string{
		"not a valid value for dictionary value @ data['entities']['all']['read']",
		"extra keys not allowed @ data['entities']['all']['write']",
		"not a valid value for dictionary value @ data['entities']['domains']['light']",
		"extra keys not allowed @ data['entities']['labels']",
		"extra keys not allowed @ data['x']",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"entities", "all", "write"}, invalid.Problems[1].Path); diff != "" {
		t.Error(diff)
	}
	wantFaults := []permission.Fault{
		permission.NotTrue, permission.UnknownKey, permission.NoGrant, permission.UnknownKey, permission.UnknownKey,
	}
	for i, problem := range invalid.Problems {
		if problem.Fault != wantFaults[i] || (len(problem.Known) > 0) != (problem.Fault == permission.UnknownKey) {
			t.Errorf("%s is the fault %d, known are %q", problem, problem.Fault, problem.Known)
		}
	}
	if diff := cmp.Diff([]string{"read", "control", "edit"}, invalid.Problems[1].Known); diff != "" {
		t.Error(diff)
	}
	if want := "policy: " + want[0] + "; write true, or leave the key out (and 4 more)"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}
