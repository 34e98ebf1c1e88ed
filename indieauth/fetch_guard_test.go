package indieauth

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func addrs(list ...string) []netip.Addr {
	var found []netip.Addr
	for _, s := range list {
		found = append(found, netip.MustParseAddr(s))
	}
	return found
}

// spec: security.md 45: no address, and no name that resolves there, leads a
// request from outside into the house; nor does one good address among others.
func TestRequestsFromOutsideDoNotReachTheHouse(t *testing.T) {
	for _, row := range []struct {
		name, clientID string
		resolved       []netip.Addr
	}{
		{"loopback", "http://127.0.0.1:8123/", nil},
		{"loopback, IPv6", "http://[::1]/", nil},
		{"private", "http://192.168.1.5/", nil},
		{"link-local", "http://169.254.169.254/latest/", nil},
		{"mapped", "http://[::ffff:10.0.0.1]/", nil},
		{"carrier-grade NAT with a port", "http://100.64.0.1:8123/", nil},
		{"unspecified with a port", "http://0.0.0.0:8123/", nil},
		{"name of loopback", "http://localhost:8123/", addrs("127.0.0.1")},
		{"name of a private address", "http://hub.example/", addrs("192.168.1.5")},
		{"name of link-local", "http://metadata.example/", addrs("169.254.169.254")},
		{"name of several", "http://both.example/", addrs("8.8.4.4", "127.0.0.1")},
		{"name of IPv6 loopback", "http://six.example/", addrs("::1")},
		{"number that a resolver takes for an address", "http://2130706433/", addrs("127.0.0.1")},
		{"short form that a resolver takes for an address", "http://0x7f.1/", addrs("127.0.0.1")},
	} {
		for from, addr := range map[string]netip.Addr{"outside": outside, "an unknown address": {}} {
			t.Run(row.name+" from "+from, func(t *testing.T) {
				dialer := &internet{}
				fetcher := PageFetcher{Resolver: &names{answers: [][]netip.Addr{row.resolved}}, Dialer: dialer}
				got, err := fetcher.RedirectURIs(t.Context(), row.clientID, addr)
				if !errors.Is(err, ErrForbiddenAddress) || got != nil {
					t.Errorf("found %q, %v; want ErrForbiddenAddress", got, err)
				}
				if len(dialer.dialled) != 0 {
					t.Errorf("dialled %q", dialer.dialled)
				}
			})
		}
	}
}

// A request from the local network reaches the network, but this machine's
// own services only when it came from here.
func TestRequestsFromTheNetworkDoNotReachThisMachine(t *testing.T) {
	server := serve(t, answer(appLink))
	phone := netip.MustParseAddr("192.168.1.7")
	fetcher := PageFetcher{
		Resolver: &names{answers: [][]netip.Addr{addrs("192.168.1.5"), addrs("127.0.0.1")}},
		Dialer:   &internet{listener: server.Listener.Addr().String()},
	}
	got, err := fetcher.RedirectURIs(t.Context(), "http://hub.local/", phone)
	wantURIs(t, got, err, appLinkURI...)
	if got, err := fetcher.RedirectURIs(t.Context(), "http://hub.local/", phone); !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("found %q, %v; want ErrForbiddenAddress", got, err)
	}
}

// spec: security.md 45: resolved once, dialled as resolved. The name changes
// its answer after the check; only the checked address is ever dialled.
func TestARebindingNameIsDialledAsResolved(t *testing.T) {
	requests := 0
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if requests++; requests == 1 {
			http.Redirect(w, r, "/again", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, appLink)
	})
	fetcher, resolver, dialer := public(t, server)
	resolver.answers = [][]netip.Addr{{publicAddr}, {machine}}
	got, err := fetcher.RedirectURIs(t.Context(), "http://rebind.example/", outside)
	wantURIs(t, got, err, appLinkURI...)
	want := []string{"8.8.4.4:80", "8.8.4.4:80"}
	if len(resolver.asked) != 1 || !slices.Equal(dialer.dialled, want) {
		t.Errorf("resolved %q and dialled %q, want one question and %q", resolver.asked, dialer.dialled, want)
	}
	// The next fetch sees the second answer and stops there.
	if got, err := fetcher.RedirectURIs(t.Context(), "http://rebind.example/", outside); !errors.Is(err, ErrForbiddenAddress) || got != nil {
		t.Errorf("found %q, %v; want ErrForbiddenAddress", got, err)
	}
	if !slices.Equal(dialer.dialled, want) {
		t.Errorf("dialled %q after the refusal", dialer.dialled)
	}
}

func TestTheNextAddressIsTriedWhenOneIsDead(t *testing.T) {
	server := serve(t, answer(appLink))
	fetcher, resolver, dialer := public(t, server)
	resolver.answers = [][]netip.Addr{addrs("2606:4700::1111", "::ffff:8.8.4.4")}
	dialer.dead = "[2606:4700::1111]:80"
	got, err := fetcher.RedirectURIs(t.Context(), "http://page.example/", outside)
	wantURIs(t, got, err, appLinkURI...)
	if want := []string{"[2606:4700::1111]:80", "8.8.4.4:80"}; !slices.Equal(dialer.dialled, want) {
		t.Errorf("dialled %q, want %q", dialer.dialled, want)
	}
}

// Only what passes the cheap checks costs a question to the resolver.
func TestNothingIsResolvedForAnInvalidClient(t *testing.T) {
	for _, clientID := range []string{"ftp://ex.com/", "http://ex.com/..", "http://u@ex.com/", "http://8.8.8.8/", "http://:80/", "http://ex com/"} {
		resolver, dialer := &names{answers: [][]netip.Addr{{publicAddr}}}, &internet{}
		fetcher := PageFetcher{Resolver: resolver, Dialer: dialer}
		if got, err := fetcher.RedirectURIs(t.Context(), clientID, outside); err == nil || got != nil {
			t.Errorf("%q: found %q, %v; want an error", clientID, got, err)
		}
		if len(resolver.asked)+len(dialer.dialled) != 0 {
			t.Errorf("%q: resolved %q, dialled %q", clientID, resolver.asked, dialer.dialled)
		}
	}
}

func TestNamesAreResolvedInASCII(t *testing.T) {
	for clientID, want := range map[string]string{
		"http://bücher.example/": "xn--bcher-kva.example",
		"http://my_hub.example/": "my_hub.example", // no host name by the rules, but in use
	} {
		t.Run(want, func(t *testing.T) {
			server := serve(t, answer(appLink))
			fetcher, resolver, _ := public(t, server)
			got, err := fetcher.RedirectURIs(t.Context(), clientID, outside)
			wantURIs(t, got, err, appLinkURI...)
			if !slices.Equal(resolver.asked, []string{want}) {
				t.Errorf("resolved %q, want %q", resolver.asked, want)
			}
		})
	}
}

// spec: indieauth.md, F-8: the error is returned for the log, with the list
// found so far.
func TestFailuresComeWithWhatWasFound(t *testing.T) {
	t.Run("unknown name", func(t *testing.T) {
		fetcher := PageFetcher{Resolver: &names{}}
		got, err := fetcher.RedirectURIs(t.Context(), "http://gone.example/", outside)
		if unknown := new(net.DNSError); !errors.As(err, &unknown) || got != nil {
			t.Errorf("found %q, %v; want a DNS error", got, err)
		}
	})
	t.Run("name without address", func(t *testing.T) {
		fetcher := PageFetcher{Resolver: &names{answers: [][]netip.Addr{{}}}}
		if got, err := fetcher.RedirectURIs(t.Context(), "http://bare.example/", outside); err == nil || got != nil {
			t.Errorf("found %q, %v; want an error", got, err)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		server := serve(t, answer(appLink))
		server.Close()
		var fetcher PageFetcher
		got, err := fetcher.RedirectURIs(t.Context(), server.URL, machine)
		if refused := new(net.OpError); !errors.As(err, &refused) || got != nil {
			t.Errorf("found %q, %v; want a connection error", got, err)
		}
	})
	t.Run("broken body", func(t *testing.T) {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9000")
			_, _ = io.WriteString(w, appLink)
		})
		var fetcher PageFetcher
		got, err := fetcher.RedirectURIs(t.Context(), server.URL, machine)
		if !errors.Is(err, io.ErrUnexpectedEOF) || !slices.Equal(got, appLinkURI) {
			t.Errorf("found %q, %v; want %q and io.ErrUnexpectedEOF", got, err, appLinkURI)
		}
	})
	t.Run("endless header", func(t *testing.T) {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 2*maxPageHeader))
			_, _ = io.WriteString(w, appLink)
		})
		var fetcher PageFetcher
		if got, err := fetcher.RedirectURIs(t.Context(), server.URL, machine); err == nil || got != nil {
			t.Errorf("found %q, %v; want an error", got, err)
		}
	})
}

// spec: indieauth.md, F-2 and F-10: the rest of an endless page is dropped,
// and the connection with it.
func TestAnEndlessPageIsCutOff(t *testing.T) {
	hungUp := make(chan struct{})
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(hungUp)
		_, err := io.WriteString(w, appLink)
		for err == nil {
			_, err = io.WriteString(w, "<p>and so on</p>")
		}
	})
	var fetcher PageFetcher
	got, err := fetcher.RedirectURIs(t.Context(), server.URL, machine)
	wantURIs(t, got, err, appLinkURI...)
	<-hungUp
}

// pipes is a Dialer whose connections end in a function of the test.
type pipes func(net.Conn)

func (p pipes) DialContext(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go p(theirs)
	return ours, nil
}

// silent takes what it is sent and waits until the other side hangs up.
func silent(conn net.Conn) {
	_, _ = io.Copy(io.Discard, conn)
	conn.Close()
}

// spec: security.md 45: the whole fetch has 10 seconds, in which the list
// found so far is used. The clock is the bubble's own.
func TestASlowPageHasTenSeconds(t *testing.T) {
	afterTheLink := func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"+appLink)
		silent(conn)
	}
	dripping := func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			t.Error(err)
		}
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"+appLink)
		for err == nil {
			time.Sleep(time.Second)
			_, err = io.WriteString(conn, ".")
		}
		conn.Close()
	}
	for _, row := range []struct {
		name, clientID string
		server         pipes
		want           []string
	}{
		{"silent after the link", "http://page.example/", afterTheLink, appLinkURI},
		{"a byte a second", "http://page.example/", dripping, appLinkURI},
		{"silent at once", "http://page.example/", silent, nil},
		{"silent in the handshake", "https://page.example/", silent, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hungUp := make(chan struct{})
				server := pipes(func(conn net.Conn) {
					defer close(hungUp)
					row.server(conn)
				})
				fetcher := PageFetcher{Resolver: &names{answers: [][]netip.Addr{{publicAddr}}}, Dialer: server}
				start := time.Now()
				got, err := fetcher.RedirectURIs(t.Context(), row.clientID, outside)
				if !errors.Is(err, context.DeadlineExceeded) || !slices.Equal(got, row.want) {
					t.Errorf("found %q, %v; want %q and a deadline error", got, err, row.want)
				}
				if spent := time.Since(start); spent != 10*time.Second {
					t.Errorf("ended after %v of the bubble's time, want 10s", spent)
				}
				<-hungUp
			})
		})
	}
}

// unanswered is a Dialer that gets no answer from one address.
type unanswered struct {
	address string
	next    Dialer
}

func (d unanswered) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if address == d.address {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return d.next.DialContext(ctx, network, address)
}

func TestAnAddressThatDoesNotAnswerLeavesTimeForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := pipes(func(conn net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
				t.Error(err)
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+appLink)
			conn.Close()
		})
		fetcher := PageFetcher{
			Resolver: &names{answers: [][]netip.Addr{addrs("2606:4700::1111", "8.8.4.4")}},
			Dialer:   unanswered{"[2606:4700::1111]:80", good},
		}
		got, err := fetcher.RedirectURIs(t.Context(), "http://page.example/", outside)
		wantURIs(t, got, err, appLinkURI...)
	})
}

// When the person goes away in mid-fetch, so does the fetch.
func TestAFetchEndsWithItsOnlyCaller(t *testing.T) {
	arrived := make(chan struct{})
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	var fetcher PageFetcher
	if got, err := fetcher.RedirectURIs(ctx, server.URL, machine); !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("found %q, %v; want context.Canceled", got, err)
	}
	server.Close() // waits for the handler, which waits for the fetch to hang up
}
