package permission

import "strings"

// Lookup finds where an entity is. The embedding program supplies it from its registries; it is asked at check
// time, so that a device that moves to another area is judged by the new one at once (permissions.md §2).
// It must be safe for concurrent use.
type Lookup interface {
	// DeviceOfEntity returns the id of the device that the entity belongs to, and false when the entity is not
	// registered or has no device. Nobody asks whether that device exists.
	DeviceOfEntity(entityID string) (deviceID string, ok bool)
	// AreaOfDevice returns the id of the area that the device is in, and false when the device is not registered
	// or has no area.
	AreaOfDevice(deviceID string) (areaID string, ok bool)
}

// Permissions answers what somebody may do. It never changes and is safe for concurrent use. The zero value and the
// nil pointer deny everything.
type Permissions struct {
	owner  bool
	policy Policy
	lookup Lookup
	always *Decision // the answer to every question, when there is but one
	rules  []rule    // else who is asked, in order
}

// rule is a sub-category of the policy that has something to say.
type rule struct {
	subcategory
	entries Object // nil: not an object, hence unusable
}

// subcategory is one way to find the entry that speaks about an entity.
type subcategory struct {
	name string
	// entry returns the name of the entry; nil when the sub-category itself is the entry.
	entry func(lookup Lookup, entityID string) (string, bool)
}

// subcategories returns all of them in the order in which they are asked (permissions.md §2).
func subcategories() [5]subcategory {
	return [5]subcategory{
		{EntityIDs, entityEntry},
		{DeviceIDs, deviceEntry},
		{AreaIDs, areaEntry},
		{Domains, domainEntry},
		{All, nil},
	}
}

func entityEntry(_ Lookup, entityID string) (string, bool) { return entityID, true }

func deviceEntry(lookup Lookup, entityID string) (string, bool) {
	if lookup == nil {
		return "", false
	}
	return lookup.DeviceOfEntity(entityID)
}

// areaEntry goes through the device: an area that the entity itself is in does not count.
func areaEntry(lookup Lookup, entityID string) (string, bool) {
	deviceID, ok := deviceEntry(lookup, entityID)
	if !ok {
		return "", false
	}
	return lookup.AreaOfDevice(deviceID)
}

func domainEntry(_ Lookup, entityID string) (string, bool) {
	domain, _, _ := strings.Cut(entityID, ".")
	return domain, true
}

// owner is the one instance that Owner returns; it is never written.
var owner = &Permissions{owner: true, always: &Decision{Allowed: true, By: ByOwner}}

// Owner returns the permissions of owners, who may do everything. It is always the same instance (permissions.md §4).
func Owner() *Permissions { return owner }

// Compile prepares the policy for checks. It takes every policy, sound or not, and never grants by what it cannot
// understand, with the one exception that permissions.md §2 demands: a sub-category that is false grants everything.
// Merged policies hold no false.
//
// The lookup may be nil; then the entries of device_ids and area_ids have no opinion.
//
// The cost is the same for every size of policy: the policy is immutable, so its parts are used as they are.
func Compile(policy Policy, lookup Lookup) *Permissions {
	p := &Permissions{policy: policy, lookup: lookup}
	switch entities := policy.entities().(type) {
	case nil:
	case Object:
		p.compile(entities)
	default:
		p.always = &Decision{Allowed: entities == true, By: ByCategory}
	}
	return p
}

func (p *Permissions) compile(entities Object) {
	for _, sub := range subcategories() {
		switch value := entities[sub.name].(type) {
		case nil:
		case bool:
			p.always = &Decision{Allowed: true, By: BySubcategory, Subcategory: sub.name}
			return
		case Object:
			p.rules = append(p.rules, rule{sub, value})
		default:
			p.rules = append(p.rules, rule{sub, nil})
		}
	}
}

// Check tells whether the key, such as [Read], is granted on the entity (permissions.md §2). It compares exactly,
// case included.
//
// It allocates nothing and asks at most five sub-categories, each with at most two map accesses, so that its cost
// does not grow with the policy: some hundred nanoseconds at most, for one entity id as for ten thousand. With
// device_ids and area_ids come at most three calls of the [Lookup].
func (p *Permissions) Check(entityID, key string) bool {
	return p.decide(entityID, key).Allowed
}

// AccessAll tells whether the key is granted on all entities at once (permissions.md §3), so that a caller need not
// check each. It is cheap, not thorough: it looks only at the category and at "all", and a no means that every
// entity has to be checked.
func (p *Permissions) AccessAll(key string) bool {
	if p == nil {
		return false
	}
	if p.owner {
		return true
	}
	value := p.policy.entities()
	for _, name := range [...]string{All, key} {
		object, ok := value.(Object)
		if !ok {
			break
		}
		value = object[name]
	}
	return value == true
}

// Equal tells whether both come from equal policies; the lookup does not count (permissions.md §4).
// Owner permissions equal only themselves.
func (p *Permissions) Equal(other *Permissions) bool {
	if p == nil || other == nil {
		return p == other
	}
	return p.owner == other.owner && p.policy.Equal(other.policy)
}

// decide is the one evaluation, behind Check and Explain alike (permissions.md §2).
func (p *Permissions) decide(entityID, key string) Decision {
	if p == nil {
		return Decision{}
	}
	if p.always != nil {
		return *p.always
	}
	for i := range p.rules {
		if decision, decided := p.rules[i].decide(p.lookup, entityID, key); decided {
			return decision
		}
	}
	return Decision{}
}

// decide returns false when the rule has no opinion.
func (r *rule) decide(lookup Lookup, entityID, key string) (Decision, bool) {
	if r.entries == nil {
		return Decision{By: BySubcategory, Subcategory: r.name}, true
	}
	entry, granted := "", r.entries
	if r.entry != nil {
		id, found := r.entry(lookup, entityID)
		if !found {
			return Decision{}, false
		}
		switch value := r.entries[id].(type) {
		case nil:
			return Decision{}, false
		case Object:
			entry, granted = id, value
		default:
			return Decision{Allowed: value == true, By: ByEntry, Subcategory: r.name, Entry: id}, true
		}
	}
	value := granted[key]
	if value == nil {
		return Decision{}, false
	}
	return Decision{Allowed: value == true, By: ByKey, Subcategory: r.name, Entry: entry, Key: key}, true
}
