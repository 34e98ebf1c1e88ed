package latchkey

import (
	"net/netip"
	"slices"
)

// The ids of the three built-in groups (models.md §1).
const (
	GroupAdmin    = "system-admin"
	GroupUser     = "system-users"
	GroupReadOnly = "system-read-only"
)

// User is a person, or a part of the house that acts for itself (SystemGenerated). It is a snapshot: changing one
// changes nothing, and its slices and maps are shared and must not be written to.
type User struct {
	// ID is a UUID as 32 hexadecimal digits; files of Home Assistant may hold any other text.
	ID   string
	Name NullString
	// IsOwner marks the first person of the house, who may do everything and cannot be deactivated.
	IsOwner bool
	// IsActive is false for somebody who may not sign in.
	IsActive        bool
	SystemGenerated bool
	// LocalOnly keeps the user from signing in from outside of the home network.
	LocalOnly bool
	// GroupIDs are the groups that the user is a member of, in order.
	GroupIDs []string
	// Credentials are the logins linked to the user, in the order in which they were linked.
	Credentials []Credentials
}

// IsAdmin reports whether the user is the owner, or active and in the group of administrators (models.md §4.2).
// Only the group's id matters, not its policy.
func (u User) IsAdmin() bool {
	return u.IsOwner || u.IsActive && slices.Contains(u.GroupIDs, GroupAdmin)
}

// Origin is where a request came from.
type Origin struct {
	// Addr is the address of the client; the zero Addr when it is unknown.
	Addr netip.Addr
	// Tunnel says that the request came through a relay, which makes it remote whatever its address.
	Tunnel bool
	// Proxied says that a proxy passed the request on, or could have: Addr is what it told. However near that address is,
	// the way there may lead from anywhere (security.md 49).
	Proxied bool
	// AtProxy says that Addr is that of a proxy, behind which anybody may be.
	AtProxy bool
}

// PersonAddr is the address of the person, which nobody knows behind a tunnel.
func (o Origin) PersonAddr() netip.Addr {
	if o.Tunnel {
		return netip.Addr{}
	}
	return o.Addr
}

// ThisMachine reports whether the request was made on the machine that it reached.
func (o Origin) ThisMachine() bool {
	return !o.Tunnel && !o.Proxied && o.Addr.Unmap().IsLoopback()
}

// Shared reports whether the address may stand for people who have nothing to do with each other: it is unknown, or that
// of a relay, a proxy or this machine. Nobody is ever kept out by such an address (security.md W10).
func (o Origin) Shared() bool {
	return !o.Addr.IsValid() || o.Tunnel || o.AtProxy || o.Addr.Unmap().IsLoopback()
}

// MayAuthenticate says whether the user may authenticate with a request of this origin (models.md §8); nil stands for
// no request at all. The errors are [ErrUserInactive], [ErrNoRequest], [ErrLocalOnly], [ErrInvalidRemote] and
// [ErrNotLocal], tested in this order.
func (u User) MayAuthenticate(from *Origin) error {
	switch {
	case !u.IsActive:
		return ErrUserInactive
	case !u.LocalOnly:
		return nil
	case from == nil:
		return ErrNoRequest
	case from.Tunnel:
		return ErrLocalOnly
	case !from.Addr.IsValid():
		return ErrInvalidRemote
	case from.Proxied, !IsLocal(from.Addr):
		return ErrNotLocal
	}
	return nil
}

// Credentials say who somebody is at one provider. Data belongs to the provider and must not be written to.
type Credentials struct {
	ID string
	// UserID is the user that the credentials are linked to; empty as long as they are new.
	UserID   string
	Provider ProviderKey
	Data     map[string]any
}

// NewCredentials returns credentials that belong to nobody yet.
func NewCredentials(provider ProviderKey, data map[string]any) Credentials {
	return Credentials{ID: NewID(), Provider: provider, Data: data}
}

// IsNew reports whether the credentials belong to nobody yet.
func (c Credentials) IsNew() bool { return c.UserID == "" }

// Text returns a text of the provider's data, or the empty text when there is none of that name.
func (c Credentials) Text(name string) string {
	s, _ := c.Data[name].(string)
	return s
}

// Subject is the name under which the provider knows the person: the username, else the user id of the trusted
// networks, else nothing (models.md §5). Stores index it in its normalised form.
func (c Credentials) Subject() string {
	if name := c.Text("username"); name != "" {
		return name
	}
	return c.Text("user_id")
}

// UserMeta is what a provider knows about somebody for whom a user is about to be made (models.md §7).
type UserMeta struct {
	Name     NullString
	IsActive bool
	// Group is the id of the group to put the user in; null means the administrators.
	Group     NullString
	LocalOnly bool
}

// Password is one record of the built-in password store. It may stand without credentials, as credentials may
// without it (storage.md §3).
type Password struct {
	// Username as it was stored, which for old records is not always the normalised form.
	Username string
	// Hash is the salted hash in the form that its provider writes.
	Hash string
}
