package postgres

import (
	"context"
	"time"
)

// clocksApart is how far apart clocks may be and nobody is told. What one node dates ten seconds ahead of another, that one
// refuses.
const clocksApart = 5 * time.Second

const selectClock = `SELECT clock_timestamp()`

// clockAhead returns how much the clock of the database is ahead of the one here, as an answer says, and how long that took.
func clockAhead(ask func(there *time.Time) error) (ahead, took time.Duration, err error) {
	began := time.Now()
	var there time.Time
	if err := ask(&there); err != nil {
		return 0, 0, err
	}
	took = time.Since(began)
	return there.Sub(began.Add(took / 2)), took, nil
}

// compareClocks warns where the clock here is not that of the other nodes: sessions would end too early or too late, and
// what one node signs others would refuse.
func (s *Store) compareClocks(ctx context.Context) {
	var ahead time.Duration
	err := s.limit.do(ctx, func(ctx context.Context) (err error) {
		ahead, _, err = clockAhead(func(there *time.Time) error { return s.q.QueryRowContext(ctx, selectClock).Scan(there) })
		return err
	})
	if err == nil && ahead.Abs() > clocksApart {
		s.log.Warn("the clocks here and of the database are apart, so that nodes may refuse each other's tokens: let all of them "+
			"be set from the network", "ahead", ahead.Round(time.Second))
	}
}
