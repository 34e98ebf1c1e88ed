//go:build unix

package hassfile

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What one of the two writes the other does not know.
func TestAFolderOnWhichHomeAssistantRunsIsNotKept(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, ".storage")
	if err := os.CopyFS(dir, os.DirFS("testdata/2025")); err != nil {
		t.Fatal(err)
	}
	running, err := os.Create(filepath.Join(home, ".ha_run.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(running.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), dir, quiet()); !errors.Is(err, ErrHomeAssistantRuns) {
		t.Errorf("error = %v", err)
		if err == nil {
			_ = s.Close()
		}
	}
	if found, err := Inspect(dir); err != nil || !found.HomeAssistant || found.Locked {
		t.Errorf("%+v, %v", found, err)
	}
	t.Chdir(dir)
	if found, err := Inspect("."); err != nil || !found.HomeAssistant {
		t.Errorf("from within: %+v, %v", found, err)
	}
	if err := running.Close(); err != nil {
		t.Fatal(err)
	}
	_ = open(t, dir)
}
