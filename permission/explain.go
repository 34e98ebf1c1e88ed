package permission

// Decider is the part of a policy that decided a question.
type Decider int

// The deciders, from nobody to the innermost part.
const (
	// ByNobody: no part of the policy has an opinion, which denies.
	ByNobody Decider = iota
	// ByOwner: owners may do everything; no policy was asked.
	ByOwner
	// ByCategory: the category entities as a whole.
	ByCategory
	// BySubcategory: a whole sub-category.
	BySubcategory
	// ByEntry: the entry of one entity, device, area or domain as a whole.
	ByEntry
	// ByKey: the key in such an entry, or in "all".
	ByKey
)

// Decision is the answer to a question with the part of the policy that gave it.
type Decision struct {
	Allowed bool
	// By says how deep inside the policy the deciding part is.
	By Decider
	// Subcategory is such as [Domains]; empty unless By is BySubcategory or deeper.
	Subcategory string
	// Entry is the entity id, device id, area id or domain. Empty unless By is ByEntry or deeper, and for "all".
	Entry string
	// Key is the key that was asked for; empty unless By is ByKey.
	Key string
}

// String names the deciding part: "allowed by data['entities']['domains']['light']".
func (d Decision) String() string {
	verdict := "denied"
	if d.Allowed {
		verdict = "allowed"
	}
	switch d.By {
	case ByNobody:
		return verdict + ": no part of the policy has an opinion"
	case ByOwner:
		return verdict + ": owners may do everything"
	default:
		return verdict + " by " + placeOf(d.path())
	}
}

func (d Decision) path() []string {
	path := []string{Entities}
	if d.By >= BySubcategory {
		path = append(path, d.Subcategory)
	}
	if d.By >= ByEntry && d.Subcategory != All {
		path = append(path, d.Entry)
	}
	if d.By >= ByKey {
		path = append(path, d.Key)
	}
	return path
}

// Explain answers as [Permissions.Check] does, by the same evaluation, and says which part of the policy decided.
func (p *Permissions) Explain(entityID, key string) Decision {
	return p.decide(entityID, key)
}
