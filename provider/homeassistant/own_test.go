package homeassistant_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
)

// spec: security.md 6, and 9: guessing the current password gets slower as at the door
func TestWhoKnowsThePasswordMayChangeIt(t *testing.T) {
	p, _, m := open(t, "anna")
	ctx := t.Context()
	const next = "staple battery horse"
	from := latchkey.Origin{Addr: netip.MustParseAddr("203.0.113.7")}
	for name, row := range map[string]struct {
		username, current, password string
		want                        error
	}{
		"wrong":                    {"anna", "wrong password", next, latchkey.ErrInvalidAuth},
		"wrong, and the new short": {"anna", "wrong password", "x", latchkey.ErrInvalidAuth},
		"the new one short":        {"anna", password, "x", homeassistant.ErrPasswordTooShort},
		"nobody":                   {"nobody", password, next, latchkey.ErrInvalidAuth},
	} {
		if err := p.ChangeOwnPassword(ctx, m, row.username, row.current, row.password, from); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
	}
	if err := p.ValidateLogin(ctx, "anna", password); err != nil {
		t.Errorf("a refused change changed the password: %v", err)
	}
	if err := p.ChangeOwnPassword(ctx, m, "ANNA", password, next, from); err != nil {
		t.Fatal(err)
	}
	if p.ValidateLogin(ctx, "anna", next) != nil || p.ValidateLogin(ctx, "anna", password) == nil {
		t.Error("the password is not the new one")
	}
	var err error
	for range 6 {
		err = p.ChangeOwnPassword(ctx, m, "anna", "wrong password", next, from)
	}
	var wait *latchkey.TooManyAttempts
	if !errors.As(err, &wait) {
		t.Errorf("sixth wrong one in a row: %v", err)
	}
}

func TestWhetherSomebodyHasALogin(t *testing.T) {
	other := latchkey.NewCredentials(latchkey.ProviderKey{Type: "trusted_networks"}, map[string]any{"user_id": "x"})
	first := latchkey.NewCredentials(latchkey.ProviderKey{Type: homeassistant.Type}, map[string]any{"username": "anna"})
	second := latchkey.NewCredentials(latchkey.ProviderKey{Type: homeassistant.Type}, map[string]any{"username": "ann"})
	if c, ok := homeassistant.LoginOf(latchkey.User{Credentials: []latchkey.Credentials{other}}); ok {
		t.Errorf("somebody without one has %v", c)
	}
	c, ok := homeassistant.LoginOf(latchkey.User{Credentials: []latchkey.Credentials{other, first, second}})
	if !ok || c.ID != first.ID || c.Text("username") != "anna" {
		t.Errorf("login %v, %v", c, ok)
	}
}
