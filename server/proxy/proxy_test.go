package proxy_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/proxy"
)

func trusting(t testing.TB, networks ...string) proxy.Trusted {
	t.Helper()
	var prefixes []netip.Prefix
	for _, n := range networks {
		prefixes = append(prefixes, netip.MustParsePrefix(n))
	}
	trusted, err := proxy.New(prefixes...)
	if err != nil {
		t.Fatal(err)
	}
	return trusted
}

func request(peer string, header http.Header) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr, r.Header = peer, header
	return r
}

func header(lines ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(lines); i += 2 {
		h.Add(lines[i], lines[i+1])
	}
	return h
}

const (
	xff   = "X-Forwarded-For"
	proto = "X-Forwarded-Proto"
	xhost = "X-Forwarded-Host"
	here  = "127.0.0.1:40000"
)

// spec: http-auth.md §12, F-1 to F-9 and the table
func TestSourceOfARequest(t *testing.T) {
	trusted := trusting(t, "127.0.0.1/32", "10.10.0.0/16", "fd00:1::/32")
	const refused = "refused"
	for _, tt := range []struct {
		name         string
		peer         string
		header       http.Header
		want         string // the address, or refused
		scheme, host string
		atProxy      bool
	}{
		{name: "no header", peer: "198.51.100.7:1", want: "198.51.100.7"},
		{name: "F-1: only the others", peer: here, header: header(proto, "https", xhost, "evil.example"), want: "127.0.0.1", atProxy: true},
		{name: "F-3: not a trusted peer", peer: "198.51.100.7:1", header: header(xff, "192.168.1.2"), want: refused},
		{name: "one", peer: here, header: header(xff, "198.51.100.7"), want: "198.51.100.7"},
		{name: "two", peer: here, header: header(xff, "198.51.100.7, 10.10.3.4"), want: "198.51.100.7"},
		{name: "spoofed left part", peer: here, header: header(xff, "203.0.113.66, 198.51.100.7, 10.10.3.4"), want: "198.51.100.7"},
		{name: "all trusted", peer: here, header: header(xff, "10.10.9.9, 10.10.3.4"), want: "10.10.9.9", atProxy: true},
		{name: "trailing comma", peer: here, header: header(xff, "198.51.100.7,"), want: refused},
		{name: "empty", peer: here, header: header(xff, ""), want: refused},
		{name: "host name", peer: here, header: header(xff, "house.example"), want: refused},
		{name: "port", peer: here, header: header(xff, "1.2.3.4:80"), want: refused},
		{name: "brackets", peer: here, header: header(xff, "[::1]"), want: refused},
		{name: "unknown", peer: here, header: header(xff, "unknown"), want: refused},
		{name: "leading zeros", peer: here, header: header(xff, "01.2.3.4"), want: refused},
		{name: "IPv6 in capitals", peer: here, header: header(xff, "2001:DB8:0::1"), want: "2001:db8::1"},
		{name: "zone", peer: here, header: header(xff, "fe80::1%eth0"), want: "fe80::1%eth0"},
		{name: "a zone that would end a text", peer: here, header: header(xff, "fe80::1%'x"), want: refused},
		{name: "a zone that is no text", peer: here, header: header(xff, "fe80::1%\xff"), want: refused},
		{name: "a zone with a tab", peer: here, header: header(xff, "fe80::1%a\tb"), want: refused},
		{name: "F-4: two lines", peer: here, header: header(xff, "198.51.100.7", xff, "198.51.100.8"), want: refused},
		{name: "F-7: one scheme", peer: here, header: header(xff, "198.51.100.7, 10.10.3.4", proto, "https"), want: "198.51.100.7", scheme: "https"},
		{name: "F-7: the scheme of the same place", peer: here, header: header(xff, "1.1.1.1, 198.51.100.7, 10.10.3.4", proto, "ftp, https, http"), want: "198.51.100.7", scheme: "https"},
		{name: "F-7: too few", peer: here, header: header(xff, "1.1.1.1, 198.51.100.7, 10.10.3.4", proto, "https, http"), want: refused},
		{name: "F-7: empty element", peer: here, header: header(xff, "198.51.100.7", proto, "https,"), want: refused},
		{name: "F-7: two lines", peer: here, header: header(xff, "198.51.100.7", proto, "https", proto, "http"), want: refused},
		{name: "F-8: host", peer: here, header: header(xff, "198.51.100.7", xhost, "house.example"), want: "198.51.100.7", host: "house.example"},
		{name: "F-8: empty host", peer: here, header: header(xff, "198.51.100.7", xhost, ""), want: refused},
		{name: "F-8: two hosts", peer: here, header: header(xff, "198.51.100.7", xhost, "a", xhost, "b"), want: refused},
		{name: "F-9", peer: here, header: header("Forwarded", "for=192.0.2.1", "X-Real-IP", "192.0.2.1"), want: "127.0.0.1", atProxy: true},
		{name: "IPv6 proxy", peer: "[fd00:1::5]:80", header: header(xff, "198.51.100.7"), want: "198.51.100.7"},
		{name: "a socket without address", peer: "@", header: header(xff, "198.51.100.7"), want: refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := trusted.Read(request(tt.peer, tt.header))
			if tt.want == refused {
				if err == nil {
					t.Fatalf("accepted: %+v", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := proxy.Source{
				Origin: latchkey.Origin{Addr: netip.MustParseAddr(tt.want), AtProxy: tt.atProxy, Proxied: tt.header != nil},
				Scheme: tt.scheme, Host: tt.host,
			}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// spec: http-auth.md §12, F-2
func TestWithoutTrustedProxiesNothingIsForwarded(t *testing.T) {
	var none proxy.Trusted
	if _, err := none.Read(request(here, header(xff, "192.168.1.2"))); err == nil {
		t.Error("a forged address was believed")
	}
	got, err := none.Read(request(here, nil))
	if err != nil || !got.ThisMachine() || got.Proxied {
		t.Errorf("a plain request: %+v, %v", got, err)
	}
}

// spec: security.md 49 and W10
func TestWhatComesThroughAProxyIsNeverLocal(t *testing.T) {
	trusted := trusting(t, "127.0.0.1/32", "192.168.1.1/32")
	guest := latchkey.User{IsActive: true, LocalOnly: true}
	for name, h := range map[string]http.Header{
		"from the house":        header(xff, "192.168.1.20"),
		"from the proxy itself": header(xff, "192.168.1.1"),
		"the proxy says nobody": nil,
	} {
		source, err := trusted.Read(request(here, h))
		if err != nil {
			t.Fatal(err)
		}
		if guest.MayAuthenticate(&source.Origin) == nil {
			t.Errorf("%s: a local-only user may sign in through a proxy", name)
		}
		if source.ThisMachine() {
			t.Errorf("%s: taken for this machine", name)
		}
	}
	if _, err := proxy.New(netip.MustParsePrefix("10.0.0.1/8")); err == nil {
		t.Error("a network with host bits was accepted")
	}
}
