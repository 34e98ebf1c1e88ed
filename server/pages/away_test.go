package pages_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

// awayStore does not say whose session it is while it is away.
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

// Where it cannot be known who asks, a page says so in the person's language, and nobody is signed out.
func TestAPageForWhileTheStoreIsAway(t *testing.T) {
	store := &awayStore{Store: newStore(t)}
	h := openOver(t, store)
	anna := h.signIn("anna")
	store.away.Store(true)
	p := anna.get("/account", "Accept-Language", "de").is(503, "Der Server erreicht seine Daten gerade nicht").lacks("Anna", "secret", "Abmelden")
	if got := p.header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After %q", got)
	}
	if got := p.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	store.away.Store(false)
	anna.get("/account").is(200, "Sign out")
}
