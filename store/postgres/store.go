// Package postgres keeps latchkey's domain in PostgreSQL, for several nodes that are one house. It knows tables,
// transactions and notifications, and none of the rules of the domain.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/seal"
	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
	"github.com/seed-6a977b3d/latchkey/store/internal/watch"
)

const (
	// defaultWithin is how long PostgreSQL may take to answer before it counts as out of reach.
	defaultWithin = 3 * time.Second
	// defaultPatience is how long Open waits for PostgreSQL to come up.
	defaultPatience = time.Minute
	// connections bounds how many there are at a time, beside that of the listener.
	connections = 16
)

type reader = tables.Reader

// Store is a latchkey.Store in a PostgreSQL that other nodes share. Every Update is durable when it returns.
type Store struct {
	reader
	q       tables.Querier // asks outside of transactions
	box     *seal.Box
	limit   limit
	db      *sql.DB
	config  *pgx.ConnConfig
	log     *slog.Logger
	pending *Pending

	watchers watch.List
	turns    turns
	origin   atomic.Pointer[string] // marks the changes of this Store among those of other nodes
	ear      *watch.Ear
	stop     context.CancelFunc
	done     sync.WaitGroup
	closing  sync.Once
	closed   error
}

var _ interface {
	latchkey.Store
	latchkey.FarStore
	latchkey.SweptStore
} = (*Store)(nil)

// Option changes how a store is opened.
type Option func(*options)

type options struct {
	sealKey  []byte
	within   time.Duration
	patience time.Duration
	existing bool
	log      *slog.Logger
}

// WithSealKey gives the key of 32 bytes that seals the secrets in the database. All nodes have the same one.
func WithSealKey(key []byte) Option { return func(o *options) { o.sealKey = key } }

// WithTimeout changes how long PostgreSQL may take to answer, 3 s unless set. Then the error is
// [latchkey.ErrUnavailable].
func WithTimeout(d time.Duration) Option { return func(o *options) { o.within = d } }

// WithPatience changes how long Open waits for PostgreSQL to come up, a minute unless set.
func WithPatience(d time.Duration) Option { return func(o *options) { o.patience = d } }

// WithExisting refuses a database in which no house was begun, with [ErrNoHouse], and makes nothing there.
func WithExisting() Option { return func(o *options) { o.existing = true } }

// WithLogger gives what is noteworthy to a logger other than [slog.Default].
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.log = l } }

// ErrNoHouse says that no house was begun in a database.
var ErrNoHouse = errors.New("no house was begun there")

// errNoKey says that there is nothing to seal with.
var errNoKey = errors.New("a key is needed that seals the secrets in the database: set LATCHKEY_SEAL_KEY, on all nodes alike, " +
	"to what `openssl rand -hex 32` prints")

// Open connects to a database, waits for it if it has to, and makes or brings up to date the tables. No error shows the
// address, which may hold a password.
func Open(ctx context.Context, address string, opts ...Option) (_ *Store, err error) {
	o := options{within: defaultWithin, patience: defaultPatience, log: slog.Default()}
	for _, opt := range opts {
		opt(&o)
	}
	if o.log == nil {
		o.log = slog.Default()
	}
	if len(o.sealKey) == 0 {
		return nil, errNoKey
	}
	box, err := seal.New(o.sealKey)
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, errors.New("the address of the database is not understood: write postgres://USER@HOST:PORT/DATABASE")
	}
	config.ConnectTimeout = o.within
	prepareSessions(config, o.within)
	s := &Store{config: config, log: o.log, ear: watch.NewEar(), box: box, limit: limit{within: o.within}}
	s.hearOwn()
	s.db = stdlib.OpenDB(*config, stdlib.OptionShouldPing(s.doubtful))
	s.db.SetMaxOpenConns(connections)
	s.db.SetMaxIdleConns(connections)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.db.Close())
		}
	}()
	s.q = again{s}
	s.reader = tables.NewReader(s.q, box, dialect(), s.limit.do)
	s.pending = &Pending{store: s}
	if err := s.wait(ctx, o.patience); err != nil {
		return nil, err
	}
	if err := s.migrate(ctx, o.patience, o.existing); errors.Is(err, ErrNoHouse) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("prepare the database: %w", err)
	}
	s.compareClocks(ctx)
	life, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.listen(life)
	return s, nil
}

// doubtful reports whether a connection may have ended since it was used last, so that it is tried before it is used. What
// cuts off the line on which the others are heard has probably ended more than that.
func (s *Store) doubtful(_ context.Context, p stdlib.ShouldPingParams) bool {
	return p.IdleDuration > time.Second || !s.Current()
}

// wait waits until PostgreSQL answers.
func (s *Store) wait(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	told := time.Time{}
	var last error // which says more than that time is up
	for {
		err := s.db.PingContext(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		var refused *pgconn.PgError
		if errors.As(err, &refused) && !passing(refused) { // it is there, and does not want us
			return fmt.Errorf("PostgreSQL at %s refuses: %s", s.place(), refused.Message)
		}
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			s.log.Warn("waiting for PostgreSQL", "at", s.place(), "limit", patience, "error", cause(err))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL at %s does not answer: %w (%w): start it, or correct the address of the store",
				s.place(), latchkey.ErrUnavailable, cause(last))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// place names the database without user and password.
func (s *Store) place() string {
	return fmt.Sprintf("%s:%d/%s", s.config.Host, s.config.Port, s.config.Database)
}

// Pending returns where what is under way is kept for all nodes.
func (s *Store) Pending() latchkey.PendingStore { return s.pending }

// Watch implements [latchkey.Store].
func (s *Store) Watch(fn func([]latchkey.Change)) (stop func()) { return s.watchers.Watch(fn) }

// Close ends the listening and closes the connections. Closing twice does no harm.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.stop()
		s.done.Wait()
		s.closed = s.db.Close()
	})
	return s.closed
}
