package latchkey

import (
	"context"
	"encoding/json"
	"net/netip"

	"github.com/seed-6a977b3d/latchkey/flow"
)

// ProviderKey names a configured provider: its type and its id, which is null unless configured. Credentials of one
// key are never used by the provider of another.
type ProviderKey struct {
	Type string
	ID   NullString
}

// String returns the type, and behind a dot the id if there is one.
func (k ProviderKey) String() string {
	if !k.ID.Valid {
		return k.Type
	}
	return k.Type + "." + k.ID.Text
}

// MarshalJSON writes the pair [type, id] that the wire knows.
func (k ProviderKey) MarshalJSON() ([]byte, error) { return json.Marshal([2]any{k.Type, k.ID}) }

// UnmarshalJSON reads what MarshalJSON writes.
func (k *ProviderKey) UnmarshalJSON(b []byte) error {
	var id NullString
	pair := [2]any{&k.Type, &id}
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	k.ID = id
	return nil
}

// Provider checks who somebody is. Its methods are called from many goroutines.
type Provider interface {
	// Key names the provider. It stays the same for as long as there are credentials of it.
	Key() ProviderKey
	// Name is shown to people who choose how to sign in.
	Name() string
	// SupportsMFA reports whether a second factor is asked for after this provider.
	SupportsMFA() bool
	// Step takes one step of a login. The steps are the provider's own and begin with [flow.InitStep]; the data of its
	// [flow.Done] is what Credentials is asked with.
	Step(ctx context.Context, s flow.State, in flow.Input) (flow.State, flow.Result, error)
	// Credentials returns the stored credentials that the data of a finished login stands for, or new ones.
	Credentials(ctx context.Context, data map[string]any) (Credentials, error)
	// UserMeta describes the user that is about to be made for new credentials.
	UserMeta(ctx context.Context, c Credentials) (UserMeta, error)
}

// RefreshTokenValidator is a provider that has a say each time an access token is made with a refresh token that its
// credentials led to.
type RefreshTokenValidator interface {
	// ValidateRefreshToken returns an error of kind [ErrDenied] to refuse.
	ValidateRefreshToken(ctx context.Context, t RefreshToken, remote netip.Addr) error
}

// Stamper is a provider whose people can be given a new secret, such as a password. A code that they signed in to with the
// old one is void then (security.md 11).
type Stamper interface {
	// Stamp returns a text that is another one as soon as the secret behind the credentials is, and tells nothing of it.
	Stamp(ctx context.Context, c Credentials) (string, error)
}

// CredentialsRemover is a provider that keeps something of its own for credentials, which goes when they go.
type CredentialsRemover interface {
	// RemoveCredentials runs inside the transaction that removes the credentials.
	RemoveCredentials(ctx context.Context, tx Tx, c Credentials) error
}
