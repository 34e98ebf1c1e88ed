package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
)

// These are the numbers of the advisory locks under which one node at a time sweeps: what was under way and has ended, and
// what the manager removes.
const (
	sweepLock   = 0x6c6b7377
	managerLock = 0x6c6b6d61
)

const (
	// sweepEvery is how often what has ended is deleted.
	sweepEvery = time.Minute
	// sweepRows is how many rows are deleted at a time, so that it takes no longer than anything else.
	sweepRows = 1000
)

// sweep deletes what has ended. Of all nodes one does it at a time.
func (s *Store) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.sweepOnce(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("what has ended cannot be deleted, and is tried again", "error", err)
		}
	}
}

func (s *Store) sweepOnce(ctx context.Context) error {
	for {
		n, err := s.pending.exec(ctx, `WITH mine AS MATERIALIZED (SELECT pg_try_advisory_xact_lock($1, hashtext(current_schema())) AS got)
			DELETE FROM pending WHERE (SELECT got FROM mine) AND key = ANY (ARRAY(
				SELECT key FROM pending WHERE ends <= now() ORDER BY ends LIMIT $2)) AND ends <= now()`,
			sweepLock, sweepRows)
		if err != nil || n < sweepRows {
			return err
		}
	}
}

// Sweep implements [latchkey.SweptStore].
func (s *Store) Sweep(ctx context.Context, fn func(latchkey.Tx) error) error {
	var at time.Time
	err := s.limit.do(ctx, func(ctx context.Context) error {
		return s.q.QueryRowContext(ctx, `SELECT now()`).Scan(&at)
	})
	if err != nil {
		return fmt.Errorf("ask for the time: %w", told(err))
	}
	return s.update(ctx, func(t *tables.Tx) error {
		mine, err := t.Exec(ctx, `SELECT 1 WHERE pg_try_advisory_xact_lock($1, hashtext(current_schema()))`, managerLock)
		if err != nil || !mine {
			return err
		}
		return fn(sweeping{t, at})
	})
}

// sweeping is a transaction that removes what has ended. Whether it has is judged by the clock of the database as well: a node
// whose own is ahead must not end everybody's sessions.
type sweeping struct {
	*tables.Tx
	now time.Time
}

func (s sweeping) ExpiredRefreshTokens(ctx context.Context, at time.Time, limit int) ([]latchkey.RefreshToken, error) {
	if at.After(s.now) {
		at = s.now
	}
	return s.Tx.ExpiredRefreshTokens(ctx, at, limit)
}
