package permission_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed-6a977b3d/latchkey/permission"
)

func Example() {
	policy, err := permission.Parse([]byte(`{
		"entities": {
			"domains":    {"light": true},
			"entity_ids": {"switch.fan": {"read": true}}
		}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	permissions := permission.Compile(policy, nil) // no lookup: the policy names neither devices nor areas
	fmt.Println(permissions.Check("light.kitchen", permission.Control))
	fmt.Println(permissions.Check("switch.fan", permission.Read))
	fmt.Println(permissions.Check("switch.fan", permission.Control))
	// Output:
	// true
	// true
	// false
}

func ExampleNew() {
	policy, err := permission.New(permission.Object{
		permission.Entities: permission.Object{
			permission.Domains: permission.Object{"light": true},
			permission.All:     permission.Object{permission.Read: true},
		},
	})
	fmt.Println(policy, err)
	// Output: {"entities":{"all":{"read":true},"domains":{"light":true}}} <nil>
}

func ExampleParse_invalid() {
	_, err := permission.Parse([]byte(`{"entities": {"all": {"write": true}}}`))
	fmt.Println(err)

	var invalid *permission.ValidationError
	if errors.As(err, &invalid) {
		fmt.Println(invalid.Problems[0])
	}
	// Output:
	// policy: extra keys not allowed @ data['entities']['all']['write']; what may stand here: read, control, edit
	// extra keys not allowed @ data['entities']['all']['write']
}

// A file may hold a policy that is not valid; it is kept as it is.
func ExamplePolicy_UnmarshalJSON() {
	var group struct {
		Name   string            `json:"name"`
		Policy permission.Policy `json:"policy"`
	}
	if err := json.Unmarshal([]byte(`{"name": "Guests", "policy": {"entities": false}}`), &group); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(group.Policy)
	fmt.Println(group.Policy.Validate())
	// Output:
	// {"entities":false}
	// policy: not a valid value for dictionary value @ data['entities']; write true or an object, or leave the key out
}

func ExampleMerge() {
	guests := permission.Must(permission.Parse([]byte(`{"entities": {"domains": {"light": {"read": true}}}}`)))
	family := permission.Must(permission.Parse([]byte(`{"entities": {"domains": {"light": {"control": true}}}}`)))

	merged, err := permission.Merge(guests, family)
	fmt.Println(merged, err)
	// Output: {"entities":{"domains":{"light":{"control":true,"read":true}}}} <nil>
}

// house knows where the entities are.
type house struct{ devices, areas map[string]string }

func (h house) DeviceOfEntity(id string) (string, bool) {
	device, ok := h.devices[id]
	return device, ok
}

func (h house) AreaOfDevice(id string) (string, bool) { area, ok := h.areas[id]; return area, ok }

func ExampleCompile() {
	lookup := house{
		devices: map[string]string{"light.ceiling": "bridge"},
		areas:   map[string]string{"bridge": "kitchen"},
	}
	policy := permission.Must(permission.Parse([]byte(`{"entities": {"area_ids": {"kitchen": {"control": true}}}}`)))

	permissions := permission.Compile(policy, lookup)
	fmt.Println(permissions.Check("light.ceiling", permission.Control))

	lookup.areas["bridge"] = "cellar" // the policy stays compiled; places are looked up at each check
	fmt.Println(permissions.Check("light.ceiling", permission.Control))
	// Output:
	// true
	// false
}

func ExamplePermissions_Explain() {
	policy := permission.Must(permission.Parse([]byte(`{"entities": {"domains": {"light": true}, "all": {"read": true}}}`)))
	permissions := permission.Compile(policy, nil)
	fmt.Println(permissions.Explain("light.kitchen", permission.Edit))
	fmt.Println(permissions.Explain("switch.fan", permission.Read))
	fmt.Println(permissions.Explain("switch.fan", permission.Edit))
	// Output:
	// allowed by data['entities']['domains']['light']
	// allowed by data['entities']['all']['read']
	// denied: no part of the policy has an opinion
}

func ExamplePermissions_AccessAll() {
	permissions := permission.Compile(permission.ReadOnlyPolicy(), nil)
	fmt.Println(permissions.AccessAll(permission.Read), permissions.AccessAll(permission.Control))
	fmt.Println(permission.Owner().AccessAll(permission.Control))
	// Output:
	// true false
	// true
}
