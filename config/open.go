package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/mfa/notify"
	"github.com/seed-6a977b3d/latchkey/permission"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/registry"
)

// Running is what a configuration describes, open and at work.
type Running struct {
	Store latchkey.Store
	// Passwords manages usernames and passwords. It is there even if nobody can sign in by them.
	Passwords *homeassistant.Provider
	// Local is the same if it is among the manager's providers, or else nil.
	Local   *homeassistant.Provider
	Manager *latchkey.Manager
	// Pending keeps what is under way where all nodes find it; nil if there is one node, which keeps it in memory.
	Pending latchkey.PendingStore
	// Lookup finds devices and areas for policies; nil if there are no registries.
	Lookup permission.Lookup
	// parts are the providers and modules, some of which want to be closed.
	parts []any
}

// Open opens the store and makes the providers, the modules and the manager over it. The first failure ends it, and leaves
// nothing open (manager.md §1).
func Open(ctx context.Context, c Config, logger *slog.Logger) (*Running, error) {
	c.Logger = logger
	store, err := OpenStore(ctx, c)
	if err != nil {
		return nil, err
	}
	running, err := over(store, c, logger)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return running, nil
}

// Build makes everything that Open does, but over a house that nobody lives in: no store is opened, and nothing is
// written anywhere. It finds what is wrong with a configuration.
func Build(c Config, logger *slog.Logger) (*Running, error) {
	c.Logger = logger
	return over(absent{}, c, logger)
}

// absent stands in for a store where there is none. It holds nothing, and what is written to it is forgotten.
type absent struct{ latchkey.Store }

func (absent) OnboardingDone(context.Context) ([]string, error)      { return nil, nil }
func (absent) HasPeople(context.Context) (bool, error)               { return false, nil }
func (absent) NextExpiry(context.Context) (time.Time, error)         { return time.Time{}, nil }
func (absent) Update(context.Context, func(latchkey.Tx) error) error { return nil }
func (absent) Watch(func([]latchkey.Change)) (stop func())           { return func() {} }
func (absent) Close() error                                          { return nil }

// over makes what runs over an open store.
func over(store latchkey.Store, c Config, logger *slog.Logger) (_ *Running, err error) {
	r := &Running{Store: store}
	defer func() {
		if err != nil {
			closeAll(r.parts)
		}
	}()
	with := Parts{Store: store, TrustedProxies: c.HTTP.TrustedProxies, Logger: logger}
	if with.Notifier, err = senders(c.Notify); err != nil {
		return nil, err
	}
	o := latchkey.Options{Logger: logger, CacheEntries: c.CacheEntries}
	for i, p := range c.AuthProviders {
		if p == nil {
			return nil, fmt.Errorf("%s, entry %d: %w", providersKey, i+1, errNothing)
		}
		made, err := p.Build(with)
		if err != nil {
			return nil, fmt.Errorf("%s, entry %d: %w", providersKey, i+1, err)
		}
		if passwords, ok := made.(*homeassistant.Provider); ok && r.Local == nil {
			r.Local = passwords
		}
		o.Providers, r.parts = append(o.Providers, made), append(r.parts, made)
	}
	for i, m := range c.MFAModules {
		if m == nil {
			return nil, fmt.Errorf("%s, entry %d: %w", modulesKey, i+1, errNothing)
		}
		made, err := m.Build(with)
		if err != nil {
			return nil, fmt.Errorf("%s, entry %d: %w", modulesKey, i+1, err)
		}
		o.Modules, r.parts = append(o.Modules, made), append(r.parts, made)
	}
	if r.Passwords = r.Local; r.Passwords == nil {
		if r.Passwords, err = homeassistant.New(store, homeassistant.Options{}); err != nil {
			return nil, err
		}
	}
	if shared, ok := store.(interface{ Pending() latchkey.PendingStore }); ok {
		r.Pending = shared.Pending()
		o.Pending = r.Pending
	}
	if r.Lookup, err = registries(c, logger); err != nil {
		return nil, err
	}
	o.Lookup = r.Lookup
	if r.Manager, err = latchkey.New(store, o); err != nil {
		return nil, err
	}
	return r, nil
}

// registriesFolder is where devices and areas are looked up; empty if nowhere.
func (c Config) registriesFolder() string {
	if c.Registries == "" && c.Store.Scheme == SchemeHass {
		return c.Store.Path
	}
	return c.Registries
}

// registries opens where policies look up devices and areas.
func registries(c Config, logger *slog.Logger) (permission.Lookup, error) {
	folder := c.registriesFolder()
	if folder == "" {
		return nil, nil
	}
	if info, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) && c.Registries == "" {
		return nil, nil // the folder of a house that is not made yet
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", Registries, err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s: %s is no folder: name the .storage folder of Home Assistant", Registries, folder)
	}
	return registry.Open(folder, logger)
}

// senders makes the services that messages can be sent by.
func senders(services []NotifyService) (notify.Senders, error) {
	made := notify.Senders{}
	for i, s := range services {
		if s.By == nil || s.Name == "" {
			return nil, fmt.Errorf("notify, entry %d: %w", i+1, errNothing)
		}
		if made[s.Name] != nil {
			return nil, fmt.Errorf("notify, entry %d: two services have the name %s", i+1, s.Name)
		}
		sender, err := s.By.Build()
		if err != nil {
			return nil, fmt.Errorf("notify, entry %d: %w", i+1, err)
		}
		made[s.Name] = sender
	}
	return made, nil
}

// closeAll closes what can be closed, the last first.
func closeAll(parts []any) {
	for _, p := range slices.Backward(parts) {
		if c, ok := p.(interface{ Close() }); ok {
			c.Close()
		}
	}
}

// Close ends the work of the manager, the providers and the modules, and closes the store.
func (r *Running) Close() error {
	r.Manager.Close()
	closeAll(r.parts)
	return r.Store.Close()
}
