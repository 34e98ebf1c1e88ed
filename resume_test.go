package latchkey_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/trustednetworks"
)

var athome = latchkey.Origin{Addr: addr}

// over fails the test unless the session may not go on.
func (h house) over(t *testing.T, why string, secret latchkey.Secret, from latchkey.Origin) {
	t.Helper()
	s, err := h.Resume(t.Context(), secret, from)
	if !errors.Is(err, latchkey.ErrSessionOver) || err.Error() != "Session is over" || s.User.ID != "" {
		t.Errorf("%s: %v for %q", why, err, s.User.Name)
	}
}

func (h house) goesOn(t *testing.T, token latchkey.RefreshToken, from latchkey.Origin) latchkey.Session {
	t.Helper()
	s, err := h.Resume(t.Context(), token.SessionSecret(), from)
	if err != nil || s.Token.ID != token.ID || s.User.ID != token.UserID {
		t.Errorf("session of %s, token %s: %v", s.User.Name, s.Token.ID, err)
	}
	return s
}

// spec: security.md 20, 21; models.md §8; manager.md §7
func TestASessionIsResumedOnlyByWhoeverMay(t *testing.T) {
	guests, err := trustednetworks.New(openStore(t), trustednetworks.Config{
		Networks: []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, latchkey.Options{Providers: []latchkey.Provider{guests}})
	ctx := t.Context()
	h.person(t, "anna")
	remote := latchkey.Origin{Addr: netip.MustParseAddr("203.0.113.7")}

	bob := h.person(t, "bob")
	token := h.token(t, bob)
	h.goesOn(t, token, remote)
	h.goesOn(t, token, latchkey.Origin{})
	h.over(t, "no secret", "", athome)
	h.over(t, "another secret", latchkey.NewSecret(), athome)
	h.over(t, "the id", latchkey.Secret(token.ID), athome)
	// spec: security.md 31
	h.over(t, "the secret that a client has", token.Secret, athome)
	h.over(t, "the secret with an empty proof", token.Secret+".", athome)
	h.over(t, "the secret with the proof of another", token.Secret+h.token(t, bob).SessionSecret()[len(token.Secret):], athome)

	if _, err := h.UpdateUser(ctx, bob.ID, latchkey.UserUpdate{LocalOnly: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	h.goesOn(t, token, athome)
	h.over(t, "local only, from outside", token.SessionSecret(), remote)
	h.over(t, "local only, through a tunnel", token.SessionSecret(), latchkey.Origin{Addr: addr, Tunnel: true})
	h.over(t, "local only, behind a proxy", token.SessionSecret(), latchkey.Origin{Addr: addr, Proxied: true})

	long, err := h.CreateRefreshToken(ctx, latchkey.NewRefreshToken{
		UserID: bob.ID, ClientName: latchkey.Text("GPS"), Type: latchkey.TokenLongLived,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.over(t, "a long-lived token", long.SessionSecret(), athome)
	system, err := h.CreateSystemUser(ctx, latchkey.NewUser{})
	if err != nil {
		t.Fatal(err)
	}
	machine, err := h.CreateRefreshToken(ctx, latchkey.NewRefreshToken{UserID: system.ID})
	if err != nil {
		t.Fatal(err)
	}
	h.over(t, "a token of the system", machine.SessionSecret(), athome)

	guest := latchkey.NewCredentials(guests.Key(), map[string]any{"user_id": bob.ID})
	if err := h.LinkUser(ctx, bob.ID, guest); err != nil {
		t.Fatal(err)
	}
	trusted, err := h.CreateRefreshToken(ctx, latchkey.NewRefreshToken{
		UserID: bob.ID, ClientID: latchkey.Text(client), Credentials: &guest,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.goesOn(t, trusted, athome)
	h.over(t, "outside of the trusted network", trusted.SessionSecret(), latchkey.Origin{Addr: netip.MustParseAddr("192.168.2.1")})

	if err := h.DeactivateUser(ctx, bob.ID); err != nil {
		t.Fatal(err)
	}
	h.over(t, "a deactivated user", token.SessionSecret(), athome)
	carl := h.token(t, h.person(t, "carl"))
	if err := h.RemoveRefreshToken(ctx, carl.ID); err != nil {
		t.Fatal(err)
	}
	h.over(t, "signed out", carl.SessionSecret(), athome)
}

// A user whom other hands switched off, so that the tokens are there still, is not let in.
func TestAnInactiveUserIsNotResumed(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	bob := h.person(t, "bob")
	token := h.token(t, bob)
	bob.IsActive = false
	err := h.store.Update(t.Context(), func(tx latchkey.Tx) error { return tx.UpdateUser(t.Context(), bob) })
	if err != nil {
		t.Fatal(err)
	}
	h.over(t, "inactive", token.SessionSecret(), athome)
}

// spec: security.md 24; manager.md §7 and §9; websocket.md, "A-12"
func TestASessionLastsAsLongAsItIsUsed(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		h := newHouseOver(t, store, latchkey.Options{})
		token := h.token(t, h.person(t, "anna"))
		h.Close() // what has ended is not removed: it must be refused all the same
		time.Sleep(60 * 24 * time.Hour)
		used := h.goesOn(t, token, athome).Token
		if !used.LastUsedAt.Equal(time.Now()) || used.LastUsedIP != addr.String() ||
			!used.ExpireAt.Equal(time.Now().Add(latchkey.RefreshTokenExpiration)) {
			t.Errorf("used at %v from %q, ends at %v", used.LastUsedAt, used.LastUsedIP, used.ExpireAt)
		}
		time.Sleep(latchkey.RefreshTokenExpiration - time.Microsecond)
		h.goesOn(t, token, athome)
		time.Sleep(latchkey.RefreshTokenExpiration)
		h.over(t, "not used for ninety days", token.SessionSecret(), athome)
	})
}

// writes counts what is recorded about tokens.
func (h house) writes(t *testing.T) *atomic.Int64 {
	var n atomic.Int64
	t.Cleanup(h.store.Watch(func(changes []latchkey.Change) {
		for _, c := range changes {
			if c.Kind == latchkey.TokenChanged {
				n.Add(1)
			}
		}
	}))
	return &n
}

func TestAUseIsRecordedOnceAMinute(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		h := newHouseOver(t, store, latchkey.Options{})
		token := h.token(t, h.person(t, "anna"))
		writes := h.writes(t)
		began := time.Now()
		for range 179 { // the last of them a second before the third minute is over
			h.goesOn(t, token, athome)
			time.Sleep(time.Second)
		}
		if n := writes.Load(); n != 3 {
			t.Errorf("%d writes in three minutes", n)
		}
		outside := latchkey.Origin{Addr: netip.MustParseAddr("203.0.113.7"), Tunnel: true}
		time.Sleep(time.Minute)
		if used := h.goesOn(t, token, outside).Token; used.LastUsedIP != "" || writes.Load() != 4 {
			t.Errorf("through a tunnel: used from %q, %d writes", used.LastUsedIP, writes.Load())
		}
		// A clock that was set back does not keep a use from being recorded.
		ahead, err := h.store.RefreshToken(t.Context(), token.ID)
		if err != nil {
			t.Fatal(err)
		}
		ahead.LastUsedAt = began.Add(time.Hour)
		err = h.store.Update(t.Context(), func(tx latchkey.Tx) error { return tx.UpdateRefreshToken(t.Context(), ahead) })
		if err != nil {
			t.Fatal(err)
		}
		if used := h.goesOn(t, token, athome).Token; !used.LastUsedAt.Equal(time.Now()) {
			t.Errorf("used at %v, now is %v", used.LastUsedAt, time.Now())
		}
	})
}

func TestABurstOfPagesIsOneWrite(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	token := h.token(t, h.person(t, "anna"))
	writes := h.writes(t)
	var pages sync.WaitGroup
	for range 40 {
		pages.Go(func() {
			if s := h.goesOn(t, token, athome); s.Token.LastUsedIP != addr.String() {
				t.Errorf("used from %q", s.Token.LastUsedIP)
			}
		})
	}
	pages.Wait()
	if n := writes.Load(); n != 1 {
		t.Errorf("%d writes", n)
	}
}

// spec: security.md 20
func TestSigningOutEndsWhatIsBeingResumed(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	anna := h.person(t, "anna")
	for range 20 {
		token := h.token(t, anna)
		var signedOut atomic.Bool
		var pages sync.WaitGroup
		for range 4 {
			pages.Go(func() {
				for {
					before := signedOut.Load()
					_, err := h.Resume(t.Context(), token.SessionSecret(), athome)
					if before && !errors.Is(err, latchkey.ErrSessionOver) || err != nil && !errors.Is(err, latchkey.ErrSessionOver) {
						t.Errorf("signed out: %v, error = %v", before, err)
					}
					if err != nil {
						return
					}
				}
			})
		}
		if err := h.RemoveRefreshToken(t.Context(), token.ID); err != nil {
			t.Fatal(err)
		}
		signedOut.Store(true)
		pages.Wait()
	}
}

// away is a store that cannot be reached for some of what it is asked.
type away struct {
	latchkey.Store
	secrets, changes bool
}

func (s away) RefreshTokenBySecret(ctx context.Context, secret latchkey.Secret) (latchkey.RefreshToken, error) {
	if s.secrets {
		return latchkey.RefreshToken{}, fmt.Errorf("look up: %w", latchkey.ErrUnavailable)
	}
	return s.Store.RefreshTokenBySecret(ctx, secret)
}

func (s away) Update(ctx context.Context, fn func(latchkey.Tx) error) error {
	if s.changes {
		return fmt.Errorf("change: %w", latchkey.ErrUnavailable)
	}
	return s.Store.Update(ctx, fn)
}

// Nobody is signed out because the store is away for a moment.
func TestAStoreThatIsAwayEndsNoSession(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	token := h.token(t, h.person(t, "anna"))
	for _, store := range []away{{Store: h.store, secrets: true}, {Store: h.store, changes: true}} {
		m := newHouseOver(t, store, latchkey.Options{})
		_, err := m.Resume(t.Context(), token.SessionSecret(), athome)
		if !errors.Is(err, latchkey.ErrUnavailable) || errors.Is(err, latchkey.ErrSessionOver) {
			t.Errorf("error = %v", err)
		}
	}
	h.goesOn(t, token, athome)
}

// BenchmarkResume is a page that is loaded within a minute of another.
func BenchmarkResume(b *testing.B) {
	h := newHouse(b, latchkey.Options{})
	token := h.token(b, h.person(b, "anna"))
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Resume(ctx, token.SessionSecret(), athome); err != nil {
			b.Fatal(err)
		}
	}
}
