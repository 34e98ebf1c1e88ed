package transfer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/transfer"
)

// renamed gives a login another name, as a store does: the record of its password goes along.
func renamed(t *testing.T, s latchkey.Store, username, by string) {
	t.Helper()
	update(t, s, func(ctx context.Context, tx latchkey.Tx) error {
		c := login(username)
		c.Data = map[string]any{"username": by}
		return errors.Join(tx.UpdateCredentials(ctx, c),
			tx.UpdatePassword(ctx, username, latchkey.Password{Username: by, Hash: "$2b$12$" + username}))
	})
}

// twoPeople is a house of anna and ben, who both have passwords.
func twoPeople(t *testing.T) latchkey.Store {
	t.Helper()
	s := open(t)
	for _, name := range []string{"anna", "ben"} {
		update(t, s, func(ctx context.Context, tx latchkey.Tx) error {
			return errors.Join(
				tx.InsertUser(ctx, latchkey.User{ID: "u-" + name, Credentials: []latchkey.Credentials{login(name)}}),
				tx.InsertPassword(ctx, latchkey.Password{Username: name, Hash: "$2b$12$" + name}))
		})
	}
	return s
}

// hashes returns the records of passwords by their usernames.
func hashes(t *testing.T, s latchkey.Reader, usernames ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, name := range usernames {
		held, err := s.Passwords(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range held {
			found[p.Username] = p.Hash
		}
	}
	return found
}

// A password whose login has another name by now would belong to nobody in the other store, and make an administrator of
// whoever knows it.
func TestANameThatALoginHadBeforeOpensNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(t *testing.T, from latchkey.Store)
		plan   string
		held   map[string]string
	}{
		"another name": {
			func(t *testing.T, from latchkey.Store) { renamed(t, from, "ben", "benjamin") },
			"change credentials c-ben\nchange password ben\nadd password benjamin\n",
			map[string]string{"anna": "$2b$12$anna", "benjamin": "$2b$12$ben"},
		},
		"the name in other letters": {
			func(t *testing.T, from latchkey.Store) { renamed(t, from, "ben", "Ben") },
			"change credentials c-ben\nchange password ben\nadd password Ben\n",
			map[string]string{"anna": "$2b$12$anna", "Ben": "$2b$12$ben"},
		},
		"somebody else has it now": {
			func(t *testing.T, from latchkey.Store) {
				renamed(t, from, "ben", "benjamin")
				renamed(t, from, "anna", "ben")
			},
			"change credentials c-anna\nchange password anna\nchange password ben\nchange credentials c-ben\nadd password benjamin\n",
			map[string]string{"ben": "$2b$12$anna", "benjamin": "$2b$12$ben"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := twoPeople(t), open(t)
			copied(t, from, to)
			tt.change(t, from)
			if diff := cmp.Diff(tt.plan, lines(copied(t, from, to))); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.held, hashes(t, to, "anna", "ben", "benjamin")); diff != "" {
				t.Error(diff)
			}
			if again := copied(t, from, to); len(again) != 0 {
				t.Errorf("a second copy did %s", lines(again))
			}
		})
	}
}

// What another login has come to need in the other store meanwhile is not taken from it.
func TestANameThatAnotherLoginHasKeepsItsPassword(t *testing.T) {
	from, to := twoPeople(t), open(t)
	copied(t, from, to)
	renamed(t, from, "ben", "benjamin")
	update(t, to, func(ctx context.Context, tx latchkey.Tx) error { // here somebody came who has it as well
		other := login("ben")
		other.ID, other.UserID = "c-other", "u-anna"
		return tx.InsertCredentials(ctx, other)
	})
	copied(t, from, to)
	want := map[string]string{"ben": "$2b$12$ben", "benjamin": "$2b$12$ben"}
	if diff := cmp.Diff(want, hashes(t, to, "ben", "benjamin")); diff != "" {
		t.Error(diff)
	}
}

// Somebody who stays signed in for ever, or no longer, has not used the session for that.
func TestWhetherASessionEndsIsCopiedWithoutAUse(t *testing.T) {
	from, to := furnished(t), open(t)
	copied(t, from, to)
	for _, end := range []time.Time{{}, now.Add(24 * time.Hour)} {
		update(t, from, func(ctx context.Context, tx latchkey.Tx) error {
			session, err := tx.RefreshToken(ctx, "session")
			session.ExpireAt = end
			return errors.Join(err, tx.UpdateRefreshToken(ctx, session))
		})
		if diff := cmp.Diff("change session session\n", lines(copied(t, from, to))); diff != "" {
			t.Error(diff)
		}
		if session, err := to.RefreshToken(t.Context(), "session"); err != nil || !session.ExpireAt.Equal(end) {
			t.Errorf("it ends at %v, want %v (%v)", session.ExpireAt, end, err)
		}
		if again := copied(t, from, to); len(again) != 0 {
			t.Errorf("a second copy did %s", lines(again))
		}
	}
}

// What moves from one person to another is told before anything is done, also where a provider knows people by no name.
func TestALoginThatIsSomebodyElsesByNowIsAConflict(t *testing.T) {
	from, to := twoPeople(t), open(t)
	moving := latchkey.Credentials{ID: "c-moving", UserID: "u-ben",
		Provider: latchkey.ProviderKey{Type: "elsewhere"}, Data: map[string]any{"sub": "1"}}
	update(t, from, func(ctx context.Context, tx latchkey.Tx) error { return tx.InsertCredentials(ctx, moving) })
	copied(t, from, to)
	update(t, from, func(ctx context.Context, tx latchkey.Tx) error {
		moving.UserID = "u-anna"
		return errors.Join(tx.DeleteCredentials(ctx, moving.ID), tx.InsertCredentials(ctx, moving))
	})
	planned, err := transfer.Plan(t.Context(), from, to, options())
	if err != nil {
		t.Fatal(err)
	}
	done, err := transfer.Copy(t.Context(), from, to, options())
	if !errors.Is(err, transfer.ErrConflicts) || lines(done) != lines(planned) || !strings.Contains(lines(done), "conflict user u-anna") {
		t.Errorf("planned %s, done %s, %v", lines(planned), lines(done), err)
	}
}

func TestTwoLoginsOfOneNameHaveOnePassword(t *testing.T) {
	from, to := twoPeople(t), open(t)
	update(t, from, func(ctx context.Context, tx latchkey.Tx) error {
		second := login("BEN")
		second.UserID = "u-ben"
		return tx.InsertCredentials(ctx, second)
	})
	copied(t, from, to)
	if diff := cmp.Diff(map[string]string{"ben": "$2b$12$ben"}, hashes(t, to, "ben")); diff != "" {
		t.Error(diff)
	}
	if again := copied(t, from, to); len(again) != 0 {
		t.Errorf("a second copy did %s", lines(again))
	}
}
