package config

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/mfa/notify"
)

// section is a part of the file that is more than one setting.
type section struct {
	key  string
	read func(c *Config, n node) error
}

// The keys of sections. That of http is with its own keys.
const (
	homeAssistantKey = "homeassistant"
	notifyKey        = "notify"
)

// The keys of the section homeassistant that count here. People paste theirs as it is, so that the others are let be.
const (
	providersKey = "auth_providers"
	modulesKey   = "auth_mfa_modules"
)

func sections() []section {
	return []section{
		{homeAssistantKey, readHomeAssistantSection},
		{httpKey, readHTTP},
		{notifyKey, readNotify},
	}
}

func sectionReader(key string) func(*Config, node) error {
	for _, s := range sections() {
		if s.key == key {
			return s.read
		}
	}
	return nil
}

func sectionKeys() []string {
	var names []string
	for _, s := range sections() {
		names = append(names, s.key)
	}
	return names
}

// readHomeAssistantSection reads the section as it stands in a configuration of Home Assistant (manager.md §1).
func readHomeAssistantSection(c *Config, n node) error {
	n, err := n.resolve()
	if err != nil {
		return err
	}
	entries, err := n.entries()
	if err != nil {
		return err
	}
	for _, e := range entries {
		c.note(homeAssistantKey, e)
		switch e.key {
		case providersKey:
			if c.AuthProviders, err = readProviders(e); err != nil {
				return err
			}
		case modulesKey:
			if c.MFAModules, err = readModules(e); err != nil {
				return err
			}
		case "external_url", "internal_url":
			address, err := readURL(e)
			if err != nil {
				return err
			}
			c.URLs = append(c.URLs, address)
		case "<<":
			// What it brings in could be the providers, and would be lost without a word.
			return e.errorf("cannot be used here: write the keys themselves")
		}
	}
	return nil
}

func readProviders(n node) ([]ProviderConfig, error) {
	entries, err := n.list()
	if err != nil {
		return nil, err
	}
	found := []ProviderConfig{}
	seen := map[latchkey.ProviderKey]bool{}
	for _, e := range entries {
		o := newOptions(e, "type")
		kind, err := find(o, providerKinds(), "type", "auth provider")
		if err != nil {
			return nil, err
		}
		// The provider's reader asks for the id itself.
		key := latchkey.ProviderKey{Type: o.typ, ID: (&options{given: o.given}).id()}
		p := kind.read(o)
		if err := o.done(); err != nil {
			return nil, err
		}
		if seen[key] {
			return nil, e.errorf("%s", duplicate("auth provider", o.typ))
		}
		seen[key] = true
		if err := o.try(func(with Parts) (any, error) { return p.Build(with) }); err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	return found, nil
}

func readModules(n node) ([]ModuleConfig, error) {
	entries, err := n.list()
	if err != nil {
		return nil, err
	}
	found := []ModuleConfig{}
	seen := map[string]bool{}
	for _, e := range entries {
		o := newOptions(e, "type")
		kind, err := find(o, moduleKinds(), "type", "mfa module")
		if err != nil {
			return nil, err
		}
		id := o.typ
		if given := (&options{given: o.given}).id(); given.Valid {
			id = given.Text
		}
		m := kind.read(o)
		if err := o.done(); err != nil {
			return nil, err
		}
		if seen[id] {
			return nil, e.errorf("%s", duplicate("mfa module", o.typ))
		}
		seen[id] = true
		if err := o.try(func(with Parts) (any, error) { return m.Build(with) }); err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	return found, nil
}

func duplicate(what, typ string) string {
	return fmt.Sprintf("Duplicate %s %s found. Please add unique IDs if you want to have the same %s twice", what, typ, what)
}

// kind is one kind of thing that can stand in a list of the file. T is its configuration.
type kind[T any] struct {
	typ string
	// read takes the options of an entry. A kind without it is for testing only, and is not to be had from a file.
	read func(o *options) T
}

// find returns the kind that an entry names, with the texts of manager.md §1 and providers.md §2.
func find[T any](o *options, kinds []kind[T], key, what string) (kind[T], error) {
	if o.err != nil {
		return kind[T]{}, o.err
	}
	n, _ := o.take(key)
	o.asked = []string{key}
	var names []string
	for _, k := range kinds {
		switch {
		case k.typ == o.typ && k.read == nil:
			return k, n.errorf("The %s %s is for testing only.", k.typ, what)
		case k.typ == o.typ:
			return k, nil
		case k.read != nil:
			names = append(names, k.typ)
		}
	}
	text := fmt.Sprintf("Unable to load %s %s: there is none of this type; there are %s", what, o.typ, strings.Join(names, ", "))
	return kind[T]{}, n.wrap(errors.New(text))
}

// try makes what an entry describes once, without a store, to find with its place what only the maker knows to be
// wrong. Its word may show the values that it was given.
func (o *options) try(build func(Parts) (any, error)) error {
	made, err := build(Parts{Store: absent{}, Notifier: notify.Senders{}, Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		closeAll([]any{made})
		return nil
	}
	if o.secret != "" {
		return o.at.errorf("%s cannot be set up with the value of %s", o.typ, o.secret)
	}
	return o.at.wrap(err)
}

// errNothing is a place in a list of the configuration that was left empty.
var errNothing = errors.New("nothing is configured in this place: remove it or fill it")
