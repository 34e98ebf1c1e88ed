package latchkey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/seed-6a977b3d/latchkey/permission"
)

// Version is the version of this program, which new refresh tokens carry.
const Version = "0.1.0"

// Options are what a [Manager] can be given beside its store. The zero value is a manager without providers.
type Options struct {
	// Providers in the order in which people may choose among them. No two may have the same key.
	Providers []Provider
	// Modules are the second factors, in the order in which people may choose. No two may have the same id.
	Modules []MFAModule
	// Pending keeps unfinished flows, unused authorization codes and counts of failures; nil keeps them in memory.
	Pending PendingStore
	// Lookup knows which device an entity belongs to and which area a device is in; nil if there are no such things.
	Lookup permission.Lookup
	// Logger gets what nobody is told; nil for slog.Default.
	Logger *slog.Logger
	// CacheEntries bounds how many users, and how many refresh tokens, are kept in memory; 100 000 if zero, and none if it is
	// negative. A token and its user take about one KiB.
	CacheEntries int
}

// Manager is the authentication layer: everything that can be done with users, tokens and logins. Its methods may be
// called from many goroutines. Make one with [New]: the zero value is of no use.
type Manager struct {
	store     Store
	pending   pending
	codes     pending
	tallies   tallies
	underWay  *underWay
	turns     *turns
	providers []Provider
	modules   []MFAModule
	lookup    permission.Lookup
	log       *slog.Logger

	tokens      *cache[signingToken]
	users       *cache[User]
	permissions *cache[*permission.Permissions] // by group ids

	watchers watchers
	lost     chan struct{}   // has room for one: changes were lost
	life     context.Context // ends with Close
	cancel   context.CancelFunc
	done     sync.WaitGroup
	unwatch  func()
}

// New returns a manager over the store. No store, and a provider or module that is nil, are refused, and so are two
// providers of one key and two modules of one id, with an error of kind [ErrValue] (manager.md §1). The manager removes
// refresh tokens that have ended; Close stops that. The store stays the caller's to close.
func New(store Store, o Options) (*Manager, error) {
	if store == nil {
		return nil, errors.New("latchkey: no store: open one, such as with sqlite.Open")
	}
	if err := checkParts(o); err != nil {
		return nil, err
	}
	entries := o.CacheEntries
	if entries == 0 {
		entries = 100_000
	}
	var trusted func() bool
	if far, ok := store.(FarStore); ok {
		trusted = far.Current
	}
	m := &Manager{
		store: store, pending: pending{o.Pending}, underWay: newUnderWay(), turns: newTurns(),
		providers: slices.Clone(o.Providers), modules: slices.Clone(o.Modules), lookup: o.Lookup, log: o.Logger, lost: make(chan struct{}, 1),
		tokens: newCache[signingToken](entries, trusted), users: newCache[User](entries, trusted),
		permissions: newCache[*permission.Permissions](entries, trusted),
	}
	m.codes, m.tallies = m.pending, tallies{m.pending}
	if o.Pending == nil {
		m.pending = pending{NewMemoryPending()}
		m.codes = pending{NewMemoryPending()}            // of its own: a flood of logins must not drive out those that are done
		m.tallies = tallies{pending{NewMemoryPending()}} // of its own: a flood of names must not drive out what is under way
	}
	if m.log == nil {
		m.log = slog.Default()
	}
	m.life, m.cancel = context.WithCancel(context.Background())
	m.unwatch = store.Watch(m.changed)
	m.done.Go(func() { m.removeExpired(m.life) })
	m.done.Go(func() { m.revokeUnheard(m.life) })
	return m, nil
}

// Close stops what the manager does by itself. It does not close the store.
func (m *Manager) Close() {
	m.cancel()
	m.unwatch()
	m.done.Wait()
}

// checkParts refuses what a manager cannot be made of. The texts name the second of two equal entries, as the check of Home
// Assistant's configuration does.
func checkParts(o Options) error {
	const advice = "Duplicate %s %s found. Please add unique IDs if you want to have the same %s twice"
	keys := map[ProviderKey]bool{}
	for i, p := range o.Providers {
		if p == nil {
			return fmt.Errorf("latchkey: provider %d is nil: leave it out, or look at the error of the function that made it", i+1)
		}
		if keys[p.Key()] {
			return refuse(ErrValue, advice, "auth provider", p.Key().Type, "auth provider")
		}
		keys[p.Key()] = true
	}
	ids := map[string]bool{}
	for i, mod := range o.Modules {
		if mod == nil {
			return fmt.Errorf("latchkey: module %d is nil: leave it out, or look at the error of the function that made it", i+1)
		}
		if ids[mod.ID()] {
			return refuse(ErrValue, advice, "mfa module", mod.ID(), "mfa module")
		}
		if mod.ID() == RecoveryModule {
			return refuse(ErrValue, "The mfa module id %s is that of recovery codes. Please give the module another one", RecoveryModule)
		}
		ids[mod.ID()] = true
	}
	return nil
}

// Providers returns the configured providers in order.
func (m *Manager) Providers() []Provider { return slices.Clone(m.providers) }

// Provider returns the provider with exactly this key.
func (m *Manager) Provider(key ProviderKey) (Provider, bool) {
	for _, p := range m.providers {
		if p.Key() == key {
			return p, true
		}
	}
	return nil, false
}

// ProvidersOfType returns all providers of a type in order; none is no error.
func (m *Manager) ProvidersOfType(providerType string) []Provider {
	var found []Provider
	for _, p := range m.providers {
		if p.Key().Type == providerType {
			found = append(found, p)
		}
	}
	return found
}

// Modules returns the configured second factors in order.
func (m *Manager) Modules() []MFAModule { return slices.Clone(m.modules) }

// Module returns the second factor with this id.
func (m *Manager) Module(id string) (MFAModule, bool) {
	for _, mod := range m.modules {
		if mod.ID() == id {
			return mod, true
		}
	}
	return nil, false
}

// Onboarded reports whether the first account was made: the step is marked as done, or there are people. An empty or
// unreadable list of users alone never says no (onboarding.md §5).
func (m *Manager) Onboarded(ctx context.Context) (bool, error) {
	done, err := m.store.OnboardingDone(ctx)
	if err != nil {
		return false, err
	}
	if slices.Contains(done, OnboardingUser) {
		return true, nil
	}
	return m.store.HasPeople(ctx)
}

// removeExpired removes the refresh tokens that have ended, when the next one ends and at least once an hour: another
// node may have shortened a life (manager.md §9).
func (m *Manager) removeExpired(ctx context.Context) {
	for {
		wait := time.Hour
		next, err := m.removeExpiredNow(ctx)
		if err != nil && ctx.Err() == nil {
			m.log.Error("removing expired refresh tokens failed; trying again in a minute", "error", err)
			wait = time.Minute
		} else if !next.IsZero() {
			if wait = min(wait, time.Until(next)); wait <= 0 {
				wait = sweepAgain // by another clock it has not ended yet
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// sweepAgain is when it is looked again what has become of expired tokens that another node is removing, or whose end has
// come by the clock of this node and not by that of the store.
const sweepAgain = time.Second

// removeExpiredNow removes what has ended and returns when the next token ends.
func (m *Manager) removeExpiredNow(ctx context.Context) (time.Time, error) {
	const batch = 100
	sweep := m.store.Update
	if swept, ok := m.store.(SweptStore); ok {
		sweep = swept.Sweep
	}
	for {
		ended, mine := 0, false
		err := sweep(ctx, func(tx Tx) error {
			mine = true
			tokens, err := tx.ExpiredRefreshTokens(ctx, time.Now(), batch)
			if err != nil {
				return err
			}
			for _, t := range tokens {
				if err := tx.DeleteRefreshToken(ctx, t.ID); err != nil {
					return err
				}
			}
			ended = len(tokens)
			return nil
		})
		switch {
		case err != nil:
			return time.Time{}, err
		case !mine:
			return time.Now().Add(sweepAgain), nil
		case ended < batch:
			return m.store.NextExpiry(ctx)
		}
	}
}
