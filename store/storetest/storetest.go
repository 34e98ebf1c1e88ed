// Package storetest is the suite that every store of latchkey has to pass. It knows the interface and the rules of
// latchkey.Store, and nothing of how a store keeps its data.
package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6a977b3d/latchkey"
)

// Factory says how the stores of one kind are opened, and what they can do.
type Factory struct {
	// NewPlace makes a place without data. What it returns opens a store there, and may be called again: once the store
	// before was closed, and if Shared is true also while others are open.
	NewPlace func(t testing.TB) (open func(context.Context) (latchkey.Store, error))
	// Shared says that several stores may be open in one place at the same time, as those of several processes are.
	Shared bool
	// KeepsSecrets says that the store gives back the secrets of refresh tokens. One that does not leaves them empty.
	KeepsSecrets bool
}

// Run runs the whole suite. Each test has a place of its own.
func Run(t *testing.T, f Factory) {
	t.Run("Users", f.users)
	t.Run("Search", f.search)
	t.Run("Limits", f.limits)
	t.Run("Credentials", f.credentials)
	t.Run("Tokens", f.tokens)
	t.Run("Batches", f.batches)
	t.Run("Groups", f.groups)
	t.Run("Passwords", f.passwords)
	t.Run("ModuleData", f.moduleData)
	t.Run("Onboarding", f.onboarding)
	t.Run("Transactions", f.transactions)
	t.Run("Changes", f.changes)
	t.Run("Concurrency", f.concurrency)
	t.Run("Reopening", f.reopening)
	if f.Shared {
		t.Run("Sharing", f.sharing)
	}
}

// house is an open store with what a test needs around it. Its helpers end the test when something fails.
type house struct {
	latchkey.Store
	t       *testing.T
	factory Factory
	open    func(context.Context) (latchkey.Store, error)
}

// empty opens a store in a new place.
func (f Factory) empty(t *testing.T) house {
	t.Helper()
	return house{t: t, factory: f, open: f.NewPlace(t)}.another()
}

// another opens one more store in the same place.
func (h house) another() house {
	h.t.Helper()
	store, err := h.open(h.t.Context())
	if err != nil {
		h.t.Fatal("open:", err)
	}
	h.t.Cleanup(func() { _ = store.Close() })
	h.Store = store
	return h
}

// reopened closes the store and opens the place again.
func (h house) reopened() house {
	h.t.Helper()
	if err := h.Close(); err != nil {
		h.t.Fatal("close:", err)
	}
	return h.another()
}

// update changes something that must succeed.
func (h house) update(fn func(latchkey.Tx) error) {
	h.t.Helper()
	if err := h.Update(h.t.Context(), fn); err != nil {
		h.t.Fatal("update:", err)
	}
}

// refused runs one change that must fail in the given way. The transaction goes on after it and succeeds: a refused
// change has left no trace of its own.
func (h house) refused(want error, change func(latchkey.Tx) error) {
	h.t.Helper()
	h.update(func(tx latchkey.Tx) error {
		if err := change(tx); !errors.Is(err, want) {
			h.t.Errorf("error = %v, want one that is %v", err, want)
		}
		return nil
	})
}

// reading runs fn with the store, and again inside of a transaction: both must answer alike.
func (h house) reading(fn func(t *testing.T, r latchkey.Reader)) {
	h.t.Helper()
	h.t.Run("outside of a transaction", func(t *testing.T) { fn(t, h.Store) })
	h.t.Run("in a transaction", func(t *testing.T) {
		err := h.Update(t.Context(), func(tx latchkey.Tx) error { fn(t, tx); return nil })
		if err != nil {
			t.Error(err)
		}
	})
}

// person inserts an active user; change alters it before.
func (h house) person(change ...func(*latchkey.User)) latchkey.User {
	h.t.Helper()
	u := latchkey.User{ID: latchkey.NewID(), Name: latchkey.Text("Ada"), IsActive: true, GroupIDs: []string{latchkey.GroupUser}}
	for _, fn := range change {
		fn(&u)
	}
	h.update(func(tx latchkey.Tx) error { return tx.InsertUser(h.t.Context(), u) })
	return u
}

// login inserts credentials of the built-in provider.
func (h house) login(userID, username string) latchkey.Credentials {
	h.t.Helper()
	c := newLogin(userID, username)
	h.update(func(tx latchkey.Tx) error { return tx.InsertCredentials(h.t.Context(), c) })
	return c
}

func newLogin(userID, username string) latchkey.Credentials {
	c := latchkey.NewCredentials(latchkey.ProviderKey{Type: "homeassistant"}, map[string]any{"username": username})
	c.UserID = userID
	return c
}

// token inserts a normal refresh token; change alters it before.
func (h house) token(userID string, change ...func(*latchkey.RefreshToken)) latchkey.RefreshToken {
	h.t.Helper()
	n := newToken(userID, change...)
	h.update(func(tx latchkey.Tx) error { return tx.InsertRefreshToken(h.t.Context(), n) })
	return n
}

func newToken(userID string, change ...func(*latchkey.RefreshToken)) latchkey.RefreshToken {
	n := latchkey.RefreshToken{
		ID: latchkey.NewID(), UserID: userID, ClientID: latchkey.Text("https://app.example/"), Type: latchkey.TokenNormal,
		AccessTokenExpiration: latchkey.AccessTokenExpiration, CreatedAt: noon, Secret: latchkey.NewSecret(), JWTKey: latchkey.NewSecret(),
	}
	for _, fn := range change {
		fn(&n)
	}
	return n
}

// noon is a time as fine as stores keep it: microseconds.
var noon = time.Date(2026, time.May, 1, 12, 0, 0, 123456000, time.UTC)

// kept returns the token as the store gives it back.
func (h house) kept(n latchkey.RefreshToken) latchkey.RefreshToken {
	if !h.factory.KeepsSecrets {
		n.Secret = ""
	}
	return n
}

// same fails the test unless a look-up gave what was wanted. Lists and maps without entries are alike.
func same[T any](t *testing.T, want T) func(got T, err error) {
	return func(got T, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("error = %v", err)
		} else if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// missing fails the test unless a look-up found nothing.
func missing[T any](t *testing.T) func(got T, err error) {
	return func(_ T, err error) {
		t.Helper()
		if !errors.Is(err, latchkey.ErrNotFound) {
			t.Errorf("error = %v, want one that is %v", err, latchkey.ErrNotFound)
		}
	}
}

// ids returns the ids of users or tokens, in order.
func ids[T any](list []T, id func(T) string) []string {
	all := make([]string, len(list))
	for i, v := range list {
		all[i] = id(v)
	}
	return all
}

func tokenID(t latchkey.RefreshToken) string { return t.ID }
func userID(u latchkey.User) string          { return u.ID }

// clone returns the user with lists of its own, so that a test may go on to change it.
func clone(u latchkey.User) latchkey.User {
	u.GroupIDs, u.Credentials = slices.Clone(u.GroupIDs), slices.Clone(u.Credentials)
	return u
}
