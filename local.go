package latchkey

import "net/netip"

// IsLocal reports whether an address belongs to the home network: loopback, private or link-local in the sense of
// models.md §8 rule 6. A zone is ignored.
func IsLocal(a netip.Addr) bool {
	a = a.WithZone("")
	if a.Is4In6() {
		v4 := a.Unmap()
		return v4.IsLoopback() || v4.IsPrivate() // a mapped link-local address is not local
	}
	if a.Is4() {
		return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
	}
	// fd00::/8 is the half of fc00::/7 that is in use; the other is not local.
	uniqueLocal := a.Is6() && a.As16()[0] == 0xfd
	return a.IsLoopback() || a.IsLinkLocalUnicast() || uniqueLocal
}
