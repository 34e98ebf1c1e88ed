package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

func open(t testing.TB, path string, opts ...sqlite.Option) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func closed(t testing.TB, s *sqlite.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// refused fails the test unless opening fails with an error that holds all of want.
func refused(t *testing.T, path string, want []string, opts ...sqlite.Option) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path, opts...)
	if err == nil {
		_ = store.Close()
		t.Fatal("the store was opened")
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error = %v, want it to hold %q", err, w)
		}
	}
}

// execute runs SQL on a file as another program would.
func execute(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// Files that are none of ours are refused, say why, and stay as they are; nothing is put beside them.
func TestFilesThatAreNotOurs(t *testing.T) {
	for name, row := range map[string]struct {
		write func(t *testing.T, path string)
		want  string
	}{
		"a text": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, bytes.Repeat([]byte("not a database\n"), 500), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not an SQLite database; give latchkey a file of its own"},
		"the database of another program": {func(t *testing.T, path string) {
			execute(t, path, `CREATE TABLE notes (text)`, `INSERT INTO notes VALUES ('mine')`)
		}, "of another program; give latchkey a file of its own"},
		"an empty database that another program has marked": {func(t *testing.T, path string) {
			execute(t, path, `PRAGMA application_id = 7`)
		}, "of another program"},
		"a database of a newer version": {func(t *testing.T, path string) {
			closed(t, open(t, path))
			execute(t, path, `PRAGMA user_version = 1000`, `PRAGMA journal_mode = DELETE`)
		}, "version 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "latchkey.db")
			row.write(t, path)
			before, entries := read(t, path), names(t, dir)
			refused(t, path, []string{path, row.want})
			if !bytes.Equal(before, read(t, path)) {
				t.Error("the file was changed")
			}
			if after := names(t, dir); after != entries {
				t.Errorf("there is %s, and was %s", after, entries)
			}
		})
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestPlacesThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	refused(t, filepath.Join(dir, "no", "latchkey.db"), []string{"no such file or directory"})
	refused(t, dir, []string{"is a directory"})
}

// Names of files are names of files, whatever they look like.
func TestOddNames(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"with space.db", "a?mode=memory", "100%25.db", "#.db", "file:x.db", ":memory:", "größe.db", ".db", "x.key"} {
		t.Run(name, func(t *testing.T) {
			s := open(t, name)
			if err := s.Update(t.Context(), func(tx latchkey.Tx) error { return tx.CompleteOnboarding(t.Context(), "user") }); err != nil {
				t.Fatal(err)
			}
			closed(t, s)
			if !exists(t, name) {
				t.Errorf("there is no file of this name, but %s", names(t, "."))
			}
			if done, err := open(t, name).OnboardingDone(t.Context()); err != nil || len(done) != 1 {
				t.Errorf("opened again: %v, %v", done, err)
			}
		})
	}
}

// Everything that the store puts on the disk can be read by its owner alone.
func TestFilesArePrivate(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "latchkey.db"))
	if err := s.Update(t.Context(), func(tx latchkey.Tx) error { return tx.CompleteOnboarding(t.Context(), "user") }); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := "latchkey.db latchkey.db-shm latchkey.db-wal latchkey.key"; names(t, dir) != want {
		t.Errorf("files %s, want %s", names(t, dir), want)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
	closed(t, s)
	if want := "latchkey.db latchkey.key"; names(t, dir) != want {
		t.Errorf("closing left %s, want %s", names(t, dir), want)
	}
}

func TestClosing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "latchkey.db")
	s := open(t, path)
	for range 2 {
		closed(t, s)
	}
	if err := s.Update(t.Context(), func(latchkey.Tx) error { return nil }); err == nil {
		t.Error("a closed store was updated")
	}
	if _, err := s.User(t.Context(), "x"); err == nil || errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("a closed store answered: %v", err)
	}
}
