package config

import (
	"fmt"
	"maps"
	"net/netip"
	"strings"

	"github.com/seed-6a977b3d/latchkey/server/ban"
)

// Setting is one setting that is in force, for people to read. It shows no secret.
type Setting struct {
	// Key is how the file calls it, with the section before it.
	Key   string `json:"key"`
	Value string `json:"value"`
	// From is where it was set: a file with the line, a variable of the environment or a flag; else [FromDefault].
	From string `json:"from"`
}

// FromDefault is where a setting comes from that nobody has set.
const FromDefault = "default"

// Note writes down who has set a setting, for [Summary].
func (c *Config) Note(key, from string) {
	c.Origins = maps.Clone(c.Origins) // configurations are copied
	if c.Origins == nil {
		c.Origins = map[string]string{}
	}
	c.Origins[key] = from
}

// note writes down the place of a value in a file.
func (c *Config) note(section string, n node) {
	key := n.key
	if section != "" {
		key = section + "." + n.key
	}
	c.Note(key, n.place())
}

func (n node) place() string { return fmt.Sprintf("%s:%d", n.file, n.line) }

// Summary returns what is in force: the settings, and what was made of them.
func Summary(c Config, r *Running) []Setting {
	var providers, modules, services []string
	for _, p := range r.Manager.Providers() {
		providers = append(providers, p.Key().String())
	}
	for _, m := range r.Manager.Modules() {
		modules = append(modules, m.ID())
	}
	for _, s := range c.Notify {
		services = append(services, s.Name)
	}
	origins := listed(c.HTTP.CORSAllowedOrigins)
	if c.HTTP.CORSAllowedOrigins == nil {
		origins = "as in Home Assistant"
	}
	threshold := fmt.Sprint(c.HTTP.LoginAttemptsThreshold)
	if c.HTTP.LoginAttemptsThreshold == ban.Never {
		threshold = "never"
	}
	entries := "100000"
	if c.CacheEntries > 0 {
		entries = fmt.Sprint(c.CacheEntries)
	}
	all := []Setting{
		{Key: Listen, Value: c.Listen},
		{Key: Store, Value: c.Store.String()},
		{Key: sealKey, Value: c.sealKeyPlace()},
		{Key: LogFormatKey, Value: string(c.LogFormat)},
		{Key: LogLevelKey, Value: strings.ToLower(c.LogLevel.String())},
		{Key: Registries, Value: orNone(c.registriesFolder())},
		{Key: CacheEntries, Value: entries},
		{Key: homeAssistantKey + "." + providersKey, Value: listed(providers)},
		{Key: homeAssistantKey + "." + modulesKey, Value: listed(modules)},
		{Key: homeAssistantKey + ".external_url, internal_url", Value: listed(c.URLs), From: c.first(
			homeAssistantKey+".external_url", homeAssistantKey+".internal_url")},
		{Key: httpKey + "." + keyProxies, Value: listed(prefixes(c.HTTP.TrustedProxies))},
		{Key: httpKey + "." + keyBans, Value: fmt.Sprint(!c.HTTP.BansOff)},
		{Key: httpKey + "." + keyThreshold, Value: threshold},
		{Key: "ban file", Value: c.banPlace()},
		{Key: httpKey + "." + keyOrigins, Value: origins},
		{Key: notifyKey, Value: listed(services)},
	}
	for i := range all {
		if all[i].From == "" {
			all[i].From = c.first(all[i].Key)
		}
	}
	return all
}

// first is where the first of these keys that somebody has set comes from.
func (c Config) first(keys ...string) string {
	for _, key := range keys {
		if from, ok := c.Origins[key]; ok {
			return from
		}
	}
	return FromDefault
}

// sealKeyPlace says where the key is that seals the secrets, and never what it is.
func (c Config) sealKeyPlace() string {
	switch {
	case c.SealKey != "":
		return "given"
	case c.Store.HasBans():
		return "missing"
	case c.Store.Scheme == SchemeHass && !c.Store.Follow:
		return "none, as in Home Assistant's own files"
	}
	return "the key file beside the database"
}

// banPlace is where banned addresses are listed.
func (c Config) banPlace() string {
	if c.Store.HasBans() {
		return "none: the store keeps the list"
	}
	return listed(c.BanFiles())
}

func prefixes(networks []netip.Prefix) []string {
	var texts []string
	for _, n := range networks {
		texts = append(texts, n.String())
	}
	return texts
}

func listed(texts []string) string { return orNone(strings.Join(texts, ", ")) }

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
