package indieauth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// ErrInvalidRedirectURI is wrapped by every error of Checker.Check that
// concerns the redirect_uri. Its text is public; the text around it names
// the reason and is meant for the log.
var ErrInvalidRedirectURI = errors.New("invalid redirect URI")

// Fetcher finds the redirect URIs that a client declares on its own page.
// It is asked only for client ids that pass CheckClientID. from is the
// address of the person who signs in; the zero Addr stands for one that is
// unknown or outside. The list may be of use although there is an error.
type Fetcher interface {
	RedirectURIs(ctx context.Context, clientID string, from netip.Addr) ([]string, error)
}

// Checker decides where a browser may be sent with an authorization code.
// The zero Checker never uses the network.
type Checker struct {
	// Fetcher reads the declarations of clients. Without one, only redirects
	// to the client's own origin and those of the mobile apps are accepted.
	Fetcher Fetcher
}

// Check returns nil when clientID may have its codes sent to redirectURI:
// the two have the same origin, belong to one of the mobile apps, or the
// client's page declares exactly this redirectURI. The page is fetched only
// when nothing cheaper decides.
//
// Errors wrap ErrInvalidClientID or ErrInvalidRedirectURI; a failure of the
// fetch is wrapped too, for the log. Source: indieauth.md §3 and §5,
// security.md 28 and 43.
func (c *Checker) Check(ctx context.Context, clientID, redirectURI string, from netip.Addr) error {
	if err := CheckClientID(clientID); err != nil {
		return err
	}
	if err := checkTarget(redirectURI); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidRedirectURI, err)
	}
	if sameOrigin(clientID, redirectURI) || isMobileApp(clientID, redirectURI) {
		return nil
	}
	if c.Fetcher == nil {
		return fmt.Errorf("%w: it is not on the client's own host and client pages are not fetched", ErrInvalidRedirectURI)
	}
	declared, err := c.Fetcher.RedirectURIs(ctx, clientID, from)
	if slices.Contains(declared, redirectURI) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: the client's page could not be read: %w", ErrInvalidRedirectURI, err)
	}
	return fmt.Errorf("%w: the client's page does not declare it with <link rel=\"redirect_uri\">", ErrInvalidRedirectURI)
}

// checkTarget refuses redirect targets that are unsafe whoever declares them.
func checkTarget(redirectURI string) error {
	if err := checkText(redirectURI); err != nil {
		return err
	}
	p := split(redirectURI)
	if p.scheme == "" {
		// Relative references, //host and /\host among them.
		return errors.New("it is not an absolute URL")
	}
	if isScripted(p.scheme) {
		return fmt.Errorf("scheme %q runs or shows content in place of opening an app or a site", p.scheme)
	}
	if strings.Contains(p.path, `\`) {
		return errors.New("it contains a backslash, which browsers take for a slash")
	}
	if isWeb(p.scheme) && p.authority == "" {
		return errors.New("it names no host")
	}
	if strings.Contains(p.authority, "@") {
		return errors.New("it has a user name or password; remove the part before @")
	}
	return checkAuthority(p.authority)
}

// isScripted tells the schemes of indieauth.md §5, and the two that borrow
// the origin of the page which opens them.
func isScripted(scheme string) bool {
	switch scheme {
	case "javascript", "data", "vbscript", "file", "about", "blob", "filesystem":
		return true
	}
	return false
}

// sameOrigin compares as text: a default port written out differs from none.
func sameOrigin(clientID, redirectURI string) bool {
	client, target := split(clientID), split(redirectURI)
	return client.scheme == target.scheme && client.authority == target.authority
}

// isMobileApp knows the apps that exist without a page to declare their
// redirects on. Both values are compared exactly (indieauth.md §3, rule 3).
func isMobileApp(clientID, redirectURI string) bool {
	switch clientID {
	case "https://home-assistant.io/iOS":
		return redirectURI == "homeassistant://auth-callback"
	case "https://home-assistant.io/android":
		return redirectURI == "homeassistant://auth-callback" ||
			redirectURI == "https://wear.googleapis.com/3p_auth/io.homeassistant.companion.android" ||
			redirectURI == "https://wear.googleapis-cn.com/3p_auth/io.homeassistant.companion.android"
	}
	return false
}
