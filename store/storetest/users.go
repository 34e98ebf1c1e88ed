package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

func (f Factory) users(t *testing.T) {
	t.Run("come back as they were inserted", f.usersRoundTrip)
	t.Run("are found by exactly their id", f.usersByID)
	t.Run("are inserted once", f.usersInsertedOnce)
	t.Run("are updated without their credentials", f.usersUpdated)
	t.Run("take everything along when they are deleted", f.usersDeleted)
	t.Run("are listed in pages in the order of creation", f.usersPaged)
	t.Run("have one first owner", f.usersOwner)
	t.Run("are people unless the system made them", f.usersPeople)
	t.Run("can be asked for another admin", f.usersAdmins)
}

// spec: models.md §4 and §2, "any string is accepted as an id"
func (f Factory) usersRoundTrip(t *testing.T) {
	full := latchkey.User{
		ID: latchkey.NewID(), Name: latchkey.Text("Zoë 木 \U0001F511"), IsOwner: true, IsActive: true, LocalOnly: true,
		GroupIDs: []string{latchkey.GroupReadOnly, latchkey.GroupAdmin, latchkey.GroupUser},
	}
	full.Credentials = []latchkey.Credentials{newLogin(full.ID, "zoë"), newLogin(full.ID, "zoe"), {
		ID: latchkey.NewID(), UserID: full.ID, Provider: latchkey.ProviderKey{Type: "trusted_networks", ID: latchkey.Text("x")},
		Data: map[string]any{"user_id": full.ID},
	}}
	for name, u := range map[string]latchkey.User{
		"with everything":        full,
		"with nothing":           {ID: latchkey.NewID()},
		"with an empty name":     {ID: latchkey.NewID(), Name: latchkey.Text("")},
		"made by the system":     {ID: latchkey.NewID(), Name: latchkey.Text("Supervisor"), SystemGenerated: true, IsActive: true},
		"with an id of its own":  {ID: "user-id", IsActive: true},
		"with a strange id":      {ID: "ü'\"%_\\/?#", IsActive: true},
		"with a name like a key": {ID: latchkey.NewID(), Name: latchkey.Text("'; DROP TABLE users; --")},
	} {
		t.Run(name, func(t *testing.T) {
			h := f.empty(t)
			h.update(func(tx latchkey.Tx) error {
				if err := tx.InsertUser(t.Context(), u); err != nil {
					return err
				}
				same(t, u)(tx.User(t.Context(), u.ID)) // before it is committed
				return nil
			})
			h.reading(func(t *testing.T, r latchkey.Reader) {
				same(t, u)(r.User(t.Context(), u.ID))
				same(t, []latchkey.User{u})(r.Users(t.Context(), "", 10))
			})
			same(t, u)(h.reopened().User(t.Context(), u.ID))
		})
	}
	t.Run("in a group named twice once", func(t *testing.T) {
		h := f.empty(t)
		u := h.person(func(u *latchkey.User) {
			u.GroupIDs = []string{latchkey.GroupUser, latchkey.GroupAdmin, latchkey.GroupUser}
		})
		u.GroupIDs = []string{latchkey.GroupUser, latchkey.GroupAdmin}
		same(t, u)(h.User(t.Context(), u.ID))
	})
}

func (f Factory) usersByID(t *testing.T) {
	h := f.empty(t)
	h.person(func(u *latchkey.User) { u.ID = "abc" })
	h.reading(func(t *testing.T, r latchkey.Reader) {
		for _, id := range []string{"", "ab", "abcd", "ABC", "abc ", "ab%", "ab_", "abc\x00"} {
			missing[latchkey.User](t)(r.User(t.Context(), id))
		}
		missing[latchkey.User](t)(r.UserByCredentials(t.Context(), "abc"))
	})
}

func (f Factory) usersInsertedOnce(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	u := h.person()
	c := h.login(u.ID, "ada")
	u.Credentials = []latchkey.Credentials{c}
	h.refused(latchkey.ErrExists, func(tx latchkey.Tx) error {
		return tx.InsertUser(ctx, latchkey.User{ID: u.ID, Name: latchkey.Text("another")})
	})
	other := latchkey.User{ID: latchkey.NewID(), Credentials: []latchkey.Credentials{newLogin("", "bob"), c}}
	h.refused(latchkey.ErrExists, func(tx latchkey.Tx) error { return tx.InsertUser(ctx, other) })
	other = latchkey.User{ID: latchkey.NewID(), GroupIDs: []string{latchkey.GroupUser, "no such group"}}
	h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error { return tx.InsertUser(ctx, other) })
	same(t, []latchkey.User{u})(h.Users(ctx, "", 10))
	same(t, []latchkey.Credentials(nil))(h.CredentialsBySubject(ctx, latchkey.ProviderKey{Type: "homeassistant"}, "bob"))
}

func (f Factory) usersUpdated(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	before := h.person()
	u := clone(before)
	u.Credentials = []latchkey.Credentials{h.login(u.ID, "ada")}
	other := h.person()

	changed := clone(u)
	changed.Name, changed.IsOwner, changed.IsActive, changed.SystemGenerated, changed.LocalOnly = latchkey.NullString{}, true, false, true, true
	changed.GroupIDs = []string{latchkey.GroupReadOnly, latchkey.GroupUser}
	changed.Credentials = nil // is no part of the change
	h.update(func(tx latchkey.Tx) error { return tx.UpdateUser(ctx, changed) })
	changed.Credentials = u.Credentials
	h.reading(func(t *testing.T, r latchkey.Reader) {
		same(t, changed)(r.User(t.Context(), u.ID))
		same(t, other)(r.User(t.Context(), other.ID))
	})

	changed.GroupIDs = nil
	h.update(func(tx latchkey.Tx) error { return tx.UpdateUser(ctx, changed) })
	same(t, changed)(h.User(ctx, u.ID))

	h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error { return tx.UpdateUser(ctx, latchkey.User{ID: "nobody"}) })
	lost := clone(other)
	lost.Name, lost.GroupIDs = latchkey.Text("half"), []string{latchkey.GroupAdmin, "no such group"}
	h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error { return tx.UpdateUser(ctx, lost) })
	same(t, []latchkey.User{changed, other})(h.Users(ctx, "", 10))
}

// spec: providers.md §3.5, security.md 21
func (f Factory) usersDeleted(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	gone, stays := h.person(), h.person()
	login, token := h.login(gone.ID, "ada"), h.token(gone.ID)
	stays.Credentials = []latchkey.Credentials{h.login(stays.ID, "bob")}
	kept := h.token(stays.ID)
	h.update(func(tx latchkey.Tx) error {
		if err := tx.PutModuleData(ctx, "totp", stays.ID, []byte(`"B"`)); err != nil {
			return err
		}
		return tx.PutModuleData(ctx, "totp", gone.ID, []byte(`"A"`))
	})
	h.update(func(tx latchkey.Tx) error { return tx.DeleteUser(ctx, gone.ID) })
	h.reading(func(t *testing.T, r latchkey.Reader) {
		ctx := t.Context()
		missing[latchkey.User](t)(r.User(ctx, gone.ID))
		missing[latchkey.User](t)(r.UserByCredentials(ctx, login.ID))
		same(t, []latchkey.Credentials(nil))(r.CredentialsBySubject(ctx, login.Provider, "ada"))
		missing[latchkey.RefreshToken](t)(r.RefreshToken(ctx, token.ID))
		missing[latchkey.RefreshToken](t)(r.RefreshTokenBySecret(ctx, token.Secret))
		same(t, []latchkey.RefreshToken(nil))(r.RefreshTokens(ctx, gone.ID))
		missing[[]byte](t)(r.ModuleData(ctx, "totp", gone.ID))
		same(t, []latchkey.User{stays})(r.Users(ctx, "", 10))
		same(t, h.kept(kept))(r.RefreshToken(ctx, kept.ID))
		same(t, []byte(`"B"`))(r.ModuleData(ctx, "totp", stays.ID))
	})
	h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error { return tx.DeleteUser(ctx, gone.ID) })

	// One who comes back under the same id finds nothing of before.
	h.update(func(tx latchkey.Tx) error { return tx.InsertUser(ctx, latchkey.User{ID: gone.ID}) })
	same(t, latchkey.User{ID: gone.ID})(h.User(ctx, gone.ID))
	same(t, []latchkey.RefreshToken(nil))(h.RefreshTokens(ctx, gone.ID))
	missing[[]byte](t)(h.ModuleData(ctx, "totp", gone.ID))
	same(t, []string{stays.ID, gone.ID})(userIDs(h.Users(ctx, "", 10)))
}

func userIDs(list []latchkey.User, err error) ([]string, error) { return ids(list, userID), err }

func (f Factory) usersPaged(t *testing.T) {
	h := f.empty(t)
	same(t, []latchkey.User(nil))(h.Users(t.Context(), "", 10))
	var all []string
	for i := range 7 {
		all = append(all, h.person(func(u *latchkey.User) { u.ID = fmt.Sprint("user", (i*5)%7) }).ID)
	}
	h.update(func(tx latchkey.Tx) error { // a change does not move a user
		u, err := tx.User(t.Context(), all[0])
		if err != nil {
			return err
		}
		u.Name = latchkey.Text("changed")
		return tx.UpdateUser(t.Context(), u)
	})
	h.reopened().reading(func(t *testing.T, r latchkey.Reader) {
		for limit := 1; limit <= len(all)+1; limit++ {
			var got []string
			after := ""
			for {
				page, err := r.Users(t.Context(), after, limit)
				if err != nil {
					t.Fatal(err)
				}
				if len(page) > limit {
					t.Fatalf("a page of %d has %d users", limit, len(page))
				}
				if len(page) == 0 {
					break
				}
				got = append(got, ids(page, userID)...)
				after = got[len(got)-1]
			}
			if !slices.Equal(got, all) {
				t.Errorf("in pages of %d: %v, want %v", limit, got, all)
			}
		}
		missing[[]latchkey.User](t)(r.Users(t.Context(), "nobody", 10))
	})
}

func (f Factory) usersOwner(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	h.person()
	missing[latchkey.User](t)(h.Owner(ctx))
	second := h.person()
	third := h.person(func(u *latchkey.User) { u.IsOwner, u.IsActive = true, false })
	h.reading(func(t *testing.T, r latchkey.Reader) { same(t, third)(r.Owner(t.Context())) })
	second.IsOwner = true
	h.update(func(tx latchkey.Tx) error { return tx.UpdateUser(ctx, second) })
	h.reading(func(t *testing.T, r latchkey.Reader) { same(t, second)(r.Owner(t.Context())) })
	second.IsOwner = false
	h.update(func(tx latchkey.Tx) error { return tx.UpdateUser(ctx, second) })
	same(t, third)(h.Owner(ctx))
	h.update(func(tx latchkey.Tx) error { return tx.DeleteUser(ctx, third.ID) })
	missing[latchkey.User](t)(h.Owner(ctx))
}

func (f Factory) usersPeople(t *testing.T) {
	h := f.empty(t)
	same(t, false)(h.HasPeople(t.Context()))
	h.person(func(u *latchkey.User) { u.SystemGenerated = true })
	h.reading(func(t *testing.T, r latchkey.Reader) { same(t, false)(r.HasPeople(t.Context())) })
	u := h.person(func(u *latchkey.User) { u.IsActive = false })
	h.reading(func(t *testing.T, r latchkey.Reader) { same(t, true)(r.HasPeople(t.Context())) })
	h.update(func(tx latchkey.Tx) error { return tx.DeleteUser(t.Context(), u.ID) })
	same(t, false)(h.HasPeople(t.Context()))
}

// spec: models.md §4.2
func (f Factory) usersAdmins(t *testing.T) {
	admin := []string{latchkey.GroupUser, latchkey.GroupAdmin}
	for _, row := range []struct {
		name string
		user latchkey.User
		want bool
	}{
		{"an owner who is not active", latchkey.User{IsOwner: true}, true},
		{"an active member of the administrators", latchkey.User{IsActive: true, GroupIDs: admin}, true},
		{"a member who is not active", latchkey.User{GroupIDs: admin}, false},
		{"an active user", latchkey.User{IsActive: true, GroupIDs: []string{latchkey.GroupUser}}, false},
		{"a user of the system in the group", latchkey.User{IsActive: true, SystemGenerated: true, GroupIDs: admin}, false},
		{"a user of the system with the owner flag", latchkey.User{IsOwner: true, SystemGenerated: true}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := f.empty(t)
			row.user.ID = latchkey.NewID()
			h.update(func(tx latchkey.Tx) error { return tx.InsertUser(t.Context(), row.user) })
			h.reading(func(t *testing.T, r latchkey.Reader) {
				same(t, row.want)(r.HasAdminBeside(t.Context(), "somebody else"))
				same(t, false)(r.HasAdminBeside(t.Context(), row.user.ID))
				same(t, false)(r.HasAdminWithLogin(t.Context()))
			})
			h.login(row.user.ID, "ada")
			h.reading(func(t *testing.T, r latchkey.Reader) {
				same(t, row.want && row.user.IsActive)(r.HasAdminWithLogin(t.Context()))
			})
		})
	}
}
