package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
)

// dialect is what SQLite has of its own.
func dialect() *tables.Dialect {
	return &tables.Dialect{
		UserLists: `(SELECT json_group_array(group_id) FROM (SELECT group_id FROM user_groups WHERE user_id = u.id ORDER BY position)),
			(SELECT json_group_array(json_array(id, provider_type, provider_id, json(data)))
				FROM (SELECT * FROM credentials WHERE user_id = u.id ORDER BY seq))`,
		Find: `instr`, Told: told,
		UserParts: `SELECT u.id FROM user_parts p JOIN users u ON u.seq = p.rowid WHERE user_parts MATCH $1 LIMIT $2`,
		CredentialParts: `SELECT c.user_id FROM credential_parts p JOIN credentials c ON c.seq = p.rowid
			WHERE credential_parts MATCH $1 LIMIT $2`,
		PartsOf: allParts,
		Among:   `IN (SELECT value FROM json_each($3))`,
		List:    func(texts []string) any { list, _ := json.Marshal(texts); return string(list) }, // a list of texts always marshals
	}
}

// allParts asks for texts that hold all of these. Each is one token of the index, in quotes.
func allParts(parts []string) any {
	var quoted []string
	for _, part := range parts {
		quoted = append(quoted, `"`+strings.ReplaceAll(part, `"`, `""`)+`"`)
	}
	return strings.Join(quoted, " AND ")
}

// told gives a violated constraint the words of the domain.
func told(err error) error {
	var s *sqlite.Error
	if errors.As(err, &s) {
		switch s.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
			return latchkey.ErrExists
		case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
			return fmt.Errorf("what it belongs to: %w", latchkey.ErrNotFound)
		}
	}
	return err
}

// runner runs the statements of a transaction. It implements tables.Runner.
type runner struct{ tx *sql.Tx }

func (r runner) Exec(ctx context.Context, query string, args ...any) (rows int64, err error) {
	result, err := r.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Try is the same: a statement that is refused has no effect, and the transaction goes on.
func (r runner) Try(ctx context.Context, query string, args ...any) (rows int64, err error) {
	return r.Exec(ctx, query, args...)
}

// Insert compiles the statement once.
func (r runner) Insert(ctx context.Context, into tables.Table, rows [][]any) (err error) {
	statement, err := r.tx.PrepareContext(ctx, into.Values())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, statement.Close()) }()
	for _, row := range rows {
		if _, err := statement.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return nil
}

// record writes changes down for the other processes.
func (r runner) record(ctx context.Context, origin string, changes []latchkey.Change) error {
	now := time.Now().UnixMicro()
	for _, c := range changes {
		if _, err := r.tx.ExecContext(ctx, `INSERT INTO changes (origin, kind, id, at) VALUES (?, ?, ?, ?)`,
			origin, string(c.Kind), c.ID, now); err != nil {
			return fmt.Errorf("record change: %w", err)
		}
	}
	return nil
}
