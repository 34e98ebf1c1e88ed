package permission_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey/permission"
)

// yes and no read as the tables of permissions.md do.
const (
	yes = true
	no  = false
)

// registry is a Lookup with the entity's own area as well, which nobody may consult.
type registry struct {
	entities map[string]entity
	areas    map[string]string // device id -> area id, "" for none
}

type entity struct{ device, ownArea string }

func (r registry) DeviceOfEntity(id string) (string, bool) {
	device := r.entities[id].device
	return device, device != ""
}

func (r registry) AreaOfDevice(id string) (string, bool) {
	area := r.areas[id]
	return area, area != ""
}

// workedRegistry is the one above the table of permissions.md §8.
func workedRegistry() registry {
	return registry{
		entities: map[string]entity{
			"light.kitchen":  {device: "dev1"},
			"light.bedroom":  {device: "dev2"},
			"switch.garage":  {device: "dev3"},
			"sensor.nodev":   {ownArea: "attic"},
			"light.ghostdev": {device: "gone"},
			"camera.ownarea": {device: "dev1", ownArea: "attic"},
		},
		areas: map[string]string{"dev1": "kitchen", "dev2": "upstairs", "dev3": ""},
	}
}

// stored takes a policy as a file has it, sound or not.
func stored(t testing.TB, text string) permission.Policy {
	t.Helper()
	var policy permission.Policy
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		t.Fatalf("the test's own policy %s: %v", text, err)
	}
	return policy
}

// naiveCheck is permissions.md §2 sentence by sentence. It shares nothing with the package.
func naiveCheck(policy any, lookup permission.Lookup, entityID, key string) bool {
	root, _ := policy.(map[string]any)
	p := root["entities"]
	if p == true { // 2
		return true
	}
	category, ok := p.(map[string]any)
	if !ok { // 1
		return false
	}
	order := []string{"entity_ids", "device_ids", "area_ids", "domains", "all"}
	for _, name := range order { // 3
		if _, boolean := category[name].(bool); boolean {
			return true
		}
	}
	for _, name := range order { // 4
		switch naiveAsk(category[name], name, lookup, entityID, key) {
		case "yes":
			return true
		case "no":
			return false
		}
	}
	return false
}

// naiveAsk gives "yes", "no" or "no opinion".
func naiveAsk(sub any, name string, lookup permission.Lookup, entityID, key string) string {
	if sub == nil {
		return "no opinion"
	}
	entries, ok := sub.(map[string]any)
	if !ok {
		return "no"
	}
	found := naiveFind(entries, name, lookup, entityID)
	if object, ok := found.(map[string]any); ok {
		found = object[key]
	}
	switch {
	case found == nil:
		return "no opinion"
	case found == true:
		return "yes"
	default:
		return "no"
	}
}

// naiveFind is the table of look-ups in permissions.md §2.
func naiveFind(entries map[string]any, name string, lookup permission.Lookup, entityID string) any {
	switch name {
	case "entity_ids":
		return entries[entityID]
	case "domains":
		return entries[strings.SplitN(entityID, ".", 2)[0]]
	case "all":
		return entries
	}
	if lookup == nil {
		return nil
	}
	device, ok := lookup.DeviceOfEntity(entityID)
	if !ok {
		return nil
	}
	if name == "device_ids" {
		return entries[device]
	}
	area, ok := lookup.AreaOfDevice(device)
	if !ok {
		return nil
	}
	return entries[area]
}

// naiveAccessAll is permissions.md §3.
func naiveAccessAll(policy any, key string) bool {
	root, _ := policy.(map[string]any)
	category, ok := root["entities"].(map[string]any)
	if !ok {
		return root["entities"] == true
	}
	all, ok := category["all"].(map[string]any)
	if !ok {
		return category["all"] == true
	}
	return all[key] == true
}

// naiveMerge is permissions.md §5 for a list of policies; false as the second result means that it fails.
func naiveMerge(policies []any) (any, bool) {
	merged := map[string]any{}
	for _, policy := range policies {
		if _, ok := policy.(map[string]any); !ok {
			return nil, false
		}
	}
	for _, policy := range policies {
		for category := range policy.(map[string]any) {
			var values []any
			for _, other := range policies {
				values = append(values, other.(map[string]any)[category])
			}
			value, ok := naiveMergeValues(values)
			if !ok {
				return nil, false
			}
			merged[category] = value
		}
	}
	return merged, true
}

func naiveMergeValues(list []any) (any, bool) {
	var result any
	for _, value := range list {
		if value == nil {
			continue
		}
		if value == true {
			return true, true
		}
		object, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if result == nil {
			result = map[string]any{}
		}
		for key := range object {
			var values []any
			for _, other := range list {
				if other, ok := other.(map[string]any); ok {
					values = append(values, other[key])
				}
			}
			merged, ok := naiveMergeValues(values)
			if !ok {
				return nil, false
			}
			result.(map[string]any)[key] = merged
		}
	}
	return result, true
}

// naiveValid is the schema of permissions.md §7.
func naiveValid(policy any) bool {
	grant := func(value any) bool {
		return value == true || naiveFields(value, map[string]func(any) bool{
			"read": naiveTrue, "control": naiveTrue, "edit": naiveTrue,
		})
	}
	byID := func(value any) bool {
		object, ok := value.(map[string]any)
		for _, below := range object {
			ok = ok && grant(below)
		}
		return value == true || ok
	}
	entities := func(value any) bool {
		return value == true || naiveFields(value, map[string]func(any) bool{
			"entity_ids": byID, "device_ids": byID, "area_ids": byID, "domains": byID, "all": grant,
		})
	}
	return naiveFields(policy, map[string]func(any) bool{"entities": entities})
}

func naiveTrue(value any) bool { return value == true }

func naiveFields(value any, known map[string]func(any) bool) bool {
	object, ok := value.(map[string]any)
	for key, below := range object {
		valid, exists := known[key]
		ok = ok && exists && valid(below)
	}
	return ok
}
