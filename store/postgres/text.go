package postgres

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
)

// PostgreSQL has no text with a NUL or with bytes in it that are not UTF-8. Nothing that people write has any either; where
// a program sends some all the same they are kept as the signs for them, so that the text is found again, and break nothing.
const (
	signForNUL   = "\u2400"
	signForBytes = "\ufffd" // the one that JSON has for them
)

// texts asks with texts that PostgreSQL takes.
type texts struct{ tables.Querier }

func (q texts) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return q.Querier.QueryContext(ctx, query, proper(args)...)
}

func (q texts) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return q.Querier.QueryRowContext(ctx, query, proper(args)...)
}

// proper returns arguments that PostgreSQL takes. The caller's stay as they are.
func proper(args []any) []any {
	next := slices.Clone(args)
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			next[i] = properText(text)
		}
	}
	return next
}

func properText(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, signForBytes), "\x00", signForNUL)
}

func properTexts(texts []string) []string {
	var next []string
	for _, text := range texts {
		next = append(next, properText(text))
	}
	return next
}
