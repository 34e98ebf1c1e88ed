package permission_test

import (
	"encoding/json"
	"testing"

	"github.com/seed-6a977b3d/latchkey/permission"
)

// FuzzParse feeds texts that need not be JSON. A policy that is accepted must be what the schema says and survive
// being written; one that is only stored must be evaluated as permissions.md §2 says.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		``, `{}`, `null`, `true`, `[]`, `{"entities": true}`, `{"entities": null}`, `{"entities": false}`,
		`{"entities": {"all": {"read": true}}}`,
		`{"entities": {"all": {"read": false, "control": 1e400, "edit": "yes"}}}`,
		`{"entities": {"entity_ids": {"light.kitchen": {"read": true}}, "all": {"control": true}}}`,
		`{"entities": {"device_ids": {"dev1": {"read": false}}, "area_ids": {"kitchen": {"read": true}}, "domains": {"light": true}}}`,
		`{"entities": {"domains": {"light": true}, "labels": {"x": [1, {"y": null}]}}, "config_entries": true}`,
		`{"entities": true, "entities": {"domains": {"\ud800": true, "\u0000'\"": {}}}}`,
		`{"entities": {"all": true}} {}`, `{"entities": {"all": {"read":`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var value permission.Policy
		decodeErr := json.Unmarshal(data, &value)
		policy, parseErr := permission.Parse(data)
		if parseErr == nil && (decodeErr != nil || !policy.Equal(value)) {
			t.Fatalf("parsed as %s, decoded as %s with error %v", policy, value, decodeErr)
		}
		if decodeErr != nil {
			return
		}
		if (parseErr == nil) != (value.Validate() == nil) {
			t.Fatalf("Parse says %v, Validate says %v", parseErr, value.Validate())
		}
		written, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		var again permission.Policy
		if err := json.Unmarshal(written, &again); err != nil || !again.Equal(value) {
			t.Fatalf("%s comes back as %s, %v", written, again, err)
		}
		agreesWithTheLiteralEvaluation(t, value)
	})
}

func agreesWithTheLiteralEvaluation(t *testing.T, policy permission.Policy) {
	var tree any
	if err := json.Unmarshal([]byte(policy.String()), &tree); err != nil {
		return // a number that fits no float64, which the naive evaluator cannot hold
	}
	permissions := permission.Compile(policy, workedRegistry())
	everyQuestion(func(entityID, key string) {
		want := naiveCheck(tree, workedRegistry(), entityID, key)
		if got := permissions.Check(entityID, key); got != want {
			t.Fatalf("%s: check %q %q = %t, want %t", policy, entityID, key, got, want)
		}
	})
	_, ok := naiveMerge([]any{tree})
	if _, err := permission.Merge(policy); (err == nil) != ok {
		t.Fatalf("%s: merge gives the error %v, want success %t", policy, err, ok)
	}
	if policy.Validate() == nil && (!naiveValid(tree) || !ok) {
		t.Fatalf("%s is valid, but not by the schema or not mergeable", policy)
	}
}
