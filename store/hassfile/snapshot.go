package hassfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// ErrReadOnly says that a folder was opened only to be read.
var ErrReadOnly = errors.New("the folder was opened only to be read")

// Snapshot is a folder as it was when it was read. Nothing is written into it, not even a lock, so that it can be taken
// beside a Home Assistant that runs.
type Snapshot struct {
	reader
	Limits
}

var _ latchkey.Store = Snapshot{}

// Read reads a folder. logger may be nil for [slog.Default]; the errors are those of [Open]. A latchkey that keeps the
// folder may be at work there: what is read is the whole of each change or nothing of it, and so it is when one was
// interrupted.
func Read(ctx context.Context, dir string, logger *slog.Logger) (Snapshot, error) {
	if logger == nil {
		logger = slog.Default()
	}
	if err := isFolder(dir); err != nil {
		return Snapshot{}, err
	}
	s, err := read(ctx, folder{disk{}, dir}, logger)
	if err != nil {
		return Snapshot{}, fmt.Errorf("read %s: %w", dir, err)
	}
	return Snapshot{reader: reader{func() *state { return s }}}, nil
}

// attempts is how often a folder is read that is written meanwhile.
const attempts = 20

func read(ctx context.Context, f folder, logger *slog.Logger) (*state, error) {
	for range attempts {
		l := loader{folder: f, log: logger}
		before, err := stampOf(f.disk, f.path(journalFile))
		if err != nil {
			return nil, err
		}
		err = l.loadWhole()
		if calm, wrong := l.calm(before); wrong != nil {
			return nil, wrong
		} else if calm {
			return l.state, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("another program writes the files all the time: try again when it does less")
}

// loadWhole reads all files as they will be when the change that is under way is made.
func (l *loader) loadWhole() error {
	entries, err := l.interrupted()
	if err != nil {
		return err
	}
	left, why, err := l.remaining(entries)
	if err != nil {
		return err
	}
	if why != "" {
		l.log.Warn("an interrupted change counts for nothing", "folder", l.dir, "reason", why)
	}
	l.instead = map[string]string{}
	for _, i := range left {
		l.instead[entries[i].Name] = tempOf(i, entries[i].Name)
	}
	return l.load()
}

// calm reports whether everything that was read is still as it was.
func (l *loader) calm(journal stamp) (bool, error) {
	now, err := stampOf(l.disk, l.path(journalFile))
	if err != nil || !now.same(journal) {
		return false, err
	}
	for name, before := range l.stamps {
		if instead, ok := l.instead[name]; ok {
			name = instead
		}
		now, err := stampOf(l.disk, l.path(name))
		if err != nil || !now.same(before) {
			return false, err
		}
	}
	return true, nil
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
	return s.keepCopies(names(), ".backup-", at)
}

// keepCopies copies those of the files that there are, each beside itself under a name with a mark and the time.
func (f folder) keepCopies(names []string, mark string, at time.Time) ([]string, error) {
	var kept []string
	for _, name := range names {
		path := f.path(name)
		text, err := f.disk.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return kept, err
		}
		beside := path + mark + at.UTC().Format("20060102T150405.000Z")
		if _, err := f.disk.Stat(beside); err == nil {
			return kept, fmt.Errorf("back up %s: %s: %w", path, beside, fs.ErrExist)
		}
		if err := replace(f.disk, beside, text); err != nil {
			return kept, fmt.Errorf("back up %s: %w", path, err)
		}
		kept = append(kept, beside)
	}
	return kept, nil
}
