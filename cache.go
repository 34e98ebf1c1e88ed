package latchkey

import (
	"context"
	"sync"
	"sync/atomic"
)

// cache keeps values that were read from the store until they are dropped. Reading takes no lock. A value whose
// loading a drop overtook is given to its caller, but not kept: what a reader sees after a drop is never older than
// the drop.
type cache[V any] struct {
	entries sync.Map // string -> *V
	size    atomic.Int64
	limit   int64
	// trusted reports whether every change that others make is heard of; nil if always. While it is not, nothing that is
	// kept counts, and nothing is kept.
	trusted func() bool

	mu    sync.Mutex // held to write
	drops uint64     // counts drops, under mu
}

func newCache[V any](limit int, trusted func() bool) *cache[V] {
	return &cache[V]{limit: int64(limit), trusted: trusted}
}

// get returns the value of a key, asking load for it when it is not kept. What is returned is shared and must not be
// written to.
func (c *cache[V]) get(ctx context.Context, key string, load func(context.Context, string) (V, error)) (*V, error) {
	if c.trusted != nil && !c.trusted() {
		v, err := load(ctx, key)
		return &v, err
	}
	if v, ok := c.entries.Load(key); ok {
		return v.(*V), nil
	}
	c.mu.Lock()
	before := c.drops
	c.mu.Unlock()
	v, err := load(ctx, key)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drops == before {
		c.keep(key, &v)
	}
	return &v, nil
}

// keep stores a value and, when there are too many, lets go of some other one. The caller holds mu.
func (c *cache[V]) keep(key string, v *V) {
	if _, had := c.entries.Swap(key, v); had {
		return
	}
	if c.size.Add(1) <= c.limit {
		return
	}
	c.entries.Range(func(k, _ any) bool { // in no particular order, which is as good as any for even use
		if k != key {
			c.remove(k)
			return false
		}
		return true
	})
}

func (c *cache[V]) remove(key any) {
	if _, had := c.entries.LoadAndDelete(key); had {
		c.size.Add(-1)
	}
}

// drop forgets one key.
func (c *cache[V]) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops++
	c.remove(key)
}

// dropAll forgets everything.
func (c *cache[V]) dropAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops++
	c.entries.Clear()
	c.size.Store(0)
}
