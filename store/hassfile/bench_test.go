package hassfile

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// filled makes a folder with so many users, each with a login, and so many tokens.
func filled(t testing.TB, users, tokens int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, dir)
	update(t, s, func(ctx context.Context, tx latchkey.Tx) error {
		for n := range users {
			id := fmt.Sprintf("%032x", n)
			err := tx.InsertUser(ctx, latchkey.User{ID: id, Name: latchkey.Text("木 🔑"), IsActive: true, GroupIDs: []string{latchkey.GroupUser},
				Credentials: []latchkey.Credentials{{ID: "c" + id, Provider: latchkey.ProviderKey{Type: "homeassistant"}, Data: map[string]any{"username": "user" + id}}}})
			if err != nil {
				return err
			}
		}
		for n := range tokens {
			err := tx.InsertRefreshToken(ctx, latchkey.RefreshToken{
				ID: fmt.Sprintf("%032x", n), UserID: fmt.Sprintf("%032x", n%users), ClientID: latchkey.Text("https://app.example/"),
				Type: latchkey.TokenNormal, CreatedAt: time.Now(), AccessTokenExpiration: latchkey.AccessTokenExpiration,
				Secret: latchkey.NewSecret(), JWTKey: latchkey.NewSecret(), ExpireAt: time.Now().Add(latchkey.RefreshTokenExpiration),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// spec: storage.md §2, with 50 000 tokens
func TestALargeHouseIsReadBack(t *testing.T) {
	dir := filled(t, 1000, 50_000)
	before := text(t, dir, authFile)
	s := open(t, dir)
	touch(t, s)
	if text(t, dir, authFile) != before {
		t.Error("what is read is not what was written")
	}
	tokens, err := s.RefreshTokens(t.Context(), fmt.Sprintf("%032x", 7))
	if err != nil || len(tokens) != 50 {
		t.Errorf("%d tokens, %v", len(tokens), err)
	}
}

// Opening reads everything once; the first look-up is one in a map.
func BenchmarkOpen(b *testing.B) {
	dir := filled(b, 10_000, 50_000)
	for b.Loop() {
		s, err := Open(b.Context(), dir, quiet())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.RefreshToken(b.Context(), fmt.Sprintf("%032x", 49_999)); err != nil {
			b.Fatal(err)
		}
		_ = s.Close()
	}
}

// A change writes the whole file, as its form demands.
func BenchmarkUpdate(b *testing.B) {
	for _, size := range []struct{ users, tokens int }{{10, 50}, {10_000, 50_000}} {
		b.Run(fmt.Sprintf("users=%d/tokens=%d", size.users, size.tokens), func(b *testing.B) {
			s := open(b, filled(b, size.users, size.tokens))
			n := 0
			for b.Loop() {
				n++
				update(b, s, func(ctx context.Context, tx latchkey.Tx) error {
					token, err := tx.RefreshToken(ctx, fmt.Sprintf("%032x", 7))
					if err != nil {
						return err
					}
					token.LastUsedAt = time.Unix(int64(n), 0)
					return tx.UpdateRefreshToken(ctx, token)
				})
			}
		})
	}
}

// Somebody who comes changes two files, which go into their places together.
func BenchmarkSomebodyComes(b *testing.B) {
	for _, size := range []struct{ users, tokens int }{{10, 50}, {10_000, 50_000}} {
		b.Run(fmt.Sprintf("users=%d/tokens=%d", size.users, size.tokens), func(b *testing.B) {
			s := open(b, filled(b, size.users, size.tokens))
			n := 0
			for b.Loop() {
				n++
				if err := addUser(b.Context(), s, fmt.Sprint("new", n)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// From the moment at which Home Assistant puts a file in its place until its change counts here.
func BenchmarkFollow(b *testing.B) {
	for _, size := range []struct{ users, tokens int }{{10, 50}, {10_000, 50_000}} {
		b.Run(fmt.Sprintf("users=%d/tokens=%d", size.users, size.tokens), func(b *testing.B) {
			dir := filled(b, size.users, size.tokens)
			own, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "own.db"))
			if err != nil {
				b.Fatal(err)
			}
			f, err := Follow(b.Context(), dir, own, quietLog())
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			first, whole := fmt.Sprintf("%032x", 0), text(b, dir, authFile)
			slowest := time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				u, err := f.User(b.Context(), first)
				if err != nil {
					b.Fatal(err)
				}
				whole = strings.Replace(whole, u.Name.Text, u.Name.Text+"!", 1)
				if err := replace(disk{}, filepath.Join(dir, authFile), whole); err != nil { // as Home Assistant does
					b.Fatal(err)
				}
				b.StartTimer()
				began := time.Now()
				for u.Name == f.current.Load().users[first].Name {
					time.Sleep(time.Millisecond)
				}
				slowest = max(slowest, time.Since(began))
			}
			b.ReportMetric(slowest.Seconds(), "s/slowest")
		})
	}
}

func BenchmarkRefreshToken(b *testing.B) {
	s := open(b, filled(b, 10_000, 50_000))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.RefreshToken(b.Context(), "0000000000000000000000000000c34f"); err != nil {
			b.Fatal(err)
		}
	}
}
