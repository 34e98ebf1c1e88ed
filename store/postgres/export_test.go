package postgres

import (
	"context"
	"database/sql"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
)

// Connections is how many connections a store has at most.
const Connections = connections

// Portion is how many rows a migration holds in memory at a time.
const Portion = portion

// FirstTables makes the tables as the first version had them.
func FirstTables() string { return migrations()[0].statements }

// The locks of whoever prepares the tables, sweeps, and removes for a manager.
const (
	MigrationLock = migrationLock
	SweepLock     = sweepLock
	ManagerLock   = managerLock
)

// SweepOnce deletes what has ended now, and not only every minute.
func (s *Store) SweepOnce(ctx context.Context) error { return s.sweepOnce(ctx) }

// DB is the pool of a store's connections.
func (s *Store) DB() *sql.DB { return s.db }

// Reading is a reader that asks by q.
func (s *Store) Reading(q tables.Querier) latchkey.Reader {
	return tables.NewReader(q, s.box, dialect(), s.limit.do)
}

// Told gives what failed the words of the domain.
var Told = told
