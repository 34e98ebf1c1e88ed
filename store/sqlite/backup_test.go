package sqlite_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

func TestABackupIsAWholeDatabase(t *testing.T) {
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "latchkey.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	add := func(id string) {
		t.Helper()
		err := store.Update(t.Context(), func(tx latchkey.Tx) error {
			return errors.Join(tx.InsertUser(t.Context(), latchkey.User{ID: id}),
				tx.PutModuleData(t.Context(), "totp", id, []byte("a secret")))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	add("before")
	copied := filepath.Join(dir, "copy.db")
	if err := store.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	add("after")
	if err := store.Backup(t.Context(), copied); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file that exists: %v", err)
	}
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v", info, err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "latchkey.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "copy.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := sqlite.Open(t.Context(), copied)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() })
	if data, err := again.ModuleData(t.Context(), "totp", "before"); err != nil || string(data) != "a secret" {
		t.Errorf("the copy holds %q, %v", data, err)
	}
	if _, err := again.User(t.Context(), "after"); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("the copy goes on being changed: %v", err)
	}
}
