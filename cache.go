package latchkey

import (
	"context"
	"sync"
	"sync/atomic"
)

// cache keeps values that were read from the store until they are dropped, or until others are asked for more often.
// Reading takes no lock. A value whose loading a drop overtook is given to its caller, but not kept: what a reader sees
// after a drop is never older than the drop.
type cache[V any] struct {
	entries sync.Map // string -> *entry[V]
	limit   int
	// trusted reports whether every change that others make is heard of; nil if always. While it is not, nothing that is
	// kept counts, and nothing is kept.
	trusted func() bool

	mu    sync.Mutex // held to write
	drops uint64     // counts drops
	clock []*entry[V]
	hand  int // where on the clock the next one is looked for that may go
}

// entry is a value that is kept.
type entry[V any] struct {
	key   string
	value V
	used  atomic.Bool // since the hand of the clock came by
	place int         // on the clock
}

func newCache[V any](limit int, trusted func() bool) *cache[V] {
	return &cache[V]{limit: limit, trusted: trusted}
}

// get returns the value of a key, asking load for it when it is not kept. What is returned is shared and must not be
// written to.
func (c *cache[V]) get(ctx context.Context, key string, load func(context.Context, string) (V, error)) (*V, error) {
	if c.trusted != nil && !c.trusted() {
		v, err := load(ctx, key)
		return &v, err
	}
	if kept, ok := c.entries.Load(key); ok {
		e := kept.(*entry[V])
		if !e.used.Load() { // so that what everybody reads is rarely written
			e.used.Store(true)
		}
		return &e.value, nil
	}
	c.mu.Lock()
	before := c.drops
	c.mu.Unlock()
	v, err := load(ctx, key)
	if err != nil {
		return nil, err
	}
	e := &entry[V]{key: key, value: v}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drops == before {
		c.keep(e)
	}
	return &e.value, nil
}

// keep stores an entry and, when there is no room, lets go of one that nobody asked for since the hand came by last. The
// caller holds mu.
func (c *cache[V]) keep(e *entry[V]) {
	c.remove(e.key)
	if len(c.clock) < c.limit {
		e.place = len(c.clock)
		c.clock = append(c.clock, e)
	} else if c.limit > 0 {
		for c.clock[c.hand].used.Swap(false) {
			c.hand = (c.hand + 1) % c.limit
		}
		c.entries.Delete(c.clock[c.hand].key)
		e.place, c.clock[c.hand] = c.hand, e
		c.hand = (c.hand + 1) % c.limit
	} else {
		return
	}
	c.entries.Store(e.key, e)
}

// remove forgets a key, whose place the last one on the clock takes. The caller holds mu.
func (c *cache[V]) remove(key string) {
	gone, had := c.entries.LoadAndDelete(key)
	if !had {
		return
	}
	place, end := gone.(*entry[V]).place, len(c.clock)-1
	last := c.clock[end]
	last.place, c.clock[place] = place, last
	c.clock[end] = nil
	c.clock = c.clock[:end]
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
	c.clock, c.hand = nil, 0
}
