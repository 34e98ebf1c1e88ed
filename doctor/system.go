//go:build linux || darwin || freebsd

package doctor

import "golang.org/x/sys/unix"

// space returns how many bytes this user may still write, and how many there are.
func space(path string) (free, total uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, 0, err
	}
	size := uint64(s.Bsize) //nolint:unconvert // it is signed on some systems
	return uint64(s.Bavail) * size, uint64(s.Blocks) * size, nil
}

// writable reports whether this user may write a file or a folder.
func writable(path string) bool { return unix.Access(path, unix.W_OK) == nil }
