package indieauth

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
)

// ErrInvalidClientID is wrapped by every error of CheckClientID. Its text is
// public; the text around it names the rule and is meant for the log.
var ErrInvalidClientID = errors.New("invalid client id")

// CheckClientID decides by the text alone whether clientID may name a client.
// The error wraps ErrInvalidClientID and says which rule refused it.
// Callers go on using the value exactly as sent: nothing is canonicalised.
//
// Source: indieauth.md §2, with its recommendations: an empty authority,
// control characters and leading spaces are refused.
func CheckClientID(clientID string) error {
	if err := checkClientID(clientID); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidClientID, err)
	}
	return nil
}

func checkClientID(clientID string) error {
	if err := checkText(clientID); err != nil {
		return err
	}
	p := split(clientID)
	if !isWeb(p.scheme) {
		return errors.New("the scheme is not http or https")
	}
	if p.authority == "" {
		return errors.New("it names no host; write http://host/ or https://host/")
	}
	if err := checkAuthority(p.authority); err != nil {
		return err
	}
	if hasDotSegment(p.path) {
		return errors.New("the path has a . or .. segment")
	}
	if p.fragment != "" {
		return errors.New("it has a fragment; remove the part after #")
	}
	if strings.Contains(p.authority, "@") {
		return errors.New("it has a user name or password; remove the part before @")
	}
	if err := checkPort(p.authority); err != nil {
		return err
	}
	if addr, ok := bareAddress(p.authority); ok && !latchkey.IsLocal(addr) {
		return errors.New("the host is an address outside of the local network; use a name")
	}
	return nil
}

func isWeb(scheme string) bool { return scheme == "http" || scheme == "https" }

// hasDotSegment looks at the path as written. Parameters of the last segment
// (";…") are no part of it, those of earlier segments are (indieauth.md U-3).
func hasDotSegment(path string) bool {
	last := strings.LastIndexByte(path, '/') + 1
	if i := strings.IndexByte(path[last:], ';'); i >= 0 {
		path = path[:last+i]
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// bareAddress reads the authority as a whole as an IP address. With a port
// attached it is none: installations name themselves http://<public ip>:8123/.
func bareAddress(authority string) (netip.Addr, bool) {
	if inner, ok := strings.CutPrefix(authority, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			authority = inner
		}
	}
	addr, err := netip.ParseAddr(authority)
	return addr, err == nil
}
