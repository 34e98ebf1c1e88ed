package permission

// AdminPolicy is the policy of the group system-admin: everything (permissions.md §6). What makes administrators
// is the group, not the policy, which is that of users too.
func AdminPolicy() Policy {
	return policyOf(Object{Entities: true})
}

// UserPolicy is the policy of the group system-users: everything (permissions.md §6).
func UserPolicy() Policy {
	return policyOf(Object{Entities: true})
}

// ReadOnlyPolicy is the policy of the group system-read-only: reading everything (permissions.md §6).
func ReadOnlyPolicy() Policy {
	return policyOf(Object{Entities: Object{All: Object{Read: true}}})
}
