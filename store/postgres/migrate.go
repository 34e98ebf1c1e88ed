package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
)

// migrationLock is the number of the advisory lock under which one node at a time brings the tables up to date. As the other
// locks it is one of the schema in which the house is.
const migrationLock = 0x6c6b6d67

// migrate brings the tables to the newest version in one transaction. Of several nodes that start at the same time one
// does it, and the others wait, no longer than they would for the database itself. Where there have to be tables, none are
// made.
func (s *Store) migrate(ctx context.Context, patience time.Duration, existing bool) error {
	// Each statement sees what was committed before it, by whoever held the lock.
	w, err := s.begin(ctx, sql.LevelReadCommitted)
	if err != nil {
		return err
	}
	defer w.end()
	if err := s.takeTurn(ctx, w, patience); err != nil {
		return err
	}
	version, err := s.tableVersion(ctx, w)
	if err != nil {
		return err
	}
	if existing && version == 0 {
		return ErrNoHouse
	}
	steps := migrations()
	if version > len(steps) {
		return fmt.Errorf("the tables are of version %d, and this program knows %d: use a newer latchkey", version, len(steps))
	}
	for ; version < len(steps); version++ {
		if err := steps[version].run(ctx, w.Tx); err != nil { // which takes long where there is much
			return fmt.Errorf("step %d: %w", version+1, told(err))
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit.within, latchkey.ErrUnavailable)
	defer cancel()
	if err := s.checkKey(ctx, w); err != nil {
		return err
	}
	_, err = w.ExecContext(ctx, `INSERT INTO meta (key, value) VALUES ('version', $1)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE meta.value <> excluded.value`, []byte(strconv.Itoa(version)))
	if err != nil {
		return told(err)
	}
	return w.commit(ctx)
}

// takeTurn waits until no other node prepares the tables.
func (s *Store) takeTurn(ctx context.Context, w *work, patience time.Duration) error {
	defer time.AfterFunc(time.Second, func() {
		s.log.Info("waiting for another node that prepares the database", "at", s.place(), "limit", patience)
	}).Stop()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// A step may take long, and so may those of the node that is at it.
	if _, err := w.ExecContext(limited, `SET LOCAL statement_timeout = 0`); err != nil {
		return told(err)
	}
	_, err := w.ExecContext(limited, `SELECT pg_advisory_xact_lock($1, hashtext(current_schema()))`, migrationLock)
	if limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("another node has been at it for %v: see what it does, or start this one later: %w", patience, told(err))
	}
	return told(err)
}

// tableVersion is 0 for a database without tables of ours.
func (s *Store) tableVersion(ctx context.Context, q tables.Querier) (int, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit.within, latchkey.ErrUnavailable)
	defer cancel()
	var there bool
	if err := q.QueryRowContext(ctx, `SELECT to_regclass('meta') IS NOT NULL`).Scan(&there); err != nil || !there {
		return 0, told(err)
	}
	var text []byte
	err := q.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'version'`).Scan(&text)
	if err != nil {
		return 0, fmt.Errorf("there is a table meta that is not ours: use a database of its own for latchkey: %w", err)
	}
	return strconv.Atoi(string(text))
}

// migration is one step from a version of the tables to the next.
type migration struct {
	statements string
	// fill computes what SQL cannot, once the statements ran; nil for nothing.
	fill func(ctx context.Context, began *sql.Tx) error
}

func (m migration) run(ctx context.Context, began *sql.Tx) error {
	if _, err := began.ExecContext(ctx, m.statements); err != nil {
		return err
	}
	if m.fill == nil {
		return nil
	}
	return m.fill(ctx, began)
}

// portion is how many rows a migration holds in memory at a time.
const portion = 1000

type numberedName struct {
	seq  int64
	name string
}

// normalizeNames writes what users are found by beside their names. How PostgreSQL folds case depends on how it was set
// up, and is never quite what [latchkey.NormalizeUsername] does.
func normalizeNames(ctx context.Context, began *sql.Tx) error {
	scan := func(row tables.Row) (n numberedName, err error) {
		err = row.Scan(&n.seq, &n.name)
		return n, err
	}
	last := int64(0)
	for {
		page, err := tables.Collect(ctx, began, scan,
			`SELECT seq, name FROM users WHERE seq > $1 AND name IS NOT NULL ORDER BY seq LIMIT $2`, last, portion)
		if err != nil || len(page) == 0 {
			return err
		}
		var seqs []int64
		var names []string
		for _, n := range page {
			seqs, names = append(seqs, n.seq), append(names, latchkey.NormalizeUsername(n.name))
		}
		last = page[len(page)-1].seq
		if _, err := began.ExecContext(ctx, `UPDATE users SET normalized = n.name
			FROM unnest($1::bigint[], $2::text[]) AS n (seq, name) WHERE users.seq = n.seq`, seqs, names); err != nil {
			return err
		}
	}
}

// keyPlace is where a text is sealed by which the key is recognised.
const keyPlace = "meta/key"

// errWrongKey says that the secrets were sealed with another key.
var errWrongKey = errors.New("the key does not fit this database: set LATCHKEY_SEAL_KEY to the one that the other nodes have")

func (s *Store) checkKey(ctx context.Context, w *work) error {
	var sealed []byte
	err := w.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'key'`).Scan(&sealed)
	if err == nil {
		if _, err := s.box.Open(sealed, keyPlace); err != nil {
			return errWrongKey
		}
		return nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return told(err)
	}
	if sealed, err = s.box.Seal([]byte("latchkey"), keyPlace); err != nil {
		return err
	}
	_, err = w.ExecContext(ctx, `INSERT INTO meta (key, value) VALUES ('key', $1)`, sealed)
	return told(err)
}
