package postgres

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-6a977b3d/latchkey"
)

// impatient is by how much less an answer is waited for while PostgreSQL says nothing.
const impatient = 10

// limit is how long PostgreSQL may take to answer. Once it has taken longer, answers are not waited for as long until there
// is one: requests must not pile up behind a database that says nothing. One question at a time is given the whole time all
// the same, and so finds out when a slow database answers again.
type limit struct {
	within time.Duration
	silent atomic.Bool // an answer did not come in time, and none has come since
	trying atomic.Bool // somebody waits for the whole time meanwhile
}

// ask says how long the answer to a question that is put now may take. over says once how it ended, and whether in time.
func (l *limit) ask() (within time.Duration, over func(err error, late bool)) {
	within, whole, tries := l.within, true, false
	if l.silent.Load() {
		if tries = l.trying.CompareAndSwap(false, true); !tries {
			within, whole = within/impatient, false
		}
	}
	return within, func(err error, late bool) {
		switch {
		case late && whole:
			l.silent.Store(true)
		case !late && isAnswer(err) && l.silent.Load(): // so that what everybody reads is rarely written
			l.silent.Store(false)
		}
		if tries {
			l.trying.Store(false)
		}
	}
}

// isAnswer reports whether an error, or none, is PostgreSQL's.
func isAnswer(err error) bool {
	var refused *pgconn.PgError
	return err == nil || errors.Is(err, sql.ErrNoRows) || errors.As(err, &refused)
}

// do puts a question, and bounds how long the answer may take: whoever asks rather hears that nobody answers.
func (l *limit) do(ctx context.Context, question func(context.Context) error) error {
	within, over := l.ask()
	ctx, cancel := context.WithTimeoutCause(ctx, within, latchkey.ErrUnavailable)
	defer cancel()
	err := question(ctx)
	over(err, errors.Is(context.Cause(ctx), latchkey.ErrUnavailable))
	return err
}
