package latchkey_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// house is a manager over a store of its own, with the built-in provider.
type house struct {
	*latchkey.Manager
	store latchkey.Store
	local *homeassistant.Provider
}

// newHouse opens a house in an empty folder. More providers and modules can be given.
func newHouse(t testing.TB, o latchkey.Options) house {
	t.Helper()
	return newHouseOver(t, openFile(t), o)
}

// alone is a store that nobody else changes, as it says.
type alone struct{ latchkey.Store }

// openStore opens a store in an empty folder. Tests with a clock of their own open it before they step into the bubble:
// the store asks its file for news a few times a second, which would be often in ninety days. By the clock in the bubble
// it never did, and nothing would be taken from memory.
func openStore(t testing.TB) latchkey.Store { return alone{openFile(t)} }

func openFile(t testing.TB) latchkey.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "latchkey.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func newHouseOver(t testing.TB, store latchkey.Store, o latchkey.Options) house {
	t.Helper()
	local, err := homeassistant.New(store, homeassistant.Options{Cost: 4})
	if err != nil {
		t.Fatal(err)
	}
	o.Providers = append([]latchkey.Provider{local}, o.Providers...)
	m, err := latchkey.New(store, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return house{Manager: m, store: store, local: local}
}

// person makes a user with a login of the same name.
func (h house) person(t testing.TB, username string, groups ...string) latchkey.User {
	t.Helper()
	login, err := h.local.NewLogin(t.Context(), username, password)
	if err != nil {
		t.Fatal(err)
	}
	u, err := h.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text(username), GroupIDs: groups}, login.GiveTo)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// token makes a normal refresh token for the user.
func (h house) token(t testing.TB, u latchkey.User) latchkey.RefreshToken {
	t.Helper()
	token, err := h.CreateRefreshToken(t.Context(), latchkey.NewRefreshToken{UserID: u.ID, ClientID: latchkey.Text(client)})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

const (
	password = "correct horse battery"
	client   = "https://app.example/"
)

func isRefused(err error, kind error, text string) bool {
	return errors.Is(err, kind) && err.Error() == text
}

func ptr[T any](v T) *T { return &v }

// exists reports whether a look-up found something; any error but ErrNotFound fails the test.
func exists(t *testing.T, err error) bool {
	t.Helper()
	if err != nil && !errors.Is(err, latchkey.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// users collects all users.
func (h house) users(t *testing.T) []latchkey.User {
	t.Helper()
	var all []latchkey.User
	for u, err := range h.Users(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	return all
}
