package latchkey

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/seed-6a977b3d/latchkey/permission"
)

// Group gives its members what its policy allows.
type Group struct {
	ID     string
	Name   NullString
	Policy permission.Policy
	// SystemGenerated marks the three built-in groups, whose name and policy come from here and never from a store.
	SystemGenerated bool
}

// SystemGroups returns the three built-in groups in the order of a fresh start (storage.md §2.3).
func SystemGroups() []Group {
	return []Group{
		{ID: GroupAdmin, Name: Text("Administrators"), Policy: permission.AdminPolicy(), SystemGenerated: true},
		{ID: GroupUser, Name: Text("Users"), Policy: permission.UserPolicy(), SystemGenerated: true},
		{ID: GroupReadOnly, Name: Text("Read Only"), Policy: permission.ReadOnlyPolicy(), SystemGenerated: true},
	}
}

// Group returns the group with this id, or [ErrNotFound].
func (m *Manager) Group(ctx context.Context, id string) (Group, error) { return m.store.Group(ctx, id) }

// Groups returns all groups, the built-in ones first.
func (m *Manager) Groups(ctx context.Context) ([]Group, error) { return m.store.Groups(ctx) }

// CreateGroup makes a group. A policy that is not valid is a [*permission.ValidationError], and nothing is made.
func (m *Manager) CreateGroup(ctx context.Context, name string, policy permission.Policy) (Group, error) {
	if err := policy.Validate(); err != nil {
		return Group{}, err
	}
	g := Group{ID: NewID(), Name: Text(name), Policy: policy}
	if err := m.store.Update(ctx, func(tx Tx) error { return tx.InsertGroup(ctx, g) }); err != nil {
		return Group{}, err
	}
	return g, nil
}

// GroupUpdate is a change to a group. What is nil is left alone.
type GroupUpdate struct {
	Name   *string
	Policy *permission.Policy
}

// UpdateGroup changes a group, and with it what its members may do from now on. The built-in groups, and groups that do
// not exist, are [ErrNotFound]; a policy that is not valid is a [*permission.ValidationError].
func (m *Manager) UpdateGroup(ctx context.Context, id string, change GroupUpdate) (Group, error) {
	if change.Policy != nil {
		if err := change.Policy.Validate(); err != nil {
			return Group{}, err
		}
	}
	var g Group
	err := m.store.Update(ctx, func(tx Tx) error {
		var err error
		if g, err = tx.Group(ctx, id); err != nil {
			return err
		}
		if change.Name != nil {
			g.Name = Text(*change.Name)
		}
		if change.Policy != nil {
			g.Policy = *change.Policy
		}
		return tx.UpdateGroup(ctx, g)
	})
	if err != nil {
		return Group{}, err
	}
	return g, nil
}

// RemoveGroup removes a group and ends the memberships in it. The built-in groups, and groups that do not exist, are
// [ErrNotFound].
func (m *Manager) RemoveGroup(ctx context.Context, id string) error {
	return m.store.Update(ctx, func(tx Tx) error { return tx.DeleteGroup(ctx, id) })
}

// Permissions returns what a user may do: everything for an owner, else what the merged policies of the user's groups
// allow (models.md §4.1). Policies that cannot be merged deny everything. Compiled permissions are kept, and shared by
// all users of the same groups, until one of the groups changes.
func (m *Manager) Permissions(ctx context.Context, u User) (*permission.Permissions, error) {
	if u.IsOwner {
		return permission.Owner(), nil
	}
	p, err := m.permissions.get(ctx, strings.Join(u.GroupIDs, groupSeparator), m.compile)
	if err != nil {
		return nil, err
	}
	return *p, nil
}

// groupSeparator stands between group ids in the key of compiled permissions. Ids hold no control characters.
const groupSeparator = "\x00"

// compile merges and compiles the policies of the groups in a key.
func (m *Manager) compile(ctx context.Context, key string) (*permission.Permissions, error) {
	var ids []string
	if key != "" { // the key of no groups
		ids = strings.Split(key, groupSeparator)
	}
	policies, err := m.policies(ctx, ids)
	if err != nil {
		return nil, err
	}
	return m.merged(ids, policies), nil
}

// policies returns those of groups, but for groups that were removed since the user was read.
func (m *Manager) policies(ctx context.Context, groupIDs []string) ([]permission.Policy, error) {
	var policies []permission.Policy
	for _, id := range groupIDs {
		g, err := m.store.Group(ctx, id)
		if errors.Is(err, ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		policies = append(policies, g.Policy)
	}
	return policies, nil
}

func (m *Manager) merged(groupIDs []string, policies []permission.Policy) *permission.Permissions {
	merged, err := permission.Merge(policies...)
	if err != nil {
		m.log.Warn("members of these groups are denied everything, because a policy is unsound",
			"groups", groupIDs, "error", err)
	}
	return permission.Compile(merged, m.lookup)
}

// Preview returns what a user would be allowed if a group had another policy: of a group that the user is no member of,
// or that there is not yet, as if the user were. Nothing is changed. It is [ErrNotFound] for a user that does not exist,
// and a [*permission.ValidationError] for a draft that the group would not be given.
func (m *Manager) Preview(
	ctx context.Context, userID, groupID string, draft permission.Policy,
) (*permission.Permissions, error) {
	u, err := m.User(ctx, userID)
	if err != nil {
		return nil, err
	}
	if err := draft.Validate(); err != nil {
		return nil, err
	}
	if u.IsOwner {
		return permission.Owner(), nil
	}
	others := slices.DeleteFunc(slices.Clone(u.GroupIDs), func(id string) bool { return id == groupID })
	policies, err := m.policies(ctx, others)
	if err != nil {
		return nil, err
	}
	return m.merged(others, append(policies, draft)), nil
}
