package bench_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/bench"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

func seeded(t testing.TB, size bench.Size) latchkey.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "seeded.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if err := bench.Seed(t.Context(), store, size, nil); err != nil {
		t.Fatal(err)
	}
	return store
}

func TestSeededStoresHoldWhatTheySay(t *testing.T) {
	size := bench.Size{Users: 1500, TokensEach: 3}
	store := seeded(t, size)
	for _, n := range []int{0, 999, 1000, 1499} {
		u, err := store.User(t.Context(), bench.UserID(n))
		if err != nil || u.Name.Text != bench.Username(n) || u.IsOwner != (n == 0) || len(u.Credentials) != 1 {
			t.Errorf("user %d: %+v, %v", n, u, err)
		}
		for i := range size.TokensEach {
			token, err := store.RefreshTokenBySecret(t.Context(), bench.TokenSecret(n, i))
			if err != nil || token.ID != bench.TokenID(n, i) || token.UserID != u.ID {
				t.Errorf("token %d of user %d: %+v, %v", i, n, token, err)
			}
		}
	}
	if _, err := store.User(t.Context(), bench.UserID(1500)); err == nil {
		t.Error("there are more users than there should be")
	}
	count, after := 0, ""
	for {
		page, err := store.Users(t.Context(), after, 400)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		count, after = count+len(page), page[len(page)-1].ID
	}
	if count != size.Users {
		t.Errorf("%d users in pages", count)
	}
}

// The look-ups that a request may need when nothing of it is in memory, in a store that was seeded before:
//
//	latchkey bench seed --store ADDRESS --users 1000000 --tokens 5
//	LATCHKEY_BENCH_STORE=ADDRESS LATCHKEY_BENCH_USERS=1000000 go test -run '^$' -bench Lookup ./bench
//
// Without the variables a small store is made. Random users are asked for, so that no cache of pages helps more than it
// would at work.
func BenchmarkLookup(b *testing.B) {
	store, users := benchStore(b)
	ctx := b.Context()
	for _, lookup := range []struct {
		name string
		find func(ctx context.Context, n int) error
	}{
		{"User", func(ctx context.Context, n int) error {
			_, err := store.User(ctx, bench.UserID(n))
			return err
		}},
		{"TokenByID", func(ctx context.Context, n int) error {
			_, err := store.RefreshToken(ctx, bench.TokenID(n, 0))
			return err
		}},
		{"TokenBySecret", func(ctx context.Context, n int) error {
			_, err := store.RefreshTokenBySecret(ctx, bench.TokenSecret(n, 0))
			return err
		}},
		{"TokensOfUser", func(ctx context.Context, n int) error {
			_, err := store.RefreshTokens(ctx, bench.UserID(n))
			return err
		}},
		{"CredentialsBySubject", func(ctx context.Context, n int) error {
			_, err := store.CredentialsBySubject(ctx, latchkey.ProviderKey{Type: "homeassistant"}, bench.Username(n))
			return err
		}},
		{"Password", func(ctx context.Context, n int) error {
			_, err := store.Passwords(ctx, bench.Username(n))
			return err
		}},
		{"PageOfUsers", func(ctx context.Context, n int) error {
			_, err := store.Users(ctx, bench.UserID(n), 50)
			return err
		}},
		{"UserByCredentials", func(ctx context.Context, n int) error {
			_, err := store.UserByCredentials(ctx, bench.CredentialsID(n))
			return err
		}},
		{"LongLivedToken", func(ctx context.Context, n int) error { // nobody has any
			_, err := store.LongLivedToken(ctx, bench.UserID(n), "GPS logger")
			if errors.Is(err, latchkey.ErrNotFound) {
				return nil
			}
			return fmt.Errorf("found one: %v", err)
		}},
		{"NextExpiry", func(ctx context.Context, _ int) error {
			_, err := store.NextExpiry(ctx)
			return err
		}},
		{"ExpiredTokens", func(ctx context.Context, _ int) error {
			_, err := store.ExpiredRefreshTokens(ctx, time.Now(), 100)
			return err
		}},
		{"Owner", func(ctx context.Context, _ int) error {
			_, err := store.Owner(ctx)
			return err
		}},
		{"HasPeople", func(ctx context.Context, _ int) error {
			_, err := store.HasPeople(ctx)
			return err
		}},
		{"HasAdminBeside", func(ctx context.Context, n int) error {
			_, err := store.HasAdminBeside(ctx, bench.UserID(n))
			return err
		}},
		{"HasAdminBesideOwner", func(ctx context.Context, _ int) error {
			_, err := store.HasAdminBeside(ctx, bench.UserID(0))
			return err
		}},
	} {
		b.Run(lookup.name, func(b *testing.B) {
			for b.Loop() {
				if err := lookup.find(ctx, rand.IntN(users)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchStore(b *testing.B) (store latchkey.Store, users int) {
	b.Helper()
	address := os.Getenv("LATCHKEY_BENCH_STORE")
	if address == "" {
		return seeded(b, bench.Size{Users: 1000, TokensEach: 5}), 1000
	}
	users, err := strconv.Atoi(os.Getenv("LATCHKEY_BENCH_USERS"))
	if err != nil {
		b.Fatal("LATCHKEY_BENCH_USERS: say how many users the store has:", err)
	}
	c := config.Default()
	if err := errors.Join(c.Environment(os.LookupEnv), c.Set(config.Store, address)); err != nil {
		b.Fatal(err)
	}
	c.MustExist = true
	if store, err = config.OpenStore(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	return store, users
}
