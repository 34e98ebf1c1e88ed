package postgres_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/internal/pgtest"
	"github.com/seed-6a977b3d/latchkey/store/postgres"
)

// fill gives a store n users with a login, a password and a token each, and returns the tokens.
func fill(tb testing.TB, s *postgres.Store, n int) []latchkey.RefreshToken {
	tb.Helper()
	ctx := tb.Context()
	var all []latchkey.RefreshToken
	for len(all) < n {
		var some []latchkey.RefreshToken
		err := s.Update(ctx, func(tx latchkey.Tx) error {
			some = nil
			for i := len(all); i < min(len(all)+1000, n); i++ {
				t, err := fillOne(ctx, tx, i)
				if err != nil {
					return err
				}
				some = append(some, t)
			}
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, some...)
	}
	return all
}

func fillOne(ctx context.Context, tx latchkey.Tx, i int) (latchkey.RefreshToken, error) {
	name := fmt.Sprint("user", i)
	login := latchkey.NewCredentials(latchkey.ProviderKey{Type: "homeassistant"}, map[string]any{"username": name})
	u := latchkey.User{
		ID: latchkey.NewID(), Name: latchkey.Text("Ada"), IsActive: true, GroupIDs: []string{latchkey.GroupUser},
		Credentials: []latchkey.Credentials{login},
	}
	t := latchkey.RefreshToken{
		ID: latchkey.NewID(), UserID: u.ID, Type: latchkey.TokenNormal, ClientID: latchkey.Text("https://app.example/"),
		Secret: latchkey.NewSecret(), JWTKey: latchkey.NewSecret(), CredentialID: login.ID, CreatedAt: time.Now(),
		ExpireAt: time.Now().Add(time.Duration(i+1) * time.Hour),
	}
	if err := tx.InsertUser(ctx, u); err != nil {
		return t, err
	}
	if err := tx.InsertPassword(ctx, latchkey.Password{Username: name, Hash: "$2b$12$none"}); err != nil {
		return t, err
	}
	return t, tx.InsertRefreshToken(ctx, t)
}

// BenchmarkStore must cost about the same for one user and token as for 5 000 of both.
func BenchmarkStore(b *testing.B) {
	for _, n := range []int{1, 5000} {
		s := open(b, pgtest.Schema(b))
		sample := fill(b, s, n)
		ctx := b.Context()
		for name, do := range map[string]func(latchkey.RefreshToken) error{
			"RefreshToken":         func(t latchkey.RefreshToken) error { _, err := s.RefreshToken(ctx, t.ID); return err },
			"RefreshTokenBySecret": func(t latchkey.RefreshToken) error { _, err := s.RefreshTokenBySecret(ctx, t.Secret); return err },
			"User":                 func(t latchkey.RefreshToken) error { _, err := s.User(ctx, t.UserID); return err },
			"Update":               func(t latchkey.RefreshToken) error { return use(ctx, s, t) },
		} {
			b.Run(fmt.Sprintf("%s/of=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if err := do(sample[i%len(sample)]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkFindUsers goes through all users, the worst that a search can do: nobody is found.
func BenchmarkFindUsers(b *testing.B) {
	s := open(b, pgtest.Schema(b))
	fill(b, s, 5000)
	for b.Loop() {
		if users, err := s.FindUsers(b.Context(), "nobody", "", 20); err != nil || len(users) != 0 {
			b.Fatal(users, err)
		}
	}
}

// use notes that a token was used.
func use(ctx context.Context, s *postgres.Store, t latchkey.RefreshToken) error {
	t.LastUsedAt = time.Now()
	return s.Update(ctx, func(tx latchkey.Tx) error { return tx.UpdateRefreshToken(ctx, t) })
}

// BenchmarkUpdateAtOnce is how many tokens one node notes the use of, sixteen at a time.
func BenchmarkUpdateAtOnce(b *testing.B) {
	s := open(b, pgtest.Schema(b))
	sample := fill(b, s, 1000)
	var next atomic.Int64
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := use(b.Context(), s, sample[int(next.Add(1))%len(sample)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
}

// BenchmarkPending is one authorization code: put, and taken.
func BenchmarkPending(b *testing.B) {
	p := open(b, pgtest.Schema(b)).Pending()
	ctx := b.Context()
	for i := 0; b.Loop(); i++ {
		key := fmt.Sprint("code", i)
		if err := p.Put(ctx, key, []byte("value"), time.Minute); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Take(ctx, key); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCurrent is asked for each look-up in memory.
func BenchmarkCurrent(b *testing.B) {
	s := open(b, pgtest.Schema(b))
	for b.Loop() {
		s.Current()
	}
}
