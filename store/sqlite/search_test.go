package sqlite

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

// Where many have the parts of what is looked for, they are found all the same, page by page.
func TestACommonPartIsFound(t *testing.T) {
	const many = 11_000
	s := openInner(t, temporary(t))
	mustExec(t, s, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO users (id, name, normalized, is_owner, is_active, system_generated, local_only)
		SELECT 'id' || i, 'Guest ' || i, 'guest ' || i, 0, 1, 0, 0 FROM n`, many)
	for text, want := range map[string]int{"guest": many, "GUEST 1": 1_111 + many - 9_999, "t 999": 11, "id7": 1} {
		var found []string
		for after := ""; ; {
			page, err := s.FindUsers(t.Context(), text, after, 700)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, u := range page {
				found = append(found, u.ID)
			}
			after = found[len(found)-1]
		}
		if len(found) != want || len(slices.Compact(slices.Sorted(slices.Values(found)))) != want {
			t.Errorf("%q finds %d, want %d", text, len(found), want)
		}
	}
}

// The index of parts says the same as the names that it is of, whatever became of them.
func TestThePartsAreThoseOfTheNames(t *testing.T) {
	s := openInner(t, temporary(t))
	ctx := t.Context()
	random := rand.New(rand.NewPCG(1, 2))
	name := func() string {
		return []string{"", "Al", "Ada Lovelace", "Größe", "木\U0001F511 x", "nul\x00within", "bytes \xff\xfe"}[random.IntN(7)]
	}
	var there []latchkey.User
	for i := range 200 {
		err := s.Update(ctx, func(tx latchkey.Tx) error {
			if len(there) == 0 || random.IntN(3) > 0 {
				u := latchkey.User{ID: fmt.Sprint(i), Name: latchkey.Text(name())}
				for range random.IntN(3) {
					u.Credentials = append(u.Credentials, latchkey.NewCredentials(
						latchkey.ProviderKey{Type: "homeassistant"}, map[string]any{"username": name()}))
				}
				there = append(there, u)
				return tx.InsertUser(ctx, u)
			}
			n := random.IntN(len(there))
			u := there[n]
			switch random.IntN(3) {
			case 0:
				there = slices.Delete(there, n, n+1)
				return tx.DeleteUser(ctx, u.ID)
			case 1:
				u.Name = latchkey.Text(name())
				return tx.UpdateUser(ctx, u)
			}
			for _, c := range u.Credentials {
				c.Data = map[string]any{"username": name()}
				if err := tx.UpdateCredentials(ctx, c); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, parts := range []string{"user_parts", "credential_parts"} {
		mustExec(t, s, `INSERT INTO `+parts+` (`+parts+`, rank) VALUES ('integrity-check', 1)`)
	}
	found, err := Inspect(ctx, s.path, nil)
	if err != nil || len(found.Damage) > 0 {
		t.Errorf("damage: %v, %v", found.Damage, err)
	}
}

// A database of the version before is given its index when it is opened.
func TestPartsOfAnOlderDatabase(t *testing.T) {
	path := temporary(t)
	atVersion(t, path, 2, `INSERT INTO users (id, name, normalized, is_owner, is_active, system_generated, local_only)
			VALUES ('a', 'Ada', 'ada', 0, 1, 0, 0), ('b', 'Bob', 'bob', 0, 1, 0, 0);
		INSERT INTO credentials (id, user_id, provider_type, subject, data) VALUES ('c', 'b', 'x', 'adam', '{}')`)
	s := openInner(t, path)
	users, err := s.FindUsers(t.Context(), "ADA", "", 10)
	if err != nil || len(users) != 2 {
		t.Errorf("found %v, %v", users, err)
	}
	var version sql.Null[int]
	if err := s.readers.QueryRowContext(t.Context(), `PRAGMA user_version`).Scan(&version); err != nil || version.V != len(migrations) {
		t.Errorf("version %v, %v", version, err)
	}
}
