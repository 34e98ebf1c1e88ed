package sqlite_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/seal"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

const restore = "restore the key file or set LATCHKEY_SEAL_KEY"

// paths returns those of a database in a folder of its own, and of its key.
func paths(t testing.TB) (database, key string) {
	dir := t.TempDir()
	return filepath.Join(dir, "latchkey.db"), filepath.Join(dir, "latchkey.key")
}

func TestAKeyFileIsMadeWithTheDatabase(t *testing.T) {
	path, key := paths(t)
	s := open(t, path)
	n := insertToken(t, s)
	closed(t, s)
	made := read(t, key)
	if got, err := open(t, path).RefreshToken(t.Context(), n.ID); err != nil || got.JWTKey != n.JWTKey {
		t.Errorf("opened again: %v", err)
	}
	if !bytes.Equal(made, read(t, key)) {
		t.Error("the key file was written again")
	}
}

// spec: design.md, "Secrets at rest are useless alone"
func TestWithoutItsKeyADatabaseStaysClosed(t *testing.T) {
	t.Run("missing", func(t *testing.T) {
		path, key := paths(t)
		closed(t, open(t, path))
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
		refused(t, path, []string{key, "missing", restore})
		if exists(t, key) {
			t.Error("a new key was made, which opens nothing")
		}
	})
	t.Run("of another database", func(t *testing.T) {
		path, key := paths(t)
		otherPath, otherKey := paths(t)
		closed(t, open(t, path))
		closed(t, open(t, otherPath))
		if err := os.Rename(otherKey, key); err != nil {
			t.Fatal(err)
		}
		refused(t, path, []string{"open " + key + ": key does not match this database; " + restore})
	})
	t.Run("readable by others", func(t *testing.T) {
		path, key := paths(t)
		closed(t, open(t, path))
		if err := os.Chmod(key, 0o644); err != nil {
			t.Fatal(err)
		}
		refused(t, path, []string{"chmod 600 " + key})
	})
	t.Run("damaged", func(t *testing.T) {
		path, key := paths(t)
		closed(t, open(t, path))
		if err := os.WriteFile(key, []byte("?"), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, path, []string{key, restore})
	})
}

func TestAGivenKeyCountsInsteadOfTheFile(t *testing.T) {
	path, keyFile := paths(t)
	key := seal.NewKey()
	s := open(t, path, sqlite.WithSealKey(key))
	n := insertToken(t, s)
	closed(t, s)
	if exists(t, keyFile) {
		t.Error("a key file was made beside a given key")
	}
	refused(t, path, []string{keyFile, "missing"})
	if exists(t, keyFile) {
		t.Error("a key file was made for a database that has another key")
	}
	refused(t, path, []string{path, "the given key does not match this database; " + restore}, sqlite.WithSealKey(seal.NewKey()))
	refused(t, path, []string{"32 bytes"}, sqlite.WithSealKey([]byte("short")))
	if _, err := seal.CreateFile(keyFile); err != nil {
		t.Fatal(err)
	}
	refused(t, path, []string{keyFile, "does not match"})
	if got, err := open(t, path, sqlite.WithSealKey(key)).RefreshToken(t.Context(), n.ID); err != nil || got.JWTKey != n.JWTKey {
		t.Errorf("with the key: %v", err)
	}
}

// What was sealed for one row is of no use in another, for whoever can write to the file but lacks the key.
func TestSealedValuesCannotBeMoved(t *testing.T) {
	path, _ := paths(t)
	s := open(t, path)
	ctx := t.Context()
	first, second := insertToken(t, s), insertToken(t, s)
	err := s.Update(ctx, func(tx latchkey.Tx) error {
		for _, id := range []string{"c", "b/c"} {
			if err := tx.InsertUser(ctx, latchkey.User{ID: id}); err != nil {
				return err
			}
		}
		if err := tx.PutModuleData(ctx, "a/b", "c", []byte("one")); err != nil {
			return err
		}
		return tx.PutModuleData(ctx, "a", "b/c", []byte("two"))
	})
	if err != nil {
		t.Fatal(err)
	}
	execute(t, path,
		`UPDATE refresh_tokens SET jwt_key = (SELECT jwt_key FROM refresh_tokens WHERE id = '`+first.ID+`') WHERE id = '`+second.ID+`'`,
		`UPDATE module_data SET data = (SELECT data FROM module_data WHERE module_id = 'a/b') WHERE module_id = 'a'`)
	if got, err := s.RefreshToken(ctx, second.ID); err == nil {
		t.Errorf("a moved key was opened: %v", got)
	}
	if got, err := s.ModuleData(ctx, "a", "b/c"); err == nil {
		t.Errorf("moved data was opened: %q", got)
	}
	if got, err := s.RefreshToken(ctx, first.ID); err != nil || got.JWTKey != first.JWTKey {
		t.Errorf("in its own place: %v", err)
	}
	if got, err := s.ModuleData(ctx, "a/b", "c"); err != nil || string(got) != "one" {
		t.Errorf("in its own place: %q, %v", got, err)
	}
}
