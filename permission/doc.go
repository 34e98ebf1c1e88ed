// Package permission holds the policies of groups: it parses, validates and merges them, and answers whether
// a policy lets somebody read, control or edit an entity (permissions.md).
// It must not know users, groups, stores or any wire: it sees policies, ids and a [Lookup], nothing else.
package permission
