package hassfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnInspectionOfAFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		authFile: `{"version": 1, "key": "auth", "data": {"users": [], "groups": [], "credentials": [], "refresh_tokens": []}}`, "core.config": "{}", journalFile: "[]", authFile + temporary: "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := Inspect(dir)
	want := Inspection{Files: []string{filepath.Join(dir, authFile)}, Interrupted: true}
	if diff := cmp.Diff(want, found); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if err := os.Remove(filepath.Join(dir, journalFile)); err != nil {
		t.Fatal(err)
	}
	found, err = Inspect(dir)
	want.Interrupted, want.Leftovers = false, []string{filepath.Join(dir, authFile+temporary)}
	if diff := cmp.Diff(want, found); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, err := os.Stat(filepath.Join(dir, lockName)); err == nil {
		t.Error("a lock was made")
	}

	s, err := Open(t.Context(), dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	found, err = Inspect(dir)
	if !found.Locked || found.Interrupted || len(found.Leftovers) > 0 || err != nil {
		t.Errorf("while a store has it open: %+v, %v", found, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if found, err = Inspect(dir); found.Locked || err != nil {
		t.Errorf("afterwards: %+v, %v", found, err)
	}
	if _, err := Inspect(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a folder that is not there is inspected")
	}
}
