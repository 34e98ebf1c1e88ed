package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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

// contested is where logins under way are kept, each of which somebody else always answers first.
type contested struct{ *latchkey.MemoryPending }

func (c contested) Replace(ctx context.Context, key string, revision int64, value []byte, lifetime time.Duration) error {
	if strings.HasPrefix(key, "login/") {
		return latchkey.ErrConflict
	}
	return c.MemoryPending.Replace(ctx, key, revision, value, lifetime)
}

// Of many answers to one form at once, on whatever nodes, those that do not get their turn are told to come again.
func TestAnAnswerThatNeverGetsItsTurn(t *testing.T) {
	pending := contested{latchkey.NewMemoryPending()}
	w := newHouse(t, setup{manager: latchkey.Options{Pending: pending}})
	var login struct {
		ID string `json:"flow_id"`
	}
	begun := w.post("/auth/login_flow", map[string]any{
		"client_id": app, "redirect_uri": app, "handler": []any{"homeassistant", nil},
	})
	if err := json.Unmarshal([]byte(begun.body), &login); err != nil {
		t.Fatal(err)
	}
	a := w.post("/auth/login_flow/"+login.ID, map[string]any{"client_id": app, "username": "", "password": "wrong"})
	a.is(t, 503, "503: Service Unavailable")
	if a.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
}
