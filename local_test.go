package latchkey_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"regexp"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

// spec: models.md §8 rule 6
func TestIsLocal(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1": true, "127.255.255.255": true, "::1": true, "::ffff:127.0.0.1": true,
		"10.0.0.0": true, "10.255.255.255": true, "172.16.0.0": true, "172.31.255.255": true, "192.168.0.0": true,
		"192.168.255.255": true, "fd00::1": true, "fdff::1": true,
		"::ffff:10.0.0.1": true, "::ffff:172.16.0.1": true, "::ffff:192.168.0.1": true,
		"169.254.1.1": true, "fe80::1": true, "febf::1": true, "fe80::1%eth0": true,
		"fc00::1": false, "100.64.0.1": false, "172.32.0.1": false, "172.15.0.1": false, "0.0.0.0": false, "::": false,
		"::127.0.0.1": false, "::ffff:169.254.0.1": false, "8.8.8.8": false, "2001:db8::1": false, "::ffff:8.8.8.8": false,
		"192.169.0.1": false, "11.0.0.0": false, "fec0::1": false,
	} {
		if got := latchkey.IsLocal(netip.MustParseAddr(text)); got != want {
			t.Errorf("IsLocal(%s) = %v", text, got)
		}
	}
}

// spec: models.md §8, the reasons in order
func TestMayAuthenticate(t *testing.T) {
	at := func(s string) *latchkey.Origin { return &latchkey.Origin{Addr: netip.MustParseAddr(s)} }
	local := latchkey.User{IsActive: true, LocalOnly: true}
	for _, tt := range []struct {
		name string
		user latchkey.User
		from *latchkey.Origin
		want error
	}{
		{"inactive before all", latchkey.User{LocalOnly: true}, nil, latchkey.ErrUserInactive},
		{"anywhere", latchkey.User{IsActive: true}, nil, nil},
		{"no request", local, nil, latchkey.ErrNoRequest},
		{"tunnel", local, &latchkey.Origin{Addr: netip.MustParseAddr("192.168.1.1"), Tunnel: true}, latchkey.ErrLocalOnly},
		{"unknown address", local, &latchkey.Origin{}, latchkey.ErrInvalidRemote},
		{"at home", local, at("192.168.1.1"), nil},
		{"outside", local, at("203.0.113.5"), latchkey.ErrNotLocal},
	} {
		if got := tt.user.MayAuthenticate(tt.from); !errors.Is(got, tt.want) || (got == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// spec: models.md §4.2
func TestIsAdmin(t *testing.T) {
	admins := []string{"other", latchkey.GroupAdmin}
	for _, tt := range []struct {
		u    latchkey.User
		want bool
	}{
		{latchkey.User{IsOwner: true}, true},
		{latchkey.User{IsActive: true, GroupIDs: admins}, true},
		{latchkey.User{GroupIDs: admins}, false},
		{latchkey.User{IsActive: true, GroupIDs: []string{latchkey.GroupUser}}, false},
	} {
		if got := tt.u.IsAdmin(); got != tt.want {
			t.Errorf("%+v: %v", tt.u, got)
		}
	}
}

// spec: providers.md §3.1
func TestNormalizeUsername(t *testing.T) {
	for name, want := range map[string]string{
		"ẞtraße": "sstrasse", "ﬁ": "fi", "ΣΑΣ": "σασ", " İstanbul ": "i̇stanbul", "\u00a0Anna\u3000": "anna",
		"\x1canna\x1f": "anna", "a b": "a b", "": "", "\u200banna": "\u200banna",
	} {
		if got := latchkey.NormalizeUsername(name); got != want {
			t.Errorf("NormalizeUsername(%q) = %q, want %q", name, got, want)
		}
	}
}

// spec: models.md §2
func TestIdsAndSecrets(t *testing.T) {
	id, secret := regexp.MustCompile(`^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$`), regexp.MustCompile(`^[0-9a-f]{128}$`)
	seen := map[string]bool{}
	for range 1000 {
		i, s := latchkey.NewID(), latchkey.NewSecret().Reveal()
		if !id.MatchString(i) || !secret.MatchString(s) || seen[i] || seen[s] {
			t.Fatalf("id %q, secret of %d characters", i, len(s))
		}
		seen[i], seen[s] = true, true
	}
}

func TestNullString(t *testing.T) {
	for text, want := range map[string]latchkey.NullString{`null`: {}, `""`: latchkey.Text(""), `"a\"b"`: latchkey.Text(`a"b`)} {
		var got latchkey.NullString
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if b, err := json.Marshal(want); err != nil || string(b) != text {
			t.Errorf("%+v: %s, %v", want, b, err)
		}
	}
}
