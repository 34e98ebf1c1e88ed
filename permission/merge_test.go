package permission_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey/permission"
)

type policies []string

func (p policies) stored(t testing.TB) []permission.Policy {
	t.Helper()
	var all []permission.Policy
	for _, text := range p {
		all = append(all, stored(t, text))
	}
	return all
}

// spec: permissions.md §5, M1 to M19.
func TestMerge(t *testing.T) {
	cases := []struct {
		id       string
		policies policies
		want     string
	}{
		{"M1", policies{}, `{}`},
		{"M2", policies{`{}`}, `{}`},
		{"M3", policies{`{}`, `{"entities": true}`}, `{"entities": true}`},
		{"M4", policies{`{"entities": null}`, `{"entities": {"entity_ids": true}}`}, `{"entities": {"entity_ids": true}}`},
		{"M5", policies{`{"entities": null}`, `{"entities": true}`}, `{"entities": true}`},
		{"M6", policies{`{"entities": null}`}, `{"entities": null}`},
		{"M7", policies{`{"entities": null}`, `{"entities": null}`}, `{"entities": null}`},
		{"M8", policies{`{"entities": {"entity_ids": true}}`, `{"entities": true}`}, `{"entities": true}`},
		{"M9", policies{`{"something_else": true, "entities": {"entity_ids": {"light.kitchen": true}}}`, `{"entities": {"entity_ids": true}}`}, `{"something_else": true, "entities": {"entity_ids": true}}`},
		{"M10", policies{`{"entities": {"domains": {"switch": true}}}`, `{"entities": {"entity_ids": {"light.kitchen": true}}}`}, `{"entities": {"domains": {"switch": true}, "entity_ids": {"light.kitchen": true}}}`},
		{"M11", policies{`{"entities": {"domains": {"light": {"read": true}}}}`, `{"entities": {"domains": {"light": {"control": true}}}}`}, `{"entities": {"domains": {"light": {"read": true, "control": true}}}}`},
		{"M12", policies{`{"entities": {"domains": {"light": {"read": true}}}}`, `{"entities": {"domains": {"light": true}}}`}, `{"entities": {"domains": {"light": true}}}`},
		{"M13", policies{`{"entities": {"all": {"read": true}}}`, `{"entities": {"domains": {"light": true}}}`}, `{"entities": {"all": {"read": true}, "domains": {"light": true}}}`},
		{"M14", policies{`{"entities": {}}`, `{"entities": null}`}, `{"entities": {}}`},
		{"M15", policies{`{"entities": {"all": null}}`, `{"entities": {"all": {"read": true}}}`}, `{"entities": {"all": {"read": true}}}`},
		{"M16", policies{`{"entities": {"all": null}}`}, `{"entities": {"all": null}}`},
		{"M17", policies{`{"entities": {"all": {"read": true}}}`, `{"entities": true}`}, `{"entities": true}`},
		{"M18", policies{`{"entities": {"all": {"read": true}}}`, `{"entities": {"domains": {"light": {"control": true}}}}`}, `{"entities": {"all": {"read": true}, "domains": {"light": {"control": true}}}}`},
		{"M19", policies{`{"entities": true}`, `{"entities": false}`}, `{"entities": true}`},
		{"a true ends the walk before a number", policies{`{"entities": true}`, `{"entities": 5}`}, `{"entities": true}`},
		{"a key missing elsewhere is merged as it is", policies{`{"entities": {"domains": {"light": null}}}`, `{"entities": {"domains": {}}}`},
			`{"entities": {"domains": {"light": null}}}`},
	}
	for _, c := range cases {
		t.Run(c.id, func(t *testing.T) {
			sources := c.policies.stored(t)
			got, err := permission.Merge(sources...)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal(stored(t, c.want)) {
				t.Errorf("merged to %s, want %s", got, c.want)
			}
			for i, source := range sources {
				if !source.Equal(stored(t, c.policies[i])) {
					t.Errorf("policy %d was changed to %s", i+1, source)
				}
			}
		})
	}
}

// spec: permissions.md §5, what cannot be merged; versions.md, "a policy containing `false` denies the user".
func TestMergeFailsAndDeniesEverything(t *testing.T) {
	const good = `{"entities": {"all": true}}`
	cases := []struct {
		name     string
		policies policies
		place    string
	}{
		{"false category", policies{`{"entities": false}`}, `data['entities']`},
		{"false sub-category", policies{`{"entities": {"all": false}}`}, `data['entities']['all']`},
		{"false key", policies{`{"entities": {"all": {"read": false}}}`}, `data['entities']['all']['read']`},
		{"false in an unknown category", policies{`{"other": false}`}, `data['other']`},
		{"false before true", policies{`{"entities": false}`, `{"entities": true}`}, `data['entities']`},
		{"object with false before true", policies{`{"entities": {"all": false}}`, `{"entities": true}`}, `data['entities']['all']`},
		{"object before true before object with false",
			policies{`{"entities": {"all": {}}}`, `{"entities": true}`, `{"entities": {"all": false}}`}, `data['entities']['all']`},
		{"false behind an object", policies{good, `{"entities": false}`}, `data['entities']`},
		{"number", policies{`{"entities": 1}`}, `data['entities']`},
		{"text", policies{`{"entities": {"domains": "light"}}`}, `data['entities']['domains']`},
		{"list", policies{`{"entities": {"domains": ["light"]}}`, good}, `data['entities']['domains']`},
		{"policy is false", policies{`false`}, `not an object`},
		{"policy is true", policies{good, `true`}, `not an object`},
		{"policy is a list", policies{`[]`, good}, `not an object`},
		{"policy is null", policies{`null`}, `not an object`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			merged, err := permission.Merge(c.policies.stored(t)...)
			if !errors.Is(err, permission.ErrUnmergeable) {
				t.Fatalf("merged to %s with error %v, want ErrUnmergeable", merged, err)
			}
			if !strings.Contains(err.Error(), c.place) {
				t.Errorf("the error %q does not name %s", err, c.place)
			}
			permissions := permission.Compile(merged, nil)
			if permissions.Check("light.kitchen", permission.Read) || permissions.AccessAll(permission.Read) {
				t.Error("a policy that cannot be merged grants something")
			}
		})
	}
}
