package trustednetworks_test

import (
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-6a977b3d/latchkey/provider/trustednetworks"
)

// spec: providers.md §5.1, "A network is"
func TestParseNetwork(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"192.168.1.7", "192.168.1.7/32"},
		{"fd00::7", "fd00::7/128"},
		{"192.168.1.0/24", "192.168.1.0/24"},
		{"192.168.1.0/255.255.255.0", "192.168.1.0/24"},
		{"192.168.1.0/0.0.0.255", "192.168.1.0/24"},
		{"10.0.0.0/255.0.0.0", "10.0.0.0/8"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"0.0.0.0/0.0.0.0", "0.0.0.0/0"},
		{"192.168.1.7/255.255.255.255", "192.168.1.7/32"},
		{"fd00::/8", "fd00::/8"},
		{"::/0", "::/0"},
		{"::ffff:0:0/96", "::ffff:0.0.0.0/96"},
		{"::ffff:192.168.0.0/112", "::ffff:192.168.0.0/112"},
	} {
		if got, err := trustednetworks.ParseNetwork(tt.in); err != nil || got.String() != tt.want {
			t.Errorf("ParseNetwork(%q) = %v, %v; want %s", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{
		"", "/", "/24", "192.168.1.0/", "192.168.1.5/24", "192.168.1.5/255.255.255.0", "fd00::1/8", "10/8", "10.0/16",
		" 192.168.1.0/24", "192.168.1.0/24 ", "192.168.1.0 /24", "192.168.01.0/24", "192.168.1.0/33", "fd00::/129",
		"192.168.1.0/-1", "192.168.1.0/+24", "192.168.1.0/24/24", "192.168.1.0/255.0.255.0", "192.168.1.0/255.255.255.x",
		"192.168.1.0/99999999999999999999", "fd00::/ff00::", "fd00::/255.0.0.0", "fe80::%eth0/64", "home", "192.168.1.0/ffff::",
		"256.0.0.0/8", "192.168.1.0/٢٤",
	} {
		if got, err := trustednetworks.ParseNetwork(in); err == nil {
			t.Errorf("ParseNetwork(%q) = %v", in, got)
		}
	}
}

// The three ways to write an IPv4 network are one.
func TestMasksAndPrefixesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.IntRange(0, 32).Draw(t, "length")
		b := rapid.Uint32().Draw(t, "address")
		mask := uint32(0xffffffff) << (32 - length)
		addr := func(v uint32) netip.Addr {
			return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
		}
		network := addr(b & mask)
		want := netip.PrefixFrom(network, length)
		forms := []string{fmt.Sprint(network, "/", length), fmt.Sprint(network, "/", addr(mask))}
		if length > 0 && length < 32 { // 0.0.0.0 and 255.255.255.255 are read as netmasks
			forms = append(forms, fmt.Sprint(network, "/", addr(^mask)))
		}
		for _, form := range forms {
			if got, err := trustednetworks.ParseNetwork(form); err != nil || got != want {
				t.Fatalf("ParseNetwork(%q) = %v, %v; want %v", form, got, err, want)
			}
		}
	})
}

func FuzzParseNetwork(f *testing.F) {
	for _, s := range []string{"192.168.1.0/24", "fd00::/8", "10.0.0.0/255.0.0.0", "10.0.0.0/0.255.255.255", "::ffff:0:0/96", "fe80::%1/10", "/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := trustednetworks.ParseNetwork(s)
		if err != nil {
			return
		}
		if again, err := trustednetworks.ParseNetwork(n.String()); err != nil || again != n || !n.Contains(n.Addr()) {
			t.Errorf("%q is %v, which is read as %v, %v", s, n, again, err)
		}
	})
}

// spec: providers.md §5.1, "User ids: 32 hex digits with version and variant bits of a UUIDv4"
func TestParseUserID(t *testing.T) {
	const id = "3f1c2a9b8d7e4c50a1b2c3d4e5f60718"
	for _, in := range []string{id, "3F1C2A9B8D7E4C50A1B2C3D4E5F60718"} {
		if got, err := trustednetworks.ParseUserID(in); err != nil || got != id {
			t.Errorf("ParseUserID(%q) = %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", "abcde", id + "0", id[1:], "3f1c2a9b-8d7e-4c50-a1b2-c3d4e5f60718", "3f1c2a9b8d7e1c50a1b2c3d4e5f60718",
		"3f1c2a9b8d7e4c5071b2c3d4e5f60718", "3g1c2a9b8d7e4c50a1b2c3d4e5f60718", " " + id[1:],
	} {
		if got, err := trustednetworks.ParseUserID(in); err == nil {
			t.Errorf("ParseUserID(%q) = %q", in, got)
		}
	}
}

// spec: providers.md §5.1, allow_bypass_login
func TestParseBool(t *testing.T) {
	for _, yes := range []any{true, "1", "true", "YES", " on ", "enable", 1, 2.5, int64(-1), uint64(3)} {
		if got, err := trustednetworks.ParseBool(yes); err != nil || !got {
			t.Errorf("ParseBool(%v) = %v, %v", yes, got, err)
		}
	}
	for _, no := range []any{false, "0", "False", "no", "\toff\n", "disable", 0, 0.0} {
		if got, err := trustednetworks.ParseBool(no); err != nil || got {
			t.Errorf("ParseBool(%v) = %v, %v", no, got, err)
		}
	}
	for _, bad := range []any{nil, "", "maybe", "2", []any{true}, map[string]any{}} {
		if got, err := trustednetworks.ParseBool(bad); err == nil {
			t.Errorf("ParseBool(%v) = %v", bad, got)
		}
	}
}
