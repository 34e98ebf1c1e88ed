package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

func (f Factory) changes(t *testing.T) {
	t.Run("name what each operation has changed", f.changesNoted)
	t.Run("are told before the update returns", f.changesBeforeReturn)
	t.Run("are told in the order of the updates", f.changesInOrder)
	t.Run("are told to nobody who has stopped", f.changesStopped)
	t.Run("are not told of what did not happen", f.changesOfNothing)
}

// ear gathers the changes that a store tells.
type ear struct {
	mu    sync.Mutex
	heard []latchkey.Change
	more  chan struct{} // has room for one: something was heard
}

// listen begins to gather what the store tells, until the end of the test.
func (h house) listen() *ear {
	e := &ear{more: make(chan struct{}, 1)}
	h.t.Cleanup(h.Watch(e.hear))
	return e
}

func (e *ear) hear(changes []latchkey.Change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, changes...)
	select {
	case e.more <- struct{}{}:
	default:
	}
}

// take returns what was heard, and forgets it.
func (e *ear) take() []latchkey.Change {
	e.mu.Lock()
	defer e.mu.Unlock()
	heard := e.heard
	e.heard = nil
	return heard
}

// wait returns what was heard up to the first change that is last, and ends the test if that never comes.
func (e *ear) wait(t *testing.T, last latchkey.Change) []latchkey.Change {
	t.Helper()
	never := time.After(time.Minute)
	var all []latchkey.Change
	for {
		all = append(all, e.take()...)
		if slices.Contains(all, last) {
			return all
		}
		select {
		case <-e.more:
		case <-never:
			t.Fatalf("never heard of %v, but of %v", last, all)
		}
	}
}

func change(kind latchkey.ChangeKind, id string) latchkey.Change {
	return latchkey.Change{Kind: kind, ID: id}
}

// spec: security.md 20, 21 and W8: whoever depends on a token hears of its end
func (f Factory) changesNoted(t *testing.T) {
	ctx := t.Context()
	user, group := change(latchkey.UserChanged, "ada"), change(latchkey.GroupChanged, "group ada")
	used, removed := change(latchkey.TokenChanged, "token ada"), change(latchkey.TokenRemoved, "token ada")
	for _, row := range []struct {
		name string
		do   func(latchkey.Tx) error
		want []latchkey.Change
	}{
		{"insert user", func(tx latchkey.Tx) error { return tx.InsertUser(ctx, latchkey.User{ID: "bob"}) }, []latchkey.Change{change(latchkey.UserChanged, "bob")}},
		{"update user", func(tx latchkey.Tx) error { return tx.UpdateUser(ctx, latchkey.User{ID: "ada"}) }, []latchkey.Change{user}},
		{"delete user", func(tx latchkey.Tx) error { return tx.DeleteUser(ctx, "ada") },
			[]latchkey.Change{user, removed, change(latchkey.TokenRemoved, "second")}},
		{"insert group", func(tx latchkey.Tx) error { return tx.InsertGroup(ctx, latchkey.Group{ID: "g"}) }, []latchkey.Change{change(latchkey.GroupChanged, "g")}},
		{"update group", func(tx latchkey.Tx) error { return tx.UpdateGroup(ctx, latchkey.Group{ID: "group ada"}) }, []latchkey.Change{group}},
		{"delete group", func(tx latchkey.Tx) error { return tx.DeleteGroup(ctx, "group ada") }, []latchkey.Change{group, user}},
		{"insert credentials", func(tx latchkey.Tx) error { return tx.InsertCredentials(ctx, newLogin("ada", "x")) }, []latchkey.Change{user}},
		{"update credentials", func(tx latchkey.Tx) error {
			return tx.UpdateCredentials(ctx, latchkey.Credentials{ID: "login ada", Data: map[string]any{"username": "x"}})
		}, []latchkey.Change{user}},
		{"delete credentials", func(tx latchkey.Tx) error { return tx.DeleteCredentials(ctx, "login ada") }, []latchkey.Change{user, removed}},
		{"update token", func(tx latchkey.Tx) error {
			n, err := tx.RefreshToken(ctx, "token ada")
			if err != nil {
				return err
			}
			n.LastUsedAt = noon
			return tx.UpdateRefreshToken(ctx, n)
		}, []latchkey.Change{used}},
		{"delete token", func(tx latchkey.Tx) error { return tx.DeleteRefreshToken(ctx, "token ada") }, []latchkey.Change{removed}},
		{"announce", func(tx latchkey.Tx) error { tx.Announce(change(latchkey.EventUserUpdated, "ada")); return nil },
			[]latchkey.Change{change(latchkey.EventUserUpdated, "ada")}},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := f.empty(t)
			h.update(func(tx latchkey.Tx) error {
				n := newToken("ada")
				n.ID = "second"
				return firstError(func() error { return someOfEverything(ctx, tx, "ada") }, func() error { return tx.InsertRefreshToken(ctx, n) })
			})
			e := h.listen()
			h.update(row.do)
			got := e.take()
			for _, c := range row.want {
				if !slices.Contains(got, c) {
					t.Errorf("%v is missing in %v", c, got)
				}
			}
			for _, c := range got { // one too many is a cache dropped in vain, but an end or an event is believed
				if !slices.Contains(row.want, c) && c.Kind != latchkey.UserChanged && c.Kind != latchkey.GroupChanged {
					t.Errorf("%v did not happen", c)
				}
			}
		})
	}
}

func (f Factory) changesBeforeReturn(t *testing.T) {
	h := f.empty(t)
	first, second := h.listen(), h.listen()
	h.update(func(tx latchkey.Tx) error {
		tx.Announce(change(latchkey.EventUserAdded, "a"))
		if heard := first.take(); len(heard) > 0 {
			t.Errorf("told before the commit: %v", heard)
		}
		tx.Announce(change(latchkey.EventUserRemoved, "a"))
		return nil
	})
	want := []latchkey.Change{change(latchkey.EventUserAdded, "a"), change(latchkey.EventUserRemoved, "a")}
	same(t, want)(first.take(), nil)
	same(t, want)(second.take(), nil)
}

func (f Factory) changesInOrder(t *testing.T) {
	h := f.empty(t)
	e := h.listen()
	const workers, rounds = 4, 10
	concurrently(t, workers, func(worker int) error {
		for i := range rounds {
			err := h.Update(t.Context(), func(tx latchkey.Tx) error {
				// The number of steps that are done is the number of this transaction.
				done, err := tx.OnboardingDone(t.Context())
				if err != nil {
					return err
				}
				tx.Announce(change(latchkey.EventUserUpdated, fmt.Sprint(len(done))))
				return tx.CompleteOnboarding(t.Context(), fmt.Sprint(worker, " ", i))
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	var want []latchkey.Change
	for i := range workers * rounds {
		want = append(want, change(latchkey.EventUserUpdated, fmt.Sprint(i)))
	}
	same(t, want)(e.take(), nil)
}

func (f Factory) changesStopped(t *testing.T) {
	h := f.empty(t)
	e := &ear{}
	stop := h.Watch(e.hear)
	stays := h.listen()
	announce := func(id string) error {
		return h.Update(t.Context(), func(tx latchkey.Tx) error { tx.Announce(change(latchkey.EventUserAdded, id)); return nil })
	}
	if err := announce("a"); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := announce("b"); err != nil {
		t.Fatal(err)
	}
	stop() // twice does no harm
	same(t, []latchkey.Change{change(latchkey.EventUserAdded, "a")})(e.take(), nil)
	same(t, []latchkey.Change{change(latchkey.EventUserAdded, "a"), change(latchkey.EventUserAdded, "b")})(stays.take(), nil)

	concurrently(t, 4, func(int) error { // watchers come and go at any time
		for range 20 {
			h.Watch(e.hear)()
		}
		return announce("c")
	})
}

func (f Factory) changesOfNothing(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	h.update(func(tx latchkey.Tx) error { return someOfEverything(ctx, tx, "ada") })
	e := h.listen()
	refusal := errors.New("refused")
	err := h.Update(ctx, func(tx latchkey.Tx) error { return errors.Join(tx.DeleteUser(ctx, "ada"), refusal) })
	if !errors.Is(err, refusal) {
		t.Errorf("error = %v", err)
	}
	ctx2, cancel := context.WithCancel(ctx)
	defer cancel()
	err = h.Update(ctx2, func(tx latchkey.Tx) error { defer cancel(); return tx.DeleteUser(ctx2, "ada") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	for name, refused := range map[string]func(latchkey.Tx) error{
		"delete user":        func(tx latchkey.Tx) error { return tx.DeleteUser(ctx, "bob") },
		"delete group":       func(tx latchkey.Tx) error { return tx.DeleteGroup(ctx, latchkey.GroupAdmin) },
		"delete credentials": func(tx latchkey.Tx) error { return tx.DeleteCredentials(ctx, "bob") },
		"update token":       func(tx latchkey.Tx) error { return tx.UpdateRefreshToken(ctx, newToken("ada")) },
		"delete token":       func(tx latchkey.Tx) error { return tx.DeleteRefreshToken(ctx, "bob") },
	} {
		t.Run(name, func(t *testing.T) {
			h.refused(latchkey.ErrNotFound, refused)
			same(t, []latchkey.Change(nil))(e.take(), nil)
		})
	}
}
