package postgres_test

import (
	"fmt"
	"testing"

	"github.com/seed-6a977b3d/latchkey/internal/pgtest"
	"github.com/seed-6a977b3d/latchkey/store/postgres"
)

// Users of tables that knew no search are found like all others.
func TestUsersOfOlderTablesAreFound(t *testing.T) {
	address := pgtest.Schema(t)
	conn := ask(t, address)
	const many = 2*postgres.Portion + 5
	if _, err := conn.Exec(t.Context(), postgres.FirstTables()+`;
		INSERT INTO meta (key, value) VALUES ('version', '1');`); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `INSERT INTO users (id, name, is_owner, is_active, system_generated, local_only)
		SELECT 'id' || i, CASE WHEN i % 5 > 0 THEN 'GRÖßE ' || i END, false, true, false, false
		FROM generate_series(1, $1::int) AS i`, many); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the step is taken once
		s := open(t, address)
		for text, want := range map[string]int{"": many, "grösse ": many - many/5, fmt.Sprintf("größe %d", many-1): 1} {
			if users, err := s.FindUsers(t.Context(), text, "", many); err != nil || len(users) != want {
				t.Errorf("search for %q finds %d of %d: %v", text, len(users), want, err)
			}
		}
	}
}
