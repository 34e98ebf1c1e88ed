package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

const (
	// pollEvery is how often the file is asked whether another process has changed it.
	pollEvery = 200 * time.Millisecond
	// keepChanges is how long changes are kept for processes that have not read them yet.
	keepChanges = time.Hour
	// pruneEvery is how often older ones are deleted, and pruneStep how many at a time.
	pruneEvery = time.Minute
	pruneStep  = 1000
)

// watchers are those who want to hear of changes.
type watchers struct {
	mu   sync.Mutex
	next int
	fns  map[int]func([]latchkey.Change)
}

// Watch implements latchkey.Store.
func (s *Store) Watch(fn func([]latchkey.Change)) (stop func()) {
	w := &s.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fns == nil {
		w.fns = map[int]func([]latchkey.Change){}
	}
	w.next++
	id := w.next
	w.fns[id] = fn
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.fns, id)
	}
}

func (w *watchers) tell(changes []latchkey.Change) {
	if len(changes) == 0 {
		return
	}
	w.mu.Lock()
	fns := slices.Collect(maps.Values(w.fns))
	w.mu.Unlock()
	for _, fn := range fns {
		fn(changes)
	}
}

// follower reads what other processes have changed.
type follower struct {
	store   *Store
	conn    *sql.Conn // data_version counts what others do to the file, for one connection
	version int64
	last    int64 // the newest change that was read
	pruned  time.Time
}

// follow begins to tell the watchers what other processes change from now on.
func (s *Store) follow(ctx context.Context) error {
	conn, err := s.readers.Conn(ctx)
	if err != nil {
		return err
	}
	f := &follower{store: s, conn: conn, pruned: time.Now()}
	err = errors.Join(
		conn.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&f.version),
		conn.QueryRowContext(ctx, `SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'changes'), 0)`).Scan(&f.last))
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	life, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.following.Go(func() {
		defer func() { _ = conn.Close() }()
		f.run(life)
	})
	return nil
}

func (f *follower) run(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := f.read(ctx); err != nil && ctx.Err() == nil {
			// Nothing is known until the file can be read again, and then everything may be different.
			f.version = -1
			f.store.watchers.tell([]latchkey.Change{{Kind: latchkey.ChangesLost}})
		}
		if time.Since(f.pruned) >= pruneEvery {
			f.pruned = time.Now()
			f.store.prune(ctx)
		}
	}
}

// read tells what others have changed since the last time.
func (f *follower) read(ctx context.Context) error {
	var version int64
	if err := f.conn.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&version); err != nil {
		return err
	}
	if version == f.version {
		return nil
	}
	type row struct {
		seq    int64
		origin string
		change latchkey.Change
	}
	scan := func(r interface{ Scan(...any) error }) (got row, err error) {
		err = r.Scan(&got.seq, &got.origin, &got.change.Kind, &got.change.ID)
		return got, err
	}
	var newest int64
	if err := f.conn.QueryRowContext(ctx, `SELECT seq FROM sqlite_sequence WHERE name = 'changes'`).Scan(&newest); err != nil &&
		!errors.Is(err, sql.ErrNoRows) {
		return err
	}
	rows, err := collect(ctx, f.conn, scan, `SELECT seq, origin, kind, id FROM changes WHERE seq > ? ORDER BY seq`, f.last)
	if err != nil {
		return err
	}
	var news []latchkey.Change
	if f.version == -1 || int64(len(rows)) < newest-f.last {
		news = append(news, latchkey.Change{Kind: latchkey.ChangesLost})
		f.last = newest
	}
	for _, r := range rows {
		if r.origin != f.store.origin {
			news = append(news, r.change)
		}
		f.last = r.seq
	}
	f.version = version
	f.store.watchers.tell(news)
	return nil
}

// prune deletes changes that everybody has had the time to read. A failure is made up for the next time.
func (s *Store) prune(ctx context.Context) {
	_, _ = s.writer.ExecContext(ctx, `DELETE FROM changes WHERE seq IN (SELECT seq FROM changes WHERE at < ? ORDER BY seq LIMIT ?)`,
		time.Now().Add(-keepChanges).UnixMicro(), pruneStep)
}
