package server_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server"
)

// awayStore cannot be reached once it is away.
type awayStore struct {
	latchkey.Store
	away atomic.Bool
}

func (s *awayStore) RefreshTokenBySecret(ctx context.Context, secret latchkey.Secret) (latchkey.RefreshToken, error) {
	if s.away.Load() {
		return latchkey.RefreshToken{}, fmt.Errorf("dial the database at a secret place: %w", latchkey.ErrUnavailable)
	}
	return s.Store.RefreshTokenBySecret(ctx, secret)
}

func (s *awayStore) Update(ctx context.Context, fn func(latchkey.Tx) error) error {
	if s.away.Load() {
		return latchkey.ErrUnavailable
	}
	return s.Store.Update(ctx, fn)
}

// A client that is told 503 tries again; one that is told 400 signs its person out (client-js.md §7).
func TestAStoreThatIsAwayIsNobodysFault(t *testing.T) {
	store, guard := &awayStore{}, &watchman{}
	w := newHouse(t, setup{server: func(o *server.Options) { o.Guard = guard }, store: func(s latchkey.Store) latchkey.Store {
		store.Store = s
		return store
	}})
	_, refresh := w.tokens("anna")
	store.away.Store(true)
	for range 2 {
		a := w.form("/auth/token", "grant_type", "refresh_token", "client_id", app, "refresh_token", refresh)
		a.is(t, 503, "503: Service Unavailable")
		if a.header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
		}
	}
	if guard.failed.Load() != 0 {
		t.Error("it was counted as a failed login")
	}
	store.away.Store(false)
	if a := w.form("/auth/token", "grant_type", "refresh_token", "client_id", app, "refresh_token", refresh); a.status != 200 {
		t.Errorf("when the store is back: %d %s", a.status, a.body)
	}
}
