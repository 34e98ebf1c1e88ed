package postgres

import (
	"context"
	"database/sql"

	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
)

// dialect is what PostgreSQL has of its own.
func dialect() *tables.Dialect {
	return &tables.Dialect{
		UserLists: `coalesce((SELECT json_agg(group_id ORDER BY position) FROM user_groups WHERE user_id = u.id), '[]')::text,
			coalesce((SELECT json_agg(json_build_array(id, provider_type, provider_id, data::json) ORDER BY seq)
				FROM credentials WHERE user_id = u.id), '[]')::text`,
		Find: `strpos`, Cast: `::`, Told: told,
		UserParts:       `SELECT id FROM users WHERE parts_of(normalized) @> $1 LIMIT $2`,
		CredentialParts: `SELECT user_id FROM credentials WHERE parts_of(subject) @> $1 LIMIT $2`,
		PartsOf:         func(parts []string) any { return parts },
		Among:           `= ANY ($3)`,
		List:            func(texts []string) any { return properTexts(texts) },
	}
}

// runner runs the statements of a transaction. It implements tables.Runner.
type runner struct{ tx *sql.Tx }

func (r runner) Exec(ctx context.Context, query string, args ...any) (rows int64, err error) {
	result, err := r.tx.ExecContext(ctx, query, proper(args)...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Try makes a point to go back to: a statement that is refused ends a transaction of PostgreSQL.
func (r runner) Try(ctx context.Context, query string, args ...any) (rows int64, err error) {
	if _, err := r.tx.ExecContext(ctx, `SAVEPOINT statement`); err != nil {
		return 0, err
	}
	if rows, err = r.Exec(ctx, query, args...); err != nil {
		if _, undone := r.tx.ExecContext(ctx, `ROLLBACK TO statement`); undone != nil {
			return 0, undone
		}
		return 0, err
	}
	_, err = r.tx.ExecContext(ctx, `RELEASE statement`)
	return rows, err
}

// atOnce is how many rows go into one statement, so that none takes long.
const atOnce = 1000

// Insert sends each column as a list.
func (r runner) Insert(ctx context.Context, into tables.Table, rows [][]any) error {
	names, lists := into.Lists()
	for len(rows) > 0 {
		some := rows[:min(atOnce, len(rows))]
		rows = rows[len(some):]
		columns := make([]any, len(into.Columns))
		for i := range columns {
			list := make([]any, len(some))
			for n, row := range some {
				list[n] = row[i]
			}
			columns[i] = proper(list)
		}
		if _, err := r.tx.ExecContext(ctx, into.Insert()+`SELECT `+names+` FROM unnest(`+lists+`) WITH ORDINALITY
			AS rows (`+names+`, n) ORDER BY n`, columns...); err != nil {
			return err
		}
	}
	return nil
}
