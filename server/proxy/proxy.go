// Package proxy finds out where a request came from when reverse proxies pass requests on (http-auth.md §12). It believes
// headers only of proxies that it was told to trust, and knows nothing about users.
package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
)

// Trusted are the proxies whose word is taken. The zero value trusts none.
type Trusted struct{ networks []netip.Prefix }

// New trusts the proxies in these networks. A network that does not begin at its first address is refused.
func New(networks ...netip.Prefix) (Trusted, error) {
	for _, n := range networks {
		if !n.IsValid() || n != n.Masked() {
			return Trusted{}, fmt.Errorf("trusted proxies: %v is no network: write one such as 10.0.0.0/8, or a single address", n)
		}
	}
	return Trusted{slices.Clone(networks)}, nil
}

// Source is where a request came from, and how it was asked for at the outermost proxy.
type Source struct {
	latchkey.Origin
	// Host and Scheme are what the proxies say that the client used; empty when they say nothing.
	Host   string
	Scheme string
}

// The headers that proxies add. Forwarded (RFC 7239) and X-Real-IP are not looked at (F-9).
const (
	headerFor   = "X-Forwarded-For"
	headerProto = "X-Forwarded-Proto"
	headerHost  = "X-Forwarded-Host"
)

// Read returns where a request came from, or an error that says why that cannot be known: then it has to be refused. A
// peer that is no IP address, such as that of a Unix socket, is unknown.
func (t Trusted) Read(r *http.Request) (Source, error) {
	var peer netip.Addr
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		peer = at.Addr()
	}
	direct := t.holds(peer)
	source := Source{Origin: latchkey.Origin{Addr: peer, Proxied: direct, AtProxy: direct}}
	lines := r.Header.Values(headerFor)
	switch {
	case len(lines) == 0:
		return source, nil // the other headers mean nothing without this one (F-1)
	case len(t.networks) == 0:
		return Source{}, errors.New(headerFor + " came from a proxy, and none is configured as trusted")
	case !direct:
		return Source{}, errors.New(headerFor + " came from an address that is not that of a trusted proxy")
	case len(lines) > 1:
		return Source{}, errors.New("there is more than one line " + headerFor)
	}
	chain, err := addresses(lines[0])
	if err != nil {
		return Source{}, err
	}
	at := t.outermost(chain)
	source.Addr, source.Proxied, source.AtProxy = chain[at], true, t.holds(chain[at])
	if source.Scheme, err = scheme(r.Header.Values(headerProto), len(chain), at); err != nil {
		return Source{}, err
	}
	source.Host, err = host(r.Header.Values(headerHost))
	return source, err
}

func (t Trusted) holds(a netip.Addr) bool {
	return slices.ContainsFunc(t.networks, func(n netip.Prefix) bool { return n.Contains(a.WithZone("")) })
}

// outermost returns which address of a chain is the client's: seen from here, the first that no trusted proxy has. What
// stands before that one is hearsay (F-6).
func (t Trusted) outermost(chain []netip.Addr) int {
	for i, a := range slices.Backward(chain) {
		if !t.holds(a) {
			return i
		}
	}
	return 0
}

func addresses(line string) ([]netip.Addr, error) {
	var chain []netip.Addr
	for element := range strings.SplitSeq(line, ",") {
		a, err := netip.ParseAddr(strings.TrimSpace(element))
		if err != nil || strings.ContainsFunc(a.Zone(), notInZone) {
			return nil, errors.New(headerFor + " holds something that is no IP address")
		}
		chain = append(chain, a)
	}
	return chain, nil
}

// notInZone reports what no name of a network interface has. [netip.ParseAddr] takes anything for one, and addresses go into
// the ban file and the log.
func notInZone(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`'"\`, r)
}

// scheme returns the scheme that the client used. There is one for all proxies, or one for each (F-7).
func scheme(lines []string, hops, at int) (string, error) {
	if len(lines) == 0 {
		return "", nil
	}
	if len(lines) > 1 {
		return "", errors.New("there is more than one line " + headerProto)
	}
	schemes := strings.Split(lines[0], ",")
	for i, s := range schemes {
		if schemes[i] = strings.TrimSpace(s); schemes[i] == "" {
			return "", errors.New(headerProto + " holds an empty element")
		}
	}
	switch len(schemes) {
	case 1:
		return schemes[0], nil
	case hops:
		return schemes[at], nil
	}
	return "", fmt.Errorf("%s has %d elements where %s has %d", headerProto, len(schemes), headerFor, hops)
}

func host(lines []string) (string, error) {
	switch {
	case len(lines) == 0:
		return "", nil
	case len(lines) > 1:
		return "", errors.New("there is more than one line " + headerHost)
	case strings.TrimSpace(lines[0]) == "":
		return "", errors.New(headerHost + " is empty")
	}
	return strings.TrimSpace(lines[0]), nil
}
