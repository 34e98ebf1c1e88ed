package postgres

import "context"

// Connections is how many connections a store has at most.
const Connections = connections

// SweepOnce deletes what has ended now, and not only every minute.
func (s *Store) SweepOnce(ctx context.Context) error { return s.sweepOnce(ctx) }
