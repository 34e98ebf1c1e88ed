package doctor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/seed-6a977b3d/latchkey/store/hassfile"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// paper is a file that somebody else must not change, and if it is secret not read either.
type paper struct {
	path   string
	secret bool
}

// papers are the files of the house, whether they are there or not.
func (e *examination) papers() []paper {
	var all []paper
	if e.ConfigFile != "" {
		all = append(all, paper{e.ConfigFile, false}, paper{filepath.Join(filepath.Dir(e.ConfigFile), "secrets.yaml"), true})
	}
	database := ""
	switch e.config.Store.Scheme {
	case "sqlite":
		database = e.config.Store.Path
	case "hass":
		if found, err := hassfile.Inspect(e.config.Store.Path); err == nil {
			for _, path := range found.Files {
				all = append(all, paper{path, true})
			}
		}
		if e.config.Store.Follow {
			database = e.config.SessionsPath()
		}
	}
	if database != "" {
		for _, ending := range []string{"", "-wal", "-shm"} {
			all = append(all, paper{database + ending, true})
		}
		if e.config.SealKey == "" {
			all = append(all, paper{sqlite.KeyFile(database), true})
		}
	}
	if !e.config.Store.HasBans() {
		all = append(all, paper{e.config.BanFile(), false})
	}
	return all
}

// files looks who may read and write the files of the house.
func (e *examination) files() {
	if runtime.GOOS == "windows" {
		e.ok(Files, "who may read them is not told by this system in the same way")
		return
	}
	seen, folders := 0, map[string]bool{}
	for _, p := range e.papers() {
		info, err := os.Stat(p.path)
		if isMissing(err) {
			continue
		} else if err != nil {
			e.add(Files, Error, "let the user that latchkey runs as use it", "%v", err)
			continue
		}
		seen++
		e.paper(p, info.Mode().Perm())
		folder := filepath.Dir(p.path)
		if !folders[folder] {
			folders[folder] = true
			e.folder(folder)
		}
	}
	if seen == 0 {
		e.or(Files, "there are no files of the house here")
	}
	e.or(Files, "%s can be read and written by nobody who must not", count(seen, "file"))
}

// The permissions of the group and of others.
const (
	anyRead  = 0o044
	anyWrite = 0o022
)

func (e *examination) paper(p paper, mode fs.FileMode) {
	switch {
	case mode&anyWrite != 0 && p.secret:
		e.add(Files, Error, "chmod 600 "+p.path, "others may read and write %s, which holds secrets", p.path)
	case mode&anyWrite != 0:
		e.add(Files, Error, "chmod go-w "+p.path, "others may write %s, and so decide who comes in", p.path)
	case mode&anyRead != 0 && p.secret:
		e.add(Files, Warning, "chmod 600 "+p.path, "others may read %s, which holds secrets", p.path)
	}
	if !writable(p.path) {
		e.add(Files, Warning, "let the user that latchkey runs as write it, or run this as that user", "this user may not write %s", p.path)
	}
}

// folder looks at a folder in which others could put a file of theirs in the place of one of ours.
func (e *examination) folder(path string) {
	info, err := os.Stat(path)
	if err != nil {
		return // its files were found
	}
	if info.Mode().Perm()&anyWrite != 0 && info.Mode()&fs.ModeSticky == 0 {
		e.add(Files, Error, "chmod go-w "+path, "others may write the folder %s, and so replace what is in it", path)
	}
	if !writable(path) {
		e.add(Files, Warning, "let the user that latchkey runs as write it, or run this as that user", "this user may not write the folder %s", path)
	}
}

// When there is little room left.
const (
	mebibyte   = 1 << 20
	almostFull = 64 * mebibyte
	littleRoom = 1024 * mebibyte
	littlePart = 20 // a twentieth of all
)

// disk looks how much can be written.
func (e *examination) disk() {
	path := e.config.Store.Path
	switch e.config.Store.Scheme {
	case "sqlite":
		path = filepath.Dir(path)
	case "hass":
		if e.config.Store.Follow {
			path = filepath.Dir(e.config.SessionsPath())
		}
	default:
		e.ok(Disk, "the database is kept by a server")
		return
	}
	free, total, err := e.Space(path)
	const mend = "delete what is not needed, such as old backups, or move the house to a larger disk"
	switch {
	case isMissing(err):
		e.add(Disk, Note, "make the folder, or correct the address of the store", "there is no folder %s", path)
	case err != nil:
		e.add(Disk, Note, "", "how much room there is in %s is not known: %v", path, err)
	case free < almostFull:
		e.add(Disk, Error, mend, "the disk is full: %d MiB are free in %s, and changes will fail", free/mebibyte, path)
	case free < littleRoom && free < total/littlePart:
		e.add(Disk, Warning, mend, "the disk is almost full: %d MiB are free in %s", free/mebibyte, path)
	default:
		e.ok(Disk, "%d MiB are free in %s", free/mebibyte, path)
	}
}
