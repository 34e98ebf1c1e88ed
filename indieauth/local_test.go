package indieauth

import (
	"net/netip"
	"testing"
)

// spec: http-auth.md, §10.4 "Local address"; indieauth.md, §2 "Local".
func TestIsLocal(t *testing.T) {
	local := []string{
		"127.0.0.0", "127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1", "::ffff:127.255.255.255",
		"10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255",
		"fd00::", "fd00::1", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"::ffff:10.0.0.0", "::ffff:172.16.0.0", "::ffff:172.31.255.255", "::ffff:192.168.0.1",
		"169.254.0.0", "169.254.255.255", "fe80::", "fe80::1", "fe80::1%eth0", "febf::1",
	}
	outside := []string{
		"0.0.0.0", "::", "100.64.0.0", "100.127.255.255", "fc00::1", "fcff::1", "::ffff:169.254.1.1",
		"126.255.255.255", "128.0.0.0", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0",
		"192.167.255.255", "192.169.0.0", "169.253.255.255", "169.255.0.0", "8.8.8.8", "255.255.255.255",
		"::2", "fec0::1", "fe7f::1", "2001:db8::1", "::ffff:8.8.8.8", "::ffff:172.32.0.0", "ff02::1", "224.0.0.1",
		"64:ff9b::7f00:1",
	}
	for _, s := range local {
		if !isLocal(netip.MustParseAddr(s)) {
			t.Errorf("%s is not local, want local", s)
		}
	}
	for _, s := range outside {
		if isLocal(netip.MustParseAddr(s)) {
			t.Errorf("%s is local, want outside", s)
		}
	}
	if isLocal(netip.Addr{}) {
		t.Error("the zero address is local, want outside")
	}
}
