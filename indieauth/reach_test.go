package indieauth

import (
	"net/netip"
	"testing"
)

// spec: security.md 45: a fetch for a request from outside cannot reach
// private, loopback or link-local addresses, nor any that is not public.
func TestRequestsFromOutsideReachPublicAddressesOnly(t *testing.T) {
	public := []string{
		"1.1.1.1", "9.9.9.9", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "223.255.255.255",
		"2606:4700::1111", "2001:200::1", "::ffff:9.9.9.9", "64:ff9b::909:909",
	}
	closed := []string{
		"127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1",
		"10.0.0.1", "172.16.0.1", "192.168.1.1", "fd00::1", "fc00::1", "::ffff:192.168.1.1",
		"169.254.169.254", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254",
		"0.0.0.0", "0.1.2.3", "::", "100.64.0.1", "100.127.255.255",
		"192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
		"224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
		"ff02::1", "ff0e::1", "2001:db8::1", "2001::1", "3fff::1", "fec0::1", "100::1", "4000::1", "2606:4700::1111%eth0",
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:c0a8:101::1", "::7f00:1", "::a00:1",
	}
	for _, s := range public {
		if !reachInternet.allows(netip.MustParseAddr(s)) {
			t.Errorf("%s is closed to a request from outside, want open", s)
		}
	}
	for _, s := range closed {
		if reachInternet.allows(netip.MustParseAddr(s)) {
			t.Errorf("%s is open to a request from outside, want closed", s)
		}
	}
	if reachInternet.allows(netip.Addr{}) {
		t.Error("the zero address is open")
	}
}

// spec: indieauth.md, F-10: local clients go on working for local requests.
func TestRequestsFromTheLocalNetworkReachIt(t *testing.T) {
	rows := []struct {
		addr             string
		network, machine bool
	}{
		{"192.168.1.5", true, true}, {"10.1.1.1", true, true}, {"fd00::5", true, true}, {"fe80::5%eth0", true, true},
		{"169.254.1.1", true, true}, {"100.64.0.1", true, true}, {"::ffff:192.168.1.5", true, true},
		{"9.9.9.9", true, true}, {"2606:4700::1111", true, true}, {"64:ff9b::c0a8:105", true, true},
		// to the person at another machine these are not what they are to the server
		{"127.0.0.1", false, true}, {"::1", false, true}, {"::ffff:127.0.0.1", false, true},
		{"64:ff9b::7f00:1", false, true}, {"::7f00:1", false, true}, {"2002:7f00:1::", false, true},
		// no machine's address
		{"0.0.0.0", false, false}, {"0.0.0.1", false, false}, {"::", false, false}, {"224.0.0.1", false, false},
		{"255.255.255.255", false, false}, {"240.0.0.1", false, false}, {"ff02::1", false, false}, {"::ffff:0.0.0.0", false, false},
	}
	for _, row := range rows {
		addr := netip.MustParseAddr(row.addr)
		if got := reachNetwork.allows(addr); got != row.network {
			t.Errorf("%s open to a request from the network: %v, want %v", row.addr, got, row.network)
		}
		if got := reachMachine.allows(addr); got != row.machine {
			t.Errorf("%s open to a request from this machine: %v, want %v", row.addr, got, row.machine)
		}
	}
}

func TestReachFollowsFromTheAddressOfTheRequest(t *testing.T) {
	rows := map[string]reach{
		"127.0.0.1": reachMachine, "::1": reachMachine, "::ffff:127.0.0.1": reachMachine,
		"192.168.1.7": reachNetwork, "::ffff:10.0.0.1": reachNetwork, "fd00::7": reachNetwork, "fe80::7%eth0": reachNetwork,
		"9.9.9.9": reachInternet, "100.64.0.1": reachInternet, "fc00::1": reachInternet, "0.0.0.0": reachInternet,
	}
	for from, want := range rows {
		if got := reachOf(netip.MustParseAddr(from)); got != want {
			t.Errorf("reachOf(%s) = %v, want %v", from, got, want)
		}
	}
	if got := reachOf(netip.Addr{}); got != reachInternet {
		t.Errorf("reachOf(unknown) = %v, want outside", got)
	}
}
