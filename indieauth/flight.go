package indieauth

import (
	"context"
	"slices"
	"sync"
	"time"
)

// maxKept bounds how many pages are remembered.
const maxKept = 256

// pageKey tells fetches apart. The reach belongs to it: what somebody in the
// local network was shown must not answer somebody outside.
type pageKey struct {
	clientID string
	reach    reach
}

// pages runs one fetch at a time for a key and remembers results for a while.
// The zero value is ready for use.
type pages struct {
	mu      sync.Mutex
	running map[pageKey]*flight
	kept    map[pageKey]keptPage
}

type flight struct {
	done    chan struct{} // closed when uris and err are set
	uris    []string
	err     error
	waiters int
	cancel  context.CancelFunc
}

type keptPage struct {
	uris  []string
	until time.Time
}

// get returns a remembered result, joins the fetch that is under way, or
// starts one. A fetch outlives the caller that started it as long as others
// wait for it, and is cancelled when nobody does. Failures are not remembered.
func (p *pages) get(ctx context.Context, key pageKey, keep time.Duration, fetch func(context.Context) ([]string, error)) ([]string, error) {
	p.mu.Lock()
	if kept, ok := p.kept[key]; ok && time.Now().Before(kept.until) {
		p.mu.Unlock()
		return slices.Clone(kept.uris), nil
	}
	f, ok := p.running[key]
	if !ok {
		f = p.start(ctx, key, keep, fetch)
	}
	f.waiters++
	p.mu.Unlock()

	select {
	case <-f.done:
		return slices.Clone(f.uris), f.err
	case <-ctx.Done():
		p.leave(key, f)
		return nil, context.Cause(ctx)
	}
}

// start needs p.mu.
func (p *pages) start(ctx context.Context, key pageKey, keep time.Duration, fetch func(context.Context) ([]string, error)) *flight {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{done: make(chan struct{}), cancel: cancel}
	if p.running == nil {
		p.running = map[pageKey]*flight{}
	}
	p.running[key] = f
	go func() {
		defer cancel()
		f.uris, f.err = fetch(ctx)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.forget(key, f)
		if f.err == nil && keep > 0 {
			p.remember(key, keptPage{uris: f.uris, until: time.Now().Add(keep)})
		}
		close(f.done)
	}()
	return f
}

func (p *pages) leave(key pageKey, f *flight) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.waiters--; f.waiters == 0 {
		// Nobody may join a fetch that is being cancelled.
		p.forget(key, f)
		f.cancel()
	}
}

// forget needs p.mu. It leaves alone a fetch that took the place of f.
func (p *pages) forget(key pageKey, f *flight) {
	if p.running[key] == f {
		delete(p.running, key)
	}
}

// remember needs p.mu. When there is no room, what is out of date goes, or
// else what would be first to be.
func (p *pages) remember(key pageKey, page keptPage) {
	if p.kept == nil {
		p.kept = map[pageKey]keptPage{}
	}
	if _, ok := p.kept[key]; !ok && len(p.kept) >= maxKept {
		p.makeRoom()
	}
	p.kept[key] = page
}

func (p *pages) makeRoom() {
	now := time.Now()
	var oldest pageKey
	var until time.Time
	for key, kept := range p.kept {
		if !now.Before(kept.until) {
			delete(p.kept, key)
		} else if until.IsZero() || kept.until.Before(until) {
			oldest, until = key, kept.until
		}
	}
	if len(p.kept) >= maxKept {
		delete(p.kept, oldest)
	}
}
