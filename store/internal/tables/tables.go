// Package tables reads and writes the tables that the SQL stores have in common. It knows what the values of the domain look
// like in rows, and no driver: in what the databases differ is in a [Dialect] and in how they run a transaction's statements.
package tables

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/seal"
)

// Querier is a database or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Row is one row of an answer.
type Row interface{ Scan(...any) error }

// Dialect is in what the databases differ.
type Dialect struct {
	// UserLists are two columns beside a user u: the ids of its groups, and its credentials, each a list of its id, the type
	// and the id of its provider and its data. Both are JSON, and in order.
	UserLists string
	// Find is the function of two texts that returns where the second stands in the first, counted from 1, or else 0.
	Find string
	// UserParts and CredentialParts ask through an index for the ids of users by the parts of their names, and of their
	// credentials' subjects. The parameters are what PartsOf makes of the parts, and a limit.
	UserParts, CredentialParts string
	PartsOf                    func(parts []string) any
	// Among is behind a text and true if that is one of a list, which is parameter $3 as List makes it.
	Among string
	List  func([]string) any
	// Cast is the operator that gives a parameter a type where none is expected of it, such as in a SELECT; empty where
	// nothing has to be said.
	Cast string
	// Told gives what the database refuses the words of the domain: [latchkey.ErrExists] where something is there already,
	// [latchkey.ErrNotFound] where what it belongs to is not.
	Told func(error) error
}

// cast is a parameter that is said to be of a type.
func (d *Dialect) cast(parameter, kind string) string {
	if d.Cast == "" {
		return parameter
	}
	return parameter + d.Cast + kind
}

// Reader answers from a database or from inside a transaction. It implements latchkey.Reader.
type Reader struct {
	q       Querier
	box     *seal.Box
	dialect *Dialect
	limit   Limit
}

// Limit puts a question, and bounds how long the answer may take.
type Limit func(ctx context.Context, question func(context.Context) error) error

// NewReader returns a reader that opens with box what is sealed. What has no limit is waited for as long as the caller does.
func NewReader(q Querier, box *seal.Box, d *Dialect, limit Limit) Reader {
	return Reader{q, box, d, limit}
}

func (r Reader) ask(ctx context.Context, question func(context.Context) error) error {
	if r.limit == nil {
		return question(ctx)
	}
	return r.limit(ctx, question)
}

// found gives a look-up's error the words of the domain.
func (r Reader) found(err error, what, id string) error {
	if errors.Is(err, sql.ErrNoRows) {
		err = latchkey.ErrNotFound
	}
	if err = r.dialect.Told(err); err != nil {
		return fmt.Errorf("%s %s: %w", what, id, err)
	}
	return nil
}

// all reads all rows of a query in time.
func all[T any](ctx context.Context, r Reader, scan func(Row) (T, error), query string, args ...any) (list []T, err error) {
	err = r.ask(ctx, func(ctx context.Context) (err error) {
		list, err = Collect(ctx, r.q, scan, query, args...)
		return err
	})
	return list, r.dialect.Told(err)
}

// one reads the row of a query in time. There must be one.
func one[T any](ctx context.Context, r Reader, scan func(Row) (T, error), query string, args ...any) (v T, err error) {
	err = r.ask(ctx, func(ctx context.Context) (err error) {
		v, err = scan(r.q.QueryRowContext(ctx, query, args...))
		return err
	})
	return v, err
}

func (r Reader) exists(ctx context.Context, query string, args ...any) (bool, error) {
	yes, err := one(ctx, r, scanOne[bool], `SELECT EXISTS (`+query+`)`, args...)
	return yes, r.dialect.Told(err)
}

// Collect reads all rows of a query.
func Collect[T any](ctx context.Context, q Querier, scan func(Row) (T, error), query string, args ...any) (all []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// ScanText reads a row of one text.
func ScanText(row Row) (string, error) { return scanOne[string](row) }

// scanOne reads a row of one column.
func scanOne[T any](row Row) (v T, err error) {
	err = row.Scan(&v)
	return v, err
}

// null turns a column into the domain's text or nothing.
func null(s sql.Null[string]) latchkey.NullString {
	return latchkey.NullString{Text: s.V, Valid: s.Valid}
}

// column turns the domain's text or nothing into a column.
func column(s latchkey.NullString) any {
	if !s.Valid {
		return nil
	}
	return s.Text
}

// orNull writes the empty text as NULL.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Instant turns microseconds into a time, and nothing into the zero time.
func Instant(n sql.Null[int64]) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.V).UTC()
}

// Micros turns a time into microseconds, and the zero time into nothing.
func Micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}
