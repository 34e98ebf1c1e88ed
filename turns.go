package latchkey

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/seed-6a977b3d/latchkey/flow"
)

// stepLease is how long others wait for a step of a dialogue that a node takes. One that takes longer counts as left behind by
// a node that is gone, and somebody else's answer is judged in its place.
const stepLease = 5 * time.Second

// takenMark stands before the id of a manager, a blank, and the state of a dialogue of which it takes a step.
const takenMark = "!"

// step takes one step of the dialogue under the key: fn is given its state and returns the next one, or false when the
// dialogue is over. Steps of one dialogue are taken one after another, on whatever nodes the answers arrive. Each has its
// turn before it is judged and not after: a code that works once would be spent for nothing if another answer came first. A
// dialogue that is gone is [flow.ErrUnknownFlow], and one whose answers all come at once may be [ErrConflict].
func (m *Manager) step(ctx context.Context, key string, fn func(state []byte) (next any, more bool, err error)) error {
	end, err := m.turns.take(ctx, key)
	if err != nil {
		return err
	}
	defer end()
	err = m.pending.stepOnce(ctx, m.turns.owner, key, fn)
	if errors.Is(err, ErrNotFound) {
		return flow.ErrUnknownFlow
	}
	return err
}

func (p pending) stepOnce(ctx context.Context, owner, key string, fn func([]byte) (any, bool, error)) error {
	state, revision, err := p.claim(ctx, owner, key)
	if err != nil {
		return err
	}
	next, more, err := fn(state)
	ctx = context.WithoutCancel(ctx) // what was judged stays judged although somebody hung up
	if err != nil {
		return errors.Join(err, p.Replace(ctx, key, revision, state, 0))
	}
	if !more {
		return p.Remove(ctx, key, revision)
	}
	value, err := json.Marshal(next)
	if err != nil {
		return err
	}
	return p.Replace(ctx, key, revision, value, 0)
}

// claim waits until no other node takes a step of the dialogue, and returns its state, which from then on is the owner's to
// replace. A mark of the owner's own was left behind when the outcome of a step could not be kept.
func (p pending) claim(ctx context.Context, owner, key string) (state []byte, revision int64, err error) {
	const (
		attempts    = 20 // at a claim that others are faster with
		longestWait = 50 * time.Millisecond
	)
	lost, seen, since := 0, int64(-1), time.Time{}
	for wait := time.Millisecond; ; wait = min(2*wait, longestWait) {
		value, revision, err := p.Get(ctx, key)
		if err != nil {
			return nil, 0, err
		}
		state, by := unmarked(value)
		if revision != seen { // the lease is that of one step, by the clock of whoever waits
			seen, since = revision, time.Now()
		}
		if by == "" || by == owner || time.Since(since) >= stepLease {
			err := p.Replace(ctx, key, revision, append([]byte(takenMark+owner+" "), state...), 0)
			if lost++; err == nil || !errors.Is(err, ErrConflict) || lost == attempts {
				return state, revision + 1, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// unmarked takes from a value the mark that says by whom a step is being taken, if there is one.
func unmarked(value []byte) (state []byte, by string) {
	marked, taken := bytes.CutPrefix(value, []byte(takenMark))
	if !taken {
		return value, ""
	}
	owner, state, _ := bytes.Cut(marked, []byte(" "))
	return state, string(owner)
}

// turns let one goroutine at a time go on about a key, so that on one node there is nothing to be waited for by asking again.
type turns struct {
	owner string // the id of whose turns these are
	mu    sync.Mutex
	keys  map[string]*queue
}

type queue struct {
	turn    chan struct{} // holds the turn when nobody has it
	waiting int           // and those whose turn it is
}

func newTurns() *turns { return &turns{owner: NewID(), keys: map[string]*queue{}} }

// take waits for the turn of the caller, who has to end it.
func (t *turns) take(ctx context.Context, key string) (end func(), err error) {
	t.mu.Lock()
	q := t.keys[key]
	if q == nil {
		q = &queue{turn: make(chan struct{}, 1)}
		q.turn <- struct{}{}
		t.keys[key] = q
	}
	q.waiting++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if q.waiting--; q.waiting == 0 {
			delete(t.keys, key)
		}
	}
	select {
	case <-q.turn:
		return func() { q.turn <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
