package hassfile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// files is the file system as far as the store needs it. Tests put one in its place that fails.
type files interface {
	ReadFile(path string) (string, error)
	Stat(path string) (fs.FileInfo, error)
	// Create makes a new file that nobody else can read while it is written.
	Create(path string) (file, error)
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir makes the names in a folder durable.
	SyncDir(path string) error
}

// file is a file that is being written.
type file interface {
	io.WriteCloser
	Stat() (fs.FileInfo, error)
	Chown(uid, gid int) error
	Chmod(mode fs.FileMode) error
	Sync() error
}

// disk is the real file system.
type disk struct{}

func (disk) ReadFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	var text strings.Builder // which makes no second copy, as string(b) would
	if info, err := f.Stat(); err == nil {
		text.Grow(int(info.Size()))
	}
	_, err = io.Copy(&text, struct{ io.Reader }{f})
	return text.String(), errors.Join(err, f.Close())
}

// Stat finds a file, or the one that a link leads to. A link that leads nowhere, as to a disk that is not mounted, is another
// thing than no file.
func (disk) Stat(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, linked := os.Lstat(path); linked == nil {
			return nil, fmt.Errorf("%s is a link to a file that is not there: put that back, or remove the link", path)
		}
	}
	return info, err
}

func (disk) Rename(from, to string) error { return os.Rename(from, to) }
func (disk) Remove(path string) error     { return os.Remove(path) }
func (disk) Create(path string) (file, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, private)
}

func (disk) SyncDir(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	err = folder.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // there is no such thing on this file system, such as that of a network, and no more can be done
	}
	return errors.Join(err, folder.Close())
}

// temporary is what a file is called while it is written. What a crash leaves of it is removed at the next start.
const temporary = ".latchkey-tmp"

// private is how private all files are (storage.md §1, onboarding.md S-2).
const private = 0o600

// prepare writes a file that is about to take another's place, whose owner it gets, and makes it durable. It returns the
// SHA-256 of what was written.
func prepare(d files, temp, path string, write func(io.Writer) error) (hash string, err error) {
	f, err := d.Create(temp)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	if err = write(io.MultiWriter(f, sum)); err == nil {
		err = errors.Join(giveToOwner(d, f, path), f.Chmod(private), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, discard(d, temp))
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// giveToOwner makes the owner of the file that is there, or else that of its folder, the owner of a new one. That is for
// root alone, whose files Home Assistant could not read otherwise.
func giveToOwner(d files, f file, path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	there, err := d.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		there, err = d.Stat(filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	ours, err := f.Stat()
	if err != nil {
		return err
	}
	uid, gid := ownerOf(there)
	if u, g := ownerOf(ours); u == uid && g == gid {
		return nil
	}
	return f.Chown(uid, gid)
}

// discard removes files that are not needed any more, if there are any.
func discard(d files, paths ...string) (err error) {
	for _, path := range paths {
		if gone := d.Remove(path); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

// replace puts a new file in the place of an old one. At any instant, and after a crash, there is the one or the other;
// when it returns nil it is the new one, for good.
func replace(d files, path, text string) error {
	temp := path + temporary
	_, err := prepare(d, temp, path, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	if err != nil {
		return err
	}
	if err := d.Rename(temp, path); err != nil {
		return errors.Join(err, discard(d, temp))
	}
	return d.SyncDir(filepath.Dir(path))
}

// sweep removes what interrupted writes left behind.
func sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), temporary) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// stamp tells one state of a file from another. The zero stamp is that of a file that does not exist.
type stamp struct {
	info fs.FileInfo
	size int64
	at   time.Time
	// changed is when anything about the file changed, its name and its mode as well; zero where that is not known.
	changed time.Time
}

func stampOf(d files, path string) (stamp, error) {
	info, err := d.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return stamp{}, nil
	} else if err != nil {
		return stamp{}, err
	}
	return stamp{info, info.Size(), info.ModTime(), changedAt(info)}, nil
}

func (s stamp) same(other stamp) bool {
	if s.info == nil || other.info == nil {
		return s.info == nil && other.info == nil
	}
	return os.SameFile(s.info, other.info) && s.size == other.size && s.at.Equal(other.at)
}

// untouched is stricter than same: a file that was made anew may have the place, the size and the time of the one before.
// It is for who only reads, and may well read once too often: our own renaming touches a file too.
func (s stamp) untouched(since stamp) bool { return s.same(since) && s.changed.Equal(since.changed) }
