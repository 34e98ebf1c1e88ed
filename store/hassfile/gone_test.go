package hassfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

// A folder that is gone, as that of a disk that is not mounted any more, is no house without people, which would be open to
// whoever comes first. What was read is served, nothing is written, and when the folder is back all goes on.
func TestAFolderThatIsGoneIsNotAnEmptyHouse(t *testing.T) {
	moved := func(dir string) error { return os.Rename(dir, dir+".aside") }
	back := func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Rename(dir+".aside", dir)) }
	whole := text(t, "testdata/2025", authFile)
	for name, tt := range map[string]struct {
		away, back func(dir string) error
		want       string
	}{
		"the folder":      {moved, back, "no such file or directory"},
		"what is in it":   {func(dir string) error { return errors.Join(moved(dir), os.Mkdir(dir, 0o700)) }, back, "auth: file does not exist any more: put it back"},
		"the file":        {func(dir string) error { return os.Remove(filepath.Join(dir, authFile)) }, rewritten(whole), "auth: file does not exist any more: put it back"},
		"all of the file": {rewritten("{}"), rewritten(whole), "auth: it holds nobody any more: put it back"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), storage)
			if err := os.CopyFS(dir, os.DirFS("testdata/2025")); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir)
			if err := tt.away(dir); err != nil {
				t.Fatal(err)
			}
			change := func() error {
				return s.Update(t.Context(), func(tx latchkey.Tx) error { return tx.DeleteRefreshToken(t.Context(), adaLogger) })
			}
			first, second := change(), change()
			if first == nil || second == nil || !strings.Contains(second.Error(), tt.want) {
				t.Errorf("errors %v, %v; want one that says %q", first, second, tt.want)
			}
			if people, err := s.HasPeople(t.Context()); err != nil || !people {
				t.Errorf("people = %v, %v", people, err)
			}
			if _, err := s.RefreshToken(t.Context(), adaLogger); err != nil {
				t.Errorf("what was read is not served any more: %v", err)
			}
			if err := tt.back(dir); err != nil {
				t.Fatal(err)
			}
			if err := change(); err != nil {
				t.Errorf("when it is back: %v", err)
			}
			_ = s.Close()
			if _, err := open(t, dir).RefreshToken(t.Context(), adaLogger); !errors.Is(err, latchkey.ErrNotFound) {
				t.Errorf("the change is lost: %v", err)
			}
		})
	}
}

// rewritten writes another text into the file of the users.
func rewritten(text string) func(dir string) error {
	return func(dir string) error { return os.WriteFile(filepath.Join(dir, authFile), []byte(text), 0o600) }
}

// A backup that takes the place of the folder takes the place of the lock as well. Whoever locks it first keeps it.
func TestABackupThatTakesThePlaceOfTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), storage)
	restore := func() {
		t.Helper()
		err := os.Rename(dir, dir+".aside")
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		if err := errors.Join(err, os.CopyFS(dir, os.DirFS("testdata/2025")), os.RemoveAll(dir+".aside")); err != nil {
			t.Fatal(err)
		}
	}
	restore()
	s := open(t, dir)
	restore()
	if err := addUser(t.Context(), s, "ben"); !errors.Is(err, ErrForeignChange) {
		t.Errorf("error = %v", err)
	}
	if err := addUser(t.Context(), s, "cleo"); err != nil {
		t.Errorf("the change after that: %v", err)
	}
	if other, err := Open(t.Context(), dir, quiet()); !errors.Is(err, ErrLocked) {
		t.Errorf("the folder that took its place is not locked: %v", err)
		if err == nil {
			_ = other.Close()
		}
	}
	restore()
	other := open(t, dir)
	for _, want := range []error{ErrForeignChange, ErrLocked, ErrLocked} {
		if err := addUser(t.Context(), s, "dora"); !errors.Is(err, want) {
			t.Errorf("error = %v, want %v", err, want)
		}
	}
	if err := addUser(t.Context(), other, "emil"); err != nil {
		t.Errorf("who was first: %v", err)
	}
	_ = other.Close()
	if err := addUser(t.Context(), s, "dora"); err != nil {
		t.Errorf("when that is gone: %v", err)
	}
}
