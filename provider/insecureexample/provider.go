// Package insecureexample is the provider of users whose passwords stand in the configuration as they are
// (providers.md §7). It is for tests and demonstrations, and must not guard anything.
package insecureexample

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/provider/internal/userpass"
)

// Type is the provider's type in configurations and credentials.
const Type = "insecure_example"

// DefaultName is what the provider is called unless it is configured otherwise.
const DefaultName = "Unnamed auth provider"

// Store is what the provider needs of a [latchkey.Store].
type Store interface {
	CredentialsBySubject(ctx context.Context, p latchkey.ProviderKey, subject string) ([]latchkey.Credentials, error)
}

// User is somebody who can sign in.
type User struct {
	Username string
	Password latchkey.Secret
	// Name is what the user is called who is made for them; null leaves the user without a name.
	Name latchkey.NullString
}

// Config sets the provider up.
type Config struct {
	// ID is the provider's id, null if there is one of its kind.
	ID latchkey.NullString
	// Name is shown to people; [DefaultName] if empty.
	Name string
	// Users are those who can sign in. Of several with one username the last one's password counts, and the first one's
	// name.
	Users []User
}

// Provider signs in the users of its configuration.
type Provider struct {
	store Store
	key   latchkey.ProviderKey
	name  string
	users []User
}

var _ latchkey.Provider = (*Provider)(nil)

// New returns the provider over the store. Users without a username or a password are refused (security.md W4).
func New(store Store, cfg Config) (*Provider, error) {
	if store == nil {
		return nil, errors.New("insecure_example: no store: give the one that the manager uses")
	}
	for i, u := range cfg.Users {
		if u.Username == "" || u.Password == "" {
			return nil, fmt.Errorf("insecure_example: user %d: write both username and password", i+1)
		}
	}
	return &Provider{
		store: store, key: latchkey.ProviderKey{Type: Type, ID: cfg.ID}, name: cmp.Or(cfg.Name, DefaultName),
		users: slices.Clone(cfg.Users),
	}, nil
}

// Key implements [latchkey.Provider].
func (p *Provider) Key() latchkey.ProviderKey { return p.key }

// Name implements [latchkey.Provider].
func (p *Provider) Name() string { return p.name }

// SupportsMFA implements [latchkey.Provider].
func (p *Provider) SupportsMFA() bool { return true }

// Step implements [latchkey.Provider]. The form's errors are null when there are none.
func (p *Provider) Step(_ context.Context, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
	form := flow.Form{StepID: flow.InitStep, Schema: userpass.Schema()}
	if in == nil {
		return s, form, nil
	}
	username := in.Text(userpass.Username)
	if !p.valid(username, in.Text(userpass.Password)) {
		form.Errors = flow.BaseError("invalid_auth")
		return s, form, nil
	}
	return s, flow.Done{Data: map[string]any{userpass.Username: username}}, nil
}

// valid compares with every user, so that the time does not tell which of them exist.
func (p *Provider) valid(username, password string) bool {
	want, known := password, 0 // for somebody unknown the password is compared with itself
	for _, u := range p.users {
		if equal(u.Username, username) == 1 {
			want, known = u.Password.Reveal(), 1
		}
	}
	return equal(want, password)&known == 1
}

func equal(a, b string) int { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) }

// Credentials implements [latchkey.Provider]. Usernames are compared as they are.
func (p *Provider) Credentials(ctx context.Context, data map[string]any) (latchkey.Credentials, error) {
	username, _ := data[userpass.Username].(string)
	return userpass.Credentials(ctx, p.store, p.key, username)
}

// UserMeta implements [latchkey.Provider].
func (p *Provider) UserMeta(_ context.Context, c latchkey.Credentials) (latchkey.UserMeta, error) {
	meta := latchkey.UserMeta{IsActive: true}
	for _, u := range p.users {
		if u.Username == c.Text(userpass.Username) {
			meta.Name = u.Name
			break
		}
	}
	return meta, nil
}
