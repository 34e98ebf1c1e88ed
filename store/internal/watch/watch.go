// Package watch tells the watchers of a store what has changed, in order and one change at a time.
package watch

import (
	"slices"
	"sync"

	"github.com/seed-6a977b3d/latchkey"
)

// List is those who watch a store. The zero value is ready for use.
type List struct {
	mu   sync.Mutex
	next int
	fns  map[int]func([]latchkey.Change)
}

// Watch is the method of a [latchkey.Store].
func (l *List) Watch(fn func([]latchkey.Change)) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fns == nil {
		l.fns = map[int]func([]latchkey.Change){}
	}
	l.next++
	id := l.next
	l.fns[id] = fn
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.fns, id)
	}
}

// Tell tells everybody what has changed. Each gets a list of their own.
func (l *List) Tell(changes []latchkey.Change) {
	_ = l.TellAfter(func() error { return nil }, changes) // which does not fail
}

// TellAfter does what makes the changes, and tells of them unless that fails. Nothing else is told in between, so that
// changes are told in the order in which they are made.
func (l *List) TellAfter(do func() error, changes []latchkey.Change) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := do(); err != nil || len(changes) == 0 {
		return err
	}
	for _, fn := range l.fns {
		fn(slices.Clone(changes))
	}
	return nil
}
