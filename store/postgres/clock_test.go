package postgres_test

import (
	"bytes"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey/internal/pgtest"
	"github.com/seed-6a977b3d/latchkey/store/postgres"
)

// A node whose clock is not that of the others says so when it starts.
func TestClocksThatAreApartAreToldOf(t *testing.T) {
	for by, want := range map[string]string{"0": "", "-90 seconds": "ahead=-1m30s", "1 hour": "ahead=1h0m0s"} {
		t.Run(by, func(t *testing.T) {
			address := pgtest.Schema(t)
			// What stands before the catalogue in the path is found first.
			_, err := ask(t, address).Exec(t.Context(), `CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql
				AS $$ SELECT pg_catalog.clock_timestamp() + interval '`+by+`' $$`)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			q := u.Query()
			q.Set("search_path", q.Get("search_path")+",pg_catalog")
			u.RawQuery = q.Encode()
			var log bytes.Buffer
			s := open(t, u.String(), postgres.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if text := log.String(); strings.Contains(text, "clocks") != (want != "") || !strings.Contains(text, want) {
				t.Errorf("the log: %s", text)
			}
		})
	}
}
