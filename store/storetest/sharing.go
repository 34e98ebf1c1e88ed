package storetest

import (
	"slices"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

// reopening: what was acknowledged is there after the store was closed (security.md W5).
func (f Factory) reopening(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	for _, name := range []string{"ada", "bob"} {
		h.update(func(tx latchkey.Tx) error { return someOfEverything(ctx, tx, name) })
		h = h.reopened()
	}
	for _, name := range []string{"ada", "bob"} {
		h.reading(func(t *testing.T, r latchkey.Reader) { has(t, r, name, true) })
	}
	same(t, []string{"ada", "bob"})(userIDs(h.Users(ctx, "", 10)))
	// What comes after stands behind what was there, also when the last one is gone.
	h.update(func(tx latchkey.Tx) error { return tx.DeleteUser(ctx, "bob") })
	h = h.reopened()
	h.update(func(tx latchkey.Tx) error { return tx.InsertUser(ctx, latchkey.User{ID: "carl"}) })
	same(t, []string{"ada", "carl"})(userIDs(h.Users(ctx, "", 10)))
	e := h.listen()
	if heard := e.take(); len(heard) > 0 {
		t.Errorf("changes of before were told: %v", heard)
	}
}

// sharing: several stores are open in one place.
func (f Factory) sharing(t *testing.T) {
	t.Run("shows at once what another store has written", func(t *testing.T) {
		h := f.empty(t)
		other := h.another()
		for i, name := range []string{"ada", "bob", "carl"} {
			writer, reader := h, other
			if i%2 == 1 {
				writer, reader = other, h
			}
			writer.update(func(tx latchkey.Tx) error { return someOfEverything(t.Context(), tx, name) })
			reader.reading(func(t *testing.T, r latchkey.Reader) { has(t, r, name, true) })
		}
	})
	t.Run("tells what another store has changed", f.sharingChanges)
	t.Run("goes on when another store is closed", func(t *testing.T) {
		h := f.empty(t)
		other := h.another()
		e := h.listen()
		other.update(func(tx latchkey.Tx) error { return someOfEverything(t.Context(), tx, "ada") })
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
		e.wait(t, change(latchkey.UserChanged, "ada"))
		h.update(func(tx latchkey.Tx) error { return someOfEverything(t.Context(), tx, "bob") })
		has(t, h.reopened(), "ada", true)
	})
	t.Run("loses no update", func(t *testing.T) {
		h := f.empty(t)
		f.losesNoUpdate(t, h, h.another())
	})
	t.Run("makes one owner", func(t *testing.T) {
		h := f.empty(t)
		f.makesOneOwner(t, h, h.another(), h.another())
	})
	t.Run("opens a new place from several sides", func(t *testing.T) {
		open := f.NewPlace(t)
		stores := make([]latchkey.Store, 6)
		concurrently(t, len(stores), func(worker int) (err error) {
			stores[worker], err = open(t.Context())
			return err
		})
		for i, store := range stores {
			if store == nil {
				t.Fatal("not all stores could be opened")
			}
			t.Cleanup(func() { _ = store.Close() })
			h := house{Store: store, t: t, factory: f, open: open}
			n := h.token(h.person().ID)
			same(t, h.kept(n))(stores[(i+1)%len(stores)].RefreshToken(t.Context(), n.ID))
		}
	})
}

// spec: security.md 20, 21: what one node ends is ended on all
func (f Factory) sharingChanges(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	other := h.another()
	here, there := h.listen(), other.listen()
	h.update(func(tx latchkey.Tx) error { return someOfEverything(ctx, tx, "ada") })
	h.update(func(tx latchkey.Tx) error {
		tx.Announce(change(latchkey.EventUserRemoved, "ada"))
		return tx.DeleteUser(ctx, "ada")
	})
	last := change(latchkey.EventUserAdded, "the last")
	h.update(func(tx latchkey.Tx) error { tx.Announce(last); return nil })
	own := here.take()
	heard := there.wait(t, last)
	same(t, own)(heard, nil) // the same, in the same order
	for _, want := range []latchkey.Change{
		change(latchkey.UserChanged, "ada"), change(latchkey.TokenRemoved, "token ada"), change(latchkey.EventUserRemoved, "ada"),
	} {
		if !slices.Contains(heard, want) {
			t.Errorf("never heard of %v", want)
		}
	}
	// The other way round, and nobody hears of what it did itself a second time.
	back := change(latchkey.EventUserUpdated, "back")
	other.update(func(tx latchkey.Tx) error { tx.Announce(back); return nil })
	same(t, []latchkey.Change{back})(here.wait(t, back), nil)
	same(t, []latchkey.Change{back})(there.take(), nil)
}
