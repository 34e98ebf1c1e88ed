package tables

import (
	"context"
	"fmt"

	"github.com/seed-6a977b3d/latchkey"
)

// InsertBatch does what InsertUser, InsertPassword and InsertRefreshToken do for all of these, or nothing, in as few steps
// as the database allows. Watchers are told that anything may have changed.
func (t *Tx) InsertBatch(ctx context.Context, us []latchkey.User, ps []latchkey.Password, ts []latchkey.RefreshToken) error {
	rows := map[string][][]any{}
	put := func(into Table, row ...[]any) { rows[into.Name] = append(rows[into.Name], row...) }
	groups := map[string]bool{}
	for _, u := range us {
		put(users(), userRow(u))
		for _, row := range membershipRows(u) {
			put(memberships(), row)
			groups[row[2].(string)] = true
		}
		for _, c := range u.Credentials {
			c.UserID = u.ID
			row, err := credentialsRow(c)
			if err != nil {
				return err
			}
			put(credentials(), row)
		}
	}
	for _, p := range ps {
		put(passwords(), passwordRow(p))
	}
	for _, n := range ts {
		row, err := t.tokenRow(n)
		if err != nil {
			return err
		}
		put(refreshTokens(), row)
	}
	return t.whole(ctx, func() error {
		for id := range groups {
			if _, err := t.Group(ctx, id); err != nil {
				return err
			}
		}
		for _, into := range []Table{users(), memberships(), credentials(), passwords(), refreshTokens()} {
			if err := t.dialect.Told(t.run.Insert(ctx, into, rows[into.Name])); err != nil {
				return fmt.Errorf("insert %d rows of %s: %w", len(rows[into.Name]), into.Name, err)
			}
		}
		t.Announce(latchkey.Change{Kind: latchkey.ChangesLost})
		return nil
	})
}
