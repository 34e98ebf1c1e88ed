package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Behind a database that says nothing nobody waits long, but one at a time, who finds out when it answers again.
func TestOneAtATimeWaitsForASilentDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit{within: 3 * time.Second}
		whole, short := l.within, l.within/impatient
		expect(t, "while all is well", l.waits(t.Context(), 3), whole, whole, whole)
		expect(t, "when an answer is overdue", l.waits(t.Context(), 3), short, short, whole)
		expect(t, "and still", l.waits(t.Context(), 3), short, short, whole)

		hungUp, hangUp := context.WithCancel(t.Context())
		hangUp()
		l.waits(hungUp, 1)
		expect(t, "after somebody gave up", l.waits(t.Context(), 3), short, short, whole)

		for _, err := range []error{io.ErrUnexpectedEOF, sql.ErrTxDone} {
			l.answers(t, err)
			expect(t, "after "+err.Error(), l.waits(t.Context(), 2), short, whole)
		}
		for _, err := range []error{nil, sql.ErrNoRows, &pgconn.PgError{Code: "23505"}} {
			l.answers(t, err)
			expect(t, fmt.Sprint("after the answer ", err), l.waits(t.Context(), 2), whole, whole)
		}
	})
}

// A step of a transaction is a question like others.
func TestAStepOfATransactionFindsOutToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit{within: 3 * time.Second}
		life, cancel := context.WithCancelCause(t.Context())
		w := &work{life: life, cancel: cancel, limit: &l}
		release := w.limited()
		<-life.Done()
		if release(context.Cause(life)) {
			t.Error("a step that took too long is said to be over in time")
		}
		expect(t, "after a step that took too long", l.waits(t.Context(), 2), l.within/impatient, l.within)
		w.limited()(context.Canceled)
		expect(t, "after one that failed", l.waits(t.Context(), 2), l.within/impatient, l.within)
		w.limited()(nil)
		expect(t, "after one that was done", l.waits(t.Context(), 2), l.within, l.within)
	})
}

// waits puts questions at once that nobody answers, and returns how long each was waited for, the shortest first.
func (l *limit) waits(ctx context.Context, questions int) []time.Duration {
	var all sync.WaitGroup
	took := make([]time.Duration, questions)
	for i := range took {
		all.Go(func() {
			began := time.Now()
			_ = l.do(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			took[i] = time.Since(began)
		})
	}
	all.Wait()
	slices.Sort(took)
	return took
}

// answers puts a question that ends so at once.
func (l *limit) answers(t *testing.T, err error) {
	if got := l.do(t.Context(), func(context.Context) error { return err }); got != err {
		t.Errorf("error = %v, want %v", got, err)
	}
}

func expect(t *testing.T, when string, got []time.Duration, want ...time.Duration) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s questions are waited for %v, want %v", when, got, want)
	}
}
