package hassfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// ErrReadOnly says that a folder was opened only to be read.
var ErrReadOnly = errors.New("the folder was opened only to be read")

// Snapshot is a folder as it was when it was read. Nothing is written into it, not even a lock, so that it can be taken
// beside a Home Assistant that runs.
type Snapshot struct{ reader }

var _ latchkey.Store = Snapshot{}

// Read reads a folder. logger may be nil for [slog.Default]; the errors are those of [Open].
func Read(_ context.Context, dir string, logger *slog.Logger) (Snapshot, error) {
	if logger == nil {
		logger = slog.Default()
	}
	entries, _ := os.ReadDir(dir) // isFolder says what is wrong
	if err := isFolder(disk{}, dir, entries); err != nil {
		return Snapshot{}, err
	}
	l := loader{disk: disk{}, dir: dir, log: logger}
	if err := l.load(); err != nil {
		return Snapshot{}, fmt.Errorf("read %s: %w", dir, err)
	}
	return Snapshot{reader{func() *state { return l.state }}}, nil
}

// Update lets fn read. A change is refused with [ErrReadOnly].
func (s Snapshot) Update(_ context.Context, fn func(latchkey.Tx) error) error {
	t := begin(s.current())
	if err := fn(t); err != nil {
		return err
	}
	if len(t.dirty) > 0 {
		return ErrReadOnly
	}
	return nil
}

// ExpiredRefreshTokens finds none: nobody can remove them here.
func (Snapshot) ExpiredRefreshTokens(context.Context, time.Time, int) ([]latchkey.RefreshToken, error) {
	return nil, nil
}

// NextExpiry is never, for the same reason.
func (Snapshot) NextExpiry(context.Context) (time.Time, error) { return time.Time{}, nil }

// Watch never tells anything.
func (Snapshot) Watch(func([]latchkey.Change)) (stop func()) { return func() {} }

// Close implements [latchkey.Store].
func (Snapshot) Close() error { return nil }

// BackUp copies the files that there are, each beside itself and named after the time, and returns the paths.
func (s *Store) BackUp(_ context.Context, at time.Time) ([]string, error) {
	var kept []string
	for _, name := range names() {
		path := filepath.Join(s.dir, name)
		text, err := s.disk.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return kept, err
		}
		beside := path + at.UTC().Format(".backup-20060102T150405.000Z")
		if _, err := s.disk.Stat(beside); err == nil {
			return kept, fmt.Errorf("back up %s: %s: %w", path, beside, fs.ErrExist)
		}
		if err := replace(s.disk, beside, text); err != nil {
			return kept, fmt.Errorf("back up %s: %w", path, err)
		}
		kept = append(kept, beside)
	}
	return kept, nil
}
