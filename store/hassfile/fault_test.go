package hassfile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// faulty is a disk that fails at the n-th step of writing, and from then on until it is mended.
type faulty struct {
	disk
	mu    sync.Mutex
	after int // steps that still succeed; negative for all
	err   error
	short bool // the failing write leaves half of the text
}

func (d *faulty) step() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.after == 0 {
		return d.err
	}
	if d.after > 0 {
		d.after--
	}
	return nil
}

func (d *faulty) set(after int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.after = after
}

func (d *faulty) Create(path string) (file, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	f, err := d.disk.Create(path)
	return &faultyFile{f, d}, err
}

func (d *faulty) Rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.disk.Rename(from, to)
}

func (d *faulty) SyncDir(path string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.disk.SyncDir(path)
}

type faultyFile struct {
	file
	disk *faulty
}

func (f *faultyFile) Write(b []byte) (int, error) {
	if err := f.disk.step(); err != nil {
		n := 0
		if f.disk.short {
			n, _ = f.file.Write(b[:len(b)/2])
		}
		return n, err
	}
	return f.file.Write(b)
}

func (f *faultyFile) Sync() error {
	if err := f.disk.step(); err != nil {
		return err
	}
	return f.file.Sync()
}

func addUser(ctx context.Context, s latchkey.Store, id string) error {
	return s.Update(ctx, func(tx latchkey.Tx) error {
		return errors.Join(
			tx.InsertUser(ctx, latchkey.User{ID: id, Credentials: []latchkey.Credentials{{
				ID: "c-" + id, Provider: latchkey.ProviderKey{Type: "homeassistant"}, Data: map[string]any{"username": id},
			}}}),
			tx.InsertPassword(ctx, latchkey.Password{Username: id, Hash: "$2b$12$" + id}))
	})
}

// A write that fails at any step leaves the old files or the new ones, an error, and a store that goes on.
func TestAWriteThatFailsAtAnyStep(t *testing.T) {
	for _, fault := range []error{syscall.ENOSPC, syscall.EROFS, io.ErrShortWrite} {
		for after := range 15 { // journal, auth and passwords take five steps each
			t.Run(fmt.Sprintf("%v after %d steps", fault, after), func(t *testing.T) {
				dir := copied(t, "2025")
				d := &faulty{after: -1, err: fault, short: fault == io.ErrShortWrite}
				s := open(t, dir, withDisk(d))
				d.set(after)
				if err := addUser(t.Context(), s, "ben"); !errors.Is(err, fault) {
					t.Fatalf("error = %v", err)
				}
				if _, err := s.User(t.Context(), "3f1c2a9b8d7e4c50a1b2c3d4e5f60718"); err != nil {
					t.Errorf("what was read is not served any more: %v", err)
				}
				d.set(-1) // space returns
				if err := addUser(t.Context(), s, "cleo"); err != nil {
					t.Fatalf("after the fault: %v", err)
				}
				_ = s.Close()
				again := open(t, dir)
				wholeOrNothing(t, again, "ben")
				wholeOrNothing(t, again, "cleo")
				if _, err := again.User(t.Context(), "cleo"); err != nil {
					t.Errorf("an acknowledged change is lost: %v", err)
				}
				if left, _ := filepath.Glob(filepath.Join(dir, "*"+temporary)); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		}
	}
}

// wholeOrNothing fails the test when a change of two files was made by half.
func wholeOrNothing(t *testing.T, s *Store, id string) {
	t.Helper()
	_, err := s.User(t.Context(), id)
	passwords, err2 := s.Passwords(t.Context(), id)
	if err2 != nil || (err == nil) != (len(passwords) == 1) {
		t.Errorf("user %s: %v, with %d passwords, %v", id, err, len(passwords), err2)
	}
}

// spec: security.md W5: what was acknowledged survives kill -9, and no file is ever torn
func TestKilledAtAnyMoment(t *testing.T) {
	rounds, side := 200, 2
	if testing.Short() {
		rounds = 20
	}
	program := filepath.Join(t.TempDir(), "killed")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./testdata/killed")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	var all sync.WaitGroup
	for n := range side { // each in a folder of its own
		all.Go(func() {
			k := killing{program: program, dir: t.TempDir()}
			for round := range rounds / side {
				if !k.round(t, round) {
					t.Errorf("in round %d of folder %d", round, n)
					return
				}
			}
			t.Logf("%d rounds with %d acknowledged changes, and %d that were interrupted", rounds/side, k.acknowledged, k.interrupted)
			if k.interrupted == 0 {
				t.Error("nobody was ever killed at work")
			}
		})
	}
	all.Wait()
}

// killing kills one program after another.
type killing struct {
	program, dir              string
	acknowledged, interrupted int
	change                    time.Duration // how long a change took when it was measured last
}

// round lets the program work for a while, kills it, and reports whether the folder is as it should be.
func (k *killing) round(t *testing.T, round int) bool {
	cmd := exec.Command(k.program, k.dir, fmt.Sprint(round))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
		return false
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return false
	}
	var said []string
	lines := bufio.NewScanner(out)
	for began := time.Now(); len(said) < 1+round%4 && lines.Scan(); said = append(said, lines.Text()) {
		k.change, began = time.Since(began), time.Now()
	}
	<-time.After(k.change * time.Duration(round%17) / 16) // somewhere in the next change
	_ = cmd.Process.Kill()
	for lines.Scan() { // what it said before it died
		said = append(said, lines.Text())
	}
	_ = cmd.Wait()
	if left, err := os.ReadDir(k.dir); err == nil && slices.ContainsFunc(left, func(e os.DirEntry) bool {
		return strings.HasSuffix(e.Name(), temporary) || e.Name() == journalFile
	}) {
		k.interrupted++
	}
	k.acknowledged += len(said)
	s, err := Open(t.Context(), k.dir, quiet())
	if err != nil {
		t.Error(err)
		return false
	}
	defer func() { _ = s.Close() }()
	users, err := s.Users(t.Context(), "", 1_000_000)
	if err != nil || len(users) < k.acknowledged {
		t.Errorf("%d users, %v, where %d were acknowledged", len(users), err, k.acknowledged)
	}
	for _, id := range said {
		if _, err := s.User(t.Context(), id); err != nil {
			t.Errorf("an acknowledged change is lost: %v", err)
		}
	}
	for _, u := range users {
		wholeOrNothing(t, s, u.ID)
	}
	return !t.Failed()
}

// Changes that arrive together are written together, and each is acknowledged only when it is on the disk.
func TestChangesThatArriveTogether(t *testing.T) {
	dir := t.TempDir()
	d := &counting{}
	s := open(t, dir, withDisk(d))
	var all sync.WaitGroup
	for n := range 100 {
		all.Go(func() {
			if err := addUser(t.Context(), s, fmt.Sprint("u", n)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	_ = s.Close()
	users, err := open(t, dir).Users(t.Context(), "", 1000)
	if err != nil || len(users) != 100 {
		t.Errorf("%d users, %v", len(users), err)
	}
	t.Logf("100 changes at once took %d writes of files", d.renames)
	if d.renames >= 300 {
		t.Error("each change was written alone")
	}
}

type counting struct {
	disk
	renames int
}

func (d *counting) Rename(from, to string) error {
	d.renames++
	return d.disk.Rename(from, to)
}

func TestAFolderIsKeptByOneProcess(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := Open(t.Context(), dir, quiet()); !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	_ = s.Close()
	_ = open(t, dir).Close()
}

func TestWhatAnotherProgramWroteIsNotWrittenOver(t *testing.T) {
	dir := copied(t, "2025")
	s := open(t, dir)
	theirs := strings.Replace(text(t, dir, authFile), `"Ada"`, `"Ada Lovelace"`, 1)
	if err := os.WriteFile(filepath.Join(dir, authFile), []byte(theirs), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := addUser(t.Context(), s, "ben"); !errors.Is(err, ErrForeignChange) {
		t.Errorf("error = %v", err)
	}
	if text(t, dir, authFile) != theirs {
		t.Error("their change is gone")
	}
	if err := addUser(t.Context(), s, "ben"); err != nil { // over what they wrote
		t.Error(err)
	}
	if u, err := s.User(t.Context(), "3f1c2a9b8d7e4c50a1b2c3d4e5f60718"); err != nil || u.Name.Text != "Ada Lovelace" {
		t.Errorf("%+v, %v", u, err)
	}
}
