package hassfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

// small is a real file system with room for so many bytes, and what makes it read-only or not. Only root can make one.
func small(t *testing.T, size int) (dir string, remount func(flags uintptr)) {
	t.Helper()
	dir = t.TempDir()
	options := fmt.Sprintf("size=%d,mode=700", size)
	if err := syscall.Mount("latchkey", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("a small file system cannot be mounted here, which takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir, func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("latchkey", dir, "tmpfs", syscall.MS_REMOUNT|flags, options); err != nil {
			t.Fatal(err)
		}
	}
}

// fill takes all the room that is left, and returns what gives it back.
func fill(t *testing.T, dir string) (release func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 16; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	_ = f.Close()
	return func() {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// A file system that is full or read-only is an error to whoever changes something, and to nobody else. When there is space
// again, everything goes on.
func TestAFileSystemThatIsFullOrReadOnly(t *testing.T) {
	ctx := t.Context()
	dir, remount := small(t, 1<<18)
	if err := os.CopyFS(dir, os.DirFS("testdata/2025")); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	before := held(t, dir)
	fails := func(want error) {
		t.Helper()
		for _, change := range []func() error{
			func() error { return rename(ctx, s, "Nobody") },
			func() error { return addUser(ctx, s, "ben") },
			func() error {
				return s.Update(ctx, func(tx latchkey.Tx) error {
					return tx.PutModuleData(ctx, "totp", adaID, []byte(`{"secret":"X","last_step":7}`))
				})
			},
		} {
			if err := change(); !errors.Is(err, want) || !strings.Contains(err.Error(), "write ") {
				t.Errorf("error = %v, want %v with the name of a file", err, want)
			}
		}
		if u, err := s.User(ctx, adaID); err != nil || u.Name.Text != "Ada" {
			t.Errorf("what was read is not served any more: %+v, %v", u, err)
		}
		for name, text := range held(t, dir) {
			if text != before[name] {
				t.Errorf("%s was changed", name)
			}
		}
	}
	release := fill(t, dir)
	fails(syscall.ENOSPC)
	release()
	// The lock is a file that is open to be written, under which nothing is made read-only unless the system finds it broken.
	if err := s.release(); err != nil {
		t.Fatal(err)
	}
	s.release = func() error { return nil }
	remount(syscall.MS_RDONLY)
	fails(syscall.EROFS)
	remount(0)
	if err := errors.Join(rename(ctx, s, "Ada L."), addUser(ctx, s, "cleo")); err != nil {
		t.Fatalf("with space again: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	again := open(t, dir)
	wholeOrNothing(t, again, "ben")
	if u, err := again.User(ctx, adaID); err != nil || u.Name.Text != "Ada L." {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := again.User(ctx, "cleo"); err != nil {
		t.Error(err)
	}
	_ = again.Close() // or it could not be unmounted
}

// A folder that is read-only can be read and followed; to keep it takes more, which the error says.
func TestAFolderOnAReadOnlyFileSystem(t *testing.T) {
	dir, remount := small(t, 1<<18)
	if err := os.CopyFS(dir, os.DirFS("testdata/2025")); err != nil {
		t.Fatal(err)
	}
	remount(syscall.MS_RDONLY)
	if s, err := Open(t.Context(), dir, quiet()); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), lockName) {
		t.Errorf("error = %v", err)
		if err == nil {
			_ = s.Close()
		}
	}
	s, err := Read(context.Background(), dir, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.User(t.Context(), adaID); err != nil {
		t.Error(err)
	}
}

// What root writes is its owner's again: Home Assistant could not read it otherwise.
func TestAFileThatRootWritesBelongsToWhomItBelonged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root writes files of others")
	}
	const home, assistant = 1234, 4321
	dir := copied(t, "2025")
	for _, path := range []string{dir, filepath.Join(dir, authFile), filepath.Join(dir, passwordFile)} {
		if err := os.Chown(path, home, assistant); err != nil {
			t.Skipf("files cannot be given away here: %v", err)
		}
	}
	s := open(t, dir)
	update(t, s, func(ctx context.Context, tx latchkey.Tx) error { // which takes a file that is new
		return tx.PutModuleData(ctx, "recovery", adaID, []byte("x"))
	})
	if err := addUser(t.Context(), s, "ben"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{authFile, passwordFile, extraFile, lockName} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if uid, gid := ownerOf(info); uid != home || gid != assistant || info.Mode().Perm() != 0o600 {
			t.Errorf("%s belongs to %d:%d, %v", name, uid, gid, info.Mode())
		}
	}
}
