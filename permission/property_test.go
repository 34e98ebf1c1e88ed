package permission_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/seed-6a977b3d/latchkey/permission"
	"pgregory.net/rapid"
)

// The names are few, so that policies and questions meet.
var (
	entityIDs     = []string{"light.kitchen", "light.bedroom", "switch.garage", "sensor.nodev", "light.ghostdev", "camera.ownarea", "light", "light.a.b", "nobody.knows", ""}
	names         = []string{"light.kitchen", "light.bedroom", "light", "switch", "dev1", "dev2", "gone", "kitchen", "upstairs", "attic", "all", ""}
	keys          = []string{"read", "control", "edit", "frobnicate", ""}
	subcategories = []string{"entity_ids", "device_ids", "area_ids", "domains", "all"}
)

// objectOf draws an object with some of the names.
func objectOf(names []string, value *rapid.Generator[any]) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		return rapid.MapOfN(rapid.SampledFrom(names), value, 0, 4).Draw(t, "object")
	})
}

// grammar draws policies by the rules of permissions.md §1, where a leaf is one of the given ones: true alone gives
// what the schema of §7 admits.
func grammar(leaves ...any) *rapid.Generator[any] {
	leaf := rapid.SampledFrom(leaves)
	grant := rapid.OneOf(leaf, objectOf(keys[:3], leaf))
	byID := rapid.OneOf(leaf, objectOf(names, grant))
	entities := rapid.Custom(func(t *rapid.T) any {
		category := map[string]any{}
		for _, sub := range subcategories {
			if rapid.Bool().Draw(t, "has "+sub) {
				value := byID
				if sub == "all" {
					value = grant
				}
				category[sub] = value.Draw(t, sub)
			}
		}
		return category
	})
	return objectOf([]string{"entities"}, rapid.OneOf(leaf, entities, entities, entities))
}

// wild draws policies that resemble sound ones but may hold anything anywhere.
func wild() *rapid.Generator[any] {
	leaf := rapid.SampledFrom([]any{nil, true, true, false, 1.0, 0.0, "true", "", []any{}, []any{true}, map[string]any{}})
	grant := rapid.OneOf(leaf, objectOf(keys, leaf), objectOf(keys, leaf))
	byID := rapid.OneOf(leaf, objectOf(names, grant), objectOf(names, grant), objectOf(names, grant))
	object := objectOf(append([]string{"labels"}, subcategories...), rapid.OneOf(byID, grant))
	root := objectOf([]string{"entities", "entities", "config_entries"}, rapid.OneOf(object, object, object, leaf))
	return rapid.OneOf(root, root, root, root, leaf, grammar(true), grammar(true, nil), grammar(true, nil, false))
}

// policyOf hands a drawn value to the package in the way files do.
func policyOf(t interface{ Fatal(...any) }, value any) permission.Policy {
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var policy permission.Policy
	if err := json.Unmarshal(data, &policy); err != nil {
		t.Fatal(err)
	}
	return policy
}

// everyQuestion calls ask for each pair of entity and key.
func everyQuestion(ask func(entityID, key string)) {
	for _, entityID := range entityIDs {
		for _, key := range keys {
			ask(entityID, key)
		}
	}
}

func mustMerge(t *rapid.T, policies ...permission.Policy) permission.Policy {
	merged, err := permission.Merge(policies...)
	if err != nil {
		t.Fatal(err)
	}
	return merged
}

// spec: permissions.md §2 and §3, for sound and unsound policies, with and without a lookup.
func TestCompiledAndLiteralEvaluationAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := wild().Draw(t, "policy")
		var lookup permission.Lookup
		if rapid.Bool().Draw(t, "has lookup") {
			lookup = workedRegistry()
		}
		permissions := permission.Compile(policyOf(t, value), lookup)
		everyQuestion(func(entityID, key string) {
			want := naiveCheck(value, lookup, entityID, key)
			if got := permissions.Check(entityID, key); got != want {
				t.Fatalf("check %q %q = %t, want %t", entityID, key, got, want)
			}
			if got, want := permissions.AccessAll(key), naiveAccessAll(value, key); got != want {
				t.Fatalf("access-all %q = %t, want %t", key, got, want)
			}
		})
	})
}

func TestExplainLeadsToTheValueThatDecided(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := wild().Draw(t, "policy")
		permissions := permission.Compile(policyOf(t, value), workedRegistry())
		everyQuestion(func(entityID, key string) {
			decision := permissions.Explain(entityID, key)
			if decision.Allowed != permissions.Check(entityID, key) {
				t.Fatalf("explain and check of %q %q differ", entityID, key)
			}
			if decision.By == permission.ByNobody {
				return
			}
			found := follow(value, decision)
			if _, boolean := found.(bool); boolean && decision.By == permission.BySubcategory {
				if !decision.Allowed {
					t.Fatalf("%q %q: %s, but a boolean there grants everything", entityID, key, decision)
				}
				return
			}
			if found == nil || decision.Allowed != (found == true) {
				t.Fatalf("%q %q: %s, but there is %v", entityID, key, decision, found)
			}
		})
	})
}

// follow walks to the place that the decision names.
func follow(policy any, decision permission.Decision) any {
	path := []string{"entities"}
	if decision.By >= permission.BySubcategory {
		path = append(path, decision.Subcategory)
	}
	if decision.By >= permission.ByEntry && decision.Subcategory != "all" {
		path = append(path, decision.Entry)
	}
	if decision.By >= permission.ByKey {
		path = append(path, decision.Key)
	}
	for _, key := range path {
		object, _ := policy.(map[string]any)
		policy = object[key]
	}
	return policy
}

// spec: permissions.md §3, "The cheap test may be used to skip per-entity checks only when it says yes". It holds
// for valid policies: a false elsewhere may forbid what all grants.
func TestAccessToAllImpliesAccessToEach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		permissions := permission.Compile(policyOf(t, grammar(true).Draw(t, "policy")), workedRegistry())
		everyQuestion(func(entityID, key string) {
			if permissions.AccessAll(key) && !permissions.Check(entityID, key) {
				t.Fatalf("all grants %q, but not on %q", key, entityID)
			}
		})
	})
}

// spec: permissions.md §5, for sound and unsound policies.
func TestMergeFollowsTheLiteralRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.OneOf(grammar(true, nil), grammar(true, nil), wild()), 0, 4).Draw(t, "policies")
		var sources, before []permission.Policy
		for _, value := range values {
			sources = append(sources, policyOf(t, value))
			before = append(before, policyOf(t, value))
		}
		got, err := permission.Merge(sources...)
		want, ok := naiveMerge(values)
		switch {
		case !ok && !errors.Is(err, permission.ErrUnmergeable):
			t.Fatalf("merged to %s with error %v, want ErrUnmergeable", got, err)
		case !ok && !got.Equal(permission.Policy{}):
			t.Fatalf("a failed merge gives %s", got)
		case ok && err != nil:
			t.Fatal(err)
		case ok && !got.Equal(policyOf(t, want)):
			t.Fatalf("merged to %s, want %v", got, want)
		}
		if !slices.EqualFunc(sources, before, permission.Policy.Equal) {
			t.Fatal("merging changed its sources")
		}
	})
}

// Nulls are included: they make no policy unmergeable.
func TestMergeIsCommutativeAssociativeAndIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policies := grammar(true, nil)
		a := policyOf(t, policies.Draw(t, "a"))
		b := policyOf(t, policies.Draw(t, "b"))
		c := policyOf(t, policies.Draw(t, "c"))
		if ab, ba := mustMerge(t, a, b), mustMerge(t, b, a); !ab.Equal(ba) {
			t.Fatalf("not commutative: %s and %s", ab, ba)
		}
		left, right := mustMerge(t, mustMerge(t, a, b), c), mustMerge(t, a, mustMerge(t, b, c))
		if !left.Equal(right) || !left.Equal(mustMerge(t, a, b, c)) {
			t.Fatalf("not associative: %s and %s", left, right)
		}
		if aa := mustMerge(t, a, a); !aa.Equal(a) || !mustMerge(t, a).Equal(a) {
			t.Fatalf("not idempotent: %s", aa)
		}
		if !mustMerge(t, a, permission.Policy{}).Equal(a) {
			t.Fatal("the empty policy is not neutral")
		}
	})
}

// spec: permissions.md §5: what any group grants is granted, and nothing else.
func TestMergedPoliciesGrantWhatAnyOfThemGrants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sources []permission.Policy
		var each []*permission.Permissions
		for _, value := range rapid.SliceOfN(grammar(true), 1, 4).Draw(t, "policies") {
			policy := policyOf(t, value)
			sources = append(sources, policy)
			each = append(each, permission.Compile(policy, workedRegistry()))
		}
		policy := mustMerge(t, sources...)
		if err := policy.Validate(); err != nil {
			t.Fatalf("valid policies merge to an invalid one: %v", err)
		}
		merged := permission.Compile(policy, workedRegistry())
		everyQuestion(func(entityID, key string) {
			granted := slices.ContainsFunc(each, func(p *permission.Permissions) bool { return p.Check(entityID, key) })
			if got := merged.Check(entityID, key); got != granted {
				t.Fatalf("check %q %q = %t, the single policies say %t", entityID, key, got, granted)
			}
			granted = slices.ContainsFunc(each, func(p *permission.Permissions) bool { return p.AccessAll(key) })
			if got := merged.AccessAll(key); got != granted {
				t.Fatalf("access-all %q = %t, the single policies say %t", key, got, granted)
			}
		})
	})
}

// spec: permissions.md §7.
func TestValidateAcceptsExactlyTheGrammar(t *testing.T) {
	t.Run("what the grammar generates is valid", rapid.MakeCheck(func(t *rapid.T) {
		value := grammar(true).Draw(t, "policy")
		if err := policyOf(t, value).Validate(); err != nil {
			t.Fatal(err)
		}
		literal := value.(map[string]any)
		if policy, err := permission.New(literal); err != nil || !policy.Equal(policyOf(t, value)) {
			t.Fatalf("as a Go literal it is %s, %v", policy, err)
		}
	}))
	t.Run("anything else is as the schema says", rapid.MakeCheck(func(t *rapid.T) {
		value := wild().Draw(t, "policy")
		err := policyOf(t, value).Validate()
		if (err == nil) != naiveValid(value) {
			t.Fatalf("Validate says %v, the schema says %t", err, naiveValid(value))
		}
	}))
	t.Run("one wrong place makes it invalid", rapid.MakeCheck(func(t *rapid.T) {
		value := spoil(t, grammar(true).Draw(t, "policy"))
		var invalid *permission.ValidationError
		if err := policyOf(t, value).Validate(); !errors.As(err, &invalid) || len(invalid.Problems) != 1 {
			t.Fatalf("Validate says %v of %v, want one problem", err, value)
		}
	}))
}

// spoil puts something at a random place that may stand nowhere.
func spoil(t *rapid.T, value any) any {
	object, ok := value.(map[string]any)
	if !ok || len(object) > 0 && rapid.Bool().Draw(t, "here") && rapid.Bool().Draw(t, "really") {
		return rapid.SampledFrom([]any{nil, false, 1.0, "true", []any{}}).Draw(t, "instead")
	}
	spoiled := maps.Clone(object)
	if len(object) == 0 {
		spoiled["unheard of"] = rapid.SampledFrom([]any{nil, false, 1.0}).Draw(t, "extra")
		return spoiled
	}
	key := rapid.SampledFrom(slices.Sorted(maps.Keys(object))).Draw(t, "key")
	spoiled[key] = spoil(t, object[key])
	return spoiled
}
