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
	elsewhere := t.TempDir()
	if err := errors.Join(os.Symlink(dir, filepath.Join(elsewhere, "ours")), os.CopyFS(filepath.Join(elsewhere, "disk"), os.DirFS(dir)),
		os.Symlink(filepath.Join(elsewhere, "disk"), filepath.Join(home, "theirs"))); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{filepath.Join(elsewhere, "ours"), filepath.Join(home, "theirs")} {
		if found, err := Inspect(link); err != nil || !found.HomeAssistant {
			t.Errorf("by the link %s: %+v, %v", link, found, err)
		}
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

// A Home Assistant that is started later has read the files by then, and writes over what is written after that.
func TestAHomeAssistantThatIsStartedLaterEndsTheWriting(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, ".storage")
	if err := os.CopyFS(dir, os.DirFS("testdata/2025")); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	running, err := os.Create(filepath.Join(home, ".ha_run.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(running.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := addUser(t.Context(), s, "ben"); !errors.Is(err, ErrHomeAssistantRuns) {
		t.Errorf("error = %v", err)
	}
	if _, err := s.User(t.Context(), adaID); err != nil {
		t.Errorf("what was read is not served any more: %v", err)
	}
	if text(t, dir, authFile) != text(t, "testdata/2025", authFile) {
		t.Error("the file was written")
	}
	if err := running.Close(); err != nil {
		t.Fatal(err)
	}
	if err := addUser(t.Context(), s, "ben"); err != nil {
		t.Errorf("when it is stopped: %v", err)
	}
}
