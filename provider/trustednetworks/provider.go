// Package trustednetworks is the provider of networks whose people need no password: they only say who they are
// (providers.md §5). It owns the rules of which address may be whom, and trusts the address that it is told.
package trustednetworks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/seed-6a977b3d/latchkey"
)

// Type is the provider's type in configurations and credentials.
const Type = "trusted_networks"

// DefaultName is what the provider is called unless it is configured otherwise.
const DefaultName = "Trusted Networks"

// The refusals of an address (providers.md §5.2 and §5.5). All are of kind [latchkey.ErrDenied].
var (
	ErrNotConfigured = &latchkey.Error{Kind: latchkey.ErrDenied, Text: "trusted_networks is not configured"}
	ErrNotTrusted    = &latchkey.Error{Kind: latchkey.ErrDenied, Text: "Not in trusted_networks"}
	ErrProxy         = &latchkey.Error{Kind: latchkey.ErrDenied, Text: "Can't allow access from a proxy server"}
	ErrUnknownRemote = &latchkey.Error{Kind: latchkey.ErrDenied,
		Text: "Unknown remote ip can't be used for trusted network provider."}
)

// Store is what the provider needs of a [latchkey.Store].
type Store interface {
	User(ctx context.Context, id string) (latchkey.User, error)
	Users(ctx context.Context, after string, limit int) ([]latchkey.User, error)
	Update(ctx context.Context, fn func(latchkey.Tx) error) error
}

// Config sets the provider up.
type Config struct {
	// ID is the provider's id, null if there is one of its kind.
	ID latchkey.NullString
	// Name is shown to people; [DefaultName] if empty.
	Name string
	// Networks are those that are trusted. None is valid, and lets nobody in.
	Networks []netip.Prefix
	// Users say who may be chosen from where. The first rule whose network holds the address decides; without one
	// everybody may be chosen.
	Users []UserRule
	// AllowBypass signs somebody in at once who is the only one to be chosen.
	AllowBypass bool
	// TrustedProxies are the networks of the HTTP layer's proxies, from which nobody signs in: such an address says where
	// the proxy is, and not where the person is.
	TrustedProxies []netip.Prefix
}

// UserRule says who may be chosen from a network: those with a listed id and the members of the listed groups.
type UserRule struct {
	Network  netip.Prefix
	UserIDs  []string
	GroupIDs []string
}

func (r UserRule) allows(u latchkey.User) bool {
	return slices.Contains(r.UserIDs, u.ID) ||
		slices.ContainsFunc(r.GroupIDs, func(id string) bool { return slices.Contains(u.GroupIDs, id) })
}

// Provider lets people in trusted networks choose who they are.
type Provider struct {
	store    Store
	key      latchkey.ProviderKey
	name     string
	networks []netip.Prefix
	proxies  []netip.Prefix
	rules    []UserRule
	bypass   bool
}

var (
	_ latchkey.Provider              = (*Provider)(nil)
	_ latchkey.RefreshTokenValidator = (*Provider)(nil)
)

// New returns the provider over the store. What is no network, user id or group id in the configuration is refused.
func New(store Store, cfg Config) (*Provider, error) {
	if store == nil {
		return nil, errors.New("trusted_networks: no store: give the one that the manager uses")
	}
	p := &Provider{
		store: store, key: latchkey.ProviderKey{Type: Type, ID: cfg.ID}, name: cfg.Name,
		networks: slices.Clone(cfg.Networks), proxies: slices.Clone(cfg.TrustedProxies), bypass: cfg.AllowBypass,
	}
	if p.name == "" {
		p.name = DefaultName
	}
	for _, n := range slices.Concat(p.networks, p.proxies) {
		if err := checkNetwork(n); err != nil {
			return nil, fmt.Errorf("trusted_networks: network %v %w", n, err)
		}
	}
	for _, r := range cfg.Users {
		rule, err := checkRule(r)
		if err != nil {
			return nil, fmt.Errorf("trusted_users: network %v %w", r.Network, err)
		}
		p.rules = append(p.rules, rule)
	}
	return p, nil
}

// checkRule returns a rule of its own, with ids as users have them.
func checkRule(r UserRule) (UserRule, error) {
	if err := checkNetwork(r.Network); err != nil {
		return UserRule{}, err
	}
	checked := UserRule{Network: r.Network, GroupIDs: slices.Clone(r.GroupIDs)}
	for _, given := range r.UserIDs {
		id, err := ParseUserID(given)
		if err != nil {
			return UserRule{}, err
		}
		checked.UserIDs = append(checked.UserIDs, id)
	}
	if slices.Contains(checked.GroupIDs, "") {
		return UserRule{}, errors.New("names a group without an id: write one such as system-users")
	}
	return checked, nil
}

// Key implements [latchkey.Provider].
func (p *Provider) Key() latchkey.ProviderKey { return p.key }

// Name implements [latchkey.Provider].
func (p *Provider) Name() string { return p.name }

// SupportsMFA implements [latchkey.Provider]: being in the network is all that is asked for.
func (p *Provider) SupportsMFA() bool { return false }

// Available reports whether somebody at this address, which is the zero Addr when unknown, is let in. It is what keeps
// the provider from being offered to everybody else (http-auth.md P-5).
func (p *Provider) Available(addr netip.Addr) bool { return p.check(addr) == nil }

// ValidateRefreshToken implements [latchkey.RefreshTokenValidator]: access tokens are made only for addresses that are
// let in.
func (p *Provider) ValidateRefreshToken(_ context.Context, _ latchkey.RefreshToken, remote netip.Addr) error {
	return p.check(remote)
}

// check returns why an address is not let in (providers.md §5.2).
func (p *Provider) check(addr netip.Addr) error {
	switch {
	case !addr.IsValid():
		return ErrUnknownRemote
	case len(p.networks) == 0:
		return ErrNotConfigured
	case !within(p.networks, addr):
		return ErrNotTrusted
	case within(p.proxies, addr):
		return ErrProxy
	}
	return nil
}

// within reports whether any network holds the address. IPv4 addresses that are mapped into IPv6 are IPv6 addresses here,
// and zones do not count.
func within(networks []netip.Prefix, addr netip.Addr) bool {
	addr = addr.WithZone("")
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}
