//go:build unix

package hassfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockName is the file whose lock says that a latchkey keeps the folder.
const lockName = ".latchkey.lock"

// looks is how often a lock is tried again: who only looks whether it is held has it for a moment.
const looks = 10

// lock takes the folder for this process. The lock ends with the process, however that ends. lost reports whether the file
// that is locked is not the one in the folder any more, so that another process may have taken the folder as well.
func lock(dir string) (release func() error, lost func() bool, err error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return nil, nil, fmt.Errorf("%w: let this program's user write the folder and what is in it, or use ?mode=follow", err)
	} else if err != nil {
		return nil, nil, err
	}
	if os.Geteuid() == 0 { // whoever keeps the folder next may be its owner
		if info, err := os.Stat(dir); err == nil {
			_ = f.Chown(ownerOf(info))
		}
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	for range looks {
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
		time.Sleep(10 * time.Millisecond)
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	ours, wrong := f.Stat()
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = fmt.Errorf("%s: %w", dir, ErrLocked)
	case err != nil:
		err = fmt.Errorf("lock %s: %w: put the folder on a disk of this machine, or use ?mode=follow", path, err)
	default:
		err = wrong
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f.Close, func() bool {
		there, err := os.Stat(path)
		return err != nil || !os.SameFile(there, ours)
	}, nil
}

// locked reports whether another process holds the lock of a file, such as that of a Home Assistant that runs. It makes no
// file, and waits for nobody.
func locked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // and with it a lock that was free
	// A shared lock is in the way of nobody who only looks.
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}
