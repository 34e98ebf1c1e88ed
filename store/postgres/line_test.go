package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/internal/pgtest"
	"github.com/seed-6a977b3d/latchkey/store/postgres"
)

// terminate ends connections of the stores on a database: those whose last statement is like this. It returns how many.
func terminate(t *testing.T, address, statement string) (ended int) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	err = ask(t, address).QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE application_name = $1 AND pid <> pg_backend_pid() AND query LIKE $2`, u.Query().Get("application_name"), statement).Scan(&ended)
	if err != nil {
		t.Fatal(err)
	}
	return ended
}

// losses counts how often a store tells that changes may be lost, and whether it was relied on just then.
func losses(t *testing.T, s *postgres.Store) (lost, current *atomic.Int32) {
	t.Helper()
	lost, current = &atomic.Int32{}, &atomic.Int32{}
	t.Cleanup(s.Watch(func(changes []latchkey.Change) {
		for _, c := range changes {
			if c.Kind == latchkey.ChangesLost {
				if s.Current() {
					current.Add(1)
				}
				lost.Add(1)
			}
		}
	}))
	return lost, current
}

func user(name string) latchkey.User { return latchkey.User{ID: name, IsActive: true} }

func insert(ctx context.Context, s *postgres.Store, u latchkey.User) error {
	return s.Update(ctx, func(tx latchkey.Tx) error { return tx.InsertUser(ctx, u) })
}

// A node that loses the line on which it hears the others trusts nothing from that moment on, and is soon back.
func TestANodeThatIsCutOff(t *testing.T) {
	address := pgtest.Schema(t)
	s := open(t, address)
	if !s.Current() {
		t.Error("a new node trusts nothing")
	}
	lost, current := losses(t, s)
	ended := 0
	eventually(t, "the line is there to be cut", func() bool {
		ended = terminate(t, address, "SELECT 1")
		return ended > 0
	})
	eventually(t, "it is told twice that changes may be lost: when the line is lost, and when it is back", func() bool {
		return lost.Load() >= 2
	})
	eventually(t, "the node is back", s.Current)
	if current.Load() != 0 {
		t.Error("the node trusted its memory before it was told to forget it")
	}
}

// What stands between a node and PostgreSQL may answer for it and pass no notifications on. Such a node trusts nothing, and
// says again and again that changes may be lost.
func TestALineOnWhichNobodyIsHeard(t *testing.T) {
	address := pgtest.Schema(t)
	c := lay(t, address)
	c.mute.Store(true)
	var log bytes.Buffer
	s := open(t, c.address, postgres.WithTimeout(200*time.Millisecond), postgres.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	lost, current := losses(t, s)
	if s.Current() {
		t.Error("memory is trusted")
	}
	m, err := latchkey.New(s, latchkey.Options{Pending: s.Pending()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	other := open(t, address)
	for round := range 3 {
		name := fmt.Sprint("user", round)
		if err := insert(t.Context(), other, user(name)); err != nil {
			t.Fatal(err)
		}
		if u, err := m.User(t.Context(), name); err != nil || !u.IsActive {
			t.Errorf("%+v, %v", u, err)
		}
		err := other.Update(t.Context(), func(tx latchkey.Tx) error { return tx.UpdateUser(t.Context(), latchkey.User{ID: name}) })
		if err != nil {
			t.Fatal(err)
		}
		if u, err := m.User(t.Context(), name); err != nil || u.IsActive {
			t.Errorf("what was changed elsewhere is not seen: %+v, %v", u, err)
		}
	}
	before := lost.Load()
	eventually(t, "it is told again that changes may be lost", func() bool { return lost.Load() > before+1 })
	if current.Load() != 0 || s.Current() {
		t.Error("memory is trusted all the same")
	}
	c.mute.Store(false)
	eventually(t, "others are heard", s.Current)
	_ = s.Close()
	if !strings.Contains(log.String(), "pool sessions") {
		t.Errorf("the log does not say what to do:\n%s", &log)
	}
}

// What a restart has ended in the pool is found out before it is used, and read again: nobody has to see it.
func TestConnectionsThatHaveEndedAreReplaced(t *testing.T) {
	ctx := t.Context()
	address := pgtest.Schema(t)
	s := open(t, address)
	if err := insert(ctx, s, user("ada")); err != nil {
		t.Fatal(err)
	}
	for round := range 10 {
		held := make(chan struct{})
		var all sync.WaitGroup
		var ready sync.WaitGroup
		ready.Add(postgres.Connections)
		for range postgres.Connections { // so that all connections are there, and idle afterwards
			all.Go(func() {
				once := sync.OnceFunc(ready.Done)
				if err := s.Update(ctx, func(latchkey.Tx) error { once(); <-held; return nil }); err != nil {
					t.Error(err)
				}
			})
		}
		ready.Wait()
		close(held)
		all.Wait()
		if ended := terminate(t, address, "%"); ended <= postgres.Connections {
			t.Fatalf("only %d connections were ended", ended)
		}
		for range 4 { // reads and changes, as they come
			all.Go(func() {
				if _, err := s.User(ctx, "ada"); err != nil {
					t.Errorf("round %d: a look-up: %v", round, err)
				}
				if _, err := s.Users(ctx, "", 10); err != nil {
					t.Errorf("round %d: a list: %v", round, err)
				}
				err := s.Update(ctx, func(tx latchkey.Tx) error { return tx.UpdateUser(ctx, user("ada")) })
				if err != nil {
					t.Errorf("round %d: a change: %v", round, err)
				}
			})
		}
		all.Wait()
		eventually(t, "others are heard again", s.Current)
	}
}

// A line may die without a word. Then memory is trusted for less than a second more, whatever is asked ends in time, and all
// is well again when the line is.
func TestALineThatFallsSilent(t *testing.T) {
	ctx := t.Context()
	c := lay(t, pgtest.Schema(t))
	const within = 200 * time.Millisecond
	s := open(t, c.address, postgres.WithTimeout(within))
	if err := insert(ctx, s, user("ada")); err != nil {
		t.Fatal(err)
	}
	thaw := c.freeze()
	t.Cleanup(thaw)
	began := time.Now()
	eventually(t, "memory is not trusted", func() bool { return !s.Current() })
	if took := time.Since(began); took > time.Second {
		t.Errorf("memory was trusted for %v", took)
	}
	for name, do := range map[string]func() error{
		"a look-up": func() error { _, err := s.User(ctx, "ada"); return err },
		"a list":    func() error { _, err := s.Users(ctx, "", 10); return err },
		"a change":  func() error { return insert(ctx, s, user("bob")) },
		"a code":    func() error { return s.Pending().Put(ctx, "k", []byte("v"), time.Minute) },
		"the bans":  func() error { _, err := s.Bans(ctx); return err },
		"a ban":     func() error { return s.Ban(ctx, netip.MustParseAddr("203.0.113.9"), time.Time{}) },
	} {
		began := time.Now()
		err := do()
		if !errors.Is(err, latchkey.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > 10*within {
			t.Errorf("%s took %v", name, took)
		}
	}
	thaw()
	eventually(t, "the node is back", func() bool { return s.Current() && insert(ctx, s, user("bob")) == nil })
}

// Each step of a transaction ends in time, also the last one.
func TestALineThatFallsSilentInATransaction(t *testing.T) {
	ctx := t.Context()
	refused := errors.New("refused")
	announced := func(tx latchkey.Tx) error { return tx.InsertUser(ctx, user("ada")) }
	silent := func(tx latchkey.Tx) error { return tx.InsertPassword(ctx, latchkey.Password{Username: "ada"}) }
	for name, row := range map[string]struct {
		change       func(latchkey.Tx) error
		result, want error
	}{
		"before the change is announced": {announced, nil, latchkey.ErrUnavailable},
		"before the commit":              {silent, nil, latchkey.ErrUnavailable},
		"before it is undone":            {announced, refused, refused},
	} {
		t.Run(name, func(t *testing.T) {
			c := lay(t, pgtest.Schema(t))
			s := open(t, c.address, postgres.WithTimeout(200*time.Millisecond))
			began := time.Now()
			err := s.Update(ctx, func(tx latchkey.Tx) error {
				if err := row.change(tx); err != nil {
					return err
				}
				t.Cleanup(c.freeze())
				return row.result
			})
			if !errors.Is(err, row.want) {
				t.Errorf("error = %v", err)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// When all connections are taken, who comes next does not wait for ever.
func TestNoConnectionIsFree(t *testing.T) {
	ctx := t.Context()
	s := open(t, pgtest.Schema(t), postgres.WithTimeout(300*time.Millisecond))
	var held sync.WaitGroup
	held.Add(postgres.Connections)
	var all sync.WaitGroup
	leave := make(chan struct{})
	for range postgres.Connections {
		all.Go(func() {
			once := sync.OnceFunc(held.Done)
			err := s.Update(ctx, func(latchkey.Tx) error { once(); <-leave; return nil })
			if err != nil {
				t.Error(err)
			}
		})
	}
	held.Wait()
	if err := insert(ctx, s, user("ada")); !errors.Is(err, latchkey.ErrUnavailable) {
		t.Errorf("a change: %v", err)
	}
	if _, err := s.User(ctx, "ada"); !errors.Is(err, latchkey.ErrUnavailable) {
		t.Errorf("a look-up: %v", err)
	}
	close(leave)
	all.Wait()
	if err := insert(ctx, s, user("ada")); err != nil {
		t.Error(err)
	}
}

// All connections are cut again and again, as by restarts, while two nodes write: what was acknowledged is there.
func TestWhatIsAcknowledgedStays(t *testing.T) {
	ctx := t.Context()
	address := pgtest.Schema(t)
	stores := []*postgres.Store{open(t, address), open(t, address)}
	stop := make(chan struct{})
	var all sync.WaitGroup
	var made sync.Map
	var acknowledged, failed atomic.Int32
	for worker := range 8 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprintf("user %d %d", worker, n)
				switch err := insert(ctx, stores[worker%2], user(id)); {
				case err == nil:
					made.Store(id, true)
					acknowledged.Add(1)
				case errors.Is(err, latchkey.ErrUnavailable):
					failed.Add(1)
				default:
					t.Errorf("%s: %v", id, err)
				}
			}
		})
	}
	for range 8 {
		before := acknowledged.Load()
		eventually(t, "writes go on", func() bool { return acknowledged.Load() > before+50 })
		terminate(t, address, "%")
	}
	close(stop)
	all.Wait()
	eventually(t, "both nodes are back", func() bool { return stores[0].Current() && stores[1].Current() })
	made.Range(func(id, _ any) bool {
		var err error
		eventually(t, "PostgreSQL is reached", func() bool { // the last cut may have left a dead connection behind
			_, err = stores[0].User(ctx, id.(string))
			return !errors.Is(err, latchkey.ErrUnavailable)
		})
		if err != nil {
			t.Errorf("an acknowledged write: %v", err)
		}
		return true
	})
	if failed.Load() == 0 {
		t.Error("nothing was cut")
	}
	t.Logf("%d writes were acknowledged and are there, %d failed", acknowledged.Load(), failed.Load())
}
