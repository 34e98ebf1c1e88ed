package latchkey

import "github.com/seed-6a977b3d/latchkey/permission"

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
