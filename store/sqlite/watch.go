package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
)

const (
	// pollEvery is how often the file is asked whether another process has changed it.
	pollEvery = 200 * time.Millisecond
	// trustFor is how long what is known is relied on when the file is not asked again.
	trustFor = 900 * time.Millisecond
	// keepChanges is how long changes are kept for processes that have not read them yet.
	keepChanges = time.Hour
	// pruneEvery is how often older ones are deleted, and pruneStep how many between one poll and the next.
	pruneEvery = time.Minute
	pruneStep  = 1000
)

// Watch implements latchkey.Store.
func (s *Store) Watch(fn func([]latchkey.Change)) (stop func()) { return s.watchers.Watch(fn) }

// Current reports whether everything is known that other processes had changed a second ago. While the file cannot be
// read, or is not read in time, nothing that was read earlier may be relied on.
func (s *Store) Current() bool { return s.ear.Current(trustFor) }

// follower reads what other processes have changed.
type follower struct {
	store   *Store
	conn    *sql.Conn // data_version counts what others do to the file, for one connection
	version int64
	last    int64 // the newest change that was read
	prune   time.Time
}

// follow begins to tell the watchers what other processes change from now on.
func (s *Store) follow(ctx context.Context) error {
	conn, err := s.readers.Conn(ctx)
	if err != nil {
		return err
	}
	f := &follower{store: s, conn: conn, prune: time.Now().Add(pruneEvery)}
	asked := s.ear.Now()
	err = errors.Join(
		conn.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&f.version),
		conn.QueryRowContext(ctx, selectNewest).Scan(&f.last))
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	s.ear.Heard(asked)
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
		f.poll(ctx)
		if ctx.Err() != nil {
			return
		}
		if now := time.Now(); !now.Before(f.prune) {
			if full := f.store.prune(ctx, now.Add(-keepChanges)); !full {
				f.prune = now.Add(pruneEvery)
			}
		}
	}
}

// poll tells the watchers what is new. Nothing is known when the file cannot be read, and when it can be read again
// everything may be different.
func (f *follower) poll(ctx context.Context) {
	asked := f.store.ear.Now()
	news, err := f.news(ctx)
	switch {
	case err == nil:
		f.store.watchers.Tell(news)
		f.store.ear.Heard(asked)
	case ctx.Err() == nil:
		f.version = unread
		f.store.ear.Deaf()
		f.store.watchers.Tell([]latchkey.Change{{Kind: latchkey.ChangesLost}})
	}
}

// unread stands for a state of the file that could not be read; it is no data_version.
const unread = -1

// selectNewest asks for the number of the newest change, also when it was pruned.
const selectNewest = `SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'changes'), 0)`

// news returns what others have changed since the last time.
func (f *follower) news(ctx context.Context) ([]latchkey.Change, error) {
	var version int64
	if err := f.conn.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&version); err != nil {
		return nil, err
	}
	if version == f.version {
		return nil, nil
	}
	rows, newest, err := f.rows(ctx)
	if err != nil {
		return nil, err
	}
	var news []latchkey.Change
	if f.version == unread || int64(len(rows)) < newest-f.last {
		news = append(news, latchkey.Change{Kind: latchkey.ChangesLost})
	}
	for _, r := range rows {
		if r.origin != f.store.origin {
			news = append(news, r.change)
		}
	}
	f.version, f.last = version, newest
	return news, nil
}

// changeRow is a row of the table of changes.
type changeRow struct {
	origin string
	change latchkey.Change
}

// rows reads the changes that were not read yet, and the number of the newest, from one state of the file: numbers have
// no gaps, so fewer rows than numbers are a loss.
func (f *follower) rows(ctx context.Context) (rows []changeRow, newest int64, err error) {
	tx, err := f.conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = tx.Rollback() }()
	if err := tx.QueryRowContext(ctx, selectNewest).Scan(&newest); err != nil {
		return nil, 0, err
	}
	rows, err = tables.Collect(ctx, tx, func(row tables.Row) (r changeRow, err error) {
		err = row.Scan(&r.origin, &r.change.Kind, &r.change.ID)
		return r, err
	}, `SELECT origin, kind, id FROM changes WHERE seq > ? ORDER BY seq`, f.last)
	return rows, newest, err
}

// prune deletes some of the changes that everybody has had the time to read, and reports whether there may be more. A
// failure is made up for the next time.
func (s *Store) prune(ctx context.Context, before time.Time) (full bool) {
	result, err := s.writer.ExecContext(ctx,
		`DELETE FROM changes WHERE seq IN (SELECT seq FROM changes WHERE at < ? ORDER BY at LIMIT ?)`, before.UnixMicro(), pruneStep)
	if err != nil {
		return false
	}
	n, err := result.RowsAffected()
	return err == nil && n == pruneStep
}
