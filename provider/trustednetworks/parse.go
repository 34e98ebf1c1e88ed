package trustednetworks

import (
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

// ParseNetwork reads a network as configurations write it: an address, address/prefix, or for IPv4 address/netmask or
// address/hostmask. The address must be that of the network: 192.168.1.0/24, not 192.168.1.5/24 (providers.md §5.1).
func ParseNetwork(s string) (netip.Prefix, error) {
	text, mask, masked := strings.Cut(s, "/")
	addr, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("network %q: %q is no IP address; write one such as 192.168.1.0/24 or fd00::/8", s, text)
	case addr.Zone() != "":
		return netip.Prefix{}, fmt.Errorf("network %q: leave out the zone %%%s; a network holds the addresses of all zones", s, addr.Zone())
	}
	length := addr.BitLen()
	if masked {
		if length, err = maskLength(addr, mask); err != nil {
			return netip.Prefix{}, fmt.Errorf("network %q: %w", s, err)
		}
	}
	network := netip.PrefixFrom(addr, length)
	if err := checkNetwork(network); err != nil {
		return netip.Prefix{}, fmt.Errorf("network %q: %w", s, err)
	}
	return network, nil
}

// checkNetwork refuses what is not a network: host bits that are set, and the zero Prefix.
func checkNetwork(n netip.Prefix) error {
	switch {
	case !n.IsValid():
		return errors.New("no network; make one with ParseNetwork")
	case n.Masked() != n:
		return fmt.Errorf("has host bits set; did you mean %v?", n.Masked())
	}
	return nil
}

// maskLength returns the length of the prefix that a mask stands for.
func maskLength(addr netip.Addr, mask string) (int, error) {
	if isDigits(mask) {
		length, err := strconv.Atoi(mask)
		if err != nil || length > addr.BitLen() {
			return 0, fmt.Errorf("a prefix has at most %d bits here", addr.BitLen())
		}
		return length, nil
	}
	if m, err := netip.ParseAddr(mask); err == nil && addr.Is4() && m.Is4() {
		b := m.As4()
		v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		if ones := bits.LeadingZeros32(^v); v<<ones == 0 { // a netmask: ones, then zeros
			return ones, nil
		}
		if zeros := bits.LeadingZeros32(v); v+1 == 1<<(32-zeros) { // a hostmask: zeros, then ones
			return zeros, nil
		}
	}
	return 0, fmt.Errorf("%q is neither the number of bits of a prefix nor a mask", mask)
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// ParseUserID reads the id of a user: 32 hexadecimal digits that are a UUID of version 4, without dashes. It is returned
// in lower case (providers.md §5.1).
func ParseUserID(s string) (string, error) {
	id := strings.ToLower(s)
	if len(s) != 32 || strings.Trim(id, "0123456789abcdef") != "" || id[12] != '4' || !strings.ContainsRune("89ab", rune(id[16])) {
		return "", fmt.Errorf("%q is no user id: write the 32 hexadecimal digits that name the user", s)
	}
	return id, nil
}

// ParseBool reads a truth value as the setting allow_bypass_login knows it: a bool, a number, or one of the words
// 1/true/yes/on/enable and 0/false/no/off/disable in any case with white space around (providers.md §5.1).
func ParseBool(v any) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case int:
		return v != 0, nil
	case int64:
		return v != 0, nil
	case uint64:
		return v != 0, nil
	case float64:
		return v != 0, nil
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "1", "true", "yes", "on", "enable":
			return true, nil
		case "0", "false", "no", "off", "disable":
			return false, nil
		}
	}
	return false, fmt.Errorf("%v is no truth value: write true or false", v)
}
