//go:build unix

package hassfile

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// lateStart is a disk on which a Home Assistant is started at the n-th step of a write.
type lateStart struct {
	disk
	start func()
	after *int
}

func (d lateStart) step() {
	if *d.after--; *d.after == 0 {
		d.start()
	}
}

func (d lateStart) Create(path string) (file, error) {
	d.step()
	return d.disk.Create(path)
}

func (d lateStart) Rename(from, to string) error {
	d.step()
	return d.disk.Rename(from, to)
}

func (d lateStart) SyncDir(path string) error {
	d.step()
	return d.disk.SyncDir(path)
}

// The disk may be slow: Home Assistant is started, and reads the files, while a change of them is being prepared.
func TestAHomeAssistantThatIsStartedWhileAChangeIsPrepared(t *testing.T) {
	for after := 1; after <= 5; after++ { // two files are made, and then the journal
		home := t.TempDir()
		dir := filepath.Join(home, ".storage")
		if err := os.CopyFS(dir, os.DirFS("testdata/2025")); err != nil {
			t.Fatal(err)
		}
		running, err := os.Create(filepath.Join(home, ".ha_run.lock"))
		if err != nil {
			t.Fatal(err)
		}
		left := after
		d := lateStart{after: &left, start: func() {
			if err := syscall.Flock(int(running.Fd()), syscall.LOCK_EX); err != nil {
				t.Error(err)
			}
		}}
		if err := addUser(t.Context(), open(t, dir, withDisk(d)), "ben"); !errors.Is(err, ErrHomeAssistantRuns) {
			t.Errorf("at step %d: %v", after, err)
		}
		for name, now := range held(t, dir) {
			if now != text(t, "testdata/2025", name) {
				t.Errorf("at step %d: %s was written", after, name)
			}
		}
		_ = running.Close()
	}
}

// What a fault of the disk left to be done is not done once Home Assistant has read the files.
func TestAnInterruptedChangeIsNotCarriedOutBesideHomeAssistant(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, ".storage")
	if err := os.CopyFS(dir, os.DirFS("testdata/2025")); err != nil {
		t.Fatal(err)
	}
	d := &faulty{after: -1, err: syscall.EIO}
	s := open(t, dir, withDisk(d))
	d.set(12) // the journal and the first file are in their places
	if err := addUser(t.Context(), s, "ben"); !errors.Is(err, syscall.EIO) {
		t.Fatalf("error = %v", err)
	}
	half := held(t, dir)
	if half[authFile] == text(t, "testdata/2025", authFile) || half[passwordFile] != text(t, "testdata/2025", passwordFile) {
		t.Fatal("the change is not made by half")
	}
	d.set(-1)
	running, err := os.Create(filepath.Join(home, ".ha_run.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(running.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := addUser(t.Context(), s, "cleo"); !errors.Is(err, ErrHomeAssistantRuns) {
		t.Errorf("error = %v", err)
	}
	if diff := cmp.Diff(half, held(t, dir)); diff != "" {
		t.Error(diff)
	}
	_ = running.Close()
	if err := addUser(t.Context(), s, "cleo"); err != nil {
		t.Errorf("when it is stopped: %v", err)
	}
	wholeOrNothing(t, s, "ben")
}
