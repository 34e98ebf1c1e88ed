package permission_test

import (
	"fmt"
	"testing"

	"github.com/seed-6a977b3d/latchkey/permission"
)

// spec: permissions.md §8, cases 1 to 62.
func TestWorkedCasesOfCheck(t *testing.T) {
	cases := []struct {
		id            int
		policy        string
		entityID, key string
		want          bool
	}{
		{1, `{}`, "light.kitchen", "read", no},
		{2, `{"entities": null}`, "light.kitchen", "read", no},
		{3, `{"entities": {}}`, "light.kitchen", "read", no},
		{4, `{"entities": false}`, "light.kitchen", "read", no},
		{5, `{"entities": true}`, "light.kitchen", "read", yes},
		{6, `{"entities": true}`, "light.kitchen", "edit", yes},
		{7, `{"entities": true}`, "nonsense", "anything", yes},
		{8, `{"entities": {"all": true}}`, "light.kitchen", "control", yes},
		{9, `{"entities": {"all": {"read": true}}}`, "light.kitchen", "read", yes},
		{10, `{"entities": {"all": {"read": true}}}`, "light.kitchen", "control", no},
		{11, `{"entities": {"all": {"control": true}}}`, "switch.kitchen", "read", no},
		{12, `{"entities": {"all": {}}}`, "light.kitchen", "read", no},
		{13, `{"entities": {"all": null}}`, "light.kitchen", "read", no},
		{14, `{"entities": {"all": false}}`, "light.kitchen", "read", yes},
		{15, `{"entities": {"domains": true}}`, "switch.x", "edit", yes},
		{16, `{"entities": {"domains": false}}`, "switch.x", "read", yes},
		{17, `{"entities": {"domains": {"light": true}}}`, "light.kitchen", "edit", yes},
		{18, `{"entities": {"domains": {"light": true}}}`, "switch.kitchen", "read", no},
		{19, `{"entities": {"domains": {"light": {"read": true}}}}`, "light.kitchen", "read", yes},
		{20, `{"entities": {"domains": {"light": {"read": true}}}}`, "light.kitchen", "control", no},
		{21, `{"entities": {"domains": {"light": null}}}`, "light.kitchen", "read", no},
		{22, `{"entities": {"domains": {}}}`, "light.kitchen", "read", no},
		{23, `{"entities": {"domains": {"light": {}}}}`, "light.kitchen", "read", no},
		{24, `{"entities": {"domains": {"light": true}}}`, "light", "read", yes},
		{25, `{"entities": {"domains": {"light": true}}}`, "light.a.b", "read", yes},
		{26, `{"entities": {"domains": {"Light": true}}}`, "light.kitchen", "read", no},
		{27, `{"entities": {"entity_ids": true}}`, "x.y", "read", yes},
		{28, `{"entities": {"entity_ids": {"light.kitchen": true}}}`, "light.kitchen", "edit", yes},
		{29, `{"entities": {"entity_ids": {"light.kitchen": true}}}`, "light.bedroom", "read", no},
		{30, `{"entities": {"entity_ids": {"light.kitchen": {"read": true}}}}`, "light.kitchen", "control", no},
		{31, `{"entities": {"device_ids": {"dev1": true}}}`, "light.kitchen", "control", yes},
		{32, `{"entities": {"device_ids": {"dev1": {"read": true}}}}`, "light.bedroom", "read", no},
		{33, `{"entities": {"device_ids": {"dev1": true}}}`, "sensor.nodev", "read", no},
		{34, `{"entities": {"device_ids": {"dev1": true}}}`, "light.unregistered", "read", no},
		{35, `{"entities": {"device_ids": {"gone": true}}}`, "light.ghostdev", "read", yes},
		{36, `{"entities": {"device_ids": true}}`, "light.unregistered", "read", yes},
		{37, `{"entities": {"area_ids": {"kitchen": {"read": true, "control": true}}}}`, "light.kitchen", "control", yes},
		{38, `{"entities": {"area_ids": {"kitchen": {"read": true, "control": true}}}}`, "light.kitchen", "edit", no},
		{39, `{"entities": {"area_ids": {"kitchen": true}}}`, "light.bedroom", "read", no},
		{40, `{"entities": {"area_ids": {"kitchen": true}}}`, "switch.garage", "read", no},
		{41, `{"entities": {"area_ids": {"attic": true}}}`, "sensor.nodev", "read", no},
		{42, `{"entities": {"area_ids": {"kitchen": true}}}`, "camera.ownarea", "read", yes},
		{43, `{"entities": {"area_ids": {"kitchen": true}}}`, "light.ghostdev", "read", no},
		{44, `{"entities": {"area_ids": true}}`, "light.unregistered", "read", yes},
		{45, `{"entities": {"entity_ids": {"light.kitchen": {"read": true}}, "all": {"control": true}}}`, "light.kitchen", "read", yes},
		{46, `{"entities": {"entity_ids": {"light.kitchen": {"read": true}}, "all": {"control": true}}}`, "light.kitchen", "control", yes},
		{47, `{"entities": {"entity_ids": {"light.kitchen": {"read": true}}, "all": {"control": true}}}`, "light.bedroom", "read", no},
		{48, `{"entities": {"entity_ids": {"light.kitchen": {"read": true}}, "all": {"control": true}}}`, "light.bedroom", "control", yes},
		{49, `{"entities": {"entity_ids": {"light.kitchen": {"control": false}}, "all": {"control": true}}}`, "light.kitchen", "control", no},
		{50, `{"entities": {"entity_ids": {"light.kitchen": {"control": false}}, "all": {"control": true}}}`, "light.bedroom", "control", yes},
		{51, `{"entities": {"entity_ids": {"light.kitchen": false}, "all": {"read": true}}}`, "light.kitchen", "read", no},
		{52, `{"entities": {"entity_ids": {"light.kitchen": {"control": false}}, "all": true}}`, "light.kitchen", "control", yes},
		{53, `{"entities": {"entity_ids": {"light.kitchen": true}, "device_ids": {"dev1": {"read": false}}}}`, "light.kitchen", "read", yes},
		{54, `{"entities": {"device_ids": {"dev1": {"read": false}}, "area_ids": {"kitchen": {"read": true}}, "domains": {"light": true}}}`, "light.kitchen", "read", no},
		{55, `{"entities": {"device_ids": {"dev1": {"read": false}}, "area_ids": {"kitchen": {"read": true}}, "domains": {"light": true}}}`, "light.kitchen", "control", yes},
		{56, `{"entities": {"device_ids": {"dev1": {"read": false}}, "area_ids": {"kitchen": {"read": true}}, "domains": {"light": true}}}`, "light.bedroom", "read", yes},
		{57, `{"entities": {"domains": {"light": {"read": true}}, "entity_ids": {"light.bedroom": {"control": true}}}}`, "light.bedroom", "read", yes},
		{58, `{"entities": {"domains": {"light": {"read": true}}, "entity_ids": {"light.bedroom": {"control": true}}}}`, "light.bedroom", "control", yes},
		{59, `{"entities": {"domains": {"light": {"read": true}}, "entity_ids": {"light.bedroom": {"control": true}}}}`, "light.kitchen", "control", no},
		{60, `{"entities": {"labels": {"x": true}}}`, "light.kitchen", "read", no},
		{61, `{"entities": {"labels": true}}`, "light.kitchen", "read", no},
		{62, `{"entities": {"all": {"frobnicate": true}}}`, "light.kitchen", "frobnicate", yes},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%d", c.id), func(t *testing.T) {
			permissions := permission.Compile(stored(t, c.policy), workedRegistry())
			if got := permissions.Check(c.entityID, c.key); got != c.want {
				t.Errorf("%s: check %s %s = %t, want %t (%s)",
					c.policy, c.entityID, c.key, got, c.want, permissions.Explain(c.entityID, c.key))
			}
		})
	}
}

// spec: permissions.md §8, cases 63 to 75.
func TestWorkedCasesOfAccessAll(t *testing.T) {
	cases := []struct {
		id     int
		policy string
		key    string
		want   bool
	}{
		{63, `{}`, "read", no},
		{64, `{"entities": null}`, "read", no},
		{65, `{"entities": {}}`, "read", no},
		{66, `{"entities": true}`, "read", yes},
		{67, `{"entities": false}`, "read", no},
		{68, `{"entities": {"all": null}}`, "read", no},
		{69, `{"entities": {"all": {}}}`, "read", no},
		{70, `{"entities": {"all": true}}`, "edit", yes},
		{71, `{"entities": {"all": {"read": true}}}`, "read", yes},
		{72, `{"entities": {"all": {"read": true}}}`, "control", no},
		{73, `{"entities": {"domains": true}}`, "read", no},
		{74, `{"entities": {"entity_ids": true}}`, "read", no},
		{75, `{"entities": {"all": {"read": true}, "entity_ids": {"light.kitchen": {"read": false}}}}`, "read", yes},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%d", c.id), func(t *testing.T) {
			permissions := permission.Compile(stored(t, c.policy), workedRegistry())
			if got := permissions.AccessAll(c.key); got != c.want {
				t.Errorf("%s: access-all %s = %t, want %t", c.policy, c.key, got, c.want)
			}
		})
	}
}

// spec: permissions.md §8, cases 76 to 93. Rows without an entity ask for access to all.
func TestWorkedCasesOfSystemPoliciesAndOwners(t *testing.T) {
	cases := []struct {
		id            int
		permissions   *permission.Permissions
		entityID, key string
		want          bool
	}{
		{76, permission.Compile(permission.AdminPolicy(), nil), "light.kitchen", "read", yes},
		{77, permission.Compile(permission.AdminPolicy(), nil), "light.kitchen", "control", yes},
		{78, permission.Compile(permission.AdminPolicy(), nil), "light.kitchen", "edit", yes},
		{79, permission.Compile(permission.AdminPolicy(), nil), "", "read", yes},
		{80, permission.Compile(permission.AdminPolicy(), nil), "", "control", yes},
		{81, permission.Compile(permission.UserPolicy(), nil), "light.kitchen", "read", yes},
		{82, permission.Compile(permission.UserPolicy(), nil), "light.kitchen", "control", yes},
		{83, permission.Compile(permission.UserPolicy(), nil), "light.kitchen", "edit", yes},
		{84, permission.Compile(permission.UserPolicy(), nil), "", "read", yes},
		{85, permission.Compile(permission.UserPolicy(), nil), "", "control", yes},
		{86, permission.Compile(permission.ReadOnlyPolicy(), nil), "light.kitchen", "read", yes},
		{87, permission.Compile(permission.ReadOnlyPolicy(), nil), "light.kitchen", "control", no},
		{88, permission.Compile(permission.ReadOnlyPolicy(), nil), "light.kitchen", "edit", no},
		{89, permission.Compile(permission.ReadOnlyPolicy(), nil), "", "read", yes},
		{90, permission.Compile(permission.ReadOnlyPolicy(), nil), "", "control", no},
		{91, permission.Owner(), "a.b", "read", yes},
		{92, permission.Owner(), "a.b", "zzz", yes},
		{93, permission.Owner(), "", "edit", yes},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%d", c.id), func(t *testing.T) {
			got := c.permissions.AccessAll(c.key)
			if c.entityID != "" {
				got = c.permissions.Check(c.entityID, c.key)
			}
			if got != c.want {
				t.Errorf("%q %s = %t, want %t", c.entityID, c.key, got, c.want)
			}
		})
	}
}

// spec: permissions.md §6.
func TestSystemPolicies(t *testing.T) {
	cases := []struct {
		group  string
		policy permission.Policy
		want   string
	}{
		{"system-admin", permission.AdminPolicy(), `{"entities":true}`},
		{"system-users", permission.UserPolicy(), `{"entities":true}`},
		{"system-read-only", permission.ReadOnlyPolicy(), `{"entities":{"all":{"read":true}}}`},
	}
	for _, c := range cases {
		t.Run(c.group, func(t *testing.T) {
			if got := c.policy.String(); got != c.want {
				t.Errorf("policy is %s, want %s", got, c.want)
			}
			if err := c.policy.Validate(); err != nil {
				t.Errorf("a system policy must be valid: %v", err)
			}
		})
	}
}
