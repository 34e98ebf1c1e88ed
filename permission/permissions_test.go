package permission_test

import (
	"testing"

	"github.com/seed-6a977b3d/latchkey/permission"
)

// spec: permissions.md §2, what no policy of the schema holds but a file may.
func TestUnusablePartsNeverGrant(t *testing.T) {
	cases := []struct {
		name, policy string
	}{
		{"policy is a text", `"entities"`},
		{"policy is true", `true`},
		{"policy is a list", `[{"entities": true}]`},
		{"policy is null", `null`},
		{"category is a number", `{"entities": 1}`},
		{"category is a text", `{"entities": "true"}`},
		{"category is a list", `{"entities": ["all"]}`},
		{"sub-category is a number", `{"entities": {"all": 1}}`},
		{"sub-category is a text", `{"entities": {"domains": "light"}}`},
		{"unusable sub-category stops the search", `{"entities": {"entity_ids": 1, "all": {"read": true}}}`},
		{"unusable device_ids stop the search", `{"entities": {"device_ids": [], "all": {"read": true}}}`},
		{"entry is a number", `{"entities": {"domains": {"light": 1}}}`},
		{"entry is a list", `{"entities": {"entity_ids": {"light.kitchen": ["read"]}}}`},
		{"unusable entry stops the search", `{"entities": {"entity_ids": {"light.kitchen": "read"}, "all": {"read": true}}}`},
		{"key is a number", `{"entities": {"all": {"read": 1}}}`},
		{"key is an object", `{"entities": {"all": {"read": {}}}}`},
		{"unusable key stops the search", `{"entities": {"domains": {"light": {"read": "yes"}}, "all": {"read": true}}}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			permissions := permission.Compile(stored(t, c.policy), workedRegistry())
			if permissions.Check("light.kitchen", permission.Read) {
				t.Errorf("granted: %s", permissions.Explain("light.kitchen", permission.Read))
			}
		})
	}
}

// spec: permissions.md §3, only the boolean true counts.
func TestAccessAllTakesOnlyTrueForAYes(t *testing.T) {
	for _, policy := range []string{
		`{"entities": 1}`, `{"entities": "true"}`, `{"entities": {"all": 1}}`, `{"entities": {"all": false}}`,
		`{"entities": {"all": {"read": 1}}}`, `{"entities": {"all": {"read": {}}}}`, `{"entities": {"all": {"read": false}}}`,
		`{"entities": {"all": {"read": [true]}}}`, `true`,
	} {
		if permission.Compile(stored(t, policy), nil).AccessAll(permission.Read) {
			t.Errorf("%s grants access to all", policy)
		}
	}
}

// spec: permissions.md §2, "Registries are read at check time".
func TestAMovedDeviceIsJudgedByItsNewArea(t *testing.T) {
	lookup := workedRegistry()
	permissions := permission.Compile(stored(t, `{"entities": {"area_ids": {"cellar": true}}}`), lookup)
	if permissions.Check("light.kitchen", permission.Read) {
		t.Fatal("granted although the device is in the kitchen")
	}
	lookup.areas["dev1"] = "cellar"
	if !permissions.Check("light.kitchen", permission.Read) {
		t.Error("denied although the device moved to the cellar")
	}
	lookup.entities["light.kitchen"] = entity{device: "dev2"}
	if permissions.Check("light.kitchen", permission.Read) {
		t.Error("granted although the entity moved to a device upstairs")
	}
}

// forbidden fails the test when it is asked.
type forbidden struct{ t *testing.T }

func (f forbidden) DeviceOfEntity(string) (string, bool) {
	f.t.Error("the lookup was asked for a device")
	return "", false
}

func (f forbidden) AreaOfDevice(string) (string, bool) {
	f.t.Error("the lookup was asked for an area")
	return "", false
}

// spec: permissions.md §2, "A policy without device_ids and area_ids objects never touches it".
func TestTheLookupIsLeftAloneUnlessThePolicyNeedsIt(t *testing.T) {
	for _, policy := range []string{
		`{}`, `{"entities": true}`, `{"entities": {"device_ids": true}}`, `{"entities": {"area_ids": null, "device_ids": 5}}`,
		`{"entities": {"entity_ids": {"a.b": true}, "domains": {"c": true}, "all": {"read": true}}}`,
		`{"entities": {"entity_ids": {"light.kitchen": true}, "device_ids": {"dev1": true}}}`, // decided before
	} {
		permission.Compile(stored(t, policy), forbidden{t}).Check("light.kitchen", permission.Read)
	}
}

func TestWithoutALookupDevicesAndAreasHaveNoOpinion(t *testing.T) {
	policy := stored(t, `{"entities": {"device_ids": {"": true, "dev1": true}, "area_ids": {"": true}, "all": {"read": true}}}`)
	permissions := permission.Compile(policy, nil)
	if !permissions.Check("light.kitchen", permission.Read) {
		t.Error("all was not asked")
	}
	if permissions.Check("light.kitchen", permission.Edit) {
		t.Error("granted without a lookup")
	}
}

// spec: permissions.md §4, models.md §4.1.
func TestOwnerPermissionsAreOneSharedInstance(t *testing.T) {
	if first, second := permission.Owner(), permission.Owner(); first != second {
		t.Error("two instances")
	}
	for _, policy := range []permission.Policy{permission.AdminPolicy(), {}} {
		if permission.Owner().Equal(permission.Compile(policy, nil)) {
			t.Errorf("owner permissions equal those of the policy %s", policy)
		}
	}
	if !permission.Owner().Equal(permission.Owner()) {
		t.Error("owner permissions do not equal themselves")
	}
}

// spec: permissions.md §4, "Two are equal when their policies are equal (the lookup does not count)".
func TestPermissionsAreEqualByPolicy(t *testing.T) {
	a := permission.Compile(stored(t, `{"entities": {"all": true, "domains": null}}`), workedRegistry())
	b := permission.Compile(stored(t, `{"entities": {"domains": null, "all": true}}`), nil)
	c := permission.Compile(stored(t, `{"entities": {"all": true}}`), nil)
	if !a.Equal(b) {
		t.Error("equal policies give unequal permissions")
	}
	if a.Equal(c) {
		t.Error("unequal policies give equal permissions")
	}
	if a.Equal(nil) {
		t.Error("permissions equal nil")
	}
}

// spec: models.md §4.1, "No group → merged policy is empty → everything denied".
func TestNoPermissionsDenyEverything(t *testing.T) {
	for name, permissions := range map[string]*permission.Permissions{
		"nil":          nil,
		"zero":         {},
		"empty policy": permission.Compile(permission.Policy{}, nil),
	} {
		t.Run(name, func(t *testing.T) {
			if permissions.Check("light.kitchen", permission.Read) || permissions.AccessAll(permission.Read) {
				t.Error("granted")
			}
			if by := permissions.Explain("light.kitchen", permission.Read).By; by != permission.ByNobody {
				t.Errorf("decided by %d, want nobody", by)
			}
		})
	}
}

func TestACheckAllocatesNothing(t *testing.T) {
	var lookup permission.Lookup = workedRegistry()
	for _, policy := range []string{
		`{}`, `{"entities": true}`, `{"entities": {"all": {"read": true}}}`,
		`{"entities": {"entity_ids": {"a.b": true}, "device_ids": {"d": true}, "area_ids": {"kitchen": {"read": true}},
			"domains": {"light": {"edit": true}}, "all": {"control": true}}}`,
	} {
		permissions := permission.Compile(stored(t, policy), lookup)
		allocations := testing.AllocsPerRun(100, func() {
			permissions.Check("light.kitchen", permission.Read)
			permissions.Check("light.bedroom", permission.Edit)
			permissions.AccessAll(permission.Control)
		})
		if allocations != 0 {
			t.Errorf("%s: %v allocations", policy, allocations)
		}
	}
}

func TestExplainNamesThePartThatDecided(t *testing.T) {
	const layered = `{"entities": {
		"entity_ids": {"light.kitchen": {"read": true}, "light.bedroom": false},
		"device_ids": {"dev3": true}, "area_ids": {"upstairs": {"edit": true}, "kitchen": {"edit": true}},
		"domains": {"camera": {"read": false}, "fan's \"x\"": true}, "all": {"control": true}}}`
	cases := []struct {
		policy, entityID, key string
		want                  permission.Decision
		text                  string
	}{
		{layered, "light.kitchen", "read",
			permission.Decision{Allowed: true, By: permission.ByKey, Subcategory: "entity_ids", Entry: "light.kitchen", Key: "read"},
			`allowed by data['entities']['entity_ids']['light.kitchen']['read']`},
		{layered, "light.bedroom", "edit",
			permission.Decision{By: permission.ByEntry, Subcategory: "entity_ids", Entry: "light.bedroom"},
			`denied by data['entities']['entity_ids']['light.bedroom']`},
		{layered, "switch.garage", "edit",
			permission.Decision{Allowed: true, By: permission.ByEntry, Subcategory: "device_ids", Entry: "dev3"},
			`allowed by data['entities']['device_ids']['dev3']`},
		{layered, "light.kitchen", "edit",
			permission.Decision{Allowed: true, By: permission.ByKey, Subcategory: "area_ids", Entry: "kitchen", Key: "edit"},
			`allowed by data['entities']['area_ids']['kitchen']['edit']`},
		{layered, "camera.door", "read",
			permission.Decision{By: permission.ByKey, Subcategory: "domains", Entry: "camera", Key: "read"},
			`denied by data['entities']['domains']['camera']['read']`},
		{layered, `fan's "x".y`, "read",
			permission.Decision{Allowed: true, By: permission.ByEntry, Subcategory: "domains", Entry: `fan's "x"`},
			`allowed by data['entities']['domains']['fan\'s "x"']`},
		{layered, "camera.door", "control",
			permission.Decision{Allowed: true, By: permission.ByKey, Subcategory: "all", Key: "control"},
			`allowed by data['entities']['all']['control']`},
		{layered, "sensor.nodev", "read", permission.Decision{}, `denied: no part of the policy has an opinion`},
		{`{"entities": true}`, "a.b", "read",
			permission.Decision{Allowed: true, By: permission.ByCategory}, `allowed by data['entities']`},
		{`{"entities": false}`, "a.b", "read", permission.Decision{By: permission.ByCategory}, `denied by data['entities']`},
		{`{"entities": {"all": false, "entity_ids": {"a.b": false}}}`, "a.b", "read",
			permission.Decision{Allowed: true, By: permission.BySubcategory, Subcategory: "all"},
			`allowed by data['entities']['all']`},
		{`{"entities": {"domains": 7}}`, "a.b", "read",
			permission.Decision{By: permission.BySubcategory, Subcategory: "domains"},
			`denied by data['entities']['domains']`},
	}
	for _, c := range cases {
		t.Run(c.text, func(t *testing.T) {
			got := permission.Compile(stored(t, c.policy), workedRegistry()).Explain(c.entityID, c.key)
			if got != c.want {
				t.Errorf("decision %+v, want %+v", got, c.want)
			}
			if got.String() != c.text {
				t.Errorf("text %q, want %q", got.String(), c.text)
			}
		})
	}
	t.Run("owner", func(t *testing.T) {
		got := permission.Owner().Explain("a.b", "read")
		if got.By != permission.ByOwner || got.String() != "allowed: owners may do everything" {
			t.Errorf("decision %+v (%s)", got, got)
		}
	})
}

// spec: permissions.md §9.
func TestEventsForEverybody(t *testing.T) {
	for _, event := range []string{
		"area_registry_updated", "component_loaded", "core_config_updated", "device_registry_updated",
		"entity_registry_updated", "repairs_issue_registry_updated", "lovelace_updated", "panels_updated",
		"recorder_5min_statistics_generated", "recorder_hourly_statistics_generated", "service_registered",
		"service_removed", "shopping_list_updated", "state_changed", "themes_updated",
	} {
		if !permission.MaySubscribe(event) {
			t.Errorf("%s is kept for administrators", event)
		}
	}
	for _, event := range []string{"", "*", "call_service", "user_updated", "State_Changed"} {
		if permission.MaySubscribe(event) {
			t.Errorf("%q is open to everybody", event)
		}
	}
}
