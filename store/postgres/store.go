// Package postgres keeps latchkey's domain in PostgreSQL, for several nodes that are one house. It knows tables,
// transactions and notifications, and none of the rules of the domain.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/seal"
	"github.com/seed-6a977b3d/latchkey/store/internal/watch"
)

const (
	// defaultWithin is how long PostgreSQL may take to answer before it counts as out of reach.
	defaultWithin = 3 * time.Second
	// defaultPatience is how long Open waits for PostgreSQL to come up.
	defaultPatience = time.Minute
	// tries bounds how often a transaction is run that others got in the way of.
	tries = 200
	// connections bounds how many there are at a time, beside that of the listener.
	connections = 16
)

// Store is a latchkey.Store in a PostgreSQL that other nodes share. Every Update is durable when it returns.
type Store struct {
	reader
	db      *sql.DB
	config  *pgx.ConnConfig
	log     *slog.Logger
	pending *Pending

	watchers watch.List
	origin   string // marks the changes of this Store among those of other nodes
	listener listener
	stop     context.CancelFunc
	done     sync.WaitGroup
	closing  sync.Once
	closed   error
}

var _ latchkey.Store = (*Store)(nil)

// Option changes how a store is opened.
type Option func(*options)

type options struct {
	sealKey  []byte
	within   time.Duration
	patience time.Duration
	log      *slog.Logger
}

// WithSealKey gives the key of 32 bytes that seals the secrets in the database. All nodes have the same one.
func WithSealKey(key []byte) Option { return func(o *options) { o.sealKey = key } }

// WithTimeout changes how long PostgreSQL may take to answer, 3 s unless set. Then the error is
// [latchkey.ErrUnavailable].
func WithTimeout(d time.Duration) Option { return func(o *options) { o.within = d } }

// WithPatience changes how long Open waits for PostgreSQL to come up, a minute unless set.
func WithPatience(d time.Duration) Option { return func(o *options) { o.patience = d } }

// WithLogger gives what is noteworthy to a logger other than [slog.Default].
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.log = l } }

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
	// In small tables PostgreSQL would rather read everything, and then every transaction is in the way of every other.
	config.RuntimeParams["enable_seqscan"] = "off"
	config.RuntimeParams["application_name"] = "latchkey"
	s := &Store{config: config, log: o.log, origin: latchkey.NewID()}
	s.db = stdlib.OpenDB(*config)
	s.db.SetMaxOpenConns(connections)
	s.db.SetMaxIdleConns(connections)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.db.Close())
		}
	}()
	s.reader = reader{q: texts{s.db}, box: box, within: o.within}
	s.pending = &Pending{store: s}
	if err := s.wait(ctx, o.patience); err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, fmt.Errorf("prepare the database: %w", err)
	}
	life, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.listen(life)
	return s, nil
}

// wait waits until PostgreSQL answers.
func (s *Store) wait(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	told := time.Time{}
	for {
		err := s.db.PingContext(ctx)
		if err == nil {
			return nil
		}
		var refused *pgconn.PgError
		if errors.As(err, &refused) && refused.Code != "57P03" { // it is there, and does not want us
			return fmt.Errorf("PostgreSQL at %s refuses: %s", s.place(), refused.Message)
		}
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			s.log.Warn("waiting for PostgreSQL", "at", s.place(), "limit", patience)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL at %s does not answer: %w: start it, or correct the address of the store",
				s.place(), latchkey.ErrUnavailable)
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

// told gives what failed the words of the domain: a database that does not answer is [latchkey.ErrUnavailable].
func told(err error) error {
	var refused *pgconn.PgError
	switch {
	case err == nil, errors.Is(err, latchkey.ErrNotFound), errors.Is(err, latchkey.ErrUnavailable), errors.Is(err, seal.ErrWrongKey):
		return err
	case errors.As(err, &refused):
		if c := refused.Code[:2]; c != "57" && c != "08" && c != "53" {
			return err
		}
	case errors.Is(err, context.Canceled), errors.Is(err, sql.ErrNoRows), errors.Is(err, sql.ErrTxDone):
		return err
	case !isConnection(err):
		return err
	}
	return fmt.Errorf("%w: %w", latchkey.ErrUnavailable, err)
}

// isConnection reports whether an error is one of the line to PostgreSQL, and not one of the program.
func isConnection(err error) bool {
	var connect *pgconn.ConnectError
	var network interface{ Timeout() bool }
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) ||
		pgconn.SafeToRetry(err) || isBroken(err)
}

// Update implements [latchkey.Store].
func (s *Store) Update(ctx context.Context, fn func(latchkey.Tx) error) error {
	for try := 1; ; try++ {
		err := s.updateOnce(ctx, fn)
		if !overtaken(err) || try == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(rand.Int64N(int64(time.Millisecond) * int64(min(try, 20))))):
		}
	}
}

// overtaken reports whether a transaction has to be run again, because it and others cannot have run one after another.
func overtaken(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && (refused.Code == "40001" || refused.Code == "40P01")
}

func (s *Store) updateOnce(ctx context.Context, fn func(latchkey.Tx) error) error {
	began, end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	defer func() { _ = began.Rollback() }() // does nothing after a commit
	t := &tx{reader: reader{q: texts{began}, box: s.box, within: s.within}, sql: began}
	if err := fn(t); err != nil {
		return err
	}
	if err := s.notify(ctx, began, t.changes); err != nil {
		return told(err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.watchers.TellAfter(func() error {
		if err := began.Commit(); err != nil {
			return fmt.Errorf("commit: %w", told(err))
		}
		return nil
	}, t.changes)
}

// begin begins a transaction, unless no connection is to be had in time. The transaction ends with the context that comes
// with it, at the latest.
func (s *Store) begin(ctx context.Context) (*sql.Tx, context.CancelFunc, error) {
	life, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(s.within, func() { cancel(latchkey.ErrUnavailable) })
	began, err := s.db.BeginTx(life, &sql.TxOptions{Isolation: sql.LevelSerializable})
	late.Stop()
	if err != nil {
		if ctx.Err() == nil && life.Err() != nil {
			err = context.Cause(life)
		}
		cancel(nil)
		return nil, nil, fmt.Errorf("begin: %w", told(err))
	}
	return began, func() { cancel(nil) }, nil
}

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
