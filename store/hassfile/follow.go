package hassfile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/watch"
)

// followEvery is how often the files are looked at, which is a matter of microseconds. Within the second that is promised
// they may have to be read twice: a change may come while an earlier one is being read.
const followEvery = 100 * time.Millisecond

// Follower is the folder of a Home Assistant that runs. It never writes there. What Home Assistant changes is noticed
// within a second; the tokens that it gave out are good here, and the sessions that begin here are kept in a store of
// latchkey's own, each with a shadow of its user and its credentials that goes when they do.
type Follower struct {
	view
	dir      string
	log      *slog.Logger
	current  atomic.Pointer[state]
	store    latchkey.Store // our own
	watchers watch.List
	stamps   map[string]stamp
	unwatch  func()
	stop     context.CancelFunc
	done     sync.WaitGroup
	closing  sync.Once
	closed   error
}

var (
	_ latchkey.Store    = (*Follower)(nil)
	_ latchkey.FarStore = (*Follower)(nil)
)

// Follow opens the folder of a Home Assistant that may be running. own keeps the sessions that begin here; it is closed
// together with the Follower. logger may be nil for [slog.Default].
func Follow(ctx context.Context, dir string, own latchkey.Store, logger *slog.Logger) (*Follower, error) {
	if logger == nil {
		logger = slog.Default()
	}
	f := &Follower{log: logger, store: own}
	var err error
	if f.dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if err := isFolder(f.dir); err != nil {
		return nil, err
	}
	l := f.loader()
	if err := l.load(); err != nil {
		return nil, fmt.Errorf("follow %s: %w", f.dir, err)
	}
	if own == nil {
		return nil, errors.New("follow: no store for the sessions that begin here: open one, such as with sqlite.Open")
	}
	first := l.state
	f.stamps = l.stamps
	f.current.Store(first)
	f.view = view{reader: reader{f.current.Load}, own: own, uses: &uses{last: map[string]latchkey.RefreshToken{}}}
	if err := f.tidy(ctx, first); err != nil {
		return nil, err
	}
	f.unwatch = own.Watch(f.watchers.Tell)
	life, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.done.Go(func() { f.follow(life) })
	return f, nil
}

// read reads the files that changed, whose writer may be at work, and returns the state that is current then. A file that
// cannot be read goes on counting as it was read last, and keeps none of the others from being read: what Home Assistant
// revokes is revoked, whatever is wrong beside it. A file that there was and is not any more is such a file: Home Assistant
// never removes one, and without its users a house would stand empty.
func (f *Follower) read() (now *state, problems error) {
	before := f.current.Load()
	next, changed := newState(), false
	for _, name := range names() {
		at, err := stampOf(disk{}, filepath.Join(f.dir, name))
		if err == nil && at.untouched(f.stamps[name]) {
			next.take(name, before)
			continue
		}
		l := f.loader()
		if err := l.file(name); err != nil {
			problems = errors.Join(problems, err)
			next.take(name, before)
			continue
		}
		next.take(name, l.state)
		f.stamps[name], changed = l.stamps[name], true
	}
	if !changed {
		next = before
	}
	return next, problems
}

// loader reads files anew.
func (f *Follower) loader() *loader {
	return &loader{
		folder: folder{disk{}, f.dir}, log: f.log, before: f.current.Load(), known: f.stamps,
		state: newState(), stamps: map[string]stamp{},
	}
}

// follow reads the files whenever they changed. What cannot be read is tried again.
func (f *Follower) follow(ctx context.Context) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	complaint := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !f.outdated() {
			complaint = ""
			continue
		}
		next, err := f.read()
		if err == nil {
			complaint = ""
		} else if text := err.Error(); text != complaint {
			f.log.Warn("files of Home Assistant cannot be read; they are tried again, and count as they were until then",
				"folder", f.dir, "error", err)
			complaint = text
		}
		before := f.current.Swap(next)
		if next == before {
			continue
		}
		f.uses.keep(next.tokens)
		f.watchers.Tell(differences(before, next))
		if err := f.tidy(ctx, next); err != nil && ctx.Err() == nil {
			f.log.Error("sessions of users who are gone cannot be removed", "error", err)
		}
	}
}

func (f *Follower) outdated() bool {
	for _, name := range names() {
		now, err := stampOf(disk{}, filepath.Join(f.dir, name))
		if err != nil || !now.untouched(f.stamps[name]) {
			return true
		}
	}
	return false
}

// differences says what became of a state, of which after was read behind before.
func differences(before, after *state) []latchkey.Change {
	var changes []latchkey.Change
	note := func(kind latchkey.ChangeKind, id string) {
		changes = append(changes, latchkey.Change{Kind: kind, ID: id})
	}
	for _, g := range before.groups {
		if now, ok := after.group(g.ID); !ok || !now.Policy.Equal(g.Policy) || now.Name != g.Name {
			note(latchkey.GroupChanged, g.ID)
		}
	}
	for _, g := range after.groups {
		if _, ok := before.group(g.ID); !ok {
			note(latchkey.GroupChanged, g.ID)
		}
	}
	for id, u := range before.users {
		now := after.users[id]
		if now == nil || !now.same(u) {
			note(latchkey.UserChanged, id)
		}
		if now != nil && u.IsActive && !now.IsActive { // the sockets close, although the file still has the tokens
			for _, token := range before.tokensOf[id] {
				note(latchkey.TokenRemoved, token)
			}
		}
	}
	for id := range after.users {
		if before.users[id] == nil {
			note(latchkey.UserChanged, id)
		}
	}
	return append(changes, tokenDifferences(before, after)...)
}

func tokenDifferences(before, after *state) []latchkey.Change {
	var changes []latchkey.Change
	left := 0 // of those before
	for id, now := range after.tokens {
		if now.recalled {
			left++
			continue
		}
		was := before.tokens[id]
		if was == nil {
			continue
		}
		left++
		switch {
		case now.JWTKey != was.JWTKey, now.UserID != was.UserID:
			changes = append(changes, latchkey.Change{Kind: latchkey.TokenRemoved, ID: id})
		case now.RefreshToken != was.RefreshToken:
			changes = append(changes, latchkey.Change{Kind: latchkey.TokenChanged, ID: id})
		}
	}
	if left == len(before.tokens) {
		return changes
	}
	for id := range before.tokens {
		if after.tokens[id] == nil {
			changes = append(changes, latchkey.Change{Kind: latchkey.TokenRemoved, ID: id})
		}
	}
	return changes
}

// same reports whether a user is still the one that it was. Nearly all of them stand in the file as before, which is
// quicker to see.
func (e *userEntry) same(before *userEntry) bool {
	alike := e.text != "" && e.text == before.text && len(e.credentials) == len(before.credentials)
	for i := 0; alike && i < len(e.credentials); i++ {
		text := e.credentials[i].text
		alike = text != "" && text == before.credentials[i].text
	}
	return alike || reflect.DeepEqual(e.User, before.User)
}

// tidy removes the shadows of users and credentials that are gone, and so the sessions that they led to. Who is deactivated
// loses the sessions alone: the recovery codes are good again when Home Assistant lets the person in again.
func (f *Follower) tidy(ctx context.Context, s *state) error {
	var gone, lost, ended []string
	after := ""
	for {
		page, err := f.store.Users(ctx, after, 1000)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, u := range page {
			e := s.users[u.ID]
			if e == nil {
				gone = append(gone, u.ID)
				continue
			}
			if !e.IsActive {
				tokens, err := f.store.RefreshTokens(ctx, u.ID)
				if err != nil {
					return err
				}
				for _, t := range tokens {
					ended = append(ended, t.ID)
				}
			}
			for _, c := range u.Credentials {
				if s.holders[c.ID] != u.ID {
					lost = append(lost, c.ID)
				}
			}
		}
		after = page[len(page)-1].ID
	}
	if len(gone)+len(lost)+len(ended) == 0 {
		return nil
	}
	return f.store.Update(ctx, func(tx latchkey.Tx) error {
		return errors.Join(removeEach(ctx, ended, tx.DeleteRefreshToken), removeEach(ctx, gone, tx.DeleteUser),
			removeEach(ctx, lost, tx.DeleteCredentials))
	})
}

// removeEach removes what is still there: another process may share our store, and do the same.
func removeEach(ctx context.Context, ids []string, remove func(context.Context, string) error) error {
	for _, id := range ids {
		if err := remove(ctx, id); err != nil && !isNotFound(err) {
			return err
		}
	}
	return nil
}

// Update implements [latchkey.Store]. What belongs into Home Assistant's files is [latchkey.ErrFollowing].
func (f *Follower) Update(ctx context.Context, fn func(latchkey.Tx) error) error {
	var used []latchkey.RefreshToken
	err := f.store.Update(ctx, func(own latchkey.Tx) error {
		now := f.current.Load()
		t := &followTx{
			view:  view{reader: reader{func() *state { return now }}, own: own, uses: f.uses},
			ownTx: own, state: now,
		}
		if err := fn(t); err != nil {
			return err
		}
		used = t.used
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range used {
		f.uses.note(t)
		f.watchers.Tell([]latchkey.Change{{Kind: latchkey.TokenChanged, ID: t.ID}})
	}
	return nil
}

// Watch implements [latchkey.Store].
func (f *Follower) Watch(fn func([]latchkey.Change)) (stop func()) { return f.watchers.Watch(fn) }

// Current implements [latchkey.FarStore] for our own sessions, which other processes may share. What Home Assistant
// changes is looked at whether anybody asks or not.
func (f *Follower) Current() bool {
	far, ok := f.store.(latchkey.FarStore)
	return !ok || far.Current()
}

// Close ends the following and closes our own store. Closing twice does no harm.
func (f *Follower) Close() error {
	f.closing.Do(func() {
		f.stop()
		f.done.Wait()
		f.unwatch()
		f.closed = f.store.Close()
	})
	return f.closed
}

// isNotFound is a shorthand for the plainest of errors.
func isNotFound(err error) bool { return errors.Is(err, latchkey.ErrNotFound) }
