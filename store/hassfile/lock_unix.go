//go:build unix

package hassfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockName is the file whose lock says that a latchkey keeps the folder.
const lockName = ".latchkey.lock"

// looks is how often a lock is tried again: who only looks whether it is held has it for a moment.
const looks = 10

// lock takes the folder for this process. The lock ends with the process, however that ends.
func lock(dir string) (release func() error, err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: let this program's user write the folder and what is in it, or use ?mode=follow", err)
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
	if err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", dir, ErrLocked)
		}
		return nil, err
	}
	return f.Close, nil
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
