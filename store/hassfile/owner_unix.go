//go:build unix

package hassfile

import (
	"io/fs"
	"syscall"
)

// ownerOf returns the owner and the group of a file; -1 where they are not known.
func ownerOf(info fs.FileInfo) (uid, gid int) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid), int(s.Gid)
	}
	return -1, -1
}
