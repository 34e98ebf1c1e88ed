package indieauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"golang.org/x/net/idna"
)

const (
	pageTimeout      = 10 * time.Second // for the whole fetch, security.md 45
	maxPageBytes     = 10 * 1024        // looked at, indieauth.md F-2
	maxPageHeader    = 64 * 1024        // bytes of one response's header
	maxPageRedirects = 9                // followed, indieauth.md F-1
)

// ErrForbiddenAddress is wrapped by the error of a fetch that would have gone
// to an address which the request it serves has no business with.
var ErrForbiddenAddress = errors.New("address is not open to this request")

// Resolver finds the addresses of a host. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Dialer opens connections. *net.Dialer is one. A PageFetcher gives it
// resolved addresses only, never names.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// PageFetcher reads the redirect URIs that clients declare on their pages.
// The zero value works, and is safe for use by several goroutines; it must
// not be copied. Proxies of the environment are not used: they would connect
// to addresses that nobody checked.
type PageFetcher struct {
	// Resolver is asked once for each fetch. Nil means net.DefaultResolver.
	Resolver Resolver
	// Dialer opens the connections. Nil means a plain net.Dialer.
	Dialer Dialer
	// RootCAs are the certificate authorities trusted for https pages.
	// Nil means those of the system.
	RootCAs *x509.CertPool
	// KeepFor is how long a page that was read is not read again. Zero reads
	// it anew for each sign-in that needs it (indieauth.md F-9); a minute
	// takes the load off clients with many people behind them, and is also
	// how long a withdrawn declaration goes on being honoured.
	KeepFor time.Duration

	pages pages
}

// RedirectURIs fetches clientID and returns what the page's
// <link rel="redirect_uri"> tags declare. At most 10 seconds and 10 240 bytes
// are spent on it. Callers that ask for the same page at once share one fetch.
//
// from is the address of the request that the fetch serves. For a request
// from outside, and for the zero Addr, only public addresses are connected
// to. One from the local network may lead into that network, but to this
// machine itself only when it came from there. A name is resolved once, is
// refused when any of its addresses is, and is dialled as resolved. Redirects
// are followed on the same host only and never from https to http.
//
// With an error, the list holds what was found before it. Errors wrap
// ErrInvalidClientID, ErrForbiddenAddress or the cause in the network.
// Source: indieauth.md §4, security.md 45.
func (p *PageFetcher) RedirectURIs(ctx context.Context, clientID string, from netip.Addr) ([]string, error) {
	if err := CheckClientID(clientID); err != nil {
		return nil, err
	}
	key := pageKey{clientID: clientID, reach: reachOf(from)}
	return p.pages.get(ctx, key, p.KeepFor, func(ctx context.Context) ([]string, error) {
		found, err := p.fetch(ctx, clientID, key.reach)
		if err != nil {
			return found, fmt.Errorf("fetch client page: %w", err)
		}
		return found, nil
	})
}

func (p *PageFetcher) fetch(ctx context.Context, clientID string, r reach) ([]string, error) {
	deadline := time.Now().Add(pageTimeout)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, clientID, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "latchkey")
	addrs, err := p.resolve(ctx, req.URL.Hostname(), r)
	if err != nil {
		return nil, err
	}
	transport := p.transport(addrs, deadline)
	// This also ends a connection attempt or handshake that is still going on.
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: followOnSameHost}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	// Status and content type say nothing about the links (F-3).
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPageBytes))
	return declaredRedirects(clientID, body), err
}

// resolve returns the addresses of host when all of them are within reach.
func (p *PageFetcher) resolve(ctx context.Context, host string, r reach) ([]netip.Addr, error) {
	if host == "" {
		return nil, errors.New("the client id names no host")
	}
	addrs, err := p.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("%s has no address", host)
	}
	checked := make([]netip.Addr, 0, len(addrs))
	for _, addr := range addrs {
		if !r.allows(addr) {
			return nil, fmt.Errorf("%s is at %s: %w", host, addr, ErrForbiddenAddress)
		}
		checked = append(checked, addr.Unmap())
	}
	return checked, nil
}

func (p *PageFetcher) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		// Underscores and the like are no host names, but do resolve.
		ascii = host
	}
	var resolver Resolver = net.DefaultResolver
	if p.Resolver != nil {
		resolver = p.Resolver
	}
	return resolver.LookupNetIP(ctx, "ip", ascii)
}

// transport connects to addrs whatever the name. Names go into the Host
// header and the TLS handshake, where the certificate is checked for them.
// The context that a transport dials with has no deadline of its own.
func (p *PageFetcher) transport(addrs []netip.Addr, deadline time.Time) *http.Transport {
	return &http.Transport{
		Proxy: nil,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			ctx, cancel := context.WithDeadline(ctx, deadline)
			defer cancel()
			return p.dial(ctx, network, addrs, port)
		},
		TLSClientConfig:        &tls.Config{RootCAs: p.RootCAs, MinVersion: tls.VersionTLS12},
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxPageHeader,
	}
}

// dial tries the addresses in turn. Each may use an equal part of the time
// left, so that one that does not answer leaves some for the next.
func (p *PageFetcher) dial(ctx context.Context, network string, addrs []netip.Addr, port string) (net.Conn, error) {
	var failures []error
	for i, addr := range addrs {
		conn, err := p.dialOne(ctx, len(addrs)-i, network, net.JoinHostPort(addr.String(), port))
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

func (p *PageFetcher) dialOne(ctx context.Context, left int, network, address string) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	var dialer Dialer = new(net.Dialer)
	if p.Dialer != nil {
		dialer = p.Dialer
	}
	return dialer.DialContext(ctx, network, address)
}

// followOnSameHost is asked before each redirect. Another host would be one
// that nobody resolved and checked; user info would become credentials.
func followOnSameHost(next *http.Request, via []*http.Request) error {
	first, last := via[0].URL, via[len(via)-1].URL
	switch {
	case len(via) > maxPageRedirects:
		return fmt.Errorf("more than %d redirects", maxPageRedirects)
	case !sameHost(first, next.URL):
		return fmt.Errorf("redirect to another host, %s, is not followed", next.URL.Hostname())
	case !isWeb(next.URL.Scheme) || last.Scheme == "https" && next.URL.Scheme != "https":
		return fmt.Errorf("redirect from %s to %s is not followed", last.Scheme, next.URL.Scheme)
	case next.URL.User != nil:
		return errors.New("redirect to a URL with a user name is not followed")
	}
	return nil
}

func sameHost(a, b *url.URL) bool { return lowerASCII(a.Hostname()) == lowerASCII(b.Hostname()) }
