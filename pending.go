package latchkey

import (
	"container/list"
	"context"
	"encoding/json"
	"sync"
	"time"
)

// LoginLifetime is how long an unfinished flow is kept (http-auth.md L-4).
const LoginLifetime = 15 * time.Minute

// PendingStore keeps what is under way: unfinished flows and unused authorization codes, each for a while. The values
// are plain data, so that one node's can be another node's.
type PendingStore interface {
	// Put keeps a new value, at revision 0, for a lifetime from now on. It is [ErrExists] for a key whose value has not
	// ended.
	Put(ctx context.Context, key string, value []byte, lifetime time.Duration) error
	// Get returns a value and its revision, or [ErrNotFound].
	Get(ctx context.Context, key string) (value []byte, revision int64, err error)
	// Replace changes a value that still has this revision, and counts the revision up. It is [ErrConflict] when it has
	// another, and [ErrNotFound] when it is gone. The new value lasts for a lifetime from now on; zero leaves its end
	// where it was.
	Replace(ctx context.Context, key string, revision int64, value []byte, lifetime time.Duration) error
	// Remove forgets a value that still has this revision, with the errors of Replace.
	Remove(ctx context.Context, key string, revision int64) error
	// Take returns a value and forgets it; of several callers one gets it and the others get [ErrNotFound].
	Take(ctx context.Context, key string) (value []byte, err error)
}

// pending keeps values of the domain in a PendingStore.
type pending struct{ PendingStore }

func (p pending) put(ctx context.Context, key string, v any, lifetime time.Duration) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return p.Put(ctx, key, b, lifetime)
}

// maxPending bounds how many values one node keeps. Beyond that the oldest goes.
const maxPending = 10_000

// MemoryPending keeps what is under way in memory: enough for one node. A restart forgets it.
type MemoryPending struct {
	mu      sync.Mutex
	entries map[string]*list.Element
	order   *list.List // of *pendingEntry, oldest first
}

type pendingEntry struct {
	key      string
	value    []byte
	revision int64
	ends     time.Time
}

// NewMemoryPending returns an empty MemoryPending.
func NewMemoryPending() *MemoryPending {
	return &MemoryPending{entries: map[string]*list.Element{}, order: list.New()}
}

// Put implements [PendingStore]. It lets go of the oldest values that have ended, and of the oldest beyond a bound.
func (s *MemoryPending) Put(_ context.Context, key string, value []byte, lifetime time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.entry(key); err == nil {
		return ErrExists
	}
	now := time.Now()
	for e := s.order.Front(); e != nil; e = s.order.Front() {
		oldest := e.Value.(*pendingEntry)
		if now.Before(oldest.ends) && s.order.Len() < maxPending {
			break
		}
		s.remove(oldest.key)
	}
	s.remove(key)
	s.entries[key] = s.order.PushBack(&pendingEntry{key: key, value: value, ends: now.Add(lifetime)})
	return nil
}

// Get implements [PendingStore].
func (s *MemoryPending) Get(_ context.Context, key string) ([]byte, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.entry(key)
	if err != nil {
		return nil, 0, err
	}
	return e.value, e.revision, nil
}

// Replace implements [PendingStore].
func (s *MemoryPending) Replace(
	_ context.Context, key string, revision int64, value []byte, lifetime time.Duration,
) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.entryAt(key, revision)
	if err != nil {
		return err
	}
	e.value = value
	e.revision++
	if lifetime > 0 {
		e.ends = time.Now().Add(lifetime)
		s.order.MoveToBack(s.entries[key])
	}
	return nil
}

// Remove implements [PendingStore].
func (s *MemoryPending) Remove(_ context.Context, key string, revision int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.entryAt(key, revision); err != nil {
		return err
	}
	s.remove(key)
	return nil
}

// Take implements [PendingStore].
func (s *MemoryPending) Take(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.entry(key)
	if err != nil {
		return nil, err
	}
	s.remove(key)
	return e.value, nil
}

// entry returns the entry of a key that has not ended. The caller holds mu, here and below.
func (s *MemoryPending) entry(key string) (*pendingEntry, error) {
	element, ok := s.entries[key]
	if !ok {
		return nil, ErrNotFound
	}
	e := element.Value.(*pendingEntry)
	if !time.Now().Before(e.ends) {
		return nil, ErrNotFound
	}
	return e, nil
}

func (s *MemoryPending) entryAt(key string, revision int64) (*pendingEntry, error) {
	e, err := s.entry(key)
	if err == nil && e.revision != revision {
		return nil, ErrConflict
	}
	return e, err
}

func (s *MemoryPending) remove(key string) {
	if e, ok := s.entries[key]; ok {
		s.order.Remove(e)
		delete(s.entries, key)
	}
}
