package postgres

import (
	"context"
	"database/sql"
	"strings"
)

// PostgreSQL has no text with a NUL in it. Nothing that people write has one either; where a program sends one all the
// same it is kept as the sign for it, so that it is found again, and breaks nothing.
const signForNUL = "\u2400"

// texts asks with texts that PostgreSQL takes.
type texts struct{ querier }

func (q texts) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return q.querier.QueryContext(ctx, query, withoutNUL(args)...)
}

func (q texts) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return q.querier.QueryRowContext(ctx, query, withoutNUL(args)...)
}

func withoutNUL(args []any) []any {
	for i, arg := range args {
		if text, ok := arg.(string); ok && strings.IndexByte(text, 0) >= 0 {
			args[i] = strings.ReplaceAll(text, "\x00", signForNUL)
		}
	}
	return args
}
