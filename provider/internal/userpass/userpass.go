// Package userpass is what the providers have in common that ask for a username and a password of their own: the form and
// the credentials that an exact username stands for. It checks no password.
package userpass

import (
	"context"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
)

// The fields of the form. Username is a member of the credentials' data, too.
const (
	Username = "username"
	Password = "password"
)

// Schema is the form of all password providers (providers.md §2).
func Schema() flow.Schema {
	return flow.Schema{
		{Name: Username, Kind: flow.String, Presence: flow.Required},
		{Name: Password, Kind: flow.String, Presence: flow.Required},
	}
}

// Store finds credentials.
type Store interface {
	CredentialsBySubject(ctx context.Context, p latchkey.ProviderKey, subject string) ([]latchkey.Credentials, error)
}

// Credentials returns the stored credentials of a provider for exactly this username, or new ones.
func Credentials(ctx context.Context, s Store, p latchkey.ProviderKey, username string) (latchkey.Credentials, error) {
	stored, err := s.CredentialsBySubject(ctx, p, username)
	if err != nil {
		return latchkey.Credentials{}, err
	}
	for _, c := range stored {
		if c.Text(Username) == username {
			return c, nil
		}
	}
	return latchkey.NewCredentials(p, map[string]any{Username: username}), nil
}
