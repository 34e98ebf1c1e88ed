package postgres_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/postgres"
	"github.com/seed-6a977b3d/latchkey/store/storetest"
)

var key = []byte("0123456789abcdef0123456789abcdef")

var databases atomic.Int64

// ask opens a connection beside the stores'.
func ask(t testing.TB, address string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	never := time.After(30 * time.Second)
	for !so() {
		select {
		case <-never:
			t.Fatalf("never: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// database makes an empty schema on the PostgreSQL that the tests have, and returns the address of it. Without a server
// the test is skipped, except where everything has to be there.
func database(t testing.TB) string {
	t.Helper()
	address := os.Getenv("LATCHKEY_TEST_POSTGRES")
	if address == "" {
		address = "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	admin, err := pgx.Connect(ctx, address)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("a PostgreSQL is needed: %v", err)
		}
		t.Skipf("no PostgreSQL: start one, or set LATCHKEY_TEST_POSTGRES to its address: %v", err)
	}
	name := fmt.Sprintf("latchkey_%d_%d", os.Getpid(), databases.Add(1))
	if _, err := admin.Exec(ctx, "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if _, err := admin.Exec(ctx, "DROP SCHEMA "+name+" CASCADE"); err != nil {
			t.Error(err)
		}
		_ = admin.Close(ctx)
	})
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	q.Set("application_name", name) // so that a test can tell its connections from those of others
	u.RawQuery = q.Encode()
	return u.String()
}

func opened(ctx context.Context, address string, options ...postgres.Option) (*postgres.Store, error) {
	options = append([]postgres.Option{postgres.WithSealKey(key), postgres.WithLogger(slog.New(slog.DiscardHandler))}, options...)
	return postgres.Open(ctx, address, options...)
}

func open(t testing.TB, address string, options ...postgres.Option) *postgres.Store {
	t.Helper()
	s, err := opened(t.Context(), address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Factory{
		NewPlace: func(t testing.TB) func(context.Context) (latchkey.Store, error) {
			address := database(t)
			return func(ctx context.Context) (latchkey.Store, error) { return opened(ctx, address) }
		},
		Shared: true,
	})
}
