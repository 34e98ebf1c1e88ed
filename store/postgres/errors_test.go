package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/postgres"
)

func TestWhatPostgreSQLRefusesIsSaidInWordsOfTheDomain(t *testing.T) {
	for code, want := range map[string]error{
		"23505": latchkey.ErrExists, "23503": latchkey.ErrNotFound, "57P01": latchkey.ErrUnavailable, "53300": latchkey.ErrUnavailable,
		"25006": latchkey.ErrUnavailable, "08P01": latchkey.ErrUnavailable,
	} {
		if err := postgres.Told(&pgconn.PgError{Code: code}); !errors.Is(err, want) {
			t.Errorf("%s is told as %v, want %v", code, err, want)
		}
	}
	for _, code := range []string{"42P05", "26000"} { // of statements that were prepared on somebody else's connection
		err := postgres.Told(&pgconn.PgError{Code: code})
		if errors.Is(err, latchkey.ErrUnavailable) || !strings.Contains(err.Error(), "default_query_exec_mode=exec") {
			t.Errorf("%s is told as %v", code, err)
		}
	}
}
