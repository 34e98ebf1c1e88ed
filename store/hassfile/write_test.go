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

// A transaction sees what it removed as gone, and what it makes anew behind the rest.
func TestTokensThatGoAndComeInOneTransaction(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	token := func(id string) latchkey.RefreshToken {
		return latchkey.RefreshToken{
			ID: id, UserID: "u", Type: latchkey.TokenLongLived, ClientName: id, Secret: latchkey.Secret(id), CreatedAt: time.Unix(1, 0),
		}
	}
	list := func(r latchkey.Reader) (ids string) {
		all, err := r.RefreshTokens(t.Context(), "u")
		if err != nil {
			t.Fatal(err)
		}
		for _, each := range all {
			ids += each.ID
		}
		return ids
	}
	update(t, s, func(ctx context.Context, tx latchkey.Tx) error {
		return errors.Join(tx.InsertUser(ctx, latchkey.User{ID: "u"}), tx.InsertRefreshToken(ctx, token("a")),
			tx.InsertRefreshToken(ctx, token("b")), tx.InsertRefreshToken(ctx, token("c")))
	})
	update(t, s, func(ctx context.Context, tx latchkey.Tx) error {
		err := errors.Join(tx.DeleteRefreshToken(ctx, "a"), tx.DeleteRefreshToken(ctx, "b"))
		if got := list(tx); got != "c" {
			t.Errorf("without a and b there are %s", got)
		}
		if _, gone := tx.LongLivedToken(ctx, "u", "b"); !errors.Is(gone, latchkey.ErrNotFound) {
			t.Errorf("b by its name: %v", gone)
		}
		err = errors.Join(err, tx.InsertRefreshToken(ctx, token("b")))
		if got := list(tx); got != "cb" {
			t.Errorf("with b again there are %s", got)
		}
		if got := list(s); got != "abc" {
			t.Errorf("to others there are %s", got)
		}
		return err
	})
	if got := list(s); got != "cb" {
		t.Errorf("in the end there are %s", got)
	}
	update(t, s, func(ctx context.Context, tx latchkey.Tx) error {
		return errors.Join(tx.DeleteUser(ctx, "u"), tx.InsertUser(ctx, latchkey.User{ID: "u"}), tx.InsertRefreshToken(ctx, token("b")))
	})
	_ = s.Close()
	if got := list(open(t, dir)); got != "b" {
		t.Errorf("of somebody who came back there are %s", got)
	}
}
