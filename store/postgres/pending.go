package postgres

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
)

// Pending keeps what is under way for all nodes. Keys are kept as hashes, since some hold secrets, and values are sealed.
// Time is that of the database, so that the nodes' clocks do not matter.
type Pending struct{ store *Store }

var _ latchkey.PendingStore = (*Pending)(nil)

func keyOf(key string) []byte {
	hash := latchkey.Secret(key).Hash()
	return hash[:]
}

func pendingPlace(key []byte) string { return "pending/" + hex.EncodeToString(key) }

// exec runs a statement and returns how many rows it changed.
func (p *Pending) exec(ctx context.Context, query string, args ...any) (int64, error) {
	var result sql.Result
	err := p.store.limit.do(ctx, func(ctx context.Context) (err error) {
		result, err = p.store.db.ExecContext(ctx, query, args...)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("pending: %w", told(err))
	}
	return result.RowsAffected()
}

// Put implements [latchkey.PendingStore].
func (p *Pending) Put(ctx context.Context, key string, value []byte, lifetime time.Duration) error {
	k := keyOf(key)
	sealed, err := p.store.box.Seal(value, pendingPlace(k))
	if err != nil {
		return err
	}
	n, err := p.exec(ctx, `INSERT INTO pending (key, value, revision, ends) VALUES ($1, $2, 0, now() + $3 * interval '1 microsecond')
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = 0, ends = excluded.ends WHERE pending.ends <= now()`,
		k, sealed, lifetime.Microseconds())
	if err == nil && n == 0 {
		err = latchkey.ErrExists
	}
	return err
}

// Get implements [latchkey.PendingStore].
func (p *Pending) Get(ctx context.Context, key string) (value []byte, revision int64, err error) {
	return p.row(ctx, p.store.q, key, `SELECT value, revision FROM pending WHERE key = $1 AND ends > now()`)
}

func (p *Pending) row(ctx context.Context, q tables.Querier, key, query string) (value []byte, revision int64, err error) {
	k := keyOf(key)
	var sealed []byte
	err = p.store.limit.do(ctx, func(ctx context.Context) error {
		return q.QueryRowContext(ctx, query, k).Scan(&sealed, &revision)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, latchkey.ErrNotFound
	} else if err != nil {
		return nil, 0, fmt.Errorf("pending: %w", told(err))
	}
	value, err = p.store.box.Open(sealed, pendingPlace(k))
	return value, revision, err
}

// Replace implements [latchkey.PendingStore].
func (p *Pending) Replace(ctx context.Context, key string, revision int64, value []byte, lifetime time.Duration) error {
	k := keyOf(key)
	sealed, err := p.store.box.Seal(value, pendingPlace(k))
	if err != nil {
		return err
	}
	n, err := p.exec(ctx, `UPDATE pending SET value = $3, revision = revision + 1,
		ends = CASE WHEN $4::bigint > 0 THEN now() + $4::bigint * interval '1 microsecond' ELSE ends END
		WHERE key = $1 AND revision = $2 AND ends > now()`, k, revision, sealed, lifetime.Microseconds())
	return p.judge(ctx, key, n, err)
}

// Remove implements [latchkey.PendingStore].
func (p *Pending) Remove(ctx context.Context, key string, revision int64) error {
	n, err := p.exec(ctx, `DELETE FROM pending WHERE key = $1 AND revision = $2 AND ends > now()`, keyOf(key), revision)
	return p.judge(ctx, key, n, err)
}

// judge says why nothing was changed.
func (p *Pending) judge(ctx context.Context, key string, n int64, err error) error {
	if err != nil || n > 0 {
		return err
	}
	if _, _, err := p.Get(ctx, key); err != nil {
		return err
	}
	return latchkey.ErrConflict
}

// Take implements [latchkey.PendingStore].
func (p *Pending) Take(ctx context.Context, key string) ([]byte, error) {
	value, _, err := p.row(ctx, p.store.db, key, `DELETE FROM pending WHERE key = $1 AND ends > now() RETURNING value, revision`)
	return value, err
}
