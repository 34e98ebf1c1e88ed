package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
)

// porter is a provider that lets everybody in as the same person without a form, until it is told not to.
type porter struct {
	closed     atomic.Bool // offers itself to nobody
	refuses    atomic.Bool // refuses refresh tokens; those of people from nobody knows where it always refuses
	credential atomic.Pointer[latchkey.Credentials]
}

func (*porter) Key() latchkey.ProviderKey {
	return latchkey.ProviderKey{Type: "porter", ID: latchkey.Text("1")}
}
func (*porter) Name() string      { return "Porter" }
func (*porter) SupportsMFA() bool { return false }

func (*porter) Step(_ context.Context, s flow.State, _ flow.Input) (flow.State, flow.Result, error) {
	return s, flow.Done{Data: map[string]any{"username": "guest"}}, nil
}

func (p *porter) Credentials(context.Context, map[string]any) (latchkey.Credentials, error) {
	if c := p.credential.Load(); c != nil {
		return *c, nil
	}
	return latchkey.NewCredentials(p.Key(), map[string]any{"username": "guest"}), nil
}

func (*porter) UserMeta(context.Context, latchkey.Credentials) (latchkey.UserMeta, error) {
	return latchkey.UserMeta{Name: latchkey.Text("Guest"), IsActive: true, Group: latchkey.Text(latchkey.GroupReadOnly)}, nil
}

func (p *porter) Available(addr netip.Addr) bool { return !p.closed.Load() && addr.IsValid() }

func (p *porter) ValidateRefreshToken(_ context.Context, _ latchkey.RefreshToken, remote netip.Addr) error {
	if p.refuses.Load() || !remote.IsValid() {
		return &latchkey.Error{Kind: latchkey.ErrDenied, Text: "The porter does not know this address"}
	}
	return nil
}

// riddle is a second factor with one right answer, set up for everybody who is listed.
type riddle struct {
	users  sync.Map
	broken atomic.Bool // cannot ask
}

func (*riddle) ID() string      { return "riddle" }
func (*riddle) Name() string    { return "Riddle" }
func (*riddle) MaxRetries() int { return 2 }
func (*riddle) Schema() flow.Schema {
	return flow.Schema{{Name: "code", Kind: flow.String, Presence: flow.Required}}
}

func (m *riddle) IsSetUp(_ context.Context, userID string) (bool, error) {
	_, ok := m.users.Load(userID)
	return ok, nil
}

func (m *riddle) SetUp(_ context.Context, userID string, _ map[string]any) (any, error) {
	m.users.Store(userID, true)
	return nil, nil
}

func (m *riddle) Depose(_ context.Context, userID string) error {
	m.users.Delete(userID)
	return nil
}

func (*riddle) SetUpStep(_ context.Context, _ latchkey.User, s flow.State, _ flow.Input) (flow.State, flow.Result, error) {
	return s, nil, errors.New("nobody sets a riddle up in a dialogue")
}

func (m *riddle) Challenge(context.Context, string) (json.RawMessage, error) {
	if m.broken.Load() {
		return nil, errors.New("the riddle is forgotten")
	}
	return nil, nil
}

func (*riddle) Verify(_ context.Context, _ string, _ json.RawMessage, in flow.Input) (bool, error) {
	return in.Text("code") == "42", nil
}

// brokenStore fails to read once it is told to.
type brokenStore struct {
	latchkey.Store
	broken atomic.Bool
}

var errDisk = errors.New("secret detail of the disk")

func (s *brokenStore) RefreshTokenBySecret(ctx context.Context, secret latchkey.Secret) (latchkey.RefreshToken, error) {
	if s.broken.Load() {
		return latchkey.RefreshToken{}, errDisk
	}
	return s.Store.RefreshTokenBySecret(ctx, secret)
}

func (s *brokenStore) OnboardingDone(ctx context.Context) ([]string, error) {
	if s.broken.Load() {
		return nil, errDisk
	}
	return s.Store.OnboardingDone(ctx)
}

// over lets the store read from another.
func (s *brokenStore) over(store latchkey.Store) latchkey.Store {
	s.Store = store
	return s
}

// racingStore lets somebody else be faster: before its next change it makes theirs.
type racingStore struct {
	latchkey.Store
	theirs atomic.Pointer[func(latchkey.Tx) error]
}

func (s *racingStore) over(store latchkey.Store) latchkey.Store {
	s.Store = store
	return s
}

func (s *racingStore) Update(ctx context.Context, fn func(latchkey.Tx) error) error {
	if theirs := s.theirs.Swap(nil); theirs != nil {
		if err := s.Store.Update(ctx, *theirs); err != nil {
			return err
		}
	}
	return s.Store.Update(ctx, fn)
}
