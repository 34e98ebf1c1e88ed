package config

import (
	"context"
	"errors"
	"log/slog"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
)

// Running is what a configuration describes, open and at work.
type Running struct {
	Store latchkey.Store
	// Passwords is the provider of usernames and passwords.
	Passwords *homeassistant.Provider
	Manager   *latchkey.Manager
}

// Open opens the store and makes the providers and the manager over it. The first failure ends it, and leaves nothing
// open (manager.md §1).
func Open(ctx context.Context, c Config, logger *slog.Logger) (*Running, error) {
	store, err := openStore(ctx, c)
	if err != nil {
		return nil, err
	}
	running, err := over(store, logger)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return running, nil
}

// over makes what runs over an open store.
func over(store latchkey.Store, logger *slog.Logger) (*Running, error) {
	passwords, err := homeassistant.New(store, homeassistant.Options{})
	if err != nil {
		return nil, err
	}
	manager, err := latchkey.New(store, latchkey.Options{
		Providers: []latchkey.Provider{passwords},
		Logger:    logger,
	})
	if err != nil {
		return nil, err
	}
	return &Running{Store: store, Passwords: passwords, Manager: manager}, nil
}

// Close ends the manager's work and closes the store.
func (r *Running) Close() error {
	r.Manager.Close()
	return r.Store.Close()
}
