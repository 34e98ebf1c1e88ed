package hassfile

import (
	"io/fs"
	"syscall"
	"time"
)

// changedAt is when a file was last changed in any way, which no program can set back; zero if that is not known.
func changedAt(info fs.FileInfo) time.Time {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(s.Ctim.Unix())
	}
	return time.Time{}
}
