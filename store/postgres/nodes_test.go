package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/internal/pgtest"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/store/postgres"
	"github.com/seed-6a977b3d/latchkey/store/storetest"
)

// nodes opens several stores on one database, with a manager over each.
func nodes(t *testing.T, n int) (stores []*postgres.Store, managers []*latchkey.Manager) {
	t.Helper()
	address := pgtest.Schema(t)
	for range n {
		s := open(t, address)
		local, err := homeassistant.New(s, homeassistant.Options{Cost: 4})
		if err != nil {
			t.Fatal(err)
		}
		m, err := latchkey.New(s, latchkey.Options{Providers: []latchkey.Provider{local}, Pending: s.Pending()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		stores, managers = append(stores, s), append(managers, m)
	}
	return stores, managers
}

// atOnce runs something on all nodes at once, several times on each, and counts how often it succeeds.
func atOnce[T any](nodes []T, times int, do func(node T, n int) error) (succeeded int) {
	var all sync.WaitGroup
	var count atomic.Int32
	for i, node := range nodes {
		for n := range times {
			all.Go(func() {
				if do(node, i*times+n) == nil {
					count.Add(1)
				}
			})
		}
	}
	all.Wait()
	return int(count.Load())
}

func TestPendingValues(t *testing.T) {
	storetest.RunPending(t, func(t *testing.T) (a, b latchkey.PendingStore) {
		address := pgtest.Schema(t)
		return open(t, address).Pending(), open(t, address).Pending()
	})
}

// spec: manager.md §3 and §6: the rules hold on several nodes at once
func TestRulesHoldOnAllNodesAtOnce(t *testing.T) {
	ctx := t.Context()
	_, managers := nodes(t, 3)
	made := atOnce(managers, 4, func(m *latchkey.Manager, n int) error {
		_, err := m.CreateUser(ctx, latchkey.NewUser{Name: latchkey.Text(fmt.Sprint("user ", n))})
		if err != nil {
			t.Error(err)
		}
		return err
	})
	owners := 0
	var owner latchkey.User
	for u, err := range managers[0].Users(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if u.IsOwner {
			owners, owner = owners+1, u
		}
	}
	if made != 12 || owners != 1 {
		t.Errorf("%d users were made, %d of them owners", made, owners)
	}
	if n := atOnce(managers, 4, func(m *latchkey.Manager, _ int) error {
		_, err := m.CreateRefreshToken(ctx, latchkey.NewRefreshToken{
			UserID: owner.ID, Type: latchkey.TokenLongLived, ClientName: latchkey.Text("GPS logger"), AccessTokenExpiration: time.Hour,
		})
		return err
	}); n != 1 {
		t.Errorf("%d long-lived tokens of one name", n)
	}
}

func TestOneUsernameIsGivenOnce(t *testing.T) {
	ctx := t.Context()
	stores, managers := nodes(t, 3)
	u, err := managers[0].CreateUser(ctx, latchkey.NewUser{Name: latchkey.Text("Anna")})
	if err != nil {
		t.Fatal(err)
	}
	if n := atOnce(stores, 4, func(s *postgres.Store, _ int) error {
		local, err := homeassistant.New(s, homeassistant.Options{Cost: 4})
		if err != nil {
			return err
		}
		return local.AddLogin(ctx, u.ID, "anna", "correct horse battery")
	}); n != 1 {
		t.Errorf("one name was given %d times", n)
	}
}

func TestTheLastAdminStays(t *testing.T) {
	ctx := t.Context()
	stores, managers := nodes(t, 2)
	var admins []latchkey.User
	err := stores[0].Update(ctx, func(tx latchkey.Tx) error {
		admins = nil
		for n := range 2 {
			u := latchkey.User{ID: fmt.Sprint("admin", n), IsActive: true, GroupIDs: []string{latchkey.GroupAdmin}}
			if err := tx.InsertUser(ctx, u); err != nil {
				return err
			}
			admins = append(admins, u)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := atOnce([]int{0, 1}, 1, func(i, _ int) error { return managers[i].DeactivateUser(ctx, admins[i].ID) }); n != 1 {
		t.Errorf("%d of two administrators were deactivated at once", n)
	}
}

func TestTheLastLoginOfTheLastAdminStays(t *testing.T) {
	ctx := t.Context()
	stores, managers := nodes(t, 2)
	var logins []latchkey.Credentials
	err := stores[0].Update(ctx, func(tx latchkey.Tx) error {
		logins = nil
		for n := range 2 {
			c := latchkey.NewCredentials(latchkey.ProviderKey{Type: "other"}, map[string]any{"username": fmt.Sprint("admin", n)})
			c.UserID = fmt.Sprint("admin", n)
			if err := tx.InsertUser(ctx, latchkey.User{
				ID: c.UserID, IsActive: true, GroupIDs: []string{latchkey.GroupAdmin}, Credentials: []latchkey.Credentials{c},
			}); err != nil {
				return err
			}
			logins = append(logins, c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := atOnce([]int{0, 1}, 1, func(i, _ int) error { return managers[i].RemoveCredentials(ctx, logins[i]) }); n != 1 {
		t.Errorf("%d of two logins of administrators were removed at once", n)
	}
}

// spec: security.md 29: a code works once, on whichever node; 200 rounds of two nodes at the same time
func TestACodeIsRedeemedOnce(t *testing.T) {
	ctx := t.Context()
	_, managers := nodes(t, 2)
	code := latchkey.AuthorizationCode{
		ClientID: "https://app.example/", Purpose: latchkey.PurposeAuthorize,
		Credentials: latchkey.NewCredentials(latchkey.ProviderKey{Type: "other"}, nil),
	}
	for round := range 200 {
		secret, err := managers[round%2].CreateCode(ctx, code)
		if err != nil {
			t.Fatal(err)
		}
		if n := atOnce(managers, 1, func(m *latchkey.Manager, _ int) error {
			_, err := m.TakeCode(ctx, code.ClientID, secret, code.Purpose)
			if err != nil && !errors.Is(err, latchkey.ErrInvalidCode) {
				t.Error(err)
			}
			return err
		}); n != 1 {
			t.Fatalf("round %d: redeemed %d times", round, n)
		}
	}
}

// Several nodes start on an empty database at once.
func TestTablesAreMadeOnce(t *testing.T) {
	address := pgtest.Schema(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s, err := opened(context.Background(), address)
			if err != nil {
				t.Error(err)
				return
			}
			_ = s.Close()
		})
	}
	all.Wait()
	if _, err := opened(t.Context(), address, postgres.WithSealKey([]byte("another key of thirty-two bytes!"))); err == nil {
		t.Error("another key was taken")
	}
	if _, err := postgres.Open(t.Context(), address); err == nil {
		t.Error("no key was taken")
	}
}

// A node that cannot get at the tables, because another one is at them for ever, says so after a while.
func TestTablesThatAnotherNodeHolds(t *testing.T) {
	address := pgtest.Schema(t)
	open(t, address) // which makes them
	release := holding(t, address, postgres.MigrationLock)
	began := time.Now()
	_, err := opened(t.Context(), address, postgres.WithPatience(300*time.Millisecond))
	if !errors.Is(err, latchkey.ErrUnavailable) || !strings.Contains(err.Error(), "another node") {
		t.Errorf("error = %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	release()
	open(t, address)
}

// Houses in one database are none of each other's business.
func TestHousesInSchemasOfOneDatabase(t *testing.T) {
	ctx := t.Context()
	here, there := pgtest.Schema(t), pgtest.Schema(t)
	s, neighbour, own := open(t, here), open(t, there), open(t, here)
	heard := make(chan latchkey.Change, 100)
	defer s.Watch(func(changes []latchkey.Change) {
		for _, c := range changes {
			heard <- c
		}
	})()
	for _, each := range []*postgres.Store{neighbour, own} {
		if err := insert(ctx, each, user("ada")); err != nil { // announced in this order
			t.Fatal(err)
		}
	}
	if err := insert(ctx, own, user("the last")); err != nil {
		t.Fatal(err)
	}
	var all []string
	never := time.After(30 * time.Second)
	for !slices.Contains(all, "the last") {
		select {
		case c := <-heard:
			all = append(all, c.ID)
		case <-never:
			t.Fatal("never heard of the last")
		}
	}
	if !slices.Equal(all, []string{"ada", "the last"}) {
		t.Errorf("heard of %q", all)
	}
	release := holding(t, there, postgres.SweepLock)
	defer release()
	_, err := ask(t, here).Exec(ctx, `INSERT INTO pending (key, value, revision, ends) VALUES ('x', 'x', 0, now() - interval '1 second')`)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SweepOnce(ctx); err != nil {
		t.Fatal(err)
	}
	if n := count(t, ask(t, here), `SELECT count(*) FROM pending`); n != 0 {
		t.Error("a neighbour who sweeps keeps this house from it")
	}
}

// Nodes hear of whatever others change, also of much, of long ids and of odd ones; or they hear that it may be anything.
func TestWhateverIsChangedIsHeardElsewhere(t *testing.T) {
	ctx := t.Context()
	stores, _ := nodes(t, 2)
	many := make([]string, 3000)
	for i := range many {
		many[i] = fmt.Sprint("user ", i)
	}
	for name, ids := range map[string][]string{
		"one": {"ada"}, "more than fit into one notification": many[:1500], "more than are told one by one": many,
		"long": {strings.Repeat("x", 4000)}, "longer than a notification": {strings.Repeat("x", 9000)},
		"much longer when written down": {strings.Repeat("<", 3000)}, "odd": {"\x00\xff\"'\\"},
	} {
		t.Run(name, func(t *testing.T) {
			heard := make(chan latchkey.Change, 10_000)
			defer stores[1].Watch(func(changes []latchkey.Change) {
				for _, c := range changes {
					heard <- c
				}
			})()
			err := stores[0].Update(ctx, func(tx latchkey.Tx) error {
				for _, id := range ids {
					tx.Announce(latchkey.Change{Kind: latchkey.EventUserUpdated, ID: id})
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			never := time.After(30 * time.Second)
			for range ids {
				select {
				case c := <-heard:
					if c.Kind == latchkey.ChangesLost {
						return
					}
				case <-never:
					t.Fatal("never heard")
				}
			}
		})
	}
}

// spec: http-auth.md §9, on several nodes
func TestBansAreOfAllNodes(t *testing.T) {
	ctx := t.Context()
	stores, _ := nodes(t, 2)
	stranger, since := netip.MustParseAddr("203.0.113.9"), time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	for range 2 {
		if err := stores[0].Ban(ctx, stranger, since); err != nil {
			t.Fatal(err)
		}
	}
	bans, err := stores[1].Bans(ctx)
	if err != nil || len(bans) != 1 || !bans[stranger].Equal(since) {
		t.Errorf("%v, %v", bans, err)
	}
	if err := stores[1].Lift(ctx, stranger); err != nil {
		t.Error(err)
	}
	if err := stores[0].Lift(ctx, stranger); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("lifted twice: %v", err)
	}
}

// A database that is not there is waited for, and told of without its password.
func TestADatabaseThatIsAway(t *testing.T) {
	_, err := opened(t.Context(), "postgres://house:hunter2@127.0.0.1:1/x", postgres.WithPatience(50*time.Millisecond))
	if !errors.Is(err, latchkey.ErrUnavailable) {
		t.Errorf("error = %v", err)
	}
	if text := fmt.Sprint(err); !strings.Contains(text, "refused") || strings.Contains(text, "hunter2") {
		t.Errorf("the error is %q", text)
	}
	if _, err := opened(t.Context(), "postgres://house:hunter2%zz@db"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("an address that is not understood: %v", err)
	}
}
