package postgres

import (
	"context"
	"database/sql"
)

// again asks the database outside of transactions. A question is asked once more, on a new connection, when the one that it
// was asked on has ended: PostgreSQL ends them all when it restarts, and each is found out only by using it. Nothing that
// writes may be asked here.
type again struct{ store *Store }

func (q again) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := q.store.db.QueryContext(ctx, query, proper(args)...)
	if hasEnded(err) && ctx.Err() == nil {
		q.store.dropIdle()
		return q.store.db.QueryContext(ctx, query, proper(args)...)
	}
	return rows, err
}

func (q again) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	row := q.store.db.QueryRowContext(ctx, query, proper(args)...)
	if hasEnded(row.Err()) && ctx.Err() == nil {
		q.store.dropIdle()
		return q.store.db.QueryRowContext(ctx, query, proper(args)...)
	}
	return row
}
