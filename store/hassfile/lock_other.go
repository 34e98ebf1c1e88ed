//go:build !unix

package hassfile

import "errors"

// lock refuses: without a lock two processes would overwrite each other's changes.
func lock(string) (release func() error, lost func() bool, err error) {
	return nil, nil, errors.New("folders cannot be locked on this system: use mode=follow, or another store")
}

// lockName is the file whose lock says that a latchkey keeps the folder.
const lockName = ".latchkey.lock"

// locked finds no lock: this system has none.
func locked(string) bool { return false }
