// Package hassfile keeps the domain in the files of a Home Assistant: a .storage folder, read and written in its own
// form (storage.md). What Home Assistant knows and latchkey does not stays in the files as it is.
//
// All of it is held in memory, and each change is on the disk before it is acknowledged. The files of a change are written
// beside those in place first, and then a journal, which the next start carries out: whoever opens the folder with
// latchkey finds all of the change or nothing. Home Assistant knows no journal. To it a crash between two files may leave a login without its
// password, and never a password that no login belongs to: it would make an administrator of whoever knows that.
package hassfile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/watch"
)

// The refusals of the store as a whole.
var (
	// ErrLocked says that another latchkey keeps the folder.
	ErrLocked = errors.New("another latchkey has this folder open: stop it first, or use ?mode=follow")
	// ErrHomeAssistantRuns says that the folder is kept by a Home Assistant, which would write over what latchkey writes.
	ErrHomeAssistantRuns = errors.New("a Home Assistant runs on this folder: stop it first, or use ?mode=follow beside it")
	// ErrForeignChange says that somebody else wrote a file while latchkey kept it.
	ErrForeignChange = errors.New("another program changed the file meanwhile, and nothing was written over it: " +
		"stop Home Assistant, or use ?mode=follow beside it")
)

// Option changes how a folder is opened.
type Option func(*Store)

// WithLogger gives what is noteworthy about the files to a logger other than [slog.Default].
func WithLogger(l *slog.Logger) Option { return func(s *Store) { s.log = l } }

// withDisk puts another file system in the place of the real one.
func withDisk(d files) Option { return func(s *Store) { s.disk = d } }

// Store is a folder that is open. It implements [latchkey.Store].
type Store struct {
	reader
	folder
	Limits
	log     *slog.Logger
	durable atomic.Pointer[state]

	mu      sync.Mutex // guards what follows
	pending *state     // what the next write will make durable
	next    *batch     // who waits for it
	writing bool
	stale   bool // the files are to be read again before anything is changed
	closed  bool
	idle    *sync.Cond
	release func() error // the lock
	lost    func() bool  // whether the lock is not that of the folder any more

	stamps   map[string]stamp // only the one who writes touches them
	watchers watch.List
}

var _ latchkey.Store = (*Store)(nil)

// batch is several changes that are written at once.
type batch struct {
	done    chan struct{} // closed when err is set
	err     error
	waiting int
	dirty   map[string]bool
	changes []latchkey.Change
}

func newBatch() *batch { return &batch{done: make(chan struct{}), dirty: map[string]bool{}} }

// Open opens a .storage folder for this process alone. A folder that is no such thing, a file that cannot be read, and
// one of a newer format are refused with an error that says where; then nothing was changed. An empty folder is a new
// house.
func Open(ctx context.Context, dir string, options ...Option) (_ *Store, err error) {
	s := &Store{folder: folder{disk: disk{}}, next: newBatch()}
	for _, o := range options {
		o(s)
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.idle = sync.NewCond(&s.mu)
	if s.dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if err := isFolder(s.dir); err != nil {
		return nil, err
	}
	if s.release, s.lost, err = lock(s.dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if homeAssistantRuns(s.dir) {
		return nil, fmt.Errorf("%s: %w", s.dir, ErrHomeAssistantRuns)
	}
	if err := s.replay(); err != nil { // what is prepared for an interrupted change stays until that can be carried out
		return nil, err
	}
	if err := sweep(s.dir); err != nil {
		return nil, err
	}
	first, err := s.load()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.dir, err)
	}
	s.pending = first
	s.durable.Store(first)
	s.reader = reader{s.durable.Load}
	if err := s.rewrite(first); err != nil {
		return nil, fmt.Errorf("open %s: %w", s.dir, err)
	}
	return s, s.warnOfLoosePasswords(ctx)
}

// warnOfLoosePasswords tells of passwords that make an administrator of whoever knows them, as in Home Assistant.
func (s *Store) warnOfLoosePasswords(ctx context.Context) error {
	loose, err := s.LoosePasswords(ctx)
	for _, p := range loose {
		if p.Hash != "" {
			s.log.Warn("a password belongs to nobody, and whoever signs in with it becomes a new administrator, as in Home Assistant: "+
				"take it out of the file unless that is meant", "file", passwordFile, "username", p.Username)
		}
	}
	return err
}

// rewrite writes the files of another minor version in ours, at once (storage.md §1). A copy of what the newer program wrote
// stays beside them.
func (s *Store) rewrite(now *state) error {
	dirty := map[string]bool{}
	var others []string
	for _, name := range names() {
		if now.envelopes[name].otherMinor {
			dirty[name] = true
			others = append(others, name)
		}
	}
	if len(others) == 0 {
		return nil
	}
	kept, err := s.keepCopies(others, ".other-minor-", time.Now())
	if err != nil {
		return err
	}
	s.log.Warn("files of another minor version are written in ours", "files", others, "kept", kept)
	return s.write(now, dirty)
}

// load reads the folder anew.
func (s *Store) load() (*state, error) {
	l := loader{folder: s.folder, log: s.log, before: s.durable.Load(), known: s.stamps}
	if err := l.load(); err != nil {
		return nil, err
	}
	s.stamps = l.stamps
	return l.state, nil
}

// errClosed says that the store is not open any more.
var errClosed = errors.New("the store is closed")

// Update implements [latchkey.Store]. Changes that arrive while another is being written are written together. A write
// that fails before the first file is in its place has changed nothing. One that fails behind that is carried out when
// the disk works again: the change is found made as a whole, although its Update failed, and watchers are told.
func (s *Store) Update(ctx context.Context, fn func(latchkey.Tx) error) error {
	b, lead, err := s.change(ctx, fn)
	if err != nil || b == nil {
		return err
	}
	if lead {
		go s.writeAll() // whoever comes later must not keep this caller from going on
	}
	<-b.done
	return b.err
}

// change makes a change in memory and returns the batch with which it will be written, and whether it is the caller who
// writes. There is no batch when nothing is left to be written.
func (s *Store) change(ctx context.Context, fn func(latchkey.Tx) error) (b *batch, lead bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(ctx.Err(), s.ready()); err != nil {
		return nil, false, err
	}
	t := begin(s.pending)
	err = fn(t)
	if gone := ctx.Err(); gone != nil && !errors.Is(err, gone) {
		err = errors.Join(err, gone)
	}
	if err != nil {
		return nil, false, err
	}
	if len(t.dirty) == 0 && len(t.changes) == 0 && s.pending == s.durable.Load() {
		return nil, false, nil // it only read what is durable
	}
	b = s.next
	s.pending = t.finish()
	for name := range t.dirty {
		b.dirty[name] = true
	}
	b.changes = append(b.changes, t.changes...)
	b.waiting++
	lead = !s.writing
	s.writing = true
	return b, lead, nil
}

// ready makes sure that there is a state to change. The caller holds mu.
func (s *Store) ready() error {
	if s.closed {
		return errClosed
	}
	if !s.stale {
		return nil
	}
	if err := s.reload(); err != nil {
		return fmt.Errorf("the last write failed, and the files cannot be read again: %w", err)
	}
	return nil
}

// reload makes memory what the files hold, and tells of what that changes. The caller holds mu.
func (s *Store) reload() error {
	if err := s.relock(); err != nil {
		return err
	}
	if err := s.replay(); err != nil {
		return err
	}
	fresh, err := s.load()
	if err != nil {
		return err
	}
	before := s.durable.Swap(fresh)
	s.pending, s.stale = fresh, false
	s.watchers.Tell(differences(before, fresh))
	return nil
}

// relock locks the folder that is there, if that is another one than was locked: a backup may have taken its place, in which
// another latchkey may be at home by now. The caller holds mu.
func (s *Store) relock() error {
	if !s.lost() {
		return nil
	}
	release, lost, err := lock(s.dir)
	if err != nil {
		return err
	}
	_ = s.release() // what it locked is out of the way of everybody
	s.release, s.lost = release, lost
	return nil
}

// writeAll writes batch after batch until nobody waits.
func (s *Store) writeAll() {
	for {
		s.mu.Lock()
		b, goal := s.next, s.pending
		if b.waiting == 0 {
			s.writing = false
			s.idle.Broadcast()
			s.mu.Unlock()
			return
		}
		s.next = newBatch()
		s.mu.Unlock()
		b.err = s.write(goal, b.dirty)
		s.settle(b, goal)
	}
}

// settle tells everybody how a write went. Those who came meanwhile built upon it, and fail with it.
func (s *Store) settle(b *batch, goal *state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.err == nil {
		s.durable.Store(goal)
		s.watchers.Tell(b.changes)
		close(b.done)
		return
	}
	s.log.Error("a change could not be written", "folder", s.dir, "error", b.err)
	s.pending, s.stale = s.durable.Load(), true
	if err := s.reload(); err != nil {
		s.log.Error("the files cannot be read again, and are tried with the next change", "folder", s.dir, "error", err)
	}
	late := s.next
	s.next = newBatch()
	late.err = b.err
	close(b.done)
	close(late.done)
}

// Watch implements [latchkey.Store].
func (s *Store) Watch(fn func([]latchkey.Change)) (stop func()) { return s.watchers.Watch(fn) }

// Close ends the making of changes, waits for what is being written and lets the folder go. Closing twice does no harm.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.closed
	s.closed = true // or else a steady load would keep it open
	for s.writing {
		s.idle.Wait()
	}
	if !first {
		return nil
	}
	return s.release()
}
