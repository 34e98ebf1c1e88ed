package homeassistant_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

const password = "correct horse battery"

// open returns the provider over a store in an empty folder, with a user for each name.
func open(t *testing.T, usernames ...string) (*homeassistant.Provider, latchkey.Store, *latchkey.Manager) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "latchkey.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	p, err := homeassistant.New(store, homeassistant.Options{Cost: 4})
	if err != nil {
		t.Fatal(err)
	}
	m, err := latchkey.New(store, latchkey.Options{Providers: []latchkey.Provider{p}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	for _, name := range usernames {
		login, err := p.NewLogin(t.Context(), name, password)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text(name)}, login.GiveTo); err != nil {
			t.Fatal(err)
		}
	}
	return p, store, m
}

// oldRecord puts a record into the store as a file of Home Assistant may hold it.
func oldRecord(t *testing.T, p *homeassistant.Provider, store latchkey.Store, username string) {
	t.Helper()
	hash := hashOf(t, p, store)
	if err := store.Update(t.Context(), func(tx latchkey.Tx) error {
		return tx.InsertPassword(t.Context(), latchkey.Password{Username: username, Hash: hash})
	}); err != nil {
		t.Fatal(err)
	}
}

// hashOf returns a hash of the password.
func hashOf(t *testing.T, p *homeassistant.Provider, store latchkey.Store) string {
	t.Helper()
	records, err := store.Passwords(t.Context(), "template")
	if err != nil {
		t.Fatal(err)
	}
	if len(records) == 0 {
		if err := store.Update(t.Context(), func(tx latchkey.Tx) error {
			return tx.InsertPassword(t.Context(), latchkey.Password{Username: "template"})
		}); err != nil {
			t.Fatal(err)
		}
		if err := p.ChangePassword(t.Context(), "template", password); err != nil {
			t.Fatal(err)
		}
		return hashOf(t, p, store)
	}
	return records[0].Hash
}

// spec: providers.md §3.2, the table; security.md W4
func TestUsernameRules(t *testing.T) {
	p, _, m := open(t, "anna", "bob")
	ctx := t.Context()
	for name, want := range map[string]error{
		"":             homeassistant.ErrEmptyUsername,
		"Carl":         homeassistant.ErrNotNormalized,
		" carl":        homeassistant.ErrNotNormalized,
		"carl\u3000":   homeassistant.ErrNotNormalized,
		"a\x00b":       homeassistant.ErrUnusableUsername,
		"\xff\xfe":     homeassistant.ErrUnusableUsername,
		"anna":         homeassistant.ErrUsernameTaken,
		"carl":         nil,
		"ca rl":        nil,
		"sstrasse":     nil,
		"κωνσταντίνοσ": nil,
	} {
		owner, err := m.Owner(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got := p.AddLogin(ctx, owner.ID, name, password)
		if want == nil && got != nil || want != nil && !errors.Is(got, want) {
			t.Errorf("AddLogin(%q) = %v, want %v", name, got, want)
		}
		if want == nil {
			continue
		}
		if u := new(homeassistant.UserError); errors.As(got, &u) && !errors.Is(got, homeassistant.ErrInvalidUser) {
			t.Errorf("%v is no ErrInvalidUser", got)
		}
	}
	if err := p.AddLogin(ctx, "nobody", "dora", password); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("a login for nobody: %v", err)
	}
	if err := p.ValidateLogin(ctx, "dora", password); !errors.Is(err, latchkey.ErrInvalidAuth) {
		t.Errorf("the login of nobody signs in: %v", err)
	}
	if err := p.ValidateLogin(ctx, "SSTRASSE", password); err != nil { // folds to sstrasse
		t.Errorf("a folded name: %v", err)
	}
}

// spec: providers.md §3.2; security.md 1 to 6
func TestChangingLogins(t *testing.T) {
	p, store, m := open(t, "anna", "bob")
	ctx := t.Context()
	for _, refused := range []string{"short", "password", strings.Repeat("x", 5000)} {
		if err := p.ChangePassword(ctx, "anna", refused); !errors.Is(err, latchkey.ErrValue) {
			t.Errorf("password %.10q: %v", refused, err)
		}
	}
	if err := p.ChangePassword(ctx, "nobody", password); !errors.Is(err, homeassistant.ErrUserNotFound) {
		t.Errorf("unknown user: %v", err)
	}
	if err := p.ChangePassword(ctx, " ANNA ", "another long one"); err != nil {
		t.Fatal(err)
	}
	if p.ValidateLogin(ctx, "anna", password) == nil || p.ValidateLogin(ctx, "anna", "another long one") != nil {
		t.Error("not exactly the new password signs in")
	}

	owner, _ := m.Owner(ctx)
	c := owner.Credentials[0]
	for name, want := range map[string]error{
		"Bad": homeassistant.ErrNotNormalized, "bob": homeassistant.ErrUsernameTaken, "anna": homeassistant.ErrUsernameTaken,
	} {
		if err := p.ChangeUsername(ctx, c, name); !errors.Is(err, want) {
			t.Errorf("rename to %q: %v", name, err)
		}
	}
	unknown := latchkey.NewCredentials(p.Key(), map[string]any{"username": "nobody"})
	if err := p.ChangeUsername(ctx, unknown, "Bad"); !errors.Is(err, homeassistant.ErrNotNormalized) {
		t.Errorf("a bad name comes before an unknown user: %v", err)
	}
	if err := p.ChangeUsername(ctx, unknown, "good"); !errors.Is(err, homeassistant.ErrUserNotFound) {
		t.Errorf("rename nobody: %v", err)
	}
	if err := p.ChangeUsername(ctx, c, "annabel"); err != nil {
		t.Fatal(err)
	}
	renamed, err := p.Credentials(ctx, map[string]any{"username": "Annabel"})
	if err != nil || renamed.ID != c.ID || p.ValidateLogin(ctx, "annabel", "another long one") != nil {
		t.Errorf("renamed: %+v, %v", renamed, err)
	}
	if err := p.RemoveLogin(ctx, "annabel"); err != nil {
		t.Fatal(err)
	}
	if err := p.RemoveLogin(ctx, "annabel"); !errors.Is(err, homeassistant.ErrUserNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if records, err := store.Passwords(ctx, "annabel"); err != nil || len(records) != 0 {
		t.Errorf("records = %v, %v", records, err)
	}
}

// spec: providers.md §3.1, legacy mode of 2024.7 and the repair issue
func TestOldUsernamesAreComparedExactly(t *testing.T) {
	p, store, _ := open(t)
	ctx := t.Context()
	oldRecord(t, p, store, "fritz")
	if _, found, err := p.RepairIssue(ctx); found || err != nil {
		t.Errorf("an issue of clean names: %v", err)
	}
	if err := p.ValidateLogin(ctx, "FRITZ", password); err != nil {
		t.Errorf("modern mode: %v", err)
	}
	for _, name := range []string{"Test", "test", "Fritz "} {
		oldRecord(t, p, store, name)
	}
	for name, want := range map[string]bool{"Test": true, "test": true, "TEST": false, "Fritz ": true, "fritz": true, "FRITZ": false, "Fritz": false} {
		if got := p.ValidateLogin(ctx, name, password) == nil; got != want {
			t.Errorf("%q signs in: %v", name, got)
		}
	}
	c, err := p.Credentials(ctx, map[string]any{"username": "Test"})
	if err != nil || c.Text("username") != "Test" {
		t.Errorf("credentials in legacy mode: %+v, %v", c, err)
	}
	issue, found, err := p.RepairIssue(ctx)
	if err != nil || !found || issue.Usernames != "- \"Fritz \"\n- \"Test\"" ||
		issue.ID != "homeassistant_provider_not_normalized_usernames" || issue.BreaksIn != "2026.7.0" {
		t.Errorf("issue = %+v, %v", issue, err)
	}
	for _, name := range []string{"Test", "Fritz "} { // switched off again when all are clean
		if err := p.RemoveLogin(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.ValidateLogin(ctx, "FRITZ", password); err != nil {
		t.Errorf("clean again: %v", err)
	}
	if _, found, _ := p.RepairIssue(ctx); found {
		t.Error("the issue is still there")
	}
}

// spec: security.md 11: the sessions end with the old password, what was set up beside them stays
func TestResetPasswordEndsTheSessions(t *testing.T) {
	p, _, m := open(t, "anna", "bob")
	ctx := t.Context()
	anna, err := m.Owner(ctx)
	if err != nil {
		t.Fatal(err)
	}
	make := func(n latchkey.NewRefreshToken) string {
		t.Helper()
		n.UserID = anna.ID
		token, err := m.CreateRefreshToken(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		return token.ID
	}
	session := make(latchkey.NewRefreshToken{ClientID: latchkey.Text("https://app.example/")})
	longLived := make(latchkey.NewRefreshToken{ClientName: latchkey.Text("GPS"), Type: latchkey.TokenLongLived})
	if _, err := p.ResetPassword(ctx, "anna", "short"); !errors.Is(err, homeassistant.ErrPasswordTooShort) {
		t.Errorf("short password: %v", err)
	}
	if _, err := m.RefreshToken(ctx, session); err != nil {
		t.Errorf("a refused reset has ended the session: %v", err)
	}
	reset, err := p.ResetPassword(ctx, "Anna", "another long one")
	if err != nil || reset != (homeassistant.Reset{SessionsEnded: 1, TokensKept: 1}) {
		t.Errorf("reset = %+v, %v", reset, err)
	}
	if _, err := m.RefreshToken(ctx, session); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("the session: %v", err)
	}
	if _, err := m.RefreshToken(ctx, longLived); err != nil {
		t.Errorf("the long-lived token: %v", err)
	}
	if p.ValidateLogin(ctx, "anna", password) == nil || p.ValidateLogin(ctx, "anna", "another long one") != nil {
		t.Error("not exactly the new password signs in")
	}
}
