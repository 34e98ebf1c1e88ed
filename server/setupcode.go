package server

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"unicode"

	"github.com/seed-6a977b3d/latchkey"
)

// SetupCodeNeeded reports whether the first account can be created with this request, or from the page that this
// request asks for, only by somebody who knows the setup code. Without it whoever finds a new server first would own
// it. A person at the machine itself needs none: the peer is this machine, the server was called by a name that means
// this machine (another name may have been pointed at it), no proxy stands between, and no other site's page sent it.
func (s *Server) SetupCodeNeeded(r *http.Request) bool {
	from, err := s.source(r)
	return err != nil || !from.ThisMachine() || !isLoopbackHost(r.Host) || forwarded(r.Header) || crossSite(r)
}

// isLoopbackHost reports whether a Host header names this machine by itself.
func isLoopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// forwarded reports whether any header says that a proxy passed the request on.
func forwarded(h http.Header) bool {
	for name := range h {
		switch {
		case name == "Forwarded", name == "Via", name == "X-Real-Ip", strings.HasPrefix(name, "X-Forwarded-"):
			return true
		}
	}
	return false
}

// crossSite reports whether a browser says that another site's page sent the request.
func crossSite(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || !strings.EqualFold(u.Host, r.Host) {
			return true
		}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return true
		}
	}
	return false
}

// checkSetupCode refuses a request that needs the setup code and does not have it.
func (s *Server) checkSetupCode(r *http.Request, given string) error {
	if !s.SetupCodeNeeded(r) {
		return nil
	}
	code := plainCode(given)
	if code == "" {
		return errSetupCodeRequired
	}
	// Hashes are of one length, so that the comparison does not tell the code's.
	want, got := latchkey.Secret(plainCode(s.setupCode.Reveal())).Hash(), latchkey.Secret(code).Hash()
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		s.log.Warn("a wrong setup code was given", "from", originOf(r).Addr)
		return errSetupCodeInvalid
	}
	return nil
}

// plainCode leaves out of a code what people write differently: case, blanks and dashes.
func plainCode(code string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) || unicode.Is(unicode.Dash, c) {
			return -1
		}
		return unicode.ToLower(c)
	}, code)
}
