//go:build unix

package sqlite

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Where in the file that ends in -shm a connection holds its locks (the write-ahead log's format of SQLite).
const (
	writeLock = 120 // held while writing
	openLock  = 128 // shared by all who have the database open
)

// InUse returns which other processes use a database file. It must not be called in a process that has the file open: the
// locks that it holds would be lost.
func InUse(path string) Use {
	file, err := os.Open(path + "-shm")
	if err != nil {
		return Use{} // whoever has it open has this file
	}
	defer func() { _ = file.Close() }() // it was only looked at
	return Use{Open: holder(file, openLock), Writing: holder(file, writeLock)}
}

// holder returns the process that would be in the way of a lock at this place.
func holder(file *os.File, place int64) int {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: int16(io.SeekStart), Start: place, Len: 1}
	if err := unix.FcntlFlock(file.Fd(), unix.F_GETLK, &lock); err != nil || lock.Type == unix.F_UNLCK {
		return 0
	}
	return int(lock.Pid)
}
