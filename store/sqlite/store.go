// Package sqlite keeps latchkey's domain in one SQLite file, which several processes may use at the same time. It knows
// tables, transactions and keys, and none of the rules of the domain.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/seal"
	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
	"github.com/seed-6a977b3d/latchkey/store/internal/watch"
)

type reader = tables.Reader

// Store is a latchkey.Store in a SQLite file. Every Update is on the disk, fsync included, when it returns.
type Store struct {
	reader
	box     *seal.Box
	path    string
	readers *sql.DB // many connections, which only read
	writer  *sql.DB // one connection, whose transactions lock the file from their beginning

	origin    string // marks the changes of this Store among those of other processes
	watchers  watch.List
	ear       *watch.Ear
	stubborn  time.Duration // how long a transaction is tried that another process keeps from beginning
	stop      context.CancelFunc
	following sync.WaitGroup
	closing   sync.Once
	closed    error
}

var _ interface {
	latchkey.Store
	latchkey.FarStore
} = (*Store)(nil)

// Option changes how a store is opened.
type Option func(*options)

type options struct{ sealKey []byte }

// WithSealKey gives the key of 32 bytes that seals the secrets in the database, instead of a key file beside it.
func WithSealKey(key []byte) Option { return func(o *options) { o.sealKey = key } }

// Open opens the database file, which is made when there is none. Secrets in it are sealed with the key in the file of
// the same name with the extension .key, which is made along with the database; a key file that is missing or wrong is
// refused, as is a database of a newer version and a file that is none of ours.
func Open(ctx context.Context, path string, opts ...Option) (_ *Store, err error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	// Absolute, so that the file stays the same when the program changes its folder, and so that nothing at the
	// beginning of the path reads as something else in the address of a file.
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if err := createPrivate(path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := inspect(ctx, path); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s := &Store{path: path, origin: latchkey.NewID(), ear: watch.NewEar(), stubborn: 30 * time.Second}
	defer func() {
		if err != nil {
			_ = s.closeDatabases()
		}
	}()
	if s.writer, err = sql.Open("sqlite", dataSource(path, "&_txlock=immediate"+writerCache)); err != nil {
		return nil, err
	}
	s.writer.SetMaxOpenConns(1)
	if s.readers, err = sql.Open("sqlite", dataSource(path, "&_pragma=query_only(1)")); err != nil {
		return nil, err
	}
	s.readers.SetMaxOpenConns(2 * runtime.GOMAXPROCS(0))
	s.readers.SetMaxIdleConns(2 * runtime.GOMAXPROCS(0))
	if err := s.migrate(ctx); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if s.box, err = s.openBox(ctx, o.sealKey); err != nil {
		return nil, err
	}
	s.reader = tables.NewReader(&prepared{db: s.readers}, s.box, dialect(), nil)
	if err := s.follow(ctx); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return s, nil
}

// writerCache is how many KiB of pages a transaction holds, if it needs that many, before it writes some of them more than
// once.
const writerCache = "&_pragma=cache_size(-65536)"

// dataSource returns the driver's address of the file. Transactions wait up to five seconds for those of others, and are
// on the disk when they are committed.
func dataSource(path, more string) string {
	return fileURL(path) + "&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)" + more
}

func fileURL(path string) string {
	return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?_pragma=busy_timeout(5000)"
}

// Update implements latchkey.Store. It is [latchkey.ErrUnavailable] when another process does not let go of the file.
func (s *Store) Update(ctx context.Context, fn func(latchkey.Tx) error) error {
	began := time.Now()
	for {
		err := s.updateOnce(ctx, fn)
		switch {
		case !isBusy(err):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Since(began) > s.stubborn:
			return fmt.Errorf("%w: another process holds the database: %w", latchkey.ErrUnavailable, err)
		}
	}
}

func (s *Store) updateOnce(ctx context.Context, fn func(latchkey.Tx) error) error {
	began, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = began.Rollback() }() // does nothing after a commit
	run := runner{began}
	t := tables.NewTx(tables.NewReader(began, s.box, dialect(), nil), run)
	if err := fn(t); err != nil {
		return err
	}
	if err := run.record(ctx, s.origin, t.Changes()); err != nil {
		return err
	}
	if err := s.watchers.TellAfter(began.Commit, t.Changes()); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// isBusy reports whether another process holds the file.
func isBusy(err error) bool {
	var s *sqlite.Error
	return errors.As(err, &s) && s.Code()&0xff == sqlite3.SQLITE_BUSY
}

// Close implements io.Closer. Closing twice does no harm.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.stop()
		s.following.Wait()
		_, err := s.writer.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
		if isBusy(err) {
			err = nil // others have the file open and will do it
		}
		s.closed = errors.Join(err, s.closeDatabases())
	})
	return s.closed
}

func (s *Store) closeDatabases() error {
	var errs []error
	for _, db := range []*sql.DB{s.readers, s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}
