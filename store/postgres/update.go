package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
)

// A transaction that others got in the way of is run again, but not more often than tries, and not once it has taken this
// many times as long as an answer may.
const (
	tries    = 200
	stubborn = 5
)

// Update implements [latchkey.Store]. When the line breaks while a commit is under way nobody knows whether it was made:
// that is [latchkey.ErrUnavailable] as well, and watchers are told that changes may be lost.
func (s *Store) Update(ctx context.Context, fn func(latchkey.Tx) error) error {
	return s.update(ctx, func(t *tables.Tx) error { return fn(t) })
}

func (s *Store) update(ctx context.Context, fn func(*tables.Tx) error) error {
	began := time.Now()
	for try := 1; ; try++ {
		err := s.updateOnce(ctx, fn)
		if !overtaken(err) {
			return err
		}
		if try == tries || time.Since(began) > stubborn*s.limit.within {
			return fmt.Errorf("%w: others got in the way %d times: %w", latchkey.ErrUnavailable, try, err)
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

func (s *Store) updateOnce(ctx context.Context, fn func(*tables.Tx) error) error {
	w, err := s.begin(ctx, sql.LevelSerializable)
	if err != nil {
		return err
	}
	defer w.end()
	t := tables.NewTx(tables.NewReader(texts{w.Tx}, s.box, dialect(), s.limit.do), runner{w.Tx})
	if err := fn(t); err != nil {
		return err
	}
	if err := s.notify(ctx, t); err != nil {
		return err
	}
	mine := s.turns.take()
	defer mine.end()
	if err := w.commit(ctx); err != nil {
		if mayBeDone(err) {
			s.hearOwn()
			mine.wait()
			s.watchers.Tell([]latchkey.Change{{Kind: latchkey.ChangesLost}})
		}
		return fmt.Errorf("commit: %w", err)
	}
	mine.wait()
	s.watchers.Tell(t.Changes())
	return nil
}

// mayBeDone reports whether a commit that failed may have been made all the same: PostgreSQL did not say that it was not.
func mayBeDone(err error) bool {
	var refused *pgconn.PgError
	return !errors.As(err, &refused) || errors.Is(err, latchkey.ErrUnavailable)
}

// work is a transaction under way. Whoever began it ends it by hanging up, until it is being committed: then its outcome is
// waited for. No step of it takes longer than a limit.
type work struct {
	*sql.Tx
	life     context.Context
	cancel   context.CancelCauseFunc
	unfollow func() bool
	limit    *limit
}

// begin begins a transaction, unless no connection is to be had in time. One that turns out to have ended is left for
// another: nothing was done on it yet.
func (s *Store) begin(ctx context.Context, isolation sql.IsolationLevel) (*work, error) {
	if err := ctx.Err(); err != nil { // which a transaction of its own life would hear of too late
		return nil, err
	}
	w, err := s.beginOnce(ctx, isolation)
	if hasEnded(err) && ctx.Err() == nil {
		s.dropIdle()
		w, err = s.beginOnce(ctx, isolation)
	}
	if err != nil {
		return nil, fmt.Errorf("begin: %w", told(err))
	}
	return w, nil
}

func (s *Store) beginOnce(ctx context.Context, isolation sql.IsolationLevel) (*work, error) {
	life, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	w := &work{life: life, cancel: cancel, limit: &s.limit}
	w.unfollow = context.AfterFunc(ctx, func() { cancel(ctx.Err()) })
	release := w.limited()
	var err error
	w.Tx, err = s.db.BeginTx(life, &sql.TxOptions{Isolation: isolation})
	switch inTime := release(err); {
	case err == nil && inTime:
		return w, nil
	case err == nil: // and yet it is being undone
		w.end()
		return nil, latchkey.ErrUnavailable
	}
	if cause := context.Cause(life); cause != nil {
		err = cause
	}
	w.unfollow()
	cancel(nil)
	return nil, err
}

// limited ends the transaction unless the step that begins now is over in time, which release reports. It is told how the
// step ended.
func (w *work) limited() (release func(error) bool) {
	within, over := w.limit.ask()
	timer := time.AfterFunc(within, func() { w.cancel(latchkey.ErrUnavailable) })
	return func(err error) bool {
		inTime := timer.Stop()
		over(err, !inTime)
		return inTime
	}
}

func (w *work) commit(ctx context.Context) error {
	if !w.unfollow() {
		return ctx.Err()
	}
	release := w.limited()
	err := w.Commit()
	release(err)
	if err != nil && errors.Is(context.Cause(w.life), latchkey.ErrUnavailable) {
		return fmt.Errorf("%w: %w", latchkey.ErrUnavailable, err)
	}
	return told(err)
}

// end undoes the transaction unless it was committed.
func (w *work) end() {
	release := w.limited()
	release(w.Rollback()) // which does nothing after a commit
	w.unfollow()
	w.cancel(nil)
}

// turns let transactions commit at the same time, and their changes be told in the order in which their commits began: what
// builds on a change begins its commit after that of the change, and so is told after it.
type turns struct {
	mu   sync.Mutex
	last chan struct{} // is closed when the last turn is over
}

// turn is a place in that order. It is over with end, also where nothing is to be told.
type turn struct {
	before <-chan struct{}
	over   chan struct{}
}

func (t *turns) take() turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	mine := turn{before: t.last, over: make(chan struct{})}
	t.last = mine.over
	return mine
}

// wait returns when everything has been told that comes before.
func (t turn) wait() {
	if t.before != nil {
		<-t.before
	}
}

func (t turn) end() {
	t.wait()
	close(t.over)
}
