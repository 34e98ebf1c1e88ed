package postgres_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey/internal/pgtest"
	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
	"github.com/seed-6a977b3d/latchkey/store/storetest"
)

// Each look-up costs the same with ten users as with a million: it goes through an index. PostgreSQL is told to avoid
// reading a whole table, and so does it only where it cannot do otherwise.
func TestLookUpsUseAnIndex(t *testing.T) {
	ctx := t.Context()
	s := open(t, pgtest.Schema(t))
	if err := insert(ctx, s, user("x")); err != nil {
		t.Fatal(err)
	}
	seen := &storetest.Recorder{To: s.DB(), Seen: map[string][]any{}}
	storetest.LookUp(ctx, s.Reading(seen))
	if len(seen.Seen) < storetest.Queries {
		t.Errorf("only %d queries were seen", len(seen.Seen))
	}
	// These go through all that a partial index holds, which is what they ask for; or end with the first row.
	fine := []string{"users_owner", "passwords_odd"}
	const anybody = `SELECT EXISTS (SELECT 1 FROM users WHERE NOT system_generated)`
	for query, args := range seen.Seen {
		steps, err := tables.Collect(ctx, s.DB(), tables.ScanText, "EXPLAIN "+query, args...)
		if err != nil || len(steps) == 0 {
			t.Fatalf("%s: %v", query, err)
		}
		plan := strings.Join(steps, "\n\t")
		for i, step := range steps {
			index, scans := strings.CutPrefix(strings.TrimLeft(step, " ->"), "Index Scan using ")
			if only, is := strings.CutPrefix(strings.TrimLeft(step, " ->"), "Index Only Scan using "); is {
				index, scans = only, true
			}
			whole := scans && !(i+1 < len(steps) && strings.Contains(steps[i+1], "Index Cond")) &&
				!slices.ContainsFunc(fine, func(f string) bool { return strings.HasPrefix(index, f) })
			first := strings.Contains(query, "LIMIT") || strings.Contains(query, "min(") || query == anybody
			if strings.Contains(step, "Seq Scan") || whole && !first {
				t.Errorf("%s\n\t%s", query, plan)
				break
			}
		}
	}
}
