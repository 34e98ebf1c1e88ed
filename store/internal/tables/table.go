package tables

import (
	"fmt"
	"strings"
)

// Table is a table with the columns that are written when a row is inserted.
type Table struct {
	Name    string
	Columns []Column
}

// Column is the name of a column and its kind: text, bigint, boolean or bytea.
type Column struct{ Name, Kind string }

// Insert is the beginning of a statement that inserts rows.
func (t Table) Insert() string {
	return `INSERT INTO ` + t.Name + ` (` + t.each(func(_ int, c Column) string { return c.Name }) + `) `
}

// Parameters are one for each column, the first of them $1. cast is [Dialect.Cast], or empty where a value is expected to
// be of the column's kind.
func (t Table) Parameters(cast string) string {
	return t.each(func(i int, c Column) string {
		if cast == "" {
			return fmt.Sprintf("$%d", i+1)
		}
		return fmt.Sprintf("$%d%s%s", i+1, cast, c.Kind)
	})
}

// Values is the statement that inserts one row.
func (t Table) Values() string { return t.Insert() + `VALUES (` + t.Parameters("") + `)` }

// Lists are the names of the columns, and a parameter for each that is a list of its kind.
func (t Table) Lists() (names, lists string) {
	return t.each(func(_ int, c Column) string { return c.Name }),
		t.each(func(i int, c Column) string { return fmt.Sprintf("$%d::%s[]", i+1, c.Kind) })
}

func (t Table) each(text func(i int, c Column) string) string {
	all := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		all[i] = text(i, c)
	}
	return strings.Join(all, ", ")
}

func users() Table {
	return Table{"users", []Column{{"id", "text"}, {"name", "text"}, {"normalized", "text"}, {"is_owner", "boolean"},
		{"is_active", "boolean"}, {"system_generated", "boolean"}, {"local_only", "boolean"}}}
}

func memberships() Table {
	return Table{"user_groups", []Column{{"user_id", "text"}, {"position", "bigint"}, {"group_id", "text"}}}
}

func credentials() Table {
	return Table{"credentials", []Column{{"id", "text"}, {"user_id", "text"}, {"provider_type", "text"}, {"provider_id", "text"},
		{"subject", "text"}, {"data", "text"}}}
}

func refreshTokens() Table {
	return Table{"refresh_tokens", []Column{{"id", "text"}, {"user_id", "text"}, {"client_id", "text"}, {"client_name", "text"},
		{"client_icon", "text"}, {"type", "text"}, {"created_at", "bigint"}, {"access_token_expiration", "bigint"},
		{"secret_hash", "bytea"}, {"jwt_key", "bytea"}, {"last_used_at", "bigint"}, {"last_used_ip", "text"},
		{"expire_at", "bigint"}, {"credential_id", "text"}, {"version", "text"}}}
}

func passwords() Table {
	return Table{"passwords", []Column{{"username", "text"}, {"normalized", "text"}, {"hash", "text"}}}
}
