package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
	"github.com/seed-6a977b3d/latchkey/store/storetest"
)

func openInner(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func temporary(t testing.TB) string { return filepath.Join(t.TempDir(), "latchkey.db") }

func announce(t *testing.T, s *Store, id string) {
	t.Helper()
	err := s.Update(t.Context(), func(tx latchkey.Tx) error {
		tx.Announce(latchkey.Change{Kind: latchkey.EventUserAdded, ID: id})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func mustExec(t *testing.T, s *Store, query string, args ...any) {
	t.Helper()
	if _, err := s.writer.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

// newFollower returns a follower that reads when it is asked to.
func newFollower(t *testing.T, s *Store) *follower {
	t.Helper()
	conn, err := s.readers.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	f := &follower{store: s, conn: conn}
	if _, err := f.news(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

// Changes that were pruned before they were read may have been anything.
func TestPrunedChangesAreLost(t *testing.T) {
	path := temporary(t)
	s, other := openInner(t, path), openInner(t, path)
	f := newFollower(t, s)
	lost := latchkey.Change{Kind: latchkey.ChangesLost}
	added := func(id string) latchkey.Change { return latchkey.Change{Kind: latchkey.EventUserAdded, ID: id} }
	for _, row := range []struct {
		name   string
		change func()
		want   []latchkey.Change
	}{
		{"nothing", func() {}, nil},
		{"one", func() { announce(t, other, "a") }, []latchkey.Change{added("a")}},
		{"its own", func() { announce(t, s, "b") }, nil},
		{"one that was pruned", func() {
			announce(t, other, "c")
			announce(t, other, "d")
			mustExec(t, other, `DELETE FROM changes WHERE id = 'c'`)
		}, []latchkey.Change{lost, added("d")}},
		{"all that were pruned", func() {
			announce(t, other, "e")
			mustExec(t, other, `DELETE FROM changes`)
		}, []latchkey.Change{lost}},
		{"one after that", func() { announce(t, other, "f") }, []latchkey.Change{added("f")}},
	} {
		row.change()
		if got, err := f.news(t.Context()); err != nil || !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, %v; want %v", row.name, got, err, row.want)
		}
	}
}

// A store that cannot follow the others says so until it can, and once more then.
func TestChangesThatCannotBeReadAreLost(t *testing.T) {
	path := temporary(t)
	s, other := openInner(t, path), openInner(t, path)
	heard := make(chan latchkey.Change, 1000)
	defer s.Watch(func(changes []latchkey.Change) {
		for _, c := range changes {
			select {
			case heard <- c:
			default:
			}
		}
	})()
	hears := func(want latchkey.Change) {
		t.Helper()
		never := time.After(time.Minute)
		for {
			select {
			case got := <-heard:
				if got == want {
					return
				}
			case <-never:
				t.Fatalf("never heard of %v", want)
			}
		}
	}
	mustExec(t, other, `ALTER TABLE changes RENAME TO hidden`)
	hears(latchkey.Change{Kind: latchkey.ChangesLost})
	hears(latchkey.Change{Kind: latchkey.ChangesLost}) // and again
	mustExec(t, other, `ALTER TABLE hidden RENAME TO changes`)
	announce(t, other, "a")
	hears(latchkey.Change{Kind: latchkey.EventUserAdded, ID: "a"})
}

func TestOldChangesArePrunedInSteps(t *testing.T) {
	s := openInner(t, temporary(t))
	now := time.Now()
	mustExec(t, s, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO changes (origin, kind, id, at) SELECT 'x', 'user', i, ? FROM n`, 2*pruneStep+5, now.Add(-2*keepChanges).UnixMicro())
	announce(t, s, "new")
	for i, want := range []bool{true, true, false, false} {
		if full := s.prune(t.Context(), now.Add(-keepChanges)); full != want {
			t.Errorf("step %d: there may be more: %v", i, full)
		}
	}
	ids, err := tables.Collect(t.Context(), s.readers, tables.ScanText, `SELECT id FROM changes`)
	if err != nil || !slices.Equal(ids, []string{"new"}) {
		t.Errorf("left: %v, %v", ids, err)
	}
}

// What the disk refuses is an error, and nothing of the transaction is there.
func TestADiskThatRefuses(t *testing.T) {
	for name, row := range map[string]struct{ refuse, accept string }{
		"full":      {`PRAGMA max_page_count = 1`, `PRAGMA max_page_count = 1000000`}, // the least is what is there
		"read-only": {`PRAGMA query_only = 1`, `PRAGMA query_only = 0`},
	} {
		t.Run(name, func(t *testing.T) {
			s := openInner(t, temporary(t))
			ctx := t.Context()
			told := 0
			defer s.Watch(func([]latchkey.Change) { told++ })()
			insert := func() error {
				return s.Update(ctx, func(tx latchkey.Tx) error {
					for _, id := range []string{"a", "b"} {
						u := latchkey.User{ID: id, Name: latchkey.Text(strings.Repeat(id, 100_000))}
						if err := tx.InsertUser(ctx, u); err != nil {
							return err
						}
					}
					return nil
				})
			}
			mustExec(t, s, row.refuse)
			if err := insert(); err == nil || !strings.Contains(err.Error(), "insert user") && !strings.Contains(err.Error(), "begin") {
				t.Errorf("error = %v", err)
			}
			if users, err := s.Users(ctx, "", 10); err != nil || len(users) != 0 || told != 0 {
				t.Errorf("%d users, %v; told %d times", len(users), err, told)
			}
			mustExec(t, s, row.accept)
			if err := insert(); err != nil || told != 1 {
				t.Errorf("afterwards: %v; told %d times", err, told)
			}
		})
	}
}

// Waiting for another process to end its transaction ends with the context.
func TestWaitingEndsWithTheContext(t *testing.T) {
	path := temporary(t)
	s, other := openInner(t, path), openInner(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	err := other.Update(t.Context(), func(tx latchkey.Tx) error {
		var waiting sync.WaitGroup
		waiting.Go(func() {
			ran := false
			err := s.Update(ctx, func(latchkey.Tx) error { ran = true; return nil })
			if !errors.Is(err, context.Canceled) || ran {
				t.Errorf("error = %v, ran: %v", err, ran)
			}
		})
		cancel()
		waiting.Wait()
		return tx.CompleteOnboarding(t.Context(), "user")
	})
	if err != nil {
		t.Fatal(err)
	}
	announce(t, s, "it goes on")
}

// Another process that never ends its transaction is not waited for without end.
func TestAnotherProcessHoldsTheFile(t *testing.T) {
	path := temporary(t)
	s, other := openInner(t, path), openInner(t, path)
	s.stubborn = time.Second
	err := other.Update(t.Context(), func(latchkey.Tx) error {
		err := s.Update(t.Context(), func(latchkey.Tx) error { return nil })
		if !errors.Is(err, latchkey.ErrUnavailable) {
			t.Errorf("error = %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	announce(t, s, "it goes on")
}

// Each look-up costs the same with ten users as with a million: it goes through an index.
func TestLookUpsUseAnIndex(t *testing.T) {
	s := openInner(t, temporary(t))
	ctx := t.Context()
	seen := &storetest.Recorder{To: s.readers, Seen: map[string][]any{}}
	storetest.LookUp(ctx, tables.NewReader(seen, s.box, dialect(), nil))
	if len(seen.Seen) < storetest.Queries {
		t.Errorf("only %d queries were seen", len(seen.Seen))
	}
	seen.Seen[`DELETE FROM changes WHERE seq IN (SELECT seq FROM changes WHERE at < ? ORDER BY at LIMIT ?)`] = []any{1, 1}
	// What a search finds by the index of parts is little, and may be sorted.
	// These go through all that is left of a table by a partial index or a subquery, which is what they ask for.
	fine := []string{"USING INDEX users_owner", "USING INDEX passwords_odd", "SCAN (subquery", "SCAN CONSTANT ROW", "SCAN found",
		":M1", "SCAN json_each"}
	const anybody = `SELECT EXISTS (SELECT 1 FROM users WHERE NOT system_generated)` // ends with the first row
	for query, args := range seen.Seen {
		steps, err := tables.Collect(ctx, s.readers, func(row tables.Row) (step string, err error) {
			var ignored int
			err = row.Scan(&ignored, &ignored, &ignored, &step)
			return step, err
		}, "EXPLAIN QUERY PLAN "+query, args...)
		if err != nil || len(steps) == 0 {
			t.Fatalf("%s: %v", query, err)
		}
		for _, step := range steps {
			scans := strings.HasPrefix(step, "SCAN") && !slices.ContainsFunc(fine, func(f string) bool { return strings.Contains(step, f) })
			if scans && query != anybody || strings.Contains(step, "TEMP B-TREE") && !strings.Contains(query, "json_each") {
				t.Errorf("%s\n\t%s", query, fmt.Sprint(strings.Join(steps, "\n\t")))
				break
			}
		}
	}
}
