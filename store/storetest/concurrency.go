package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

func (f Factory) concurrency(t *testing.T) {
	t.Run("loses no update", func(t *testing.T) {
		h := f.empty(t)
		f.losesNoUpdate(t, h)
	})
	t.Run("makes one owner", func(t *testing.T) {
		h := f.empty(t)
		f.makesOneOwner(t, h)
	})
	t.Run("shows whole users only", f.showsWholeUsers)
	t.Run("ends a token in one place", f.endsATokenOnce)
}

// concurrently runs n workers, and ends when all of them have.
func concurrently(t *testing.T, n int, work func(worker int) error) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := work(i); err != nil {
				t.Errorf("worker %d: %v", i, err)
			}
		})
	}
	all.Wait()
}

// losesNoUpdate lets workers add one to a number again and again, each through one of the stores.
func (f Factory) losesNoUpdate(t *testing.T, stores ...house) {
	ctx := t.Context()
	n := stores[0].token(stores[0].person().ID, func(n *latchkey.RefreshToken) { n.AccessTokenExpiration = 0 })
	const workers, rounds = 6, 10
	concurrently(t, workers, func(worker int) error {
		for range rounds {
			err := stores[worker%len(stores)].Update(ctx, func(tx latchkey.Tx) error {
				got, err := tx.RefreshToken(ctx, n.ID)
				if err != nil {
					return err
				}
				got.AccessTokenExpiration += time.Second
				return tx.UpdateRefreshToken(ctx, got)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	for _, h := range stores {
		got, err := h.RefreshToken(ctx, n.ID)
		same(t, workers*rounds*time.Second)(got.AccessTokenExpiration, err)
	}
}

// makesOneOwner lets workers add a user each, who owns the house if there are no people: a rule over several records,
// of which none is written by two of them.
func (f Factory) makesOneOwner(t *testing.T, stores ...house) {
	ctx := t.Context()
	const workers = 8
	concurrently(t, workers, func(worker int) error {
		return stores[worker%len(stores)].Update(ctx, func(tx latchkey.Tx) error {
			people, err := tx.HasPeople(ctx)
			if err != nil {
				return err
			}
			return tx.InsertUser(ctx, latchkey.User{ID: fmt.Sprint(worker), IsOwner: !people})
		})
	})
	for _, h := range stores {
		users, err := h.Users(ctx, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		owners := slices.DeleteFunc(slices.Clone(users), func(u latchkey.User) bool { return !u.IsOwner })
		if len(users) != workers || len(owners) != 1 || owners[0].ID != users[0].ID {
			t.Errorf("%d users, owners %v", len(users), ids(owners, userID))
		}
	}
}

// showsWholeUsers reads a user whose name, groups and credentials are always changed together.
func (f Factory) showsWholeUsers(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	u := h.person()
	login := h.login(u.ID, "Ada")
	var writing sync.WaitGroup
	done := make(chan struct{})
	writing.Go(func() {
		defer close(done)
		for i := range 30 {
			name, groups := "Ada", []string{latchkey.GroupUser}
			if i%2 == 0 {
				name, groups = "Bob", []string{latchkey.GroupReadOnly, latchkey.GroupAdmin}
			}
			err := h.Update(ctx, func(tx latchkey.Tx) error {
				return firstError(
					func() error {
						return tx.UpdateUser(ctx, latchkey.User{ID: u.ID, Name: latchkey.Text(name), GroupIDs: groups})
					},
					func() error {
						return tx.UpdateCredentials(ctx, latchkey.Credentials{ID: login.ID, Data: map[string]any{"username": name}})
					},
				)
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	concurrently(t, 2, func(int) error {
		for {
			select {
			case <-done:
				return nil
			default:
			}
			users, err := h.Users(ctx, "", 1)
			if err != nil {
				return err
			}
			got := users[0]
			want := 1
			if got.Name.Text == "Bob" {
				want = 2
			}
			if len(got.GroupIDs) != want || len(got.Credentials) != 1 || got.Credentials[0].Text("username") != got.Name.Text {
				return fmt.Errorf("%s is in %v with %v", got.Name.Text, got.GroupIDs, got.Credentials)
			}
		}
	})
	writing.Wait()
}

// endsATokenOnce lets workers delete one token: exactly one of them does.
func (f Factory) endsATokenOnce(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	n := h.token(h.person().ID)
	e := h.listen()
	var mu sync.Mutex
	deleted := 0
	concurrently(t, 6, func(int) error {
		err := h.Update(ctx, func(tx latchkey.Tx) error { return tx.DeleteRefreshToken(ctx, n.ID) })
		switch {
		case err == nil:
			mu.Lock()
			defer mu.Unlock()
			deleted++
		case !errors.Is(err, latchkey.ErrNotFound):
			return err
		}
		return nil
	})
	if deleted != 1 {
		t.Errorf("deleted %d times", deleted)
	}
	same(t, []latchkey.Change{change(latchkey.TokenRemoved, n.ID)})(e.take(), nil)
}
