// Package pgtest gives tests an empty place on a real PostgreSQL: the one that LATCHKEY_TEST_POSTGRES is the address of,
// else the one on this machine.
package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience is for what takes milliseconds on a machine with nothing else to do.
const patience = 30 * time.Second

// address is that of the PostgreSQL that the tests have.
func address() string {
	if a := os.Getenv("LATCHKEY_TEST_POSTGRES"); a != "" {
		return a
	}
	return "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable"
}

// Missing reports why tests with PostgreSQL are to be skipped: none answers. Where everything has to be there (CI is
// set) it returns nil, and the tests fail instead.
func Missing(ctx context.Context) error {
	if os.Getenv("CI") != "" {
		return nil
	}
	conn, err := pgx.Connect(ctx, address())
	if err != nil {
		return fmt.Errorf("no PostgreSQL: start one, or set LATCHKEY_TEST_POSTGRES to its address: %w", err)
	}
	return conn.Close(ctx)
}

// Schema returns the address of an empty schema, which is dropped after the test. Connections to it call themselves by
// its name, so that a test can tell them from others.
func Schema(t testing.TB) string {
	t.Helper()
	return place(t, NewSchema)
}

// Database returns the address of an empty database, which is dropped after the test.
func Database(t testing.TB) string {
	t.Helper()
	return place(t, newDatabase)
}

func place(t testing.TB, create func(context.Context) (string, func() error, error)) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := Missing(ctx); err != nil {
		t.Skip(err)
	}
	at, drop, err := create(ctx)
	if err != nil {
		t.Fatalf("a PostgreSQL is needed: %v", err)
	}
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Error(err)
		}
	})
	return at
}

// NewSchema is Schema for who has no [testing.TB]: the caller drops it.
func NewSchema(ctx context.Context) (at string, drop func() error, err error) {
	name := newName()
	if err := execute(ctx, "CREATE SCHEMA "+name); err != nil {
		return "", nil, err
	}
	drop = func() error { return dropped("DROP SCHEMA " + name + " CASCADE") }
	at, err = with(func(u *url.URL) {
		q := u.Query()
		q.Set("search_path", name)
		q.Set("application_name", name)
		u.RawQuery = q.Encode()
	})
	return at, drop, err
}

func newDatabase(ctx context.Context) (at string, drop func() error, err error) {
	name := newName()
	if err := execute(ctx, "CREATE DATABASE "+name); err != nil {
		return "", nil, err
	}
	drop = func() error { return dropped("DROP DATABASE " + name + " WITH (FORCE)") }
	at, err = with(func(u *url.URL) { u.Path = "/" + name })
	return at, drop, err
}

// newName is a name that no other test has, in this process, in another, or in one that was killed before it cleared up.
func newName() string { return "latchkey_test_" + strings.ToLower(rand.Text()) }

func with(change func(*url.URL)) (string, error) {
	u, err := url.Parse(address())
	if err != nil {
		return "", err
	}
	change(u)
	return u.String(), nil
}

func dropped(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return execute(ctx, sql)
}

func execute(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, address())
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}
