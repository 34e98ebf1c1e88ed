package indieauth

import (
	"net/netip"

	"github.com/seed-6a977b3d/latchkey"
)

// reach says how near to this machine a fetch may go. It follows from where
// the request came from, so that nobody sees through the server's eyes what
// they could not see with their own (security.md 45).
type reach int

const (
	reachInternet reach = iota // from outside: public addresses only
	reachNetwork               // from the local network: all but this machine itself
	reachMachine               // from this machine
)

// reachOf places a request. The zero Addr, and whatever is not known to be
// local, is outside.
func reachOf(from netip.Addr) reach {
	switch {
	case !latchkey.IsLocal(from):
		return reachInternet
	case from.Unmap().IsLoopback():
		return reachMachine
	default:
		return reachNetwork
	}
}

// allows reports whether a page at addr may be fetched.
func (r reach) allows(addr netip.Addr) bool {
	addr = addr.Unmap()
	if r == reachInternet {
		return isPublic(addr)
	}
	if addr.IsLoopback() {
		return r == reachMachine
	}
	// 0.0.0.0 and its network lead to this machine; NAT64 and 6to4 are other
	// ways to write an IPv4 address and open no shorter one to it.
	if inner, ok := embedded(addr); ok {
		return r.allows(inner)
	}
	return addr.IsGlobalUnicast() && !within(addr, "0.0.0.0/8", "240.0.0.0/4") || addr.IsLinkLocalUnicast()
}

// isPublic reports whether addr is a unicast address of the public internet,
// after the special-purpose registries of IANA (RFC 6890 and its updates).
func isPublic(addr netip.Addr) bool {
	if addr.Zone() != "" || !addr.IsValid() {
		return false
	}
	if addr.Is4() {
		return !within(addr,
			"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
			"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
			"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3")
	}
	if inner, ok := embedded(addr); ok {
		return isPublic(inner)
	}
	return within(addr, "2000::/3") && !within(addr, "2001::/23", "2001:db8::/32", "3fff::/20")
}

// embedded returns the IPv4 address that an address of a translating network
// leads to: NAT64 (RFC 6052), IPv4-compatible (RFC 4291) or 6to4 (RFC 3056).
func embedded(addr netip.Addr) (netip.Addr, bool) {
	b := addr.As16()
	switch {
	case !addr.Is6() || addr.IsUnspecified() || addr.IsLoopback():
		return netip.Addr{}, false
	case within(addr, "64:ff9b::/96", "::/96"):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case within(addr, "2002::/16"):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}

func within(addr netip.Addr, networks ...string) bool {
	for _, n := range networks {
		if netip.MustParsePrefix(n).Contains(addr.WithZone("")) {
			return true
		}
	}
	return false
}
