package latchkey_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

var addr = netip.MustParseAddr("192.168.1.20")

// spec: manager.md §6, the table of checks in order
func TestRefreshTokenRules(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	anna := h.person(t, "anna")
	system, err := h.CreateSystemUser(ctx, latchkey.NewUser{Name: latchkey.Text("System")})
	if err != nil {
		t.Fatal(err)
	}
	none, app := latchkey.NullString{}, latchkey.Text(client)
	tests := []struct {
		name    string
		n       latchkey.NewRefreshToken
		refusal string
		want    latchkey.TokenType
	}{
		{"normal", latchkey.NewRefreshToken{UserID: anna.ID, ClientID: app}, "", latchkey.TokenNormal},
		{"empty client", latchkey.NewRefreshToken{UserID: anna.ID, ClientID: latchkey.Text("")}, "", latchkey.TokenNormal},
		{"no client", latchkey.NewRefreshToken{UserID: anna.ID}, "Client is required to generate a refresh token.", ""},
		{"system", latchkey.NewRefreshToken{UserID: system.ID}, "", latchkey.TokenSystem},
		{"system with client", latchkey.NewRefreshToken{UserID: system.ID, ClientID: latchkey.Text("")},
			"System generated users cannot have refresh tokens connected to a client.", ""},
		{"system wants normal", latchkey.NewRefreshToken{UserID: system.ID, Type: latchkey.TokenNormal},
			"System generated users can only have system type refresh tokens", ""},
		{"person wants system", latchkey.NewRefreshToken{UserID: anna.ID, ClientID: app, Type: latchkey.TokenSystem},
			"System generated users can only have system type refresh tokens", ""},
		{"long-lived without name", latchkey.NewRefreshToken{UserID: anna.ID, ClientName: none, Type: latchkey.TokenLongLived},
			"Client_name is required for long-lived access token", ""},
		{"long-lived", latchkey.NewRefreshToken{UserID: anna.ID, ClientName: latchkey.Text("GPS"), Type: latchkey.TokenLongLived}, "", latchkey.TokenLongLived},
		{"long-lived again", latchkey.NewRefreshToken{UserID: anna.ID, ClientName: latchkey.Text("GPS"), Type: latchkey.TokenLongLived}, "GPS already exists", ""},
		{"other case", latchkey.NewRefreshToken{UserID: anna.ID, ClientName: latchkey.Text("gps"), Type: latchkey.TokenLongLived}, "", latchkey.TokenLongLived},
		{"normal of that name", latchkey.NewRefreshToken{UserID: anna.ID, ClientID: app, ClientName: latchkey.Text("GPS")}, "", latchkey.TokenNormal},
		{"empty name", latchkey.NewRefreshToken{UserID: anna.ID, ClientName: latchkey.Text(""), Type: latchkey.TokenLongLived}, "", latchkey.TokenLongLived},
		{"empty name never clashes", latchkey.NewRefreshToken{UserID: anna.ID, ClientName: latchkey.Text(""), Type: latchkey.TokenLongLived}, "", latchkey.TokenLongLived},
		{"long name", latchkey.NewRefreshToken{UserID: anna.ID, ClientName: latchkey.Text(strings.Repeat("x", 1024)), Type: latchkey.TokenLongLived}, "", latchkey.TokenLongLived},
		{"longer name", latchkey.NewRefreshToken{UserID: anna.ID, ClientName: latchkey.Text(strings.Repeat("x", 1025)), Type: latchkey.TokenLongLived},
			"Client_name is too long: use at most 1024 bytes", ""},
		{"longer icon", latchkey.NewRefreshToken{UserID: anna.ID, ClientName: latchkey.Text("icon"), ClientIcon: strings.Repeat("x", 1025), Type: latchkey.TokenLongLived},
			"Client_icon is too long: use at most 1024 bytes", ""},
		{"unknown type", latchkey.NewRefreshToken{UserID: anna.ID, ClientID: app, Type: "other"}, `"other" is not a type of refresh token`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := h.CreateRefreshToken(ctx, tt.n)
			if tt.refusal != "" {
				if !isRefused(err, latchkey.ErrValue, tt.refusal) {
					t.Errorf("error = %v, want %q", err, tt.refusal)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Type != tt.want || len(got.Secret) != 128 || len(got.JWTKey) != 128 || got.Secret == got.JWTKey || got.Version != latchkey.Version {
				t.Errorf("token = %+v", got)
			}
			// spec: models.md §6.1: only normal tokens end by themselves
			if ends := !got.ExpireAt.IsZero(); ends != (tt.want == latchkey.TokenNormal) {
				t.Errorf("a %s token: expire_at = %v", tt.want, got.ExpireAt)
			}
			found, err := h.RefreshTokenBySecret(ctx, got.Secret)
			if err != nil || found.ID != got.ID {
				t.Errorf("by secret: %v, %v", found.ID, err)
			}
		})
	}
	if _, err := h.RefreshTokenBySecret(ctx, "ünknown"); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("a secret of no token: %v", err)
	}
}

// spec: manager.md §7 and §8; models.md §6; http-auth.md T-7, T-8
func TestAccessTokens(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	anna := h.person(t, "anna")
	token := h.token(t, anna)
	access, err := h.CreateAccessToken(ctx, token.ID, addr)
	if err != nil {
		t.Fatal(err)
	}
	session, err := h.ValidateAccessToken(ctx, access)
	if err != nil || session.User.ID != anna.ID || session.Token.ID != token.ID {
		t.Fatalf("session = %+v, %v", session, err)
	}
	used, _ := h.RefreshToken(ctx, token.ID)
	if used.LastUsedAt.IsZero() || used.LastUsedIP != addr.String() || !used.ExpireAt.Equal(used.LastUsedAt.Add(latchkey.RefreshTokenExpiration)) {
		t.Errorf("use not recorded: %+v", used)
	}
	if _, err := h.CreateAccessToken(ctx, token.ID, netip.Addr{}); err != nil {
		t.Fatal(err)
	}
	if used, _ = h.RefreshToken(ctx, token.ID); used.LastUsedIP != "" {
		t.Errorf("used from an unknown address: %q", used.LastUsedIP)
	}
	if err := h.RemoveRefreshToken(ctx, token.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ValidateAccessToken(ctx, access); !errors.Is(err, latchkey.ErrInvalidAccessToken) {
		t.Errorf("access token of a removed refresh token: %v", err)
	}
	if _, err := h.CreateAccessToken(ctx, token.ID, addr); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("access token from a removed refresh token: %v", err)
	}
	other := newHouse(t, latchkey.Options{})
	other.person(t, "anna")
	if _, err := other.ValidateAccessToken(ctx, access); !errors.Is(err, latchkey.ErrInvalidAccessToken) {
		t.Errorf("access token of another server: %v", err)
	}
}

// spec: manager.md §9 and §8, example with days 89, 90 and 120; leeway of 10 s
func TestExpiry(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		h := newHouseOver(t, store, latchkey.Options{})
		ctx := t.Context()
		const day = 24 * time.Hour
		anna := h.person(t, "anna")
		a := h.token(t, anna)
		access, err := h.CreateAccessToken(ctx, a.ID, addr)
		if err != nil {
			t.Fatal(err)
		}
		revoked := 0
		h.OnRevoke(a.ID, func() { revoked++ })
		valid := func() bool { _, err := h.ValidateAccessToken(ctx, access); return err == nil }
		time.Sleep(30*time.Minute + 9*time.Second)
		if !valid() {
			t.Error("refused 9 s after its end, within the leeway")
		}
		time.Sleep(time.Second)
		if valid() {
			t.Error("accepted 10 s after its end")
		}
		time.Sleep(30*day - 30*time.Minute - 10*time.Second)
		b := h.token(t, anna)
		alive := func(token latchkey.RefreshToken) bool {
			_, err := h.store.RefreshToken(ctx, token.ID)
			return exists(t, err)
		}
		time.Sleep(59*day + 23*time.Hour)
		synctest.Wait()
		if !alive(a) || !alive(b) {
			t.Error("day 89, 23 h: a token is gone too early")
		}
		time.Sleep(time.Hour + 5*time.Second)
		synctest.Wait()
		if alive(a) || !alive(b) {
			t.Errorf("day 90: a %v, b %v, want only b", alive(a), alive(b))
		}
		if revoked != 1 {
			t.Errorf("revoke callback of the ended token ran %d times", revoked)
		}
		time.Sleep(30 * day)
		synctest.Wait()
		if alive(b) {
			t.Error("day 120: b is there still")
		}
	})
}

// spec: manager.md §9 set_expiry
func TestSetExpiry(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	token := h.token(t, h.person(t, "anna"))
	expireAt := func() time.Time { got, _ := h.RefreshToken(ctx, token.ID); return got.ExpireAt }
	set := func(on bool) {
		t.Helper()
		if err := h.SetExpiry(ctx, token.ID, on); err != nil {
			t.Fatal(err)
		}
	}
	set(true)
	if !expireAt().Equal(token.ExpireAt) {
		t.Error("an end that was set has moved")
	}
	set(false)
	if !expireAt().IsZero() {
		t.Error("the token ends still")
	}
	if _, err := h.CreateAccessToken(ctx, token.ID, addr); err != nil || !expireAt().IsZero() {
		t.Errorf("a use has set an end: %v, %v", expireAt(), err)
	}
	set(true)
	used, _ := h.RefreshToken(ctx, token.ID)
	if !used.ExpireAt.Equal(used.LastUsedAt.Add(latchkey.RefreshTokenExpiration)) {
		t.Errorf("expire_at = %v, last used %v", used.ExpireAt, used.LastUsedAt)
	}
	if err := h.SetExpiry(ctx, "nope", true); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("unknown token: %v", err)
	}
}

// spec: manager.md §9 register_revoke_token_callback
func TestRevokeCallbacks(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	token := h.token(t, h.person(t, "anna"))
	var calls []string
	h.OnRevoke(token.ID, func() { calls = append(calls, "a") })
	stop := h.OnRevoke(token.ID, func() { calls = append(calls, "b") })
	h.OnRevoke("not there", func() { calls = append(calls, "c") })
	stop()
	for _, id := range []string{token.ID, token.ID, "not there"} {
		if err := h.RemoveRefreshToken(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if got := strings.Join(calls, ""); got != "ac" {
		t.Errorf("callbacks ran: %q, want a and c once", got)
	}
}

// Secrets show themselves nowhere by accident.
func TestSecretsAreNotPrinted(t *testing.T) {
	s := latchkey.NewSecret()
	token := latchkey.RefreshToken{Secret: s, JWTKey: s}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %q %x", token, token, token, s, s)} {
		if strings.Contains(text, s.Reveal()) || strings.Contains(text, fmt.Sprintf("%x", s.Reveal())) {
			t.Errorf("the secret is in %s", text)
		}
	}
}

// spec: manager.md §7; models.md §6
func TestAccessTokenLifetime(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		h := newHouseOver(t, store, latchkey.Options{})
		ctx := t.Context()
		token, err := h.CreateRefreshToken(ctx, latchkey.NewRefreshToken{
			UserID: h.person(t, "anna").ID, ClientName: latchkey.Text("GPS"), ClientIcon: "mdi:map",
			Type: latchkey.TokenLongLived, AccessTokenExpiration: 36500 * 24 * time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		if token.ClientIcon != "mdi:map" || !token.CreatedAt.Equal(time.Now()) {
			t.Errorf("token = %+v", token)
		}
		access, err := h.CreateAccessToken(ctx, token.ID, netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		h.Close() // nothing is to be woken during a hundred years
		time.Sleep(36499 * 24 * time.Hour)
		if _, err := h.ValidateAccessToken(ctx, access); err != nil {
			t.Errorf("a day before its end: %v", err)
		}
		time.Sleep(25 * time.Hour)
		if _, err := h.ValidateAccessToken(ctx, access); !errors.Is(err, latchkey.ErrInvalidAccessToken) {
			t.Errorf("after its end: %v", err)
		}
	})
}

func TestRemoveRefreshTokens(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	anna, bob := h.person(t, "anna"), h.person(t, "bob")
	first, second, bobs := h.token(t, anna), h.token(t, anna), h.token(t, bob)
	n, err := h.RemoveRefreshTokens(ctx, anna.ID, func(t latchkey.RefreshToken) bool { return t.ID != second.ID })
	if err != nil || n != 1 {
		t.Errorf("removed %d, %v", n, err)
	}
	left, err := h.RefreshTokens(ctx, anna.ID)
	if err != nil || len(left) != 1 || left[0].ID != second.ID {
		t.Errorf("left: %v, %v", left, err)
	}
	_, gone := h.RefreshToken(ctx, first.ID)
	_, stays := h.RefreshToken(ctx, bobs.ID)
	if exists(t, gone) || !exists(t, stays) {
		t.Error("wrong tokens removed")
	}
}
