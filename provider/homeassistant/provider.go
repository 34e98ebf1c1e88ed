// Package homeassistant is the built-in provider: people sign in with a username and a password that the store keeps
// as a salted hash (providers.md §3). It owns the rules of usernames and passwords, and knows no wire.
package homeassistant

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"runtime"

	"golang.org/x/crypto/bcrypt"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
)

// Type is the provider's type in configurations and credentials.
const Type = "homeassistant"

// DefaultName is what the provider is called unless it is configured otherwise.
const DefaultName = "Home Assistant Local"

// DefaultCost is the bcrypt cost of new hashes, the one of Home Assistant's files (storage.md §3).
const DefaultCost = 12

// Store is what the provider needs of a [latchkey.Store].
type Store interface {
	latchkey.PasswordReader
	CredentialsBySubject(ctx context.Context, p latchkey.ProviderKey, subject string) ([]latchkey.Credentials, error)
	Update(ctx context.Context, fn func(latchkey.Tx) error) error
}

// Options change how the provider is set up. The zero value is the default.
type Options struct {
	// Name is shown to people; [DefaultName] if empty.
	Name string
	// Cost is the bcrypt cost of new hashes, between 4 and 31; [DefaultCost] if zero. Each step doubles the work.
	Cost int
}

// Provider signs people in with username and password.
type Provider struct {
	store Store
	name  string
	cost  int
	dummy []byte        // a hash that unknown users are checked against, to take the same time
	slots chan struct{} // one for each hash that may be computed at the same time
}

// New returns the provider over the store. No store, and a cost that bcrypt does not know, are refused.
func New(store Store, o Options) (*Provider, error) {
	if store == nil {
		return nil, errors.New("homeassistant: no store: give the one that the manager uses")
	}
	p := &Provider{
		store: store, name: o.Name, cost: o.Cost, dummy: []byte(dummyHash),
		slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
	if p.name == "" {
		p.name = DefaultName
	}
	if p.cost == 0 {
		p.cost = DefaultCost
	}
	if p.cost != DefaultCost {
		dummy, err := bcrypt.GenerateFromPassword([]byte("nobody has this password"), p.cost)
		if err != nil {
			return nil, err
		}
		p.dummy = dummy
	}
	return p, nil
}

// Key implements [latchkey.Provider]. The provider has no id: there is one of it.
func (p *Provider) Key() latchkey.ProviderKey { return latchkey.ProviderKey{Type: Type} }

// Name implements [latchkey.Provider].
func (p *Provider) Name() string { return p.name }

// SupportsMFA implements [latchkey.Provider].
func (p *Provider) SupportsMFA() bool { return true }

// Step implements [latchkey.Provider]: the one form asks for username and password (providers.md §3.4).
func (p *Provider) Step(ctx context.Context, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
	form := flow.Form{
		StepID: flow.InitStep,
		Schema: flow.Schema{
			{Name: "username", Kind: flow.String, Presence: flow.Required},
			{Name: "password", Kind: flow.String, Presence: flow.Required},
		},
		Errors: flow.NoErrors(),
	}
	if in == nil {
		return s, form, nil
	}
	err := p.ValidateLogin(ctx, in.Text("username"), in.Text("password"))
	switch {
	case errors.Is(err, latchkey.ErrInvalidAuth):
		form.Errors = flow.BaseError("invalid_auth")
		return s, form, nil
	case err != nil:
		return s, nil, err
	}
	return s, flow.Done{Data: map[string]any{"username": in.Text("username")}}, nil
}

// Credentials implements [latchkey.Provider] (providers.md §3.5).
func (p *Provider) Credentials(ctx context.Context, data map[string]any) (latchkey.Credentials, error) {
	typed, _ := data["username"].(string)
	name, err := nameRule(ctx, p.store)
	if err != nil {
		return latchkey.Credentials{}, err
	}
	stored, err := p.store.CredentialsBySubject(ctx, p.Key(), typed)
	if err != nil {
		return latchkey.Credentials{}, err
	}
	for _, c := range stored {
		if name(c.Text("username")) == name(typed) {
			return c, nil
		}
	}
	return latchkey.NewCredentials(p.Key(), map[string]any{"username": name(typed)}), nil
}

// Stamp implements [latchkey.Stamper]: it is a hash of the stored hash, which has a new salt with each password.
func (p *Provider) Stamp(ctx context.Context, c latchkey.Credentials) (string, error) {
	record, err := find(ctx, p.store, c.Text("username"))
	if errors.Is(err, ErrUserNotFound) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(record.Hash))
	return base64.RawStdEncoding.EncodeToString(sum[:]), nil
}

// UserMeta implements [latchkey.Provider].
func (p *Provider) UserMeta(_ context.Context, c latchkey.Credentials) (latchkey.UserMeta, error) {
	return latchkey.UserMeta{Name: latchkey.Text(c.Text("username")), IsActive: true}, nil
}

// RemoveCredentials implements [latchkey.CredentialsRemover]: the password goes with the credentials. A missing record
// is no error.
func (p *Provider) RemoveCredentials(ctx context.Context, tx latchkey.Tx, c latchkey.Credentials) error {
	record, err := find(ctx, tx, c.Text("username"))
	if errors.Is(err, ErrUserNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	return tx.DeletePassword(ctx, record.Username)
}
