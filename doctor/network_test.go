package doctor_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/doctor"
	"github.com/seed-6a977b3d/latchkey/server/ban"
)

func networks(texts ...string) []netip.Prefix {
	var found []netip.Prefix
	for _, text := range texts {
		found = append(found, netip.MustParsePrefix(text))
	}
	return found
}

func TestWhatIsSaidOfTheNetwork(t *testing.T) {
	for name, test := range map[string]struct {
		set  func(*config.Config)
		s    doctor.Severity
		says string
	}{
		"this machine":       {func(*config.Config) {}, doctor.OK, "from this machine alone"},
		"this machine, IPv6": {func(c *config.Config) { c.Listen = "[::1]:8123" }, doctor.OK, "from this machine alone"},
		"by its name":        {func(c *config.Config) { c.Listen = "localhost:8123" }, doctor.OK, "from this machine alone"},
		"by another name":    {func(c *config.Config) { c.Listen = "house:8123" }, doctor.Note, "house:8123 can be reached from the home network"},
		"by a name of none":  {func(c *config.Config) { c.Listen = "nope:8123" }, doctor.Error, `nope:8123 cannot be listened on: "nope" is no address, and no name`},
		"elsewhere":          {func(c *config.Config) { c.Listen = "192.168.1.99:8123" }, doctor.Warning, "192.168.1.99 is no address of this machine now"},
		"at home":            {func(c *config.Config) { c.Listen = ":8123" }, doctor.Note, "from the home network"},
		"no address":         {func(c *config.Config) { c.Listen = "8123" }, doctor.Error, "no address to listen on"},
		"public":             {func(c *config.Config) { c.Listen = "203.0.113.9:80" }, doctor.Warning, "from the internet at 203.0.113.9"},
		"public, IPv6":       {func(c *config.Config) { c.Listen = "[2001:db8::1]:80" }, doctor.Warning, "from the internet"},
		"behind a provider":  {func(c *config.Config) { c.Listen = "100.64.0.1:80" }, doctor.Note, "from the home network"},
		"proxies that do not count": {func(c *config.Config) { c.HTTP.IgnoredProxies = networks("10.0.0.2/32") },
			doctor.Warning, "trusted_proxies lists 10.0.0.2/32, but use_x_forwarded_for is false"},
		"everybody a proxy": {func(c *config.Config) { c.HTTP.TrustedProxies = networks("::/0") },
			doctor.Error, "anybody may claim to be anywhere"},
		"many proxies": {func(c *config.Config) { c.HTTP.TrustedProxies = networks("127.0.0.0/6") },
			doctor.Warning, "whoever is in there may claim"},
		"a public network of proxies": {func(c *config.Config) { c.HTTP.TrustedProxies = networks("203.0.113.0/24") },
			doctor.Warning, "whoever is in there may claim"},
		"a proxy that cannot come": {func(c *config.Config) { c.HTTP.TrustedProxies = networks("10.0.0.2/32") },
			doctor.Warning, "the proxy 10.0.0.2/32 cannot reach 127.0.0.1:8123"},
		"a proxy here": {func(c *config.Config) {
			c.HTTP.TrustedProxies, c.URLs = networks("127.0.0.1/32", "::1/128"), []string{"https://house.example"}
		}, doctor.OK, "from this machine alone"},
		"https without a proxy": {func(c *config.Config) { c.URLs = []string{"https://house.example"} },
			doctor.Warning, "people come by https://house.example, so that a proxy has to be in front"},
		"http from anywhere": {func(c *config.Config) { c.URLs = []string{"http://house.example:8123"} },
			doctor.Warning, "passwords travel for everybody to read"},
		"another port": {func(c *config.Config) { c.URLs = []string{"http://house.local:8124"} },
			doctor.Warning, "people come by http://house.local:8124, and 127.0.0.1:8123 is another port"},
		"no port": {func(c *config.Config) { c.URLs = []string{"http://house"} }, doctor.Warning, "is another port"},
		"another address": {func(c *config.Config) { c.Listen, c.URLs = "192.168.1.10:8123", []string{"http://192.168.1.11:8123"} },
			doctor.Warning, "is another address"},
		"the address itself": {func(c *config.Config) { c.URLs = []string{"http://127.0.0.1:8123"} }, doctor.OK, "alone"},
	} {
		t.Run(name, func(t *testing.T) {
			c, o := healthy(t)
			test.set(&c)
			o.LookUp = func(_ context.Context, name string) ([]netip.Addr, error) {
				if name != "house" {
					return nil, errors.New("no such host")
				}
				return []netip.Addr{netip.MustParseAddr("fe80::1"), netip.MustParseAddr("192.168.1.10")}, nil
			}
			findings := doctor.Examine(t.Context(), c, o)
			expect(t, findings, doctor.Network, test.s, test.says)
			others := slices.DeleteFunc(findings, func(f doctor.Finding) bool { return f.Part != doctor.Network })
			if test.s == doctor.OK && len(others) > 1 {
				t.Error(about(findings, doctor.Network))
			}
		})
	}
	c, o := healthy(t)
	c.Listen = ":8123"
	o.Addresses = func() ([]netip.Addr, error) { return nil, errors.New("unknown") }
	expect(t, doctor.Examine(t.Context(), c, o), doctor.Network, doctor.Warning, "are not known")
	o.Addresses = nil
	if doctor.Worst(doctor.Examine(t.Context(), c, o)) == doctor.Error {
		t.Error("with the addresses of this machine there is an error")
	}
}

func TestWhatIsSaidOfTheSignIn(t *testing.T) {
	for name, test := range map[string]struct {
		set  func(*config.Config)
		s    doctor.Severity
		says string
	}{
		"no way": {func(c *config.Config) { c.AuthProviders = nil }, doctor.Error, "there is no way to sign in"},
		"everybody without a password": {func(c *config.Config) {
			c.AuthProviders = []config.ProviderConfig{config.TrustedNetworks{Networks: networks("192.168.0.0/16", "0.0.0.0/0")}}
		}, doctor.Error, "trusted_networks lets people in 0.0.0.0/0 sign in without a password"},
		"a network at home": {func(c *config.Config) {
			c.AuthProviders = []config.ProviderConfig{config.TrustedNetworks{Networks: networks("192.168.0.0/16")}}
		}, doctor.OK, "1 way"},
		"a command that is not there": {func(c *config.Config) {
			c.AuthProviders = []config.ProviderConfig{config.CommandLine{Command: "/nowhere/ask"}}
		}, doctor.Error, "command_line: "},
		"one password for all": {func(c *config.Config) {
			c.AuthProviders = []config.ProviderConfig{config.LegacyAPIPassword{Password: "x"}}
		}, doctor.Note, "legacy_api_password lets everybody in"},
		"codes that nobody sends": {func(c *config.Config) {
			c.MFAModules = []config.ModuleConfig{config.Notify{}}
		}, doctor.Warning, "has no service to send codes by"},
	} {
		t.Run(name, func(t *testing.T) {
			c, o := healthy(t)
			test.set(&c)
			expect(t, doctor.Examine(t.Context(), c, o), doctor.SignIn, test.s, test.says)
		})
	}
}

func TestWhatIsSaidOfBans(t *testing.T) {
	const one = "203.0.113.9:\n  banned_at: '2024-01-05T10:11:12+00:00'\n"
	for name, test := range map[string]struct {
		file string
		set  func(*config.Config)
		s    doctor.Severity
		says string
	}{
		"none":        {"", nil, doctor.OK, "no address is banned, and failed logins add none"},
		"one":         {one, nil, doctor.OK, "1 address banned, in "},
		"an odd one":  {one + "203.0.113:\n  banned_at: x\n", nil, doctor.Warning, "ip_bans.yaml:3: the entry bans nobody"},
		"unreadable":  {"{", nil, doctor.Error, "is not readable, so nobody is banned"},
		"turned off":  {one, func(c *config.Config) { c.HTTP.BansOff = true }, doctor.Note, "ip_ban_enabled is false"},
		"of a proxy":  {one, func(c *config.Config) { c.HTTP.TrustedProxies = networks("203.0.113.9/32") }, doctor.Note, "has no effect"},
		"of failures": {"", func(c *config.Config) { c.HTTP.LoginAttemptsThreshold = 3 }, doctor.OK, "no address is banned"},
	} {
		t.Run(name, func(t *testing.T) {
			c, o := healthy(t)
			if test.file != "" {
				path := filepath.Join(filepath.Dir(c.Store.Path), ban.FileName)
				if err := os.WriteFile(path, []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if test.set != nil {
				test.set(&c)
			}
			expect(t, doctor.Examine(t.Context(), c, o), doctor.Bans, test.s, test.says)
		})
	}
}
