package config

import (
	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/mfa/insecureexample"
	"github.com/seed-6a977b3d/latchkey/mfa/notify"
	"github.com/seed-6a977b3d/latchkey/mfa/totp"
)

// ModuleConfig describes a second factor: one of the types here, or one of your own.
type ModuleConfig interface {
	// Build makes the module, under the conditions of [ProviderConfig].
	Build(with Parts) (latchkey.MFAModule, error)
}

// The second factors that there are. Each is the configuration of its package.
type (
	TOTP   totp.Config
	Notify notify.Config
	// InsecurePINs is for testing only: a file cannot ask for it.
	InsecurePINs insecureexample.Config
)

// Build implements [ModuleConfig].
func (c TOTP) Build(with Parts) (latchkey.MFAModule, error) {
	return totp.New(with.Store, totp.Config(c))
}

// Build implements [ModuleConfig].
func (c Notify) Build(with Parts) (latchkey.MFAModule, error) {
	if c.Logger == nil {
		c.Logger = with.Logger
	}
	return notify.New(with.Store, with.Notifier, notify.Config(c))
}

// Build implements [ModuleConfig].
func (c InsecurePINs) Build(Parts) (latchkey.MFAModule, error) {
	return insecureexample.New(insecureexample.Config(c))
}

// moduleKinds is the registry: a second factor is added to the file by a line here.
func moduleKinds() []kind[ModuleConfig] {
	return []kind[ModuleConfig]{
		{totp.Type, readTOTP},
		{notify.Type, readNotifyModule},
		{insecureexample.Type, nil},
	}
}

func readTOTP(o *options) ModuleConfig { return TOTP{ID: o.id().Text, Name: o.name()} }

// readNotifyModule reads what mfa.md §5 names.
func readNotifyModule(o *options) ModuleConfig {
	return Notify{
		ID: o.id().Text, Name: o.name(),
		Include: o.names("include"), Exclude: o.names("exclude"), Message: o.text("message", false),
	}
}

// names reads the names of services, which may be numbers.
func (o *options) names(key string) []string {
	var names []string
	o.each(key, func(n node) error {
		v, err := n.plain()
		if err != nil {
			return err
		}
		if v == nil {
			return n.errorf("has no value: give one or remove it")
		}
		name, err := notify.ParseNames(v)
		if err != nil {
			return n.wrap(err)
		}
		names = append(names, name...)
		return nil
	})
	return names
}
