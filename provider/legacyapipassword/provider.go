// Package legacyapipassword is the provider of one password that everybody shares (providers.md §6). It is here to keep
// old configurations going, and knows nobody apart.
package legacyapipassword

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strconv"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
)

// Type is the provider's type in configurations and credentials.
const Type = "legacy_api_password"

// DefaultName is what the provider is called unless it is configured otherwise.
const DefaultName = "Legacy API Password"

const (
	fieldPassword = "password"
	userName      = "Legacy API password user"
)

// Store is what the provider needs of a [latchkey.Store].
type Store interface {
	CredentialsBySubject(ctx context.Context, p latchkey.ProviderKey, subject string) ([]latchkey.Credentials, error)
}

// Config sets the provider up.
type Config struct {
	// ID is the provider's id, null if there is one of its kind.
	ID latchkey.NullString
	// Name is shown to people; [DefaultName] if empty.
	Name string
	// Password is what everybody signs in with.
	Password latchkey.Secret
}

// Provider signs in whoever knows the password. They are all one user.
type Provider struct {
	store    Store
	key      latchkey.ProviderKey
	name     string
	password latchkey.Secret
}

var _ latchkey.Provider = (*Provider)(nil)

// New returns the provider over the store. An empty password is refused (security.md W4).
func New(store Store, cfg Config) (*Provider, error) {
	switch {
	case store == nil:
		return nil, errors.New("legacy_api_password: no store: give the one that the manager uses")
	case cfg.Password == "":
		return nil, errors.New("legacy_api_password: no api_password: write the password that people sign in with, or leave the provider out")
	}
	return &Provider{
		store: store, key: latchkey.ProviderKey{Type: Type, ID: cfg.ID}, name: cmp.Or(cfg.Name, DefaultName), password: cfg.Password,
	}, nil
}

// ParsePassword reads the setting api_password: a text, or a number, which becomes its text. The error does not repeat
// the value.
func ParsePassword(v any) (latchkey.Secret, error) {
	switch v := v.(type) {
	case string:
		return latchkey.Secret(v), nil
	case int, int64, uint64:
		return latchkey.Secret(fmt.Sprint(v)), nil
	case float64:
		return latchkey.Secret(strconv.FormatFloat(v, 'f', -1, 64)), nil
	}
	return "", errors.New("api_password is neither a text nor a number: put the password in quotes")
}

// Key implements [latchkey.Provider].
func (p *Provider) Key() latchkey.ProviderKey { return p.key }

// Name implements [latchkey.Provider].
func (p *Provider) Name() string { return p.name }

// SupportsMFA implements [latchkey.Provider].
func (p *Provider) SupportsMFA() bool { return true }

// Step implements [latchkey.Provider]: the one form asks for the password.
func (p *Provider) Step(_ context.Context, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
	form := flow.Form{
		StepID: flow.InitStep, Errors: flow.NoErrors(),
		Schema: flow.Schema{{Name: fieldPassword, Kind: flow.String, Presence: flow.Required}},
	}
	if in == nil {
		return s, form, nil
	}
	// Hashes are compared, so that not even the password's length is told by the time that it takes.
	typed, want := latchkey.Secret(in.Text(fieldPassword)).Hash(), p.password.Hash()
	if subtle.ConstantTimeCompare(typed[:], want[:]) != 1 {
		form.Errors = flow.BaseError("invalid_auth")
		return s, form, nil
	}
	return s, flow.Done{Data: map[string]any{}}, nil
}

// Credentials implements [latchkey.Provider]: they are the first of this provider, whoever signs in.
func (p *Provider) Credentials(ctx context.Context, _ map[string]any) (latchkey.Credentials, error) {
	stored, err := p.store.CredentialsBySubject(ctx, p.key, "")
	if err != nil {
		return latchkey.Credentials{}, err
	}
	if len(stored) > 0 {
		return stored[0], nil
	}
	return latchkey.NewCredentials(p.key, map[string]any{}), nil
}

// UserMeta implements [latchkey.Provider].
func (p *Provider) UserMeta(context.Context, latchkey.Credentials) (latchkey.UserMeta, error) {
	return latchkey.UserMeta{Name: latchkey.Text(userName), IsActive: true}, nil
}
