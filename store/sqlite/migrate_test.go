package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
)

// atVersion makes a database as a program of an earlier version left it.
func atVersion(t *testing.T, path string, version int, statements string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", fileURL(path))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, m := range migrations[:version] {
		if _, err := db.Exec(m.statements); err != nil {
			t.Fatal(err)
		}
	}
	mark := fmt.Sprintf("; PRAGMA user_version = %d; PRAGMA application_id = %d", version, applicationID)
	if _, err := db.Exec(statements+mark, args...); err != nil {
		t.Fatal(err)
	}
}

// Users of a database that knew no search are found like all others.
func TestUsersOfAnOlderDatabaseAreFound(t *testing.T) {
	path := temporary(t)
	const many = 2*portion + 5
	atVersion(t, path, 1, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO users (id, name, is_owner, is_active, system_generated, local_only)
		SELECT 'id' || i, CASE WHEN i % 5 THEN 'GRÖßE ' || i END, 0, 1, 0, 0 FROM n`, many)
	find := func(s *Store, text string) int {
		t.Helper()
		users, err := s.FindUsers(t.Context(), text, "", many)
		if err != nil {
			t.Fatal(err)
		}
		return len(users)
	}
	s := openInner(t, path)
	if found, all := find(s, "grösse "), find(s, ""); found != many-many/5 || all != many {
		t.Errorf("found %d of %d users", found, all)
	}
	if found := find(s, fmt.Sprintf("größe %d", many-1)); found != 1 {
		t.Errorf("found %d of the last ones", found)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if found := find(openInner(t, path), "grösse"); found != many-many/5 { // the step is not taken again
		t.Errorf("opened again: found %d", found)
	}
}

// A step that fails half way leaves the database as it was.
func TestAMigrationThatFailsChangesNothing(t *testing.T) {
	path := temporary(t)
	atVersion(t, path, 1, `INSERT INTO users (id, name, is_owner, is_active, system_generated, local_only)
			VALUES ('a', 'Ada', 0, 1, 0, 0);
		CREATE TRIGGER full BEFORE UPDATE ON users BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`)
	if s, err := Open(t.Context(), path); err == nil {
		_ = s.Close()
		t.Fatal("it was opened")
	}
	db, err := sql.Open("sqlite", fileURL(path))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `DROP TRIGGER full`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	users, err := openInner(t, path).FindUsers(context.Background(), "ADA", "", 10)
	if err != nil || len(users) != 1 {
		t.Errorf("once there is room: %v, %v", users, err)
	}
}
