package indieauth

import "strings"

// RedirectURL returns the address that takes the browser back to the client:
// redirectURI with code, and state unless it is empty, appended. The existing
// query is kept and a fragment is not treated specially; values are encoded
// as JavaScript's encodeURIComponent does. It checks nothing: pass only a
// redirectURI that Checker.Check accepted.
// Source: http-auth.md A-2, login-page.md §8.
func RedirectURL(redirectURI, code, state string) string {
	var b strings.Builder
	b.WriteString(redirectURI)
	switch {
	case !strings.Contains(redirectURI, "?"):
		b.WriteByte('?')
	case !strings.HasSuffix(redirectURI, "?") && !strings.HasSuffix(redirectURI, "&"):
		b.WriteByte('&')
	}
	b.WriteString("code=")
	writeComponent(&b, code)
	if state != "" {
		b.WriteString("&state=")
		writeComponent(&b, state)
	}
	return b.String()
}

// writeComponent escapes every byte that encodeURIComponent escapes.
// url.QueryEscape would not do: it turns a space into a plus sign.
func writeComponent(b *strings.Builder, s string) {
	const upperHex = "0123456789ABCDEF"
	for _, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '0' <= c && c <= '9'
		if letter || digit || strings.IndexByte("-_.!~*'()", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(upperHex[c>>4])
		b.WriteByte(upperHex[c&15])
	}
}
