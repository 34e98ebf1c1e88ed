package indieauth

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// parts is a URL cut at its delimiters and otherwise left as it was written:
// net/url decodes and refuses too much for the textual rules of indieauth.md §1.
type parts struct {
	scheme    string // lower-cased; empty when there is none
	authority string // lower-cased; empty when there is none
	path      string
	fragment  string
}

// split cuts raw as RFC 3986 generic syntax (indieauth.md U-1 to U-4).
// Only ASCII letters are folded, so that letters which a browser maps to
// other host names than Unicode lower-casing does never make two hosts equal.
func split(raw string) parts {
	var p parts
	rest := raw
	if i := strings.IndexByte(rest, ':'); i > 0 && isScheme(rest[:i]) {
		p.scheme, rest = lowerASCII(rest[:i]), rest[i+1:]
	}
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		end := strings.IndexAny(after, "/?#")
		if end < 0 {
			end = len(after)
		}
		p.authority, rest = lowerASCII(after[:end]), after[end:]
	}
	rest, p.fragment, _ = strings.Cut(rest, "#")
	p.path, _, _ = strings.Cut(rest, "?")
	return p
}

func isScheme(s string) bool {
	for i, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		other := '0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return s != ""
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// maxLength is how many bytes a client id or a redirect URI may have. Anybody
// may send one, and normalising sixteen megabytes of it would take minutes and
// gigabytes.
const maxLength = 4096

// checkText refuses what parsers read in different ways, or what would break
// out of a header: control characters, a leading space, broken UTF-8
// (indieauth.md U-6, recommendation).
func checkText(raw string) error {
	if len(raw) > maxLength {
		return fmt.Errorf("it is longer than %d bytes", maxLength)
	}
	if !utf8.ValidString(raw) {
		return errors.New("it is not valid UTF-8")
	}
	if strings.HasPrefix(raw, " ") {
		return errors.New("it starts with a space; remove it")
	}
	if strings.ContainsFunc(raw, unicode.IsControl) {
		return errors.New("it contains a tab, line break or other control character; remove it")
	}
	return nil
}

// host of a bracketed authority that is not an address (RFC 3986, IPvFuture).
var ipvFuture = regexp.MustCompile(`^[vV][0-9a-fA-F]+\..+$`)

// checkAuthority refuses an authority that has no one reading
// (indieauth.md U-5): bad brackets, a backslash, which browsers take for a
// slash, and letters that compatibility normalisation turns into delimiters.
func checkAuthority(authority string) error {
	if strings.Contains(authority, `\`) {
		return errors.New("the host contains a backslash")
	}
	bare := strings.NewReplacer("@", "", ":", "").Replace(authority)
	if n := norm.NFKC.String(bare); n != bare && strings.ContainsAny(n, "/?#@:") {
		return errors.New("the host contains a look-alike of a URL delimiter")
	}
	host := authority[strings.LastIndexByte(authority, '@')+1:]
	if !strings.ContainsAny(host, "[]") {
		return nil
	}
	inner, after, closed := strings.Cut(host, "]")
	inner, opened := strings.CutPrefix(inner, "[")
	if !opened || !closed || strings.ContainsAny(inner, "[") || strings.ContainsAny(after, "[]") {
		return errors.New("the brackets of the host do not match")
	}
	if after != "" && after[0] != ':' {
		return errors.New("only a port may follow the bracketed host")
	}
	if addr, err := netip.ParseAddr(inner); (err != nil || addr.Is4()) && !ipvFuture.MatchString(inner) {
		return errors.New("the brackets of the host do not hold an IPv6 address")
	}
	return nil
}

// checkPort accepts an absent or empty port and ASCII digits up to 65535.
// The authority has passed checkAuthority and has no user info.
func checkPort(authority string) error {
	// Brackets are balanced here, so what follows them is empty or a port.
	_, rest, bracketed := strings.Cut(authority, "]")
	if !bracketed {
		rest = authority
	}
	_, port, found := strings.Cut(rest, ":")
	if !found || port == "" {
		return nil
	}
	if strings.Trim(port, "0123456789") != "" {
		return fmt.Errorf("port %q is not a number", port)
	}
	digits := strings.TrimLeft(port, "0")
	if digits == "" {
		return nil
	}
	if _, err := strconv.ParseUint(digits, 10, 16); err != nil {
		return fmt.Errorf("port %q is above 65535", port)
	}
	return nil
}
