package config

import (
	"log/slog"
	"net/netip"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/mfa/notify"
	"github.com/seed-6a977b3d/latchkey/provider/commandline"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/provider/insecureexample"
	"github.com/seed-6a977b3d/latchkey/provider/legacyapipassword"
	"github.com/seed-6a977b3d/latchkey/provider/trustednetworks"
)

// ProviderConfig describes a provider: one of the types here, or one of your own.
type ProviderConfig interface {
	// Build makes the provider. It reads and writes nothing: [Load] builds each once to see that it can be built, with a
	// store that does not work. If what it makes has a method Close(), it is closed before the store.
	Build(with Parts) (latchkey.Provider, error)
}

// Parts are what providers and modules are made over.
type Parts struct {
	Store latchkey.Store
	// Notifier sends through the services of [Config.Notify].
	Notifier notify.Notifier
	// TrustedProxies are those of [HTTP].
	TrustedProxies []netip.Prefix
	Logger         *slog.Logger
}

// The providers that there are. Each is the configuration of its package.
type (
	HomeAssistant     homeassistant.Options
	TrustedNetworks   trustednetworks.Config
	CommandLine       commandline.Config
	LegacyAPIPassword legacyapipassword.Config
	// InsecureUsers is for testing only: a file cannot ask for it.
	InsecureUsers insecureexample.Config
)

// Build implements [ProviderConfig].
func (c HomeAssistant) Build(with Parts) (latchkey.Provider, error) {
	return homeassistant.New(with.Store, homeassistant.Options(c))
}

// Build implements [ProviderConfig].
func (c TrustedNetworks) Build(with Parts) (latchkey.Provider, error) {
	c.TrustedProxies = append(slices.Clone(c.TrustedProxies), with.TrustedProxies...)
	return trustednetworks.New(with.Store, trustednetworks.Config(c))
}

// Build implements [ProviderConfig].
func (c CommandLine) Build(with Parts) (latchkey.Provider, error) {
	if c.Logger == nil {
		c.Logger = with.Logger
	}
	return commandline.New(with.Store, commandline.Config(c))
}

// Build implements [ProviderConfig].
func (c LegacyAPIPassword) Build(with Parts) (latchkey.Provider, error) {
	return legacyapipassword.New(with.Store, legacyapipassword.Config(c))
}

// Build implements [ProviderConfig].
func (c InsecureUsers) Build(with Parts) (latchkey.Provider, error) {
	return insecureexample.New(with.Store, insecureexample.Config(c))
}

// providerKinds is the registry: a provider is added to the file by a line here.
func providerKinds() []kind[ProviderConfig] {
	return []kind[ProviderConfig]{
		{homeassistant.Type, readHomeAssistant},
		{trustednetworks.Type, readTrustedNetworks},
		{commandline.Type, readCommandLine},
		{legacyapipassword.Type, readLegacyAPIPassword},
		{insecureexample.Type, nil},
	}
}

// readHomeAssistant lets be what it does not know, as Home Assistant does (providers.md §2 and §3).
func readHomeAssistant(o *options) ProviderConfig {
	if n, ok := o.take("id"); ok {
		o.fail(n.errorf("ID is not allowed for the homeassistant auth provider."))
	}
	for _, n := range o.given {
		o.asked = append(o.asked, n.key)
	}
	return HomeAssistant{Name: o.name()}
}

// readCommandLine reads what providers.md §4.1 names.
func readCommandLine(o *options) ProviderConfig {
	return CommandLine{
		ID: o.id(), Name: o.name(), Command: o.text("command", true), Args: o.texts("args"), Meta: o.strictBool("meta"),
	}
}

// readLegacyAPIPassword reads what providers.md §6 names.
func readLegacyAPIPassword(o *options) ProviderConfig {
	c := LegacyAPIPassword{ID: o.id(), Name: o.name()}
	if n, ok := o.must("api_password"); ok {
		c.Password = parsed(o, n, legacyapipassword.ParsePassword)
	}
	return c
}

// readTrustedNetworks reads what providers.md §5.1 names.
func readTrustedNetworks(o *options) ProviderConfig {
	c := TrustedNetworks{ID: o.id(), Name: o.name()}
	if _, ok := o.must("trusted_networks"); ok {
		o.each("trusted_networks", func(n node) error {
			network, err := readNetwork(n)
			c.Networks = append(c.Networks, network)
			return err
		})
	}
	if n, ok := o.take("trusted_users"); ok {
		rules, err := readUserRules(n)
		if err != nil {
			o.fail(err)
		}
		c.Users = rules
	}
	if n, ok := o.take("allow_bypass_login"); ok {
		c.AllowBypass = parsed(o, n, trustednetworks.ParseBool)
	}
	o.asked = []string{"type", "id", "name", "trusted_networks", "trusted_users", "allow_bypass_login"}
	return c
}

func readNetwork(n node) (netip.Prefix, error) {
	text, err := n.text()
	if err != nil {
		return netip.Prefix{}, err
	}
	network, err := trustednetworks.ParseNetwork(text)
	if err != nil {
		return network, n.wrap(err)
	}
	return network, nil
}

// readUserRules reads who may be chosen from which network, in the order of the file.
func readUserRules(n node) ([]trustednetworks.UserRule, error) {
	if n.yaml.Kind != yaml.MappingNode {
		return nil, n.errorf("must be networks with users, such as `192.168.1.0/24: USER_ID`")
	}
	entries, err := n.entries()
	if err != nil {
		return nil, err
	}
	var rules []trustednetworks.UserRule
	for _, e := range entries {
		network, err := trustednetworks.ParseNetwork(e.key)
		if err != nil {
			return nil, e.wrap(err)
		}
		rule := trustednetworks.UserRule{Network: network}
		people, err := e.list()
		if err != nil {
			return nil, err
		}
		for _, p := range people {
			if err := readPerson(p, &rule); err != nil {
				return nil, err
			}
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// readPerson reads a user's id, or a group by `group: ID`.
func readPerson(n node, rule *trustednetworks.UserRule) error {
	if n.yaml.Kind == yaml.ScalarNode {
		// An id of digits only looks like a number, so that its letters count and not what they mean.
		id, err := trustednetworks.ParseUserID(n.yaml.Value)
		if err != nil {
			return n.wrap(err)
		}
		rule.UserIDs = append(rule.UserIDs, id)
		return nil
	}
	if n.yaml.Kind != yaml.MappingNode {
		return n.errorf("must be the id of a user, or `group: ID`")
	}
	given, err := n.entries()
	if err != nil {
		return err
	}
	o := &options{at: n, typ: "a rule", given: given}
	if _, ok := o.must("group"); ok {
		o.asked = nil
		rule.GroupIDs = append(rule.GroupIDs, o.texts("group")...)
	}
	return o.done()
}
