package latchkey

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// Event is something that happened to a user: user_added, user_updated or user_removed (websocket.md G-5).
type Event struct {
	Kind   ChangeKind
	UserID string
}

// watchers are the callbacks that wait for something to happen.
type watchers struct {
	mu     sync.Mutex
	next   int
	revoke map[string]map[int]func() // by refresh token id
	events map[int]func(Event)
}

// OnRevoke calls fn once when the refresh token with this id is removed in whatever way, on whichever node: revoked,
// expired, or gone with its user or its credentials. The id need not exist. fn must not block; stop takes it back and
// does no harm afterwards. OnRevoke panics if fn is nil, rather than whoever ends the token.
func (m *Manager) OnRevoke(tokenID string, fn func()) (stop func()) {
	if fn == nil {
		panic("latchkey: OnRevoke needs a function")
	}
	w := &m.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.revoke == nil {
		w.revoke = map[string]map[int]func(){}
	}
	if w.revoke[tokenID] == nil {
		w.revoke[tokenID] = map[int]func(){}
	}
	w.next++
	id := w.next
	w.revoke[tokenID][id] = fn
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.revoke[tokenID], id)
		if len(w.revoke[tokenID]) == 0 {
			delete(w.revoke, tokenID)
		}
	}
}

// OnEvent calls fn with every event, on whichever node it happened. fn must not block. OnEvent panics if fn is nil.
func (m *Manager) OnEvent(fn func(Event)) (stop func()) {
	if fn == nil {
		panic("latchkey: OnEvent needs a function")
	}
	w := &m.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.events == nil {
		w.events = map[int]func(Event){}
	}
	w.next++
	id := w.next
	w.events[id] = fn
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.events, id)
	}
}

// takeRevoked returns the callbacks of a token and forgets them.
func (w *watchers) takeRevoked(tokenID string) []func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	fns := slices.Collect(maps.Values(w.revoke[tokenID]))
	delete(w.revoke, tokenID)
	return fns
}

// waiting returns the ids of all tokens that somebody waits for.
func (w *watchers) waiting() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.revoke))
}

func (w *watchers) fire(e Event) {
	w.mu.Lock()
	fns := slices.Collect(maps.Values(w.events))
	w.mu.Unlock()
	for _, fn := range fns {
		fn(e)
	}
}

// changed drops what the changes outdate, and then tells who waits for them.
func (m *Manager) changed(changes []Change) {
	for _, c := range changes {
		switch c.Kind {
		case UserChanged:
			m.users.drop(c.ID)
		case TokenChanged, TokenRemoved:
			m.tokens.drop(c.ID)
		case GroupChanged:
			m.permissions.dropAll()
		case ChangesLost:
			m.users.dropAll()
			m.tokens.dropAll()
			m.permissions.dropAll()
		}
	}
	for _, c := range changes {
		switch c.Kind {
		case TokenRemoved:
			for _, fn := range m.watchers.takeRevoked(c.ID) {
				fn()
			}
		case EventUserAdded, EventUserUpdated, EventUserRemoved:
			m.watchers.fire(Event{Kind: c.Kind, UserID: c.ID})
		case ChangesLost:
			select {
			case m.lost <- struct{}{}: // the store must not be used from here
			default: // somebody is about to look
			}
		}
	}
}

// lookAgain is how long it takes until it is looked again for what is gone when that has failed.
const lookAgain = time.Second

// revokeUnheard tells of the ends that were not heard of, whenever changes are said to be lost.
func (m *Manager) revokeUnheard(ctx context.Context) {
	var again <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.lost:
		case <-again:
		}
		err := m.revokeMissing(ctx)
		if err == nil {
			again = nil
			continue
		}
		if again == nil && ctx.Err() == nil {
			m.log.Error("looking for revoked refresh tokens failed, and is tried again", "error", err)
		}
		again = time.After(lookAgain)
	}
}

// revokeMissing tells everybody who waits for the end of a token that is gone. It gives up when nothing can be found out.
func (m *Manager) revokeMissing(ctx context.Context) (failed error) {
	for _, id := range m.watchers.waiting() {
		_, err := m.store.RefreshToken(ctx, id)
		switch {
		case errors.Is(err, ErrNotFound):
			for _, fn := range m.watchers.takeRevoked(id) {
				fn()
			}
		case errors.Is(err, ErrUnavailable), ctx.Err() != nil:
			return err
		case err != nil:
			failed = err
		}
	}
	return failed
}
