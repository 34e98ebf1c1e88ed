// Package ban keeps out addresses from which too many failed logins came (http-auth.md §9). It counts what it is told,
// and knows no passwords, users or routes.
package ban

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// Never is the threshold at which nobody is ever banned, and nothing counted: that of who configures none.
const Never = -1

// Counter counts failures by key. [latchkey.FailureCounter] is one.
type Counter interface {
	// Add counts one more and returns how many there are in a row.
	Add(ctx context.Context, key string) (int, error)
	// Reset ends a row.
	Reset(ctx context.Context, key string) error
}

// Options are what a [Guard] is made of.
type Options struct {
	// Threshold is how many failed logins in a row ban an address; below 1 stands for [Never].
	Threshold int
	// Off lets everybody in, bans in the list or not (ip_ban_enabled: false).
	Off bool
	// List keeps the bans; nil for none that lasts.
	List List
	// Counter counts; nil counts in this process.
	Counter Counter
	// LookupAddr finds the names of an address, for the log; nil for the system's resolver.
	LookupAddr func(ctx context.Context, addr string) ([]string, error)
	Logger     *slog.Logger
}

// Guard decides who is let in. Its methods are called from many goroutines. Close ends it.
type Guard struct {
	options Options
	log     *slog.Logger
	known   atomic.Pointer[snapshot]
	reading sync.Mutex
	// naming bounds how many names are looked up at once.
	naming chan struct{}
	life   context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	ending sync.Mutex // between the last task that begins and the end of life
}

// snapshot is the list as it was.
type snapshot struct {
	bans map[netip.Addr]time.Time
	at   time.Time
}

const (
	// listFresh is how long the list is believed without asking again: how long it takes until a ban that was lifted, or
	// that another node made, counts here.
	listFresh = time.Second
	// nameWithin is how long the name of an address is waited for.
	nameWithin  = 2 * time.Second
	namesAtOnce = 4
)

// NewGuard returns a guard.
func NewGuard(o Options) *Guard {
	g := &Guard{options: o, log: o.Logger, naming: make(chan struct{}, namesAtOnce)}
	if g.log == nil {
		g.log = slog.Default()
	}
	if g.options.List == nil {
		g.options.List = &memory{bans: map[netip.Addr]time.Time{}}
	}
	if g.options.Counter == nil {
		g.options.Counter = latchkey.NewFailureCounter(latchkey.NewMemoryPending(), "bans")
	}
	if g.options.LookupAddr == nil {
		g.options.LookupAddr = net.DefaultResolver.LookupAddr
	}
	g.life, g.cancel = context.WithCancel(context.Background())
	return g
}

// Close waits for what is not logged yet. Requests that are still under way may go on failing.
func (g *Guard) Close() {
	g.ending.Lock()
	g.cancel()
	g.ending.Unlock()
	g.tasks.Wait()
}

// begin runs something that Close waits for, or reports that it is too late for that.
func (g *Guard) begin(task func()) bool {
	g.ending.Lock()
	defer g.ending.Unlock()
	if g.life.Err() != nil {
		return false
	}
	g.tasks.Go(task)
	return true
}

// List is where the bans are.
func (g *Guard) List() List { return g.options.List }

// Banned reports whether a request of this origin is refused. Nobody is kept out by an address that may be anybody's,
// not even when the list holds it (security.md W10).
func (g *Guard) Banned(ctx context.Context, from latchkey.Origin) bool {
	if g.options.Off || from.Shared() {
		return false
	}
	_, banned := g.bans(ctx)[from.Addr]
	return banned
}

// bans returns the list, asked for again when it is no longer fresh. While it cannot be read, the last one counts.
func (g *Guard) bans(ctx context.Context) map[netip.Addr]time.Time {
	known := g.known.Load()
	if known != nil && time.Since(known.at) < listFresh {
		return known.bans
	}
	if known == nil {
		g.reading.Lock()
	} else if !g.reading.TryLock() {
		return known.bans // somebody is asking
	}
	defer g.reading.Unlock()
	if k := g.known.Load(); k != known {
		return k.bans
	}
	return g.read(ctx)
}

// read asks for the list, for everybody: whoever hangs up meanwhile does not keep it from being read. The caller holds
// reading.
func (g *Guard) read(ctx context.Context) map[netip.Addr]time.Time {
	next := &snapshot{at: time.Now()}
	bans, err := g.options.List.Bans(context.WithoutCancel(ctx))
	if err != nil {
		g.log.Error("the list of banned addresses cannot be read", "error", err)
		if known := g.known.Load(); known != nil {
			bans = known.bans
		}
	}
	next.bans = bans
	g.known.Store(next)
	return bans
}

// Failed notes a failed login by a request, and bans the address when there were too many.
func (g *Guard) Failed(r *http.Request, from latchkey.Origin) {
	g.warn(r, from)
	if g.options.Threshold < 1 || g.options.Off || from.Shared() {
		return
	}
	ctx := context.WithoutCancel(r.Context()) // hanging up is no way out
	n, err := g.options.Counter.Add(ctx, from.Addr.String())
	if err != nil {
		g.log.Error("a failed login cannot be counted", "remote", from.Addr, "error", err)
		return
	}
	if n < g.options.Threshold {
		return
	}
	if err := g.options.List.Ban(ctx, from.Addr, time.Now()); err != nil {
		g.log.Error("an address cannot be banned", "remote", from.Addr, "error", err)
		return
	}
	g.log.Warn("banned for too many failed logins", "remote", from.Addr, "failures", n)
	g.Passed(ctx, from) // so that whoever is let in again has as many tries as anybody
	g.reading.Lock()
	defer g.reading.Unlock()
	g.read(ctx)
}

// Passed ends the row of failures of an address (http-auth.md B-2).
func (g *Guard) Passed(ctx context.Context, from latchkey.Origin) {
	if g.options.Threshold < 1 || g.options.Off || from.Shared() {
		return
	}
	if err := g.options.Counter.Reset(context.WithoutCancel(ctx), from.Addr.String()); err != nil {
		g.log.Error("failed logins cannot be forgotten", "remote", from.Addr, "error", err)
	}
}

// warn logs a failed login with the name of the address, if it has one (http-auth.md B-1). What stands in the query of
// the URL stays out: there may be a token in it.
func (g *Guard) warn(r *http.Request, from latchkey.Origin) {
	args := []any{"remote", from.Addr, "url", cut(r.URL.Path), "user_agent", cut(r.UserAgent())}
	select {
	case g.naming <- struct{}{}:
		named := func() {
			defer func() { <-g.naming }()
			g.log.Warn("failed login", append(args, g.nameOf(from.Addr)...)...)
		}
		if g.begin(named) {
			return
		}
		<-g.naming
	default:
	}
	g.log.Warn("failed login", args...)
}

// cut leaves enough of a text to recognise it: whoever fails is not to choose how long the log gets.
func cut(text string) string {
	const most = 256 // bytes
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// nameOf returns the name of an address for the log, or nothing.
func (g *Guard) nameOf(addr netip.Addr) []any {
	if !addr.IsValid() {
		return nil
	}
	ctx, cancel := context.WithTimeout(g.life, nameWithin)
	defer cancel()
	names, err := g.options.LookupAddr(ctx, addr.WithZone("").String())
	if err != nil || len(names) == 0 {
		return nil
	}
	return []any{"name", strings.TrimSuffix(names[0], ".")}
}

// memory is a list that ends with the process.
type memory struct {
	mu   sync.Mutex
	bans map[netip.Addr]time.Time
}

func (l *memory) Bans(context.Context) (map[netip.Addr]time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.bans), nil
}

func (l *memory) Ban(_ context.Context, addr netip.Addr, at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.bans[addr]; !ok {
		l.bans[addr] = at
	}
	return nil
}

func (l *memory) Lift(_ context.Context, addr netip.Addr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.bans[addr]; !ok {
		return latchkey.ErrNotFound
	}
	delete(l.bans, addr)
	return nil
}
