package postgres

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

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

// how a question ended.
type outcome int

const (
	givenUp outcome = iota // by whoever asked, or without an answer
	answered
	tooLate
)

// ask says how long the answer to a question that is put now may take. over says how that ended, once.
func (l *limit) ask() (within time.Duration, over func(outcome)) {
	within, whole, tries := l.within, true, false
	if l.silent.Load() {
		if tries = l.trying.CompareAndSwap(false, true); !tries {
			within, whole = within/impatient, false
		}
	}
	return within, func(o outcome) {
		switch {
		case o == answered && l.silent.Load(): // so that what everybody reads is rarely written
			l.silent.Store(false)
		case o == tooLate && whole:
			l.silent.Store(true)
		}
		if tries {
			l.trying.Store(false)
		}
	}
}

// limited bounds how long a question may take: whoever asks rather hears that nobody answers. It is over when the returned
// function is called.
func (l *limit) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	within, over := l.ask()
	ctx, cancel := context.WithTimeoutCause(ctx, within, latchkey.ErrUnavailable)
	return ctx, func() {
		switch cause := context.Cause(ctx); {
		case cause == nil:
			over(answered)
		case errors.Is(cause, latchkey.ErrUnavailable):
			over(tooLate)
		default:
			over(givenUp)
		}
		cancel()
	}
}
