package indieauth

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

// spec: indieauth.md, §2.1 "Test table", a row each.
func TestCheckClientIDAccepts(t *testing.T) {
	for _, id := range acceptedIDs() {
		if err := CheckClientID(id); err != nil {
			t.Errorf("CheckClientID(%q) = %v, want accepted", id, err)
		}
	}
}

func acceptedIDs() []string {
	return []string{
		"http://ex.com", // an empty path counts as /
		"https://ex.com/",
		"HTTP://ex.com/",
		"http://EX.com:123/HELLO",
		"http://ex.com/hello/.world", "http://ex.com/hello./.world",
		"http://ex.com/%2e%2e/", // encoded dots are not examined
		"http://ex.com/?q=../x", // nor is the query
		"http://ex.com?/../x",   // which may start right after the host
		"http://ex.com/#",       // empty fragment
		"http://ex.com/?a=b#",   // the same after a query
		"http://ex.com:8123/", "http://ex.com:/",
		"http://localhost:8123/", "http://homeassistant.local:8123/",
		"http://www.home-assistant.io/", "https://home-assistant.io/iOS", "https://home-assistant.io/android",
		"http://127.0.0.1", "http://[::1]", "http://[::1]:8123/",
		"http://10.0.0.0", "http://10.255.255.255",
		"http://172.16.0.0", "http://172.31.255.255",
		"http://192.168.0.0", "http://192.168.255.255",
		"http://169.254.1.1/",
		"http://[fe80::1]/", "http://[fd00::1]/", "http://[::ffff:10.0.0.1]/",
		"http://8.8.8.8:8123/", "http://[2001:db8::1]:8123/", // a port is attached
		"http://2130706433/", "http://0x7f.1/", "http://8.8.8.8./", "http://010.0.0.1/", "http://1.2.3/",
		"http://8.8.8.8:/", "http://:80/",
		"http://ex.com/a;..", "http://ex.com/..;x/y", "http://ex.com/...",
		"http://ex.com:00080/", "http://ex.com:0/", "http://ex.com:65535/", "http://ex.com:00000000000000000000080/",
		"http://[fe80::1%eth0]/",
		"http://ex.com/ ", // a trailing space is part of the path
		"http://[v1.x]/",  // spec: indieauth.md, U-5: an IPvFuture literal
		"http://ex.com/%zz",
	}
}

// spec: indieauth.md, §2 "rules in order" and §2.1 "Test table"; the error
// says which rule refused the id.
func TestCheckClientIDRefuses(t *testing.T) {
	refused := []struct{ why, id string }{
		{"scheme", "ftp://ex.com"},
		{"scheme", "ex.com"}, {"scheme", ""}, {"scheme", "//ex.com/"}, {"scheme", "://ex.com/"},
		{"scheme", "javascript:alert(1)"}, {"scheme", "1http://ex.com"}, {"scheme", "ht_tp://ex.com"},
		{"segment", "http://ex.com/."}, {"segment", "http://ex.com/.."},
		{"segment", "http://ex.com/hello/./yo"}, {"segment", "http://ex.com/hello/../yo"},
		{"segment", "http://ex.com/a/..;x"}, {"segment", "http://ex.com/a;x/.."}, {"segment", "http://ex.com/a//../b"},
		{"fragment", "http://ex.com/#yoo"}, {"fragment", "http://ex.com#yoo"},
		{"user name", "http://user@ex.com/"}, {"user name", "http://@ex.com/"},
		{"user name", "http://user:pass@ex.com/"}, {"user name", "http://:p@ex.com/"},
		{"user name", "http://a@b@ex.com/"}, {"user name", "http://u@[::1]/"},
		{"not a number", "http://ex.com:abc/"}, {"65535", "http://ex.com:99999/"}, {"65535", "http://ex.com:65536/"},
		{"65535", "http://ex.com:99999999999999999999999999/"},
		{"not a number", "http://ex.com:-1"}, {"not a number", "http://ex.com:+80/"}, {"not a number", "http://ex.com:8_0/"},
		{"not a number", "http://ex.com:٨٠/"}, {"not a number", "http://[::1]:x/"}, {"not a number", "http://ex.com:80:80/"},
		{"local network", "http://255.255.255.255/"}, {"local network", "http://11.0.0.0/"},
		{"local network", "http://172.32.0.0/"}, {"local network", "http://192.167.0.0/"},
		{"local network", "http://0.0.0.0/"}, {"local network", "http://100.64.0.1/"}, {"local network", "http://8.8.8.8/"},
		{"local network", "http://[2001:db8::1]/"}, {"local network", "http://[::ffff:8.8.8.8]/"},
		{"local network", "http://[fc00::1]/"}, {"local network", "http://[::]/"},
		{"local network", "http://[::ffff:169.254.1.1]/"}, // mapped link-local is not in the list
		{"IPv6", "http://[zz]/"}, {"brackets", "http://[::1"}, {"IPv6", "http://[]/"}, {"IPv6", "http://[127.0.0.1]/"},
		{"port may follow", "http://[::1]x/"}, {"brackets", "http://x[::1]/"}, {"brackets", "http://::1]/"},
		{"brackets", "http://[[::1]]/"}, {"brackets", "http://[::1]:[80]/"}, {"IPv6", "http://[v.x]/"},
		{"not a number", "http://::1/"}, {"not a number", "http://2001:db8::1/"},
		// recommendation: an empty authority is refused
		{"no host", "http://"}, {"no host", "http:///path"}, {"no host", "https:ex.com"},
		{"no host", "https:/ex.com/x"}, {"no host", "http:////x"}, {"no host", "http://?x"}, {"no host", "http://#"},
		// spec: indieauth.md, U-5: characters that become delimiters
		{"look-alike", "http://ex.com\u2100evil/"}, {"look-alike", "http://ex.com／evil/"}, {"look-alike", "http://u＠ex.com/"},
		{"backslash", `http://ex.com\evil.com/`},
		// spec: indieauth.md, U-6, recommendation
		{"space", " http://ex.com/"}, {"control", "\thttp://ex.com/"}, {"control", "http:\t//ex.com/"},
		{"control", "http://ex.com/\r\nX: y"}, {"control", "http://ex.com/\n"}, {"control", "http://ex.com/\x00"},
		{"control", "\x1fhttp://ex.com/"}, {"control", "http://ex.com/\x7f"}, {"control", "http://ex.com/\u0085"},
		{"UTF-8", "http://ex.com/\xff"},
		// what is normalised for anybody has an end
		{"longer", "http://" + strings.Repeat("ﷺ", 1364)},
	}
	for _, row := range refused {
		err := CheckClientID(row.id)
		if !errors.Is(err, ErrInvalidClientID) {
			t.Errorf("CheckClientID(%q) = %v, want ErrInvalidClientID", row.id, err)
			continue
		}
		if !strings.Contains(err.Error(), row.why) {
			t.Errorf("CheckClientID(%q) = %v, want a reason with %q", row.id, err, row.why)
		}
	}
}

// An accepted id never panics, names a host, and net/url, which the fetch
// uses, reads the same host out of it as the check did.
func FuzzCheckClientID(f *testing.F) {
	for _, id := range acceptedIDs() {
		f.Add(id)
	}
	for _, id := range []string{
		"", "//", "http://a@b", "http://[::1", `http://good\@evil/`, "http://a:b@c:d/", "http://ex.com:1?@x", "http://\u2100",
	} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if CheckClientID(id) != nil {
			return
		}
		ours := split(id)
		if !isWeb(ours.scheme) || ours.authority == "" || strings.ContainsAny(ours.authority, "@\\/?#\r\n\t") {
			t.Fatalf("%q accepted with scheme %q and authority %q", id, ours.scheme, ours.authority)
		}
		theirs, err := url.Parse(id)
		if err != nil {
			return // indieauth.md §6: net/url refuses some of what is accepted; such a page is never fetched
		}
		if theirs.Host == "" || theirs.User != nil || theirs.Scheme != ours.scheme {
			t.Fatalf("%q accepted, but net/url reads scheme %q, user %v, host %q", id, theirs.Scheme, theirs.User, theirs.Host)
		}
		if !strings.Contains(ours.authority, "%") && lowerASCII(theirs.Host) != ours.authority {
			t.Fatalf("%q accepted for %q, but net/url reads host %q", id, ours.authority, theirs.Host)
		}
	})
}
