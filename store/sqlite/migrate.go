package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
)

// migrate brings the database to the newest version, one transaction a step. Of several processes that start at the same
// time one does it, and the others wait.
func (s *Store) migrate(ctx context.Context) error {
	for {
		done, err := s.migrateOnce(ctx)
		if done || err != nil && !isBusy(err) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (s *Store) migrateOnce(ctx context.Context) (done bool, err error) {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }()
	version, err := versionOf(ctx, tx)
	if err != nil || version == len(migrations) {
		return err == nil, err
	}
	if err := migrations[version].run(ctx, tx); err != nil {
		return false, err
	}
	mark := fmt.Sprintf("PRAGMA user_version = %d; PRAGMA application_id = %d", version+1, applicationID)
	if _, err := tx.ExecContext(ctx, mark); err != nil {
		return false, err
	}
	return false, tx.Commit()
}

// migration is one step from a version of the database to the next.
type migration struct {
	statements string
	// fill computes what SQL cannot, once the statements ran; nil for nothing.
	fill func(ctx context.Context, tx *sql.Tx) error
}

func (m migration) run(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, m.statements); err != nil {
		return err
	}
	if m.fill == nil {
		return nil
	}
	return m.fill(ctx, tx)
}

// portion is how many rows a migration holds in memory at a time.
const portion = 1000

type numberedName struct {
	seq  int64
	name string
}

// normalizeNames writes what users are found by beside their names: SQLite folds the case of ASCII alone.
func normalizeNames(ctx context.Context, tx *sql.Tx) error {
	scan := func(row tables.Row) (n numberedName, err error) {
		err = row.Scan(&n.seq, &n.name)
		return n, err
	}
	last := int64(0)
	for {
		names, err := tables.Collect(ctx, tx, scan,
			`SELECT seq, name FROM users WHERE seq > ? AND name IS NOT NULL ORDER BY seq LIMIT ?`, last, portion)
		if err != nil || len(names) == 0 {
			return err
		}
		for _, n := range names {
			if _, err := tx.ExecContext(ctx, `UPDATE users SET normalized = ? WHERE seq = ?`,
				latchkey.NormalizeUsername(n.name), n.seq); err != nil {
				return err
			}
		}
		last = names[len(names)-1].seq
	}
}
