package postgres

import "context"

// Connections is how many connections a store has at most.
const Connections = connections

// Portion is how many rows a migration holds in memory at a time.
const Portion = portion

// FirstTables makes the tables as the first version had them.
func FirstTables() string { return migrations()[0].statements }

// MigrationLock is the lock of whoever prepares the tables.
const MigrationLock = int64(migrationLock)

// SweepOnce deletes what has ended now, and not only every minute.
func (s *Store) SweepOnce(ctx context.Context) error { return s.sweepOnce(ctx) }
