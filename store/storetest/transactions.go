package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/permission"
)

func (f Factory) transactions(t *testing.T) {
	t.Run("that fail leave nothing", f.transactionsRolledBack)
	t.Run("that panic leave nothing", f.transactionsPanicked)
	t.Run("read what they have written", f.transactionsReadOwnWrites)
	t.Run("are not seen before they end", f.transactionsUnseen)
	t.Run("end with their context", f.transactionsCancelled)
}

// someOfEverything writes one thing of each kind. Its user holds everything else that can be held.
func someOfEverything(ctx context.Context, tx latchkey.Tx, name string) error {
	u := latchkey.User{ID: name, Name: latchkey.Text(name), IsActive: true, IsOwner: true, GroupIDs: []string{"group " + name}}
	c := newLogin(u.ID, name)
	c.ID = "login " + name
	n := newToken(u.ID)
	n.ID, n.CredentialID, n.ExpireAt = "token "+name, c.ID, noon
	return firstError(
		func() error {
			return tx.InsertGroup(ctx, latchkey.Group{ID: "group " + name, Name: latchkey.Text(name), Policy: permission.UserPolicy()})
		},
		func() error { return tx.InsertUser(ctx, u) },
		func() error { return tx.InsertCredentials(ctx, c) },
		func() error { return tx.InsertRefreshToken(ctx, n) },
		func() error { return tx.InsertPassword(ctx, latchkey.Password{Username: name, Hash: "x"}) },
		func() error { return tx.PutModuleData(ctx, "totp", u.ID, []byte(`"X"`)) },
		func() error { return tx.CompleteOnboarding(ctx, name) },
	)
}

func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// has fails the test unless everything of someOfEverything is there, or nothing.
func has(t *testing.T, r latchkey.Reader, name string, want bool) {
	t.Helper()
	ctx := t.Context()
	exists := func(what string, err error) {
		t.Helper()
		if got := err == nil; got != want || !got && !errors.Is(err, latchkey.ErrNotFound) {
			t.Errorf("%s of %s: %v, want it to exist: %v", what, name, err, want)
		}
	}
	count := func(what string, n int, err error) {
		t.Helper()
		if err != nil || (n > 0) != want {
			t.Errorf("%s of %s: %d, %v, want some: %v", what, name, n, err, want)
		}
	}
	_, err := r.User(ctx, name)
	exists("user", err)
	_, err = r.Group(ctx, "group "+name)
	exists("group", err)
	_, err = r.UserByCredentials(ctx, "login "+name)
	exists("credentials", err)
	_, err = r.RefreshToken(ctx, "token "+name)
	exists("token", err)
	_, err = r.ModuleData(ctx, "totp", name)
	exists("module data", err)
	passwords, err := r.Passwords(ctx, name)
	count("passwords", len(passwords), err)
	steps, err := r.OnboardingDone(ctx)
	count("onboarding", len(steps), err)
}

func (f Factory) transactionsRolledBack(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	refusal := errors.New("refused")
	err := h.Update(ctx, func(tx latchkey.Tx) error {
		if err := someOfEverything(ctx, tx, "ada"); err != nil {
			return err
		}
		has(t, tx, "ada", true)
		return refusal
	})
	if err != refusal { //nolint:errorlint // it comes back as it is
		t.Errorf("error = %v", err)
	}
	h.reading(func(t *testing.T, r latchkey.Reader) { has(t, r, "ada", false) })
	has(t, h.reopened(), "ada", false)

	// Changes and deletions are taken back as well.
	h = f.empty(t)
	h.update(func(tx latchkey.Tx) error { return someOfEverything(ctx, tx, "ada") })
	before, err := h.User(ctx, "ada")
	if err != nil {
		t.Fatal(err)
	}
	err = h.Update(ctx, func(tx latchkey.Tx) error {
		changed := clone(before)
		changed.Name = latchkey.Text("changed")
		err := firstError(
			func() error { return tx.UpdateUser(ctx, changed) },
			func() error { return tx.DeleteGroup(ctx, "group ada") },
			func() error { return tx.DeleteCredentials(ctx, "login ada") },
			func() error { return tx.DeletePassword(ctx, "ada") },
			func() error { return tx.DeleteUser(ctx, "ada") },
		)
		if err != nil {
			return err
		}
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Errorf("error = %v", err)
	}
	h.reading(func(t *testing.T, r latchkey.Reader) {
		has(t, r, "ada", true)
		same(t, before)(r.User(t.Context(), "ada"))
	})
}

func (f Factory) transactionsPanicked(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	func() {
		defer func() {
			if got := recover(); got != "stop" {
				t.Errorf("recovered %v, want what the function panicked with", got)
			}
		}()
		err := h.Update(ctx, func(tx latchkey.Tx) error {
			if err := someOfEverything(ctx, tx, "ada"); err != nil {
				return err
			}
			panic("stop")
		})
		t.Errorf("Update returned %v", err)
	}()
	h.reading(func(t *testing.T, r latchkey.Reader) { has(t, r, "ada", false) })
	h.update(func(tx latchkey.Tx) error { return someOfEverything(ctx, tx, "bob") }) // the store goes on
	has(t, h, "bob", true)
}

func (f Factory) transactionsReadOwnWrites(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	h.update(func(tx latchkey.Tx) error {
		has(t, tx, "ada", false)
		if err := someOfEverything(ctx, tx, "ada"); err != nil {
			return err
		}
		has(t, tx, "ada", true)
		same(t, true)(tx.HasPeople(ctx))
		same(t, true)(tx.HasAdminBeside(ctx, ""))
		same(t, noon)(tx.NextExpiry(ctx))
		owner, err := tx.Owner(ctx)
		same(t, "ada")(owner.ID, err)
		n, err := tx.RefreshToken(ctx, "token ada")
		if err != nil {
			return err
		}
		n.LastUsedIP = "::1"
		if err := tx.UpdateRefreshToken(ctx, n); err != nil {
			return err
		}
		same(t, n)(tx.RefreshToken(ctx, n.ID))
		if err := tx.DeleteCredentials(ctx, "login ada"); err != nil {
			return err
		}
		missing[latchkey.RefreshToken](t)(tx.RefreshToken(ctx, n.ID))
		same(t, []latchkey.RefreshToken(nil))(tx.ExpiredRefreshTokens(ctx, noon, 1))
		return nil
	})
	same(t, []latchkey.RefreshToken(nil))(h.RefreshTokens(ctx, "ada"))
}

func (f Factory) transactionsUnseen(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	written, read := make(chan struct{}), make(chan struct{})
	var once sync.Once // the function may be called again
	var seen error
	go func() {
		defer close(read)
		<-written
		_, seen = h.User(ctx, "ada")
	}()
	refusal := errors.New("refused")
	err := h.Update(ctx, func(tx latchkey.Tx) error {
		if err := someOfEverything(ctx, tx, "ada"); err != nil {
			return err
		}
		once.Do(func() { close(written) })
		select {
		case <-read:
		case <-time.After(time.Second): // the readers of this store wait for the end of the transaction
		}
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Errorf("error = %v", err)
	}
	<-read
	if !errors.Is(seen, latchkey.ErrNotFound) {
		t.Errorf("a reader saw what was never committed: %v", seen)
	}
}

func (f Factory) transactionsCancelled(t *testing.T) {
	h := f.empty(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ran := false
	err := h.Update(ctx, func(latchkey.Tx) error { ran = true; return nil })
	if !errors.Is(err, context.Canceled) || ran {
		t.Errorf("cancelled before: %v, ran: %v", err, ran)
	}
	for name, end := range map[string]func(error) error{
		"returning what the transaction says": func(err error) error { return err },
		"returning nothing":                   func(error) error { return nil },
	} {
		t.Run("in the middle, "+name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := h.Update(ctx, func(tx latchkey.Tx) error {
				if err := someOfEverything(ctx, tx, "ada"); err != nil {
					return err
				}
				cancel()
				return end(tx.CompleteOnboarding(ctx, "late"))
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error = %v", err)
			}
			has(t, h, "ada", false)
		})
	}
	if _, err := h.User(ctx, "ada"); !errors.Is(err, context.Canceled) {
		t.Errorf("reading with a cancelled context: %v", err)
	}
	if _, err := h.Users(ctx, "", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("listing with a cancelled context: %v", err)
	}
	h.update(func(tx latchkey.Tx) error { return someOfEverything(t.Context(), tx, "bob") })
	has(t, h, "bob", true)
}
