package storetest

import (
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/permission"
)

func (f Factory) groups(t *testing.T) {
	t.Run("include the built-in ones", f.groupsBuiltIn)
	t.Run("come back as they were inserted", f.groupsRoundTrip)
	t.Run("are updated", f.groupsUpdated)
	t.Run("end their memberships when they are deleted", f.groupsDeleted)
}

// spec: models.md §3, "The three built-in groups always exist"; storage.md §2.3
func (f Factory) groupsBuiltIn(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	h.reading(func(t *testing.T, r latchkey.Reader) {
		same(t, latchkey.SystemGroups())(r.Groups(t.Context()))
		for _, g := range latchkey.SystemGroups() {
			same(t, g)(r.Group(t.Context(), g.ID))
		}
		missing[latchkey.Group](t)(r.Group(t.Context(), "System-Admin"))
		missing[latchkey.Group](t)(r.Group(t.Context(), ""))
	})
	for _, g := range latchkey.SystemGroups() {
		changed := g
		changed.Name, changed.Policy = latchkey.Text("mine"), permission.Policy{}
		h.refused(latchkey.ErrExists, func(tx latchkey.Tx) error { return tx.InsertGroup(ctx, changed) })
		h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error { return tx.UpdateGroup(ctx, changed) })
		h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error { return tx.DeleteGroup(ctx, g.ID) })
	}
	same(t, latchkey.SystemGroups())(h.reopened().Groups(ctx))
}

func (f Factory) groupsRoundTrip(t *testing.T) {
	h := f.empty(t)
	want := latchkey.SystemGroups()
	for _, row := range []struct {
		id     string
		name   latchkey.NullString
		policy string
	}{
		{latchkey.NewID(), latchkey.Text("Kids"), `{"entities": {"domains": {"light": {"read": true, "control": true}}}}`},
		{latchkey.NewID(), latchkey.NullString{}, `{}`},
		{latchkey.NewID(), latchkey.Text(""), `{"entities": true}`},
		{"a group/ü", latchkey.Text("木 \U0001F511"), `{"entities": {"entity_ids": {"light.küche": true}, "area_ids": {"<a> & b": {"read": true}}}}`},
		{latchkey.NewID(), latchkey.Text("unsound"), `{"entities": {"all": false}, "more": [1, 2.50, 12345678901234567890, null, "x"]}`},
	} {
		g := latchkey.Group{ID: row.id, Name: row.name}
		if err := g.Policy.UnmarshalJSON([]byte(row.policy)); err != nil {
			t.Fatal(err)
		}
		h.update(func(tx latchkey.Tx) error { return tx.InsertGroup(t.Context(), g) })
		h.refused(latchkey.ErrExists, func(tx latchkey.Tx) error {
			return tx.InsertGroup(t.Context(), latchkey.Group{ID: g.ID, Name: latchkey.Text("another")})
		})
		want = append(want, g)
	}
	check := func(t *testing.T, r latchkey.Reader) {
		same(t, want)(r.Groups(t.Context()))
		for _, g := range want {
			same(t, g)(r.Group(t.Context(), g.ID))
		}
	}
	h.reading(check)
	check(t, h.reopened())
}

func (f Factory) groupsUpdated(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	g := latchkey.Group{ID: latchkey.NewID(), Name: latchkey.Text("Kids"), Policy: permission.ReadOnlyPolicy()}
	other := latchkey.Group{ID: latchkey.NewID(), Name: latchkey.Text("Guests"), Policy: permission.ReadOnlyPolicy()}
	h.update(func(tx latchkey.Tx) error {
		if err := tx.InsertGroup(ctx, g); err != nil {
			return err
		}
		return tx.InsertGroup(ctx, other)
	})
	u := h.person(func(u *latchkey.User) { u.GroupIDs = []string{g.ID} })
	g.Name, g.Policy = latchkey.Text("Teens"), permission.UserPolicy()
	h.update(func(tx latchkey.Tx) error { return tx.UpdateGroup(ctx, g) })
	h.reading(func(t *testing.T, r latchkey.Reader) {
		same(t, append(latchkey.SystemGroups(), g, other))(r.Groups(t.Context()))
		same(t, u)(r.User(t.Context(), u.ID))
	})
	h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error {
		return tx.UpdateGroup(ctx, latchkey.Group{ID: "nothing", Policy: permission.UserPolicy()})
	})
	same(t, append(latchkey.SystemGroups(), g, other))(h.Groups(ctx))
}

func (f Factory) groupsDeleted(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	g := latchkey.Group{ID: latchkey.NewID(), Name: latchkey.Text("Kids"), Policy: permission.ReadOnlyPolicy()}
	h.update(func(tx latchkey.Tx) error { return tx.InsertGroup(ctx, g) })
	member := h.person(func(u *latchkey.User) { u.GroupIDs = []string{latchkey.GroupUser, g.ID, latchkey.GroupReadOnly} })
	only := h.person(func(u *latchkey.User) { u.GroupIDs = []string{g.ID} })
	other := h.person()
	h.update(func(tx latchkey.Tx) error { return tx.DeleteGroup(ctx, g.ID) })
	member.GroupIDs, only.GroupIDs = []string{latchkey.GroupUser, latchkey.GroupReadOnly}, nil
	h.reading(func(t *testing.T, r latchkey.Reader) {
		missing[latchkey.Group](t)(r.Group(t.Context(), g.ID))
		same(t, latchkey.SystemGroups())(r.Groups(t.Context()))
		same(t, []latchkey.User{member, only, other})(r.Users(t.Context(), "", 10))
	})
	h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error { return tx.DeleteGroup(ctx, g.ID) })
	// A group that comes back under the same id has no members of before.
	h.update(func(tx latchkey.Tx) error { return tx.InsertGroup(ctx, g) })
	same(t, []latchkey.User{member, only, other})(h.reopened().Users(ctx, "", 10))
}
