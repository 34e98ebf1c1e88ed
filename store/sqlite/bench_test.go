package sqlite_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// filled opens a store with n users, who have a login and a token each, and returns some of the tokens.
func filled(b *testing.B, n int) (*sqlite.Store, []latchkey.RefreshToken) {
	b.Helper()
	path, _ := paths(b)
	s := open(b, path)
	ctx := b.Context()
	var sample []latchkey.RefreshToken
	err := s.Update(ctx, func(tx latchkey.Tx) error {
		sample = nil
		for i := range n {
			u := latchkey.User{ID: latchkey.NewID(), Name: latchkey.Text("Ada"), IsActive: true, GroupIDs: []string{latchkey.GroupUser}}
			u.Credentials = []latchkey.Credentials{
				latchkey.NewCredentials(latchkey.ProviderKey{Type: "homeassistant"}, map[string]any{"username": fmt.Sprint("user", i)}),
			}
			if err := tx.InsertUser(ctx, u); err != nil {
				return err
			}
			t := latchkey.RefreshToken{
				ID: latchkey.NewID(), UserID: u.ID, Type: latchkey.TokenNormal, ClientID: latchkey.Text("https://app.example/"),
				Secret: latchkey.NewSecret(), JWTKey: latchkey.NewSecret(), CredentialID: u.Credentials[0].ID,
			}
			if err := tx.InsertRefreshToken(ctx, t); err != nil {
				return err
			}
			if i%(n/min(n, 500)) == 0 {
				sample = append(sample, t)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return s, sample
}

// BenchmarkFindUsers goes through all users, the worst that a search can do: nobody is found.
func BenchmarkFindUsers(b *testing.B) {
	for _, n := range []int{500, 50_000} {
		s, _ := filled(b, n)
		b.Run(fmt.Sprint("of=", n), func(b *testing.B) {
			for b.Loop() {
				if users, err := s.FindUsers(b.Context(), "nobody", "", 20); err != nil || len(users) != 0 {
					b.Fatal(users, err)
				}
			}
		})
	}
}

// BenchmarkStore must cost the same for one user and token as for 50 000 of both.
func BenchmarkStore(b *testing.B) {
	for _, n := range []int{1, 50_000} {
		s, sample := filled(b, n)
		ctx := b.Context()
		for name, read := range map[string]func(latchkey.RefreshToken) error{
			"RefreshToken":         func(t latchkey.RefreshToken) error { _, err := s.RefreshToken(ctx, t.ID); return err },
			"RefreshTokenBySecret": func(t latchkey.RefreshToken) error { _, err := s.RefreshTokenBySecret(ctx, t.Secret); return err },
			"User":                 func(t latchkey.RefreshToken) error { _, err := s.User(ctx, t.UserID); return err },
			"Update": func(t latchkey.RefreshToken) error {
				t.LastUsedAt = time.Now()
				return s.Update(ctx, func(tx latchkey.Tx) error { return tx.UpdateRefreshToken(ctx, t) })
			},
		} {
			b.Run(fmt.Sprintf("%s/of=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if err := read(sample[i%len(sample)]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
