package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

// batcher is a transaction to which much can be given at once.
type batcher interface {
	InsertBatch(context.Context, []latchkey.User, []latchkey.Password, []latchkey.RefreshToken) error
}

// batch is much that is inserted at once.
type batch struct {
	users     []latchkey.User
	passwords []latchkey.Password
	tokens    []latchkey.RefreshToken
}

// oneByOne inserts the same with the methods that all transactions have.
func (b batch) oneByOne(ctx context.Context, tx latchkey.Tx) error {
	for _, u := range b.users {
		if err := tx.InsertUser(ctx, u); err != nil {
			return err
		}
	}
	for _, p := range b.passwords {
		if err := tx.InsertPassword(ctx, p); err != nil {
			return err
		}
	}
	for _, n := range b.tokens {
		if err := tx.InsertRefreshToken(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// some makes a batch of users of all kinds.
func some(names ...string) (b batch) {
	for i, name := range names {
		u := latchkey.User{
			ID: "user " + name, Name: latchkey.Text("Zoë " + name), IsActive: i%2 == 0, LocalOnly: i%3 == 0, IsOwner: i == 0,
			GroupIDs: []string{latchkey.GroupUser, latchkey.GroupReadOnly, latchkey.GroupUser},
		}
		login := newLogin(u.ID, name)
		login.ID = "login " + name
		u.Credentials = []latchkey.Credentials{login, {ID: "other " + name, UserID: u.ID, Provider: latchkey.ProviderKey{Type: "x", ID: latchkey.Text("y")}}}
		b.users = append(b.users, u, latchkey.User{ID: "bare " + name, SystemGenerated: true})
		b.passwords = append(b.passwords, latchkey.Password{Username: name, Hash: "$2b$12$" + name})
		b.tokens = append(b.tokens,
			newToken(u.ID, func(n *latchkey.RefreshToken) {
				n.ID, n.CredentialID, n.ExpireAt, n.LastUsedAt, n.LastUsedIP = "token "+name, login.ID, noon, noon, "192.0.2.1"
			}),
			newToken(u.ID, func(n *latchkey.RefreshToken) {
				n.ID, n.Type, n.ClientName, n.ClientID = "lasting "+name, latchkey.TokenLongLived, "GPS", latchkey.NullString{}
			}))
	}
	return b
}

// batches: much that is inserted at once is there as if it had been inserted one by one, or not at all.
func (f Factory) batches(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	able := false
	h.update(func(tx latchkey.Tx) error { _, able = tx.(batcher); return nil })
	if !able {
		t.Skip("this store has no quicker way for much")
	}
	atOnce := func(b batch) func(latchkey.Tx) error {
		return func(tx latchkey.Tx) error { return tx.(batcher).InsertBatch(ctx, b.users, b.passwords, b.tokens) }
	}
	names := make([]string, 1500) // more than go into one step
	for i := range names {
		names[i] = fmt.Sprint("name ", i)
	}
	names[0], names[1] = "ADA", "zoë"
	all := some(names...)
	e := h.listen()
	h.update(atOnce(all))
	if len(e.take()) == 0 {
		t.Error("nobody is told")
	}
	slow := f.empty(t)
	slow.update(func(tx latchkey.Tx) error { return all.oneByOne(ctx, tx) })
	users, err := slow.Users(ctx, "", len(all.users)+1)
	same(t, users)(h.Users(ctx, "", len(all.users)+1))
	if err != nil || len(users) != len(all.users) {
		t.Errorf("%d users, %v", len(users), err)
	}
	for _, n := range all.tokens[:10] {
		same(t, slow.kept(n))(h.RefreshToken(ctx, n.ID))
		same(t, slow.kept(n))(h.RefreshTokenBySecret(ctx, n.Secret))
	}
	same(t, []latchkey.Password{{Username: "ADA", Hash: "$2b$12$ADA"}})(h.Passwords(ctx, "ada"))
	found, err := slow.FindUsers(ctx, "ZOË ada", "", 10)
	same(t, found)(h.FindUsers(ctx, "ZOË ada", "", 10))
	if err != nil || len(found) != 1 {
		t.Errorf("found %v, %v", found, err)
	}
	h.update(atOnce(batch{})) // nothing at all

	fresh := func(change func(*batch)) batch {
		b := some("bob", "carl")
		b.users[0].IsOwner = false
		change(&b)
		return b
	}
	for name, row := range map[string]struct {
		b    batch
		want error
	}{
		"a user that is there":          {fresh(func(b *batch) { b.users[1].ID = "user ADA" }), latchkey.ErrExists},
		"a user twice":                  {fresh(func(b *batch) { b.users[3].ID = b.users[0].ID }), latchkey.ErrExists},
		"a group that is not there":     {fresh(func(b *batch) { b.users[2].GroupIDs = []string{"nobody's"} }), latchkey.ErrNotFound},
		"credentials that are there":    {fresh(func(b *batch) { b.users[2].Credentials[0].ID = "login ADA" }), latchkey.ErrExists},
		"a username that is there":      {fresh(func(b *batch) { b.passwords[1].Username = "ADA" }), latchkey.ErrExists},
		"a token that is there":         {fresh(func(b *batch) { b.tokens[3].ID = "token ADA" }), latchkey.ErrExists},
		"a secret twice":                {fresh(func(b *batch) { b.tokens[3].Secret = b.tokens[0].Secret }), latchkey.ErrExists},
		"a token of nobody":             {fresh(func(b *batch) { b.tokens[3].UserID = "nobody" }), latchkey.ErrNotFound},
		"a token of other credentials":  {fresh(func(b *batch) { b.tokens[2].CredentialID = "nobody's" }), latchkey.ErrNotFound},
		"a long-lived token of a name":  {fresh(func(b *batch) { b.tokens[3].UserID = b.tokens[1].UserID }), latchkey.ErrExists},
		"one of a user who was there":   {fresh(func(b *batch) { b.tokens[3].UserID = "user ADA" }), latchkey.ErrExists},
		"a user who is there, and more": {fresh(func(b *batch) { b.users = append(b.users, all.users[0]) }), latchkey.ErrExists},
	} {
		t.Run("none of them with "+name, func(t *testing.T) {
			e.take()
			h.refused(row.want, atOnce(row.b))
			same(t, []latchkey.Change(nil))(e.take(), nil)
			for _, u := range row.b.users {
				if u.ID == "user ADA" {
					continue
				}
				missing[latchkey.User](t)(h.User(ctx, u.ID))
			}
			missing[latchkey.RefreshToken](t)(h.RefreshToken(ctx, "token bob"))
			same(t, []latchkey.Password(nil))(h.Passwords(ctx, "bob"))
		})
	}
	h.update(atOnce(fresh(func(*batch) {})))
}
