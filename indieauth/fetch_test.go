package indieauth

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// Every fetch of these tests would fail if it used a proxy: nothing listens
// at discard.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		if err := os.Setenv(name, "http://203.0.113.9:9"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

const appLink = `<link rel="redirect_uri" href="myapp://cb">`

var (
	outside    = netip.MustParseAddr("9.9.9.9")
	machine    = netip.MustParseAddr("127.0.0.1")
	publicAddr = netip.MustParseAddr("8.8.4.4")
	appLinkURI = []string{"myapp://cb"}
)

// names is a Resolver that gives the next of its answers for each question.
type names struct {
	mu      sync.Mutex
	answers [][]netip.Addr
	asked   []string
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, host)
	if len(n.asked) > len(n.answers) {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return n.answers[len(n.asked)-1], nil
}

// internet is a Dialer that leads every address but the dead ones to one
// listener, and remembers what was dialled.
type internet struct {
	mu       sync.Mutex
	listener string
	dead     string
	dialled  []string
}

func (n *internet) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dialled = append(n.dialled, address)
	n.mu.Unlock()
	if address == n.dead {
		return nil, errors.New("connection refused")
	}
	return new(net.Dialer).DialContext(ctx, network, n.listener)
}

// public makes the server a site of the internet: any name resolves, once, to
// publicAddr, and connections to it arrive at the server.
func public(t *testing.T, server *httptest.Server) (*PageFetcher, *names, *internet) {
	t.Helper()
	resolver := &names{answers: [][]netip.Addr{{publicAddr}}}
	dialer := &internet{listener: server.Listener.Addr().String()}
	fetcher := &PageFetcher{Resolver: resolver, Dialer: dialer}
	if server.TLS != nil {
		fetcher.RootCAs = x509.NewCertPool()
		fetcher.RootCAs.AddCert(server.Certificate())
	}
	return fetcher, resolver, dialer
}

// checkLeaks fails a test that leaves goroutines behind.
func checkLeaks(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// serve starts a plain site; everything about it is over when the test ends.
func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	checkLeaks(t)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func serveTLS(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	checkLeaks(t)
	server := httptest.NewUnstartedServer(handler)
	// Clients that hang up in the handshake are what some tests are about.
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func answer(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

func wantURIs(t *testing.T, got []string, err error, want ...string) {
	t.Helper()
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("found %q (%v), want %q", got, err, want)
	}
}

// The zero value fetches from a real listener, by its address and by a name.
func TestAPageOnThisMachineIsFetchedForARequestFromThere(t *testing.T) {
	server := serve(t, answer(appLink+`<link rel="redirect_uri" href="/beer">`))
	var fetcher PageFetcher
	got, err := fetcher.RedirectURIs(t.Context(), server.URL, machine)
	wantURIs(t, got, err, "myapp://cb", server.URL+"/beer")

	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	named := PageFetcher{Resolver: &names{answers: [][]netip.Addr{{machine}}}}
	got, err = named.RedirectURIs(t.Context(), "http://hub.local:"+port+"/", machine)
	wantURIs(t, got, err, "myapp://cb", "http://hub.local:"+port+"/beer")
}

// The whole way: a Checker with a PageFetcher.
func TestADeclaredRedirectIsAccepted(t *testing.T) {
	server := serve(t, answer(appLink))
	checker := Checker{Fetcher: &PageFetcher{}}
	if err := checker.Check(t.Context(), server.URL, "myapp://cb", machine); err != nil {
		t.Errorf("Check = %v, want accepted", err)
	}
	if err := checker.Check(t.Context(), server.URL, "myapp://other", machine); !errors.Is(err, ErrInvalidRedirectURI) {
		t.Errorf("Check of an undeclared redirect = %v, want ErrInvalidRedirectURI", err)
	}
	err := checker.Check(t.Context(), server.URL, "myapp://cb", outside)
	if !errors.Is(err, ErrInvalidRedirectURI) || !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("Check from outside = %v, want ErrInvalidRedirectURI for ErrForbiddenAddress", err)
	}
}

// spec: indieauth.md, F-1.
func TestThePageIsAskedForAsSent(t *testing.T) {
	seen := make(chan *http.Request, 1)
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r })
	fetcher, _, dialer := public(t, server)
	if _, err := fetcher.RedirectURIs(t.Context(), "HTTP://Page.Example:8123/%2e%2E/a%2Fb;x?q=%20../y#", outside); err != nil {
		t.Fatal(err)
	}
	r := <-seen
	if r.Method != http.MethodGet || r.RequestURI != "/%2e%2E/a%2Fb;x?q=%20../y" || r.Host != "Page.Example:8123" {
		t.Errorf("asked %s %s of %s", r.Method, r.RequestURI, r.Host)
	}
	if r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "" {
		t.Errorf("sent credentials: %v", r.Header)
	}
	if got := r.Header.Get("Accept-Encoding"); got != "" {
		t.Errorf("asked for encoding %q, want the page as it is: its first bytes are counted", got)
	}
	if want := []string{"8.8.4.4:8123"}; !slices.Equal(dialer.dialled, want) {
		t.Errorf("dialled %q, want %q", dialer.dialled, want)
	}
}

// spec: indieauth.md, F-1: TLS certificates are verified, for the name in the
// client id although an address is dialled.
func TestCertificatesAreVerified(t *testing.T) {
	server := serveTLS(t, answer(appLink)) // its certificate is for example.com
	t.Run("trusted", func(t *testing.T) {
		fetcher, _, dialer := public(t, server)
		got, err := fetcher.RedirectURIs(t.Context(), "https://example.com/", outside)
		wantURIs(t, got, err, appLinkURI...)
		if want := []string{"8.8.4.4:443"}; !slices.Equal(dialer.dialled, want) {
			t.Errorf("dialled %q, want %q", dialer.dialled, want)
		}
	})
	t.Run("for another name", func(t *testing.T) {
		fetcher, _, _ := public(t, server)
		got, err := fetcher.RedirectURIs(t.Context(), "https://other.example/", outside)
		if wrong := (x509.HostnameError{}); !errors.As(err, &wrong) || got != nil {
			t.Errorf("found %q, %v; want a host name error", got, err)
		}
	})
	t.Run("by an unknown authority", func(t *testing.T) {
		fetcher, _, _ := public(t, server)
		fetcher.RootCAs = x509.NewCertPool()
		got, err := fetcher.RedirectURIs(t.Context(), "https://example.com/", outside)
		if unknown := (x509.UnknownAuthorityError{}); !errors.As(err, &unknown) || got != nil {
			t.Errorf("found %q, %v; want an unknown authority error", got, err)
		}
	})
	t.Run("for an address", func(t *testing.T) {
		fetcher, _, _ := public(t, server)
		got, err := fetcher.RedirectURIs(t.Context(), server.URL, machine)
		wantURIs(t, got, err, appLinkURI...)
	})
}

// spec: indieauth.md, F-1: nine redirects are followed, a tenth is an error.
func TestNineRedirectsAreFollowed(t *testing.T) {
	for _, row := range []struct {
		redirects int
		ok        bool
	}{{1, true}, {9, true}, {10, false}} {
		t.Run(fmt.Sprint(row.redirects), func(t *testing.T) {
			requests := 0
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Cookie") != "" {
					t.Errorf("request %d sent a cookie", requests)
				}
				if requests++; requests <= row.redirects {
					http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
					http.Redirect(w, r, fmt.Sprint("/hop/", requests), http.StatusFound)
					return
				}
				// spec: indieauth.md, F-6: resolved against the client id
				_, _ = io.WriteString(w, `<link rel="redirect_uri" href="beer">`)
			})
			fetcher, resolver, dialer := public(t, server)
			got, err := fetcher.RedirectURIs(t.Context(), "http://page.example/a/", outside)
			if row.ok {
				wantURIs(t, got, err, "http://page.example/a/beer")
			} else if err == nil || got != nil {
				t.Errorf("found %q, %v; want an error", got, err)
			}
			if len(resolver.asked) != 1 {
				t.Errorf("resolved %q, want the name once", resolver.asked)
			}
			if n := min(row.redirects, 9) + 1; requests != n || len(dialer.dialled) != n {
				t.Errorf("%d requests over %d connections, want %d", requests, len(dialer.dialled), n)
			}
		})
	}
}

// spec: security.md 45: no redirect to another host is followed.
func TestRedirectsElsewhereAreNotFollowed(t *testing.T) {
	for _, location := range []string{
		"http://other.example/", "//other.example/", "http://sub.page.example/", "http://page.example./",
		"http://127.0.0.1/", "http://169.254.169.254/latest/", "http://[::1]/", "http://8.8.4.4/",
		"http://user@page.example/", "http://page.example@other.example/",
		"ftp://page.example/", "file:///etc/passwd", "http://%zz/",
	} {
		t.Run(location, func(t *testing.T) {
			requests := 0
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				requests++
				w.Header().Set("Location", location)
				w.WriteHeader(http.StatusFound)
				_, _ = io.WriteString(w, appLink)
			})
			fetcher, resolver, dialer := public(t, server)
			got, err := fetcher.RedirectURIs(t.Context(), "http://page.example/", outside)
			if err == nil || got != nil {
				t.Errorf("found %q, %v; want an error", got, err)
			}
			if requests != 1 || len(resolver.asked) != 1 || len(dialer.dialled) != 1 {
				t.Errorf("%d requests, resolved %q, dialled %q; want nothing after the redirect", requests, resolver.asked, dialer.dialled)
			}
		})
	}
}

func TestARedirectFromHTTPSToHTTPIsNotFollowed(t *testing.T) {
	server := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://example.com/x", http.StatusMovedPermanently)
	})
	fetcher, _, dialer := public(t, server)
	if got, err := fetcher.RedirectURIs(t.Context(), "https://example.com/", outside); err == nil || got != nil {
		t.Errorf("found %q, %v; want an error", got, err)
	}
	if want := []string{"8.8.4.4:443"}; !slices.Equal(dialer.dialled, want) {
		t.Errorf("dialled %q, want %q", dialer.dialled, want)
	}
}

// From http to https on the same host, as most sites do, at the same address.
func TestARedirectToHTTPSOfTheSameHostIsFollowed(t *testing.T) {
	secure := serveTLS(t, answer(appLink))
	plain := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://EXAMPLE.com/", http.StatusPermanentRedirect)
	})
	fetcher, resolver, _ := public(t, secure)
	ports := portDialer{"80": plain.Listener.Addr().String(), "443": secure.Listener.Addr().String()}
	fetcher.Dialer = ports
	got, err := fetcher.RedirectURIs(t.Context(), "http://example.com/", outside)
	wantURIs(t, got, err, appLinkURI...)
	if len(resolver.asked) != 1 {
		t.Errorf("resolved %q, want the name once", resolver.asked)
	}
}

// portDialer leads each port to a listener of its own.
type portDialer map[string]string

func (d portDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, d[port])
}

// spec: indieauth.md, F-2: exactly 10 240 bytes are looked at.
func TestTheFirst10240BytesAreLookedAt(t *testing.T) {
	filler := func(n int) string { return strings.Repeat("x", n) }
	for _, row := range []struct {
		name, page string
		want       []string
	}{
		{"a tag that ends at the limit", filler(10240-len(appLink)) + appLink, appLinkURI},
		{"a tag cut off by one byte", filler(10241-len(appLink)) + appLink, nil},
		{"a tag behind the filler", appLink + filler(10240) + `<link rel="redirect_uri" href="x:y">`, appLinkURI},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := serve(t, answer(row.page))
			fetcher, _, _ := public(t, server)
			got, err := fetcher.RedirectURIs(t.Context(), "http://page.example/", outside)
			wantURIs(t, got, err, row.want...)
		})
	}
}

// spec: indieauth.md, F-3 and F-7.
func TestStatusContentTypeAndLinkHeadersAreIgnored(t *testing.T) {
	for _, status := range []int{200, 301, 401, 404, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json; charset=utf-16")
				w.Header().Set("Link", `<header:cb>; rel="redirect_uri"`)
				w.WriteHeader(status)
				_, _ = io.WriteString(w, appLink)
			})
			fetcher, _, _ := public(t, server)
			got, err := fetcher.RedirectURIs(t.Context(), "http://page.example/", outside)
			wantURIs(t, got, err, appLinkURI...)
		})
	}
}

// spec: indieauth.md, F-9.
func TestAPageIsReadAnewUnlessItIsToBeKept(t *testing.T) {
	requests := 0
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		requests++
		_, _ = fmt.Fprintf(w, `<link rel="redirect_uri" href="x:%d">`, requests)
	})
	var fetcher PageFetcher
	got, err := fetcher.RedirectURIs(t.Context(), server.URL, machine)
	wantURIs(t, got, err, "x:1")
	got, err = fetcher.RedirectURIs(t.Context(), server.URL, machine)
	wantURIs(t, got, err, "x:2")
	keeping := PageFetcher{KeepFor: 1 << 62}
	for range 2 {
		got, err = keeping.RedirectURIs(t.Context(), server.URL, machine)
		wantURIs(t, got, err, "x:3")
	}
}
