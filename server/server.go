// Package server puts a [latchkey.Manager] on the wire: the HTTP API with which clients of Home Assistant sign in
// (http-auth.md, onboarding.md). It decides nothing about users, tokens or logins. Pages, the WebSocket and the store
// are handed to it; it knows none of them.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/indieauth"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/server/proxy"
)

// Redirects decides where a browser may be sent with an authorization code. [*indieauth.Checker] is one.
type Redirects interface {
	// Check returns nil when the client may have its codes sent to redirectURI. from is the address of the person who
	// signs in, the zero Addr when it is unknown or only a proxy's word.
	Check(ctx context.Context, clientID, redirectURI string, from netip.Addr) error
}

// Pages are what a browser shows. Each answers GET and HEAD, and finds who is signed in with [SessionFrom].
type Pages interface {
	// Authorize is the sign-in page, GET /auth/authorize.
	Authorize() http.Handler
	// Onboarding is the page that creates the first account, GET /onboarding.html.
	Onboarding() http.Handler
	// Home is the page at the root for who is not signed in. It is where a sign-in of our own pages comes back to.
	Home() http.Handler
	// SignIn stands in the place of a page that needs a sign-in, and leads through it.
	SignIn() http.Handler
	// Account is /account and everything below it, for who is signed in. It answers POST as well: forms carry
	// [FormToken].
	Account() http.Handler
	// Admin is the same below /admin/. It makes sure itself that only administrators get in.
	Admin() http.Handler
	// Refused says, in the place of a page and with this status, why there is none, or why a form was not taken: 403 for one
	// that is outdated or of another site, 413 for one that is too long, 400 for one that cannot be read, and 503 where it
	// cannot be known who asks, since the store cannot be reached.
	Refused(status int) http.Handler
	// Static is everything below /static/.
	Static() http.Handler
}

// OnboardingStore keeps which steps of the first set-up are done. Every [latchkey.Store] is one.
type OnboardingStore interface {
	OnboardingDone(ctx context.Context) ([]string, error)
	Update(ctx context.Context, fn func(latchkey.Tx) error) error
}

// Options are what a [Server] can be given beside its manager. The zero value is the bare API without onboarding.
type Options struct {
	// Local is the provider in which the first account is made; it must be one of the manager's. Nil means that
	// accounts are made elsewhere: there is no onboarding, and nobody is asked to finish it.
	Local *homeassistant.Provider
	// Onboarding is where the steps of the first set-up are kept. Local needs it.
	Onboarding OnboardingStore
	// SetupCode is asked for when the first account is created from anywhere but this machine. Case, blanks and dashes
	// do not matter. While it is empty, the first account can be created on this machine only.
	SetupCode latchkey.Secret
	// Pages are served when they are not nil.
	Pages Pages
	// WebSocket answers GET /api/websocket when it is not nil. It makes its own handshake.
	WebSocket http.Handler
	// Signer recognises the paths that it signed, which need no access token (http-auth.md §10.2). Nil accepts none.
	Signer *Signer
	// Redirects checks redirect URIs; nil for an [indieauth.Checker] that never uses the network.
	Redirects Redirects
	// CORSOrigins are the origins whose pages may use everything, not only the token endpoints (http-auth.md §11). Nil
	// stands for [DefaultCORSOrigin]; an empty list allows none.
	CORSOrigins []string
	// URLs are the addresses of this server, as in https://house.example. Discovery documents that are asked for under
	// one of them name it as the issuer, and so does a login there (RFC 8414, RFC 9207).
	URLs []string
	// TrustedProxies are the networks of the proxies that pass requests on and say for whom. Without any, a request that
	// was passed on is refused (http-auth.md §12).
	TrustedProxies []netip.Prefix
	// Guard counts failed logins and keeps addresses out; nil lets everybody in.
	Guard Guard
	// Origin says where a request came from, instead of TrustedProxies. An error refuses the request with 400 and goes to
	// the log.
	Origin func(*http.Request) (latchkey.Origin, error)
	// Logger gets what clients are not told; nil for [slog.Default].
	Logger *slog.Logger
}

// Server is the HTTP API. It is an [http.Handler] for any number of requests at once.
type Server struct {
	manager   *latchkey.Manager
	local     *homeassistant.Provider
	steps     OnboardingStore
	setupCode latchkey.Secret
	pages     Pages
	webSocket http.Handler
	signer    *Signer // nil if no path is signed
	redirects Redirects
	cors      cors
	urls      []*url.URL
	proxies   proxy.Trusted
	guard     Guard
	bodies    bodies
	origin    func(*http.Request) (latchkey.Origin, error) // nil to ask proxies
	log       *slog.Logger

	// onboarding says that the first set-up was not finished when the server was made: its endpoints exist.
	onboarding bool
	// onboarded is set once the first account exists, which never ends.
	onboarded atomic.Bool
	resources []resource
}

// New returns the HTTP API of a manager. It reads from the store how far the first set-up has come, and marks the
// account as made when somebody made it elsewhere (onboarding.md S-3). Options that do not fit together are an error.
func New(m *latchkey.Manager, o Options) (*Server, error) {
	if m == nil {
		return nil, errors.New("server: no manager: make one with latchkey.New")
	}
	s := &Server{
		manager: m, local: o.Local, steps: o.Onboarding, setupCode: o.SetupCode, pages: o.Pages, webSocket: o.WebSocket,
		signer: o.Signer, redirects: o.Redirects, cors: newCORS(o.CORSOrigins), origin: o.Origin, guard: o.Guard,
		bodies: newBodies(), log: o.Logger,
	}
	if s.redirects == nil {
		s.redirects = &indieauth.Checker{}
	}
	if s.guard == nil {
		s.guard = openDoor{}
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	var err error
	if s.proxies, err = proxy.New(o.TrustedProxies...); err != nil {
		return nil, fmt.Errorf("server options: %w", err)
	}
	for _, text := range o.URLs {
		u, err := parseURL(text)
		if err != nil {
			return nil, err
		}
		s.urls = append(s.urls, u)
	}
	if o.Local != nil {
		if err := s.prepareOnboarding(context.Background()); err != nil {
			return nil, err
		}
	}
	s.resources = group(s.routes())
	return s, nil
}

func (s *Server) prepareOnboarding(ctx context.Context) error {
	if s.steps == nil {
		return errors.New("server options: Local needs Onboarding, the store that keeps which steps are done")
	}
	if _, ok := s.manager.Provider(s.local.Key()); !ok {
		return errors.New("server options: Local is not among the manager's providers, so the first account could not sign in")
	}
	open, err := s.openOnboarding(ctx)
	if err != nil {
		return fmt.Errorf("read how far the first set-up has come: %w", err)
	}
	s.onboarding = open
	return nil
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("server options: URLs: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("server options: URLs: %q: write scheme and host only, as in https://house.example", text)
	}
	u.Path = ""
	return u, nil
}
