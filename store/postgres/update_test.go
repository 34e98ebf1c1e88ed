package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/internal/pgtest"
	"github.com/seed-6a977b3d/latchkey/store/postgres"
)

// A transaction that others get in the way of again and again is given up after a while.
func TestATransactionThatAlwaysComesTooLate(t *testing.T) {
	ctx := t.Context()
	address := pgtest.Schema(t)
	s, other := open(t, address, postgres.WithTimeout(100*time.Millisecond)), open(t, address)
	if err := insert(ctx, s, user("ada")); err != nil {
		t.Fatal(err)
	}
	runs := 0
	began := time.Now()
	err := s.Update(ctx, func(tx latchkey.Tx) error {
		runs++
		u, err := tx.User(ctx, "ada")
		if err != nil {
			return err
		}
		err = other.Update(ctx, func(tx latchkey.Tx) error {
			return tx.UpdateUser(ctx, latchkey.User{ID: "ada", Name: latchkey.Text(fmt.Sprint("Ada ", runs))})
		})
		if err != nil {
			t.Fatal(err)
		}
		return tx.UpdateUser(ctx, u)
	})
	if took := time.Since(began); !errors.Is(err, latchkey.ErrUnavailable) || runs < 2 || took > 10*time.Second {
		t.Errorf("given up after %d runs and %v: %v", runs, took, err)
	}
	if u, err := s.User(ctx, "ada"); err != nil || u.Name.Text != fmt.Sprint("Ada ", runs) {
		t.Errorf("the other change was lost: %+v, %v", u, err)
	}
}

// A node that leaves a transaction waiting for too long has it ended by PostgreSQL, and may try again.
func TestATransactionThatIsGivenUp(t *testing.T) {
	ctx := t.Context()
	address := pgtest.Schema(t)
	s := open(t, address+"&idle_in_transaction_session_timeout=50")
	admin := ask(t, address)
	var pid int
	err := s.Update(ctx, func(tx latchkey.Tx) error {
		if err := tx.InsertUser(ctx, user("ada")); err != nil {
			return err
		}
		eventually(t, "PostgreSQL gives the transaction up", func() bool {
			if err := admin.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND application_name =
				(SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid())`).Scan(&pid); err != nil {
				t.Fatal(err)
			}
			return pid == 0
		})
		return tx.InsertUser(ctx, user("bob"))
	})
	if !errors.Is(err, latchkey.ErrUnavailable) {
		t.Errorf("error = %v", err)
	}
	if _, err := s.User(ctx, "ada"); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("half of it was done: %v", err)
	}
}

// spec: security.md 20: a revocation counts at once on the node that made it, also where its acknowledgement was lost
func TestACommitWhoseAnswerIsLost(t *testing.T) {
	ctx := t.Context()
	c := lay(t, pgtest.Schema(t))
	s := open(t, c.address)
	m, err := latchkey.New(s, latchkey.Options{Pending: s.Pending()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	u, err := m.CreateUser(ctx, latchkey.NewUser{Name: latchkey.Text("Ada")})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 20 {
		n, err := m.CreateRefreshToken(ctx, latchkey.NewRefreshToken{UserID: u.ID, ClientID: latchkey.Text("https://app.example/")})
		if err != nil {
			t.Fatal(err)
		}
		access, err := m.CreateAccessToken(ctx, n.ID, netip.MustParseAddr("127.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.ValidateAccessToken(ctx, access); err != nil { // and now it is in memory
			t.Fatal(err)
		}
		closed := make(chan struct{})
		t.Cleanup(m.OnRevoke(n.ID, func() { close(closed) }))
		c.swallow.Store(1)
		if err := m.RemoveRefreshToken(ctx, n.ID); !errors.Is(err, latchkey.ErrUnavailable) {
			t.Fatalf("round %d: the answer was lost: %v", round, err)
		}
		if _, err := s.RefreshToken(ctx, n.ID); !errors.Is(err, latchkey.ErrNotFound) {
			t.Fatalf("round %d: nothing was committed: %v", round, err)
		}
		if _, err := m.ValidateAccessToken(ctx, access); !errors.Is(err, latchkey.ErrInvalidAccessToken) {
			t.Fatalf("round %d: a revoked token was accepted: %v", round, err)
		}
		select {
		case <-closed:
		case <-time.After(30 * time.Second):
			t.Fatalf("round %d: who waits for the end of the token was not told", round)
		}
	}
}

// A commit may be made after the node has given it up. Then its own notification tells.
func TestACommitThatIsMadeLate(t *testing.T) {
	ctx := t.Context()
	c := lay(t, pgtest.Schema(t))
	c.late = make(chan struct{})
	s := open(t, c.address)
	var heard atomic.Bool
	t.Cleanup(s.Watch(func(changes []latchkey.Change) {
		if slices.Contains(changes, latchkey.Change{Kind: latchkey.UserChanged, ID: "ada"}) {
			heard.Store(true)
		}
	}))
	c.swallow.Store(1)
	err := insert(ctx, s, user("ada"))
	early := heard.Load()
	_, missing := s.User(ctx, "ada")
	close(c.late)
	if !errors.Is(err, latchkey.ErrUnavailable) || early || !errors.Is(missing, latchkey.ErrNotFound) {
		t.Fatalf("given up with %v, told early: %v, the user: %v", err, early, missing)
	}
	eventually(t, "the change is told", heard.Load)
}

// A change is told behind those that it builds on, also when their acknowledgement comes later.
func TestAChangeIsToldBehindWhatItBuildsOn(t *testing.T) {
	ctx := t.Context()
	address := pgtest.Schema(t)
	c := lay(t, address)
	c.delayed = make(chan struct{})
	release := sync.OnceFunc(func() { close(c.delayed) })
	t.Cleanup(release)
	s, other := open(t, c.address), open(t, address)
	told := make(chan string, 10)
	t.Cleanup(s.Watch(func(changes []latchkey.Change) {
		for _, change := range changes {
			told <- change.ID
		}
	}))
	var both sync.WaitGroup
	c.delay.Store(1)
	both.Go(func() {
		if err := insert(ctx, s, user("first")); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the first is committed", func() bool {
		_, err := other.User(ctx, "first")
		return err == nil
	})
	c.delay.Store(0)
	both.Go(func() {
		err := s.Update(ctx, func(tx latchkey.Tx) error {
			if _, err := tx.User(ctx, "first"); err != nil {
				return err
			}
			return tx.InsertUser(ctx, user("second"))
		})
		if err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the second is committed", func() bool {
		_, err := other.User(ctx, "second")
		return err == nil
	})
	release()
	both.Wait()
	if first, second := <-told, <-told; first != "first" || second != "second" {
		t.Errorf("told of the %s, and then of the %s", first, second)
	}
}

// Hanging up before the commit undoes everything, and leaves the memory of others alone.
func TestHangingUp(t *testing.T) {
	s := open(t, pgtest.Schema(t))
	lost, _ := losses(t, s)
	ctx, hangUp := context.WithCancel(t.Context())
	err := s.Update(ctx, func(tx latchkey.Tx) error {
		err := tx.InsertUser(ctx, user("ada"))
		hangUp()
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	if _, err := s.User(t.Context(), "ada"); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("the user: %v", err)
	}
	if lost.Load() != 0 {
		t.Error("changes are said to be lost")
	}
}
