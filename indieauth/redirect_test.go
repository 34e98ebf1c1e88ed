package indieauth

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// page is a Fetcher with a fixed answer that remembers how it was asked.
type page struct {
	declared []string
	err      error
	asked    int
	clientID string
	from     netip.Addr
}

func (p *page) RedirectURIs(_ context.Context, clientID string, from netip.Addr) ([]string, error) {
	p.asked++
	p.clientID, p.from = clientID, from
	return p.declared, p.err
}

const (
	iOS     = "https://home-assistant.io/iOS"
	android = "https://home-assistant.io/android"
	app     = "homeassistant://auth-callback"
	wear    = "https://wear.googleapis.com/3p_auth/io.homeassistant.companion.android"
	wearCN  = "https://wear.googleapis-cn.com/3p_auth/io.homeassistant.companion.android"
)

// spec: indieauth.md, §3 rules 2 and 3, §3.1 "Test table".
func TestRedirectsThatNeedNoFetch(t *testing.T) {
	rows := []struct{ clientID, redirectURI string }{
		{"http://ex.com", "http://ex.com/callback"},
		{"http://ex.com/", "http://EX.com/cb"},
		{"HTTP://ex.com/", "http://ex.com/cb"},
		{"http://ex.com:8123/", "http://ex.com:8123/x?y=1#z"},
		{"http://ex.com", "http://ex.com/../../x"},
		{iOS, "https://home-assistant.io/anything"},
		{"http://ex.com", "http://ex.com"}, {"http://ex.com", "http://ex.com?x"}, {"http://ex.com", "http://ex.com#x"},
		{"http://[::1]:8123/", "http://[::1]:8123/cb"},
		{iOS, app}, {android, app}, {android, wear}, {android, wearCN},
	}
	for _, row := range rows {
		fetcher := &page{}
		checker := Checker{Fetcher: fetcher}
		if err := checker.Check(t.Context(), row.clientID, row.redirectURI, netip.Addr{}); err != nil {
			t.Errorf("Check(%q, %q) = %v, want accepted", row.clientID, row.redirectURI, err)
		}
		if fetcher.asked != 0 {
			t.Errorf("Check(%q, %q) fetched the client's page, want no fetch", row.clientID, row.redirectURI)
		}
	}
}

// spec: indieauth.md, §3.1 "Test table", the rows marked F: only the client's
// page decides, so a declaration turns refusal into acceptance.
func TestRedirectsThatOnlyADeclarationAllows(t *testing.T) {
	rows := []struct{ clientID, redirectURI string }{
		{"http://ex.com:80/", "http://ex.com/cb"},
		{"http://ex.com", "http://ex.com:/cb"},
		{"http://ex.com", "https://ex.com/callback"},
		{"http://ex.com", "http://different.com/callback"},
		{"https://sub1.ex.com", "https://sub2.ex.com/callback"},
		{iOS + "/", app}, {"https://home-assistant.io/ios", app}, {"https://Home-Assistant.io/iOS", app},
		{iOS, app + "/"}, {iOS, "homeassistant://something-else"}, {iOS, wear}, {iOS, wearCN},
		{android, wear + "/"},
		{"https://incorrect.com", app},
		{"http://ex.com", "myapp:callback"},
		{"http://\u212a.example", "http://k.example/cb"}, // the Kelvin sign is no k
	}
	from := netip.MustParseAddr("192.168.1.7")
	for _, row := range rows {
		if err := (&Checker{}).Check(t.Context(), row.clientID, row.redirectURI, from); !errors.Is(err, ErrInvalidRedirectURI) {
			t.Errorf("Check(%q, %q) without a fetcher = %v, want ErrInvalidRedirectURI", row.clientID, row.redirectURI, err)
		}
		near := &page{declared: []string{row.redirectURI + "x", strings.ToUpper(row.redirectURI), row.redirectURI + " "}}
		if err := (&Checker{Fetcher: near}).Check(t.Context(), row.clientID, row.redirectURI, from); !errors.Is(err, ErrInvalidRedirectURI) {
			t.Errorf("Check(%q, %q) with similar declarations = %v, want ErrInvalidRedirectURI", row.clientID, row.redirectURI, err)
		}
		exact := &page{declared: []string{"other:x", row.redirectURI}}
		if err := (&Checker{Fetcher: exact}).Check(t.Context(), row.clientID, row.redirectURI, from); err != nil {
			t.Errorf("Check(%q, %q) with its declaration = %v, want accepted", row.clientID, row.redirectURI, err)
		}
		if exact.asked != 1 || exact.clientID != row.clientID || exact.from != from {
			t.Errorf("Check(%q, %q) asked %d times for %q from %v", row.clientID, row.redirectURI, exact.asked, exact.clientID, exact.from)
		}
	}
}

// spec: indieauth.md, §5 and U-6; security.md 43; login-page.md P-1. A client
// that declares such a target does not get it either, and nothing is fetched.
func TestRedirectsThatNobodyGets(t *testing.T) {
	rows := []struct{ why, redirectURI string }{
		{"scheme", "javascript:alert(1)"}, {"scheme", "JaVaScRiPt:alert(1)"}, {"scheme", "javascript://ex.com/%0aalert(1)"},
		{"scheme", "data:text/html,x"}, {"scheme", "VBSCRIPT:x"}, {"scheme", "file:///etc/passwd"}, {"scheme", "about:blank"},
		{"scheme", "blob:http://ex.com/1"}, {"scheme", "filesystem:http://ex.com/x"},
		{"control", "java\tscript:alert(1)"}, {"control", "java\nscript:alert(1)"}, {"control", "\x01javascript:alert(1)"},
		{"space", " javascript:alert(1)"}, {"control", "javascript\r:alert(1)"},
		{"user name", "https://good@evil/"}, {"user name", "http://u@ex.com/cb"}, {"user name", "http://ex.com:80@evil/"},
		{"user name", "http://@ex.com/"}, {"user name", "myapp://good@evil/"},
		{"absolute", "//ex.com/cb"}, {"absolute", `/\ex.com/cb`}, {"absolute", `\\ex.com\cb`}, {"absolute", "/cb"},
		{"absolute", ""}, {"absolute", "not a url"}, {"absolute", "?x"}, {"absolute", ":x"},
		{"backslash", `http:\\evil.com/`}, {"backslash", `http:/\evil.com/`}, {"backslash", `http://evil.com\ex.com/`},
		{"backslash", `http://ex.com/\evil.com`}, {"backslash", `myapp:\\evil`}, {"user name", `http://ex.com\@evil.com/`},
		{"no host", "http:ex.com/cb"}, {"no host", "http:///ex.com/cb"}, {"no host", "https:/ex.com"}, {"no host", "http:"},
		{"control", "http://ex.com/cb\r\nSet-Cookie: a=b"}, {"control", "http://ex.com/cb\n"}, {"control", "http:\t//ex.com/x"},
		{"space", " http://ex.com/x"}, {"control", "http://ex.com/\x00"}, {"control", "http://ex.com/\u0085"},
		{"UTF-8", "http://ex.com/\xc3"},
		{"brackets", "http://[bad"}, {"IPv6", "http://[127.0.0.1]/"}, {"look-alike", "http://ex.com／evil/"},
	}
	for _, row := range rows {
		fetcher := &page{declared: []string{row.redirectURI}}
		err := (&Checker{Fetcher: fetcher}).Check(t.Context(), "http://ex.com", row.redirectURI, netip.Addr{})
		if !errors.Is(err, ErrInvalidRedirectURI) || errors.Is(err, ErrInvalidClientID) {
			t.Errorf("Check(%q) = %v, want ErrInvalidRedirectURI", row.redirectURI, err)
			continue
		}
		if !strings.Contains(err.Error(), row.why) {
			t.Errorf("Check(%q) = %v, want a reason with %q", row.redirectURI, err, row.why)
		}
		if fetcher.asked != 0 {
			t.Errorf("Check(%q) fetched the client's page, want no fetch", row.redirectURI)
		}
	}
}

// spec: indieauth.md, §3 rule 1: the ID check comes first.
func TestAnInvalidClientGetsNoRedirect(t *testing.T) {
	fetcher := &page{declared: []string{"ftp://a/x"}}
	err := (&Checker{Fetcher: fetcher}).Check(t.Context(), "ftp://a", "ftp://a/x", netip.Addr{})
	if !errors.Is(err, ErrInvalidClientID) || errors.Is(err, ErrInvalidRedirectURI) {
		t.Errorf("Check = %v, want ErrInvalidClientID alone", err)
	}
	if fetcher.asked != 0 {
		t.Error("the page of an invalid client was fetched")
	}
}

// spec: indieauth.md, F-8: what was found before a failure is used, and a
// failure refuses the redirect with a cause for the log.
func TestAFailedFetchRefusesUnlessTheLinkWasSeen(t *testing.T) {
	broken := errors.New("connection reset")
	err := (&Checker{Fetcher: &page{err: broken}}).Check(t.Context(), "http://ex.com", "myapp://cb", netip.Addr{})
	if !errors.Is(err, ErrInvalidRedirectURI) || !errors.Is(err, broken) {
		t.Errorf("Check = %v, want ErrInvalidRedirectURI with its cause", err)
	}
	found := &page{declared: []string{"myapp://cb"}, err: broken}
	if err := (&Checker{Fetcher: found}).Check(t.Context(), "http://ex.com", "myapp://cb", netip.Addr{}); err != nil {
		t.Errorf("Check = %v, want accepted: the link came before the failure", err)
	}
}

// Whatever is accepted without a declaration leads to the client's own host
// or to one of the apps.
func FuzzCheckRedirect(f *testing.F) {
	f.Add("http://ex.com", "http://ex.com/cb")
	f.Add(android, wear)
	f.Add("http://[::1]:8123/", "http://[::1]:8123/x")
	f.Add("http://ex.com", `http://ex.com\@evil/`)
	f.Fuzz(func(t *testing.T, clientID, redirectURI string) {
		if (&Checker{}).Check(t.Context(), clientID, redirectURI, netip.Addr{}) != nil {
			return
		}
		if isMobileApp(clientID, redirectURI) {
			return
		}
		if strings.ContainsAny(redirectURI, "\r\n\t") || !isWeb(split(redirectURI).scheme) {
			t.Fatalf("%q accepted for %q", redirectURI, clientID)
		}
		origin := split(clientID).scheme + "://" + split(clientID).authority
		if !strings.HasPrefix(lowerASCII(redirectURI), origin) {
			t.Fatalf("%q accepted for %q, want it under %q", redirectURI, clientID, origin)
		}
		if after := redirectURI[len(origin):]; after != "" && !strings.ContainsAny(after[:1], "/?#") {
			t.Fatalf("%q accepted for %q, but its host goes on after %q", redirectURI, clientID, origin)
		}
	})
}
