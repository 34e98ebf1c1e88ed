package postgres_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/internal/pgtest"
	"github.com/seed-6a977b3d/latchkey/store/postgres"
	"github.com/seed-6a977b3d/latchkey/store/storetest"
)

var key = []byte("0123456789abcdef0123456789abcdef")

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
			address := pgtest.Schema(t)
			return func(ctx context.Context) (latchkey.Store, error) { return opened(ctx, address) }
		},
		Shared: true,
	})
}
