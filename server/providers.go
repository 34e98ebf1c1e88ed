package server

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/seed-6a977b3d/latchkey"
)

// AddressLimited is a provider that is offered to some addresses only. The list of providers leaves it out for others
// (http-auth.md P-5); that it refuses them, too, is its own affair.
type AddressLimited interface {
	// Available reports whether the provider is of use to somebody at addr, which is the zero Addr when unknown.
	Available(addr netip.Addr) bool
}

type providerEntry struct {
	Name string              `json:"name"`
	ID   latchkey.NullString `json:"id"`
	Type string              `json:"type"`
}

// listProviders is GET /auth/providers (http-auth.md §3).
func (s *Server) listProviders(r *http.Request) (reply, error) {
	if err := s.requireOnboarded(r.Context()); err != nil {
		return reply{}, err
	}
	from := originOf(r)
	if !from.Addr.IsValid() {
		return reply{}, errRemoteIP
	}
	list := []providerEntry{}
	for _, p := range s.manager.Providers() {
		if limited, ok := p.(AddressLimited); ok && !limited.Available(from.PersonAddr()) {
			continue
		}
		list = append(list, providerEntry{Name: p.Name(), ID: p.Key().ID, Type: p.Key().Type})
	}
	return reply{json: struct {
		Providers []providerEntry `json:"providers"`
		Remember  bool            `json:"preselect_remember_me"`
	}{list, !from.Tunnel && latchkey.IsLocal(from.Addr)}}, nil
}

// requireOnboarded refuses what makes no sense before the first account exists (http-auth.md P-1, security.md 7).
func (s *Server) requireOnboarded(ctx context.Context) error {
	if !s.onboarding || s.onboarded.Load() {
		return nil
	}
	done, err := s.manager.Onboarded(ctx)
	if err != nil {
		return err
	}
	if !done {
		return errNotOnboard
	}
	s.onboarded.Store(true)
	return nil
}
