package indieauth

import "net/netip"

// isLocal reports whether an address belongs to this machine or its own
// network. The list is closed: neighbours of the ranges, such as fc00::/8,
// carrier-grade NAT and mapped link-local addresses, are outside.
// A zone id does not matter. Source: indieauth.md §2, http-auth.md §10.4.
func isLocal(addr netip.Addr) bool {
	addr = addr.WithZone("")
	if addr.Is4In6() {
		// Of the mapped forms only loopback and private ones are listed.
		v4 := addr.Unmap()
		return v4.IsLoopback() || v4.IsPrivate()
	}
	if addr.Is4() {
		return addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast()
	}
	// IsPrivate includes all of fc00::/7, the list only its upper half.
	return addr.IsLoopback() || addr.IsLinkLocalUnicast() ||
		addr.IsPrivate() && addr.As16()[0] == 0xfd
}
