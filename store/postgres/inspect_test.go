package postgres_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/internal/pgtest"
	"github.com/seed-6a977b3d/latchkey/store/postgres"
)

func inspect(t *testing.T, address string, key []byte) postgres.Inspection {
	t.Helper()
	found, err := postgres.Inspect(t.Context(), address, key)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAnInspectionMakesNoTables(t *testing.T) {
	address := pgtest.Schema(t)
	for range 2 {
		if found := inspect(t, address, key); found.Version != 0 || found.Newest == 0 || found.Key != nil || found.People {
			t.Errorf("%+v", found)
		}
	}
}

func TestAnInspectionFindsASoundHouse(t *testing.T) {
	address := pgtest.Schema(t)
	s, err := postgres.Open(t.Context(), address, postgres.WithSealKey(key))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	made := time.Now().UTC().Truncate(time.Microsecond)
	if found := inspect(t, address, key); found.People || found.Admin || !found.Latest.IsZero() {
		t.Errorf("of an empty house: %+v", found)
	}
	err = s.Update(t.Context(), func(tx latchkey.Tx) error {
		anna := latchkey.User{ID: "u-anna", IsActive: true, GroupIDs: []string{latchkey.GroupAdmin}}
		return errors.Join(tx.InsertUser(t.Context(), anna), tx.InsertRefreshToken(t.Context(), latchkey.RefreshToken{
			ID: "t", UserID: anna.ID, Type: latchkey.TokenLongLived, CreatedAt: made, Secret: "a", JWTKey: "b",
		}))
	})
	if err != nil {
		t.Fatal(err)
	}
	found := inspect(t, address, key)
	if found.Version != found.Newest || found.Key != nil || found.Standby || !found.People || !found.Admin {
		t.Errorf("%+v", found)
	}
	if found.Others < 1 || found.Connections < found.Others || found.Server == "" || found.Place == "" {
		t.Errorf("of the server: %+v", found)
	}
	if found.Latency <= 0 || found.ClockAhead.Abs() > time.Minute || !found.Latest.Equal(made) {
		t.Errorf("of the time: %+v, want the latest use at %v", found, made)
	}
	for _, wrong := range [][]byte{nil, []byte("short"), []byte(strings.Repeat("x", 32))} {
		if found := inspect(t, address, wrong); found.Key == nil {
			t.Errorf("the key %q is good", wrong)
		}
	}
	if _, err := ask(t, address).Exec(t.Context(), `UPDATE meta SET value = '1000' WHERE key = 'version'`); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.Inspect(t.Context(), address, key); err == nil || !strings.Contains(err.Error(), "use a newer latchkey") {
		t.Errorf("a newer version: %v", err)
	}
}

func TestAnInspectionSaysWhyThereIsNoDatabase(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = postgres.Inspect(t.Context(), "postgres://house:hunter22@"+nobody+"/latchkey", key)
	if !errors.Is(err, latchkey.ErrUnavailable) || strings.Contains(err.Error(), "hunter22") || !strings.Contains(err.Error(), nobody) {
		t.Errorf("got %v", err)
	}
	_, err = postgres.Inspect(t.Context(), strings.Replace(pgtest.Schema(t), "/postgres?", "/no-such-database?", 1), key)
	if err == nil || !strings.Contains(err.Error(), "refuses: ") {
		t.Errorf("got %v", err)
	}
}
