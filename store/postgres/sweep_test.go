package postgres_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/internal/pgtest"
	"github.com/seed-6a977b3d/latchkey/store/postgres"
)

// holding has another node hold a lock until release.
func holding(t *testing.T, address string, lock int) (release func()) {
	t.Helper()
	holder, err := ask(t, address).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), `SELECT pg_advisory_xact_lock($1, hashtext(current_schema()))`, lock); err != nil {
		t.Fatal(err)
	}
	return func() { _ = holder.Rollback(context.Background()) }
}

func count(t *testing.T, conn *pgx.Conn, query string) (n int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// What was under way and has ended is deleted by whichever node gets the lock, in portions, and nothing else is.
func TestWhatHasEndedIsSweptByOneNode(t *testing.T) {
	ctx := t.Context()
	address := pgtest.Schema(t)
	stores := []*postgres.Store{open(t, address), open(t, address)}
	conn := ask(t, address)
	if err := stores[0].Pending().Put(ctx, "still under way", []byte("x"), time.Hour); err != nil {
		t.Fatal(err)
	}
	_, err := conn.Exec(ctx, `INSERT INTO pending (key, value, revision, ends)
		SELECT decode(md5(i::text), 'hex'), 'x', 0, now() - interval '1 second' FROM generate_series(1, 2500) AS i`)
	if err != nil {
		t.Fatal(err)
	}
	release := holding(t, address, postgres.SweepLock)
	for _, s := range stores {
		if err := s.SweepOnce(ctx); err != nil {
			t.Error(err)
		}
	}
	if n := count(t, conn, `SELECT count(*) FROM pending`); n != 2501 {
		t.Errorf("%d rows are left although another node is at it", n)
	}
	release()
	if n := atOnce(stores, 2, func(s *postgres.Store, _ int) error { return s.SweepOnce(ctx) }); n != 4 {
		t.Error("a node fails where another one is at it")
	}
	for _, s := range stores { // one of them may have left it to another that was done already
		if err := s.SweepOnce(ctx); err != nil {
			t.Error(err)
		}
	}
	if n := count(t, conn, `SELECT count(*) FROM pending`); n != 1 {
		t.Errorf("%d rows are left", n)
	}
	if _, _, err := stores[1].Pending().Get(ctx, "still under way"); err != nil {
		t.Error(err)
	}
}

// Refresh tokens that have ended are removed by whichever node gets the lock, and whoever waits for their end is told on
// all nodes.
func TestExpiredTokensAreRemovedByOneNode(t *testing.T) {
	ctx := t.Context()
	address := pgtest.Schema(t)
	first := open(t, address)
	const many = 250 // more than are removed at once
	err := first.Update(ctx, func(tx latchkey.Tx) error {
		if err := tx.InsertUser(ctx, user("ada")); err != nil {
			return err
		}
		for n := range many + 1 {
			err := tx.InsertRefreshToken(ctx, latchkey.RefreshToken{
				ID: fmt.Sprint("token ", n), UserID: "ada", Type: latchkey.TokenNormal, Secret: latchkey.NewSecret(),
				JWTKey: latchkey.NewSecret(), CreatedAt: time.Now(), ExpireAt: time.Now().Add(time.Duration(n-many) * time.Hour).Add(time.Minute),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	conn := ask(t, address)
	release := holding(t, address, postgres.ManagerLock)
	var log strings.Builder
	var told atomic.Int32
	for range 3 {
		s := open(t, address)
		m, err := latchkey.New(s, latchkey.Options{Pending: s.Pending(), Logger: slog.New(slog.NewTextHandler(&locked{w: &log}, nil))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		for n := range many + 1 {
			m.OnRevoke(fmt.Sprint("token ", n), func() { told.Add(1) })
		}
	}
	err = first.Sweep(ctx, func(latchkey.Tx) error { t.Error("two nodes sweep at the same time"); return nil })
	if n := count(t, conn, `SELECT count(*) FROM refresh_tokens`); err != nil || n != many+1 {
		t.Errorf("%d tokens are left although another node is at it, %v", n, err)
	}
	release()
	eventually(t, "whoever waits is told on all nodes", func() bool { return told.Load() == 3*many })
	if n := count(t, conn, `SELECT count(*) FROM refresh_tokens`); n != 1 {
		t.Errorf("%d tokens are left", n)
	}
	if log.Len() > 0 {
		t.Errorf("not all went well:\n%s", &log)
	}
}

// A node whose clock is far ahead ends nobody's session: what has ended is judged by the clock that all nodes share.
func TestANodeWhoseClockIsAheadSweepsNothing(t *testing.T) {
	ctx := t.Context()
	s := open(t, pgtest.Schema(t))
	ends := map[string]time.Time{"ended": time.Now().Add(-time.Hour), "alive": time.Now().Add(time.Hour)}
	err := s.Update(ctx, func(tx latchkey.Tx) error {
		if err := tx.InsertUser(ctx, user("ada")); err != nil {
			return err
		}
		for id, end := range ends {
			err := tx.InsertRefreshToken(ctx, latchkey.RefreshToken{
				ID: id, UserID: "ada", Type: latchkey.TokenNormal, Secret: latchkey.NewSecret(),
				JWTKey: latchkey.NewSecret(), CreatedAt: time.Now(), ExpireAt: end,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for clock, want := range map[string]struct {
		now time.Time
		ids []string
	}{
		"ahead":  {time.Now().AddDate(1, 0, 0), []string{"ended"}},
		"right":  {time.Now(), []string{"ended"}},
		"behind": {time.Now().AddDate(-1, 0, 0), nil},
	} {
		err := s.Sweep(ctx, func(tx latchkey.Tx) error {
			found, err := tx.ExpiredRefreshTokens(ctx, want.now, 10)
			var ids []string
			for _, token := range found {
				ids = append(ids, token.ID)
			}
			if err == nil && !slices.Equal(ids, want.ids) {
				t.Errorf("a node whose clock is %s would remove %q, want %q", clock, ids, want.ids)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// locked is a writer for several at a time.
type locked struct {
	mu sync.Mutex
	w  *strings.Builder
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
