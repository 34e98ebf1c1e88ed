package postgres

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
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

		_, answered := l.limited(t.Context())
		answered()
		expect(t, "after an answer", l.waits(t.Context(), 2), whole, whole)
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
		limited, over := l.limited(ctx)
		all.Go(func() {
			defer over()
			began := time.Now()
			<-limited.Done()
			took[i] = time.Since(began)
		})
	}
	all.Wait()
	slices.Sort(took)
	return took
}

func expect(t *testing.T, when string, got []time.Duration, want ...time.Duration) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s questions are waited for %v, want %v", when, got, want)
	}
}
