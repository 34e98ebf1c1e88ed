package hassfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

func rename(ctx context.Context, s latchkey.Store, name string) error {
	return s.Update(ctx, func(tx latchkey.Tx) error {
		u, err := tx.User(ctx, adaID)
		if err != nil {
			return err
		}
		u.Name = latchkey.Text(name)
		return tx.UpdateUser(ctx, u)
	})
}

// gate is a disk that holds up each write until it is let through.
type gate struct {
	disk
	arrived chan string
	pass    chan struct{}
}

func (d *gate) Rename(from, to string) error {
	d.arrived <- filepath.Base(to)
	<-d.pass
	return d.disk.Rename(from, to)
}

// Who writes for others does not wait for those who come later: under a steady load that would be for ever.
func TestNobodyWaitsForThoseWhoComeLater(t *testing.T) {
	d := &gate{arrived: make(chan string), pass: make(chan struct{})}
	s := open(t, copied(t, "2025"), withDisk(d))
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- rename(t.Context(), s, "one") }()
	<-d.arrived
	go func() { second <- rename(t.Context(), s, "two") }()
	d.pass <- struct{}{}
	waiting := true
	for arrived := false; !arrived; { // the first is done although the second is under way
		select {
		case err := <-first:
			waiting = false
			if err != nil {
				t.Error(err)
			}
		case <-d.arrived:
			arrived = true
		case <-time.After(30 * time.Second):
			t.Fatal("nothing goes on")
		}
	}
	if waiting {
		select {
		case err := <-first:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Error("the first change waits for the second")
		}
	}
	d.pass <- struct{}{}
	if err := <-second; err != nil {
		t.Error(err)
	}
}

// What is written is the one state, while others change the next: for the race detector.
func TestOneUserIsChangedByMany(t *testing.T) {
	s := open(t, copied(t, "2025"))
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			for i := range 20 {
				if err := rename(t.Context(), s, fmt.Sprint(n, "-", i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// A change whose write fails before anything is in its place is not made later.
func TestAFailedWriteLeavesNothingToBeDoneLater(t *testing.T) {
	for after := range 12 { // the journal takes five steps, two files three each before the first is in its place
		dir := copied(t, "2025")
		d := &faulty{after: -1, err: syscall.ENOSPC}
		s := open(t, dir, withDisk(d))
		d.set(after)
		if err := addUser(t.Context(), s, "ben"); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("after %d steps: %v", after, err)
		}
		_ = s.Close()
		again := open(t, dir)
		if _, err := again.User(t.Context(), "ben"); !errors.Is(err, latchkey.ErrNotFound) {
			t.Errorf("after %d steps, and a new start: %v", after, err)
		}
		wholeOrNothing(t, again, "ben")
	}
}

// After a write that failed, what is read is what the files hold, and whoever keeps something in memory is told.
func TestWhatAnotherProgramRevokedIsForgotten(t *testing.T) {
	dir := copied(t, "2025")
	s := open(t, dir)
	m, err := latchkey.New(s, latchkey.Options{Logger: quietLog()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	soon(t, "the token that had ended is gone", func() bool {
		_, err := s.RefreshToken(t.Context(), adaToken)
		return errors.Is(err, latchkey.ErrNotFound)
	})
	if _, err := m.RefreshToken(t.Context(), adaLogger); err != nil {
		t.Fatal(err)
	}
	var revoked atomic.Bool
	m.OnRevoke(adaLogger, func() { revoked.Store(true) })
	theyWrite(t, dir, authFile, `"id": "`+adaLogger+`"`, `"id": "another"`)
	if err := addUser(t.Context(), s, "ben"); !errors.Is(err, ErrForeignChange) {
		t.Errorf("error = %v", err)
	}
	if _, err := s.RefreshToken(t.Context(), "another"); err != nil {
		t.Errorf("what they wrote is not read: %v", err)
	}
	if _, err := m.RefreshToken(t.Context(), adaLogger); !errors.Is(err, latchkey.ErrNotFound) || !revoked.Load() {
		t.Errorf("a revoked token goes on: %v, callback %v", err, revoked.Load())
	}
}

// stopped is a disk that ends the process, as far as anybody can tell, before the n-th file comes into its place.
type stopped struct {
	disk
	left int
}

var errStopped = errors.New("the power is gone")

func (d *stopped) Rename(from, to string) error {
	if d.left == 0 {
		return errStopped
	}
	d.left--
	return d.disk.Rename(from, to)
}

func (d *stopped) Remove(path string) error {
	if d.left == 0 {
		return errStopped
	}
	return d.disk.Remove(path)
}

// ReadFile finds nothing, so that nothing is made good while the process still runs.
func (d *stopped) ReadFile(path string) ([]byte, error) {
	if d.left == 0 {
		return nil, errStopped
	}
	return d.disk.ReadFile(path)
}

// Home Assistant makes an administrator of whoever signs in with a password that no login belongs to. Wherever a change
// of both files stops, there is none for it to find.
func TestNoPasswordIsEverWithoutItsLogin(t *testing.T) {
	ctx := t.Context()
	remove := func(tx latchkey.Tx) error {
		return errors.Join(tx.DeleteUser(ctx, adaID), tx.DeletePassword(ctx, "ada"))
	}
	add := func(tx latchkey.Tx) error {
		return errors.Join(tx.InsertPassword(ctx, latchkey.Password{Username: "ben", Hash: "$2b$12$x"}),
			tx.InsertUser(ctx, latchkey.User{ID: "ben", Credentials: []latchkey.Credentials{{
				ID: "c-ben", Provider: latchkey.ProviderKey{Type: "homeassistant"}, Data: map[string]any{"username": "ben"},
			}}}))
	}
	for name, change := range map[string]func(latchkey.Tx) error{
		"somebody goes":  remove,
		"somebody comes": add,
		"both":           func(tx latchkey.Tx) error { return errors.Join(remove(tx), add(tx)) },
		"another name": func(tx latchkey.Tx) error {
			u, err := tx.User(ctx, adaID)
			if err != nil {
				return err
			}
			c := u.Credentials[0]
			c.Data = map[string]any{"username": "lovelace"}
			return errors.Join(tx.UpdateCredentials(ctx, c),
				tx.UpdatePassword(ctx, "ada", latchkey.Password{Username: "lovelace", Hash: "$2b$12$x"}))
		},
	} {
		for left := 1; left < 6; left++ { // the journal first
			t.Run(fmt.Sprint(name, ", stopped after ", left, " files"), func(t *testing.T) {
				dir := copied(t, "2025")
				d := &stopped{left: 10}
				s := open(t, dir, withDisk(d))
				d.left = left
				err := s.Update(ctx, change)
				_ = s.Close()
				noLoosePassword(t, dir)
				again := open(t, dir) // which carries the rest out
				noLoosePassword(t, dir)
				if _, err := os.Stat(filepath.Join(dir, journalFile)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the journal: %v", err)
				}
				_, gone := again.User(ctx, adaID)
				_, come := again.User(ctx, "ben")
				if name == "both" && (gone == nil) == (come == nil) {
					t.Errorf("made by half: %v, %v (%v)", gone, come, err)
				}
			})
		}
	}
}

// noLoosePassword fails the test when a password has no login, as the files stand.
func noLoosePassword(t *testing.T, dir string) {
	t.Helper()
	s, err := Read(t.Context(), dir, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ada", "ben", "lovelace"} {
		passwords, err := s.Passwords(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		logins, err := s.CredentialsBySubject(t.Context(), latchkey.ProviderKey{Type: "homeassistant"}, name)
		if err != nil {
			t.Fatal(err)
		}
		if len(passwords) > 0 && len(logins) == 0 {
			t.Errorf("%s has a password and no login", name)
		}
	}
}

// A change that was interrupted is not carried out over, or beside, what another program wrote since.
func TestAnInterruptedChangeIsGivenUpAsAWhole(t *testing.T) {
	dir := copied(t, "2025")
	d := &stopped{left: 10}
	s := open(t, dir, withDisk(d))
	d.left = 1
	if err := addUser(t.Context(), s, "ben"); !errors.Is(err, errStopped) {
		t.Fatalf("error = %v", err)
	}
	_ = s.Close()
	theyWrite(t, dir, authFile, `"Ada"`, `"Ada Lovelace"`)
	again := open(t, dir)
	wholeOrNothing(t, again, "ben")
	if u, err := again.User(t.Context(), adaID); err != nil || u.Name.Text != "Ada Lovelace" {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestAJournalThatNamesAnotherFileIsRefused(t *testing.T) {
	dir := copied(t, "2025")
	journal := filepath.Join(dir, journalFile)
	if err := os.WriteFile(journal, []byte(`[{"name":"../secrets.yaml","before":"","text":"x"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), dir, quiet())
	if err == nil {
		_ = s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), `"../secrets.yaml" is none of the files`) {
		t.Errorf("error = %v", err)
	}
}

// The very first write into a folder may be the one that was interrupted.
func TestWhatAFirstWriteLeftBehindIsRemoved(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, authFile+".0"+temporary)
	if err := os.WriteFile(left, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = open(t, dir)
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}
