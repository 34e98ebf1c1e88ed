package permission

import (
	"errors"
	"fmt"
	"slices"
)

// ErrUnmergeable says that a policy holds something other than null, true and objects (permissions.md §5).
// Whoever would have got the merged policy is denied everything.
var ErrUnmergeable = errors.New("policies cannot be merged")

// Merge joins the policies of several groups into one that grants what any of them grants (permissions.md §5):
// true wins over an object, an object over null, and objects are merged key by key. No policies give {}.
//
// The sources are walked in order up to the first true. False, a number, a text or a list on the way, or a policy
// that is no object, gives an error that matches [ErrUnmergeable] and names one such place. The policy that comes
// with an error is empty, so that even a caller who drops the error grants nothing.
//
// The cost grows with the number of different keys times the number of policies, about a microsecond for each entity
// id that two policies name; whoever asks often keeps the result. Parts that only one policy has an opinion about are
// shared with it, not copied: merging a single policy only walks through it and allocates nothing.
func Merge(policies ...Policy) (Policy, error) {
	if len(policies) == 0 {
		return Policy{}, nil
	}
	sources := make([]any, len(policies))
	for i, policy := range policies {
		object, ok := policy.value().(Object)
		if !ok {
			return Policy{}, (&unmergeable{}).err()
		}
		sources[i] = object
	}
	merged, failure := merge(sources)
	if failure != nil {
		return Policy{}, failure.err()
	}
	if len(policies) == 1 {
		return policies[0], nil
	}
	return policyOf(merged), nil
}

// merge joins the values that stand at one place.
func merge(sources []any) (any, *unmergeable) {
	if len(sources) == 1 {
		return sources[0], mergeable(sources[0])
	}
	var merged Object
	for _, source := range sources {
		switch source := source.(type) {
		case nil:
		case Object:
			if merged == nil {
				merged = make(Object, len(source))
			}
			if failure := mergeKeys(merged, source, sources); failure != nil {
				return nil, failure
			}
		default:
			if source == true {
				return true, nil
			}
			return nil, &unmergeable{}
		}
	}
	if merged == nil {
		return nil, nil
	}
	return merged, nil
}

// mergeKeys adds to merged the keys of source that are new to it, with the opinions of all objects in sources: those
// behind a true as well, which therefore may still make the merge fail.
func mergeKeys(merged, source Object, sources []any) *unmergeable {
	for key := range source {
		if _, done := merged[key]; done {
			continue
		}
		value, failure := merge(opinions(key, sources))
		if failure != nil {
			return failure.below(key)
		}
		merged[key] = value
	}
	return nil
}

// opinions returns what the objects among the sources say about the key, without nulls.
func opinions(key string, sources []any) []any {
	found := make([]any, 0, len(sources))
	for _, source := range sources {
		object, _ := source.(Object)
		if value := object[key]; value != nil {
			found = append(found, value)
		}
	}
	return found
}

// mergeable tells whether a value can be merged; merged with nothing else it stays as it is.
func mergeable(value any) *unmergeable {
	switch value := value.(type) {
	case nil:
		return nil
	case Object:
		for key, below := range value {
			if failure := mergeable(below); failure != nil {
				return failure.below(key)
			}
		}
		return nil
	default:
		if value == true {
			return nil
		}
		return &unmergeable{}
	}
}

// unmergeable is the place of a value that cannot be merged. Its keys are noted from the inside out.
type unmergeable struct {
	keys []string
}

func (u *unmergeable) below(key string) *unmergeable {
	u.keys = append(u.keys, key)
	return u
}

func (u *unmergeable) err() error {
	if len(u.keys) == 0 {
		return fmt.Errorf("%w: a group's policy is not an object; write {} to grant nothing", ErrUnmergeable)
	}
	path := slices.Clone(u.keys)
	slices.Reverse(path)
	return fmt.Errorf("%w: %s holds neither true nor an object; leave it out to grant nothing", ErrUnmergeable, placeOf(path))
}
