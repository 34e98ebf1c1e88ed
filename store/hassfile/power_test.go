package hassfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
)

// power is a disk whose power goes before the n-th step of writing. Nothing works from then on, as if the process was gone.
// What was not made durable until then can be taken back, as a machine loses it: names that were changed since the folder
// was synced, and texts that were not synced.
type power struct {
	disk
	left  int // steps until the power goes; negative for never
	aside string
	undo  []func() error // what takes the names back, the latest last
	torn  map[string]bool
}

var errPower = errors.New("the power is gone")

func newPower(t *testing.T) *power {
	return &power{left: -1, aside: t.TempDir(), torn: map[string]bool{}}
}

func (d *power) step() error {
	if d.left == 0 {
		return errPower
	}
	if d.left > 0 {
		d.left--
	}
	return nil
}

// keep puts a second name for a file aside, and returns what brings the file back.
func (d *power) keep(path string) (func() error, error) {
	aside := filepath.Join(d.aside, fmt.Sprint(len(d.undo), filepath.Base(path)))
	_ = os.Remove(aside)
	if err := os.Link(path, aside); errors.Is(err, fs.ErrNotExist) {
		return func() error { return discard(d.disk, path) }, nil
	} else if err != nil {
		return nil, err
	}
	return func() error { return os.Rename(aside, path) }, nil
}

func (d *power) ReadFile(path string) (string, error) {
	if d.left == 0 {
		return "", errPower
	}
	return d.disk.ReadFile(path)
}

func (d *power) Create(path string) (file, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	back, err := d.keep(path)
	if err != nil {
		return nil, err
	}
	f, err := d.disk.Create(path)
	d.undo, d.torn[path] = append(d.undo, back), true
	return &powerFile{f, d, path}, err
}

func (d *power) Rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	back, err := d.keep(to)
	if err != nil {
		return err
	}
	d.undo = append(d.undo, func() error { return errors.Join(os.Rename(to, from), back()) })
	return d.disk.Rename(from, to)
}

func (d *power) Remove(path string) error {
	if err := d.step(); err != nil {
		return err
	}
	back, err := d.keep(path)
	if err != nil {
		return err
	}
	d.undo = append(d.undo, back)
	return d.disk.Remove(path)
}

func (d *power) SyncDir(path string) error {
	if err := d.step(); err != nil {
		return err
	}
	d.undo = nil // which is what counts here, and is quicker than the real thing
	return nil
}

type powerFile struct {
	file
	disk *power
	path string
}

func (f *powerFile) Write(b []byte) (int, error) {
	if err := f.disk.step(); err != nil {
		n, _ := f.file.Write(b[:len(b)/2])
		return n, err
	}
	return f.file.Write(b)
}

func (f *powerFile) Sync() error {
	if err := f.disk.step(); err != nil {
		return err
	}
	delete(f.disk.torn, f.path)
	return nil
}

// lose takes back some of the changes of names that were not made durable, and half of each text. Which names a machine
// loses is for it to say: here the last n of those that can be lost, or a
// single one of them.
func (d *power) lose(t *testing.T, n int) {
	t.Helper()
	if one := n - len(d.undo) - 1; one >= 0 {
		d.undo, n = d.undo[one:one+1], 1
	}
	for path := range d.torn {
		if info, err := os.Stat(path); err == nil {
			if err := os.Truncate(path, info.Size()/2); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range n {
		last := len(d.undo) - 1
		if err := d.undo[last](); err != nil {
			t.Fatal(err)
		}
		d.undo = d.undo[:last]
	}
}

// changesOfFiles are changes of one file and of several.
func changesOfFiles(ctx context.Context) map[string]func(latchkey.Tx) error {
	remove := func(tx latchkey.Tx) error {
		return errors.Join(tx.DeleteUser(ctx, adaID), tx.DeletePassword(ctx, "ada"))
	}
	add := func(tx latchkey.Tx) error {
		return errors.Join(tx.InsertPassword(ctx, latchkey.Password{Username: "ben", Hash: "$2b$12$x"}),
			tx.InsertUser(ctx, latchkey.User{ID: "ben", Credentials: []latchkey.Credentials{{
				ID: "c-ben", Provider: latchkey.ProviderKey{Type: "homeassistant"}, Data: map[string]any{"username": "ben"},
			}}}))
	}
	return map[string]func(latchkey.Tx) error{
		"a token": func(tx latchkey.Tx) error { return tx.DeleteRefreshToken(ctx, adaLogger) },
		"a password": func(tx latchkey.Tx) error {
			return tx.UpdatePassword(ctx, "ada", latchkey.Password{Username: "ada", Hash: "$2b$12$x"})
		},
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
	}
}

// held are the texts of Home Assistant's files, of which the rest is latchkey's.
func held(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range []string{authFile, passwordFile, totpFile, notifyFile, onboardingFile} {
		files[name] = text(t, dir, name)
	}
	return files
}

// cut is a change that is made until the power goes before a step, whereupon names are lost in one of the possible ways.
type cut struct {
	change       func(latchkey.Tx) error
	goal         map[string]string // what the files hold when it is made
	before, lose int
}

// of makes the change in a folder. more is false when it came to its end before the power went; its error is that of the
// change, and ways is in how many ways names could have been lost.
func (c cut) of(t *testing.T) (dir string, more bool, ways int, err error) {
	t.Helper()
	dir = copied(t, "2025")
	d := newPower(t)
	s := open(t, dir, withDisk(d))
	d.left = c.before
	err = s.Update(t.Context(), c.change)
	more = d.left == 0
	d.left = 0 // whatever is still to be done is not
	_ = s.Close()
	ways = 2 * len(d.undo)
	d.lose(t, min(c.lose, ways))
	return dir, more, ways, err
}

// everyCut calls fn for every step at which a change can be cut off, and for every loss that may come with it.
func everyCut(t *testing.T, fn func(t *testing.T, c cut) (more bool, ways int)) {
	t.Helper()
	for name, change := range changesOfFiles(t.Context()) {
		whole := copied(t, "2025")
		s := open(t, whole)
		if err := s.Update(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		c := cut{change: change, goal: held(t, whole), before: 1}
		cuts := 0
		for more := true; more; c.before++ {
			ways := 0
			for c.lose = 0; c.lose <= ways; c.lose++ {
				t.Run(fmt.Sprintf("%s, cut off before step %d, loss %d", name, c.before, c.lose), func(t *testing.T) {
					more, ways = fn(t, c)
				})
				cuts++
			}
		}
		t.Logf("%s: %d cuts", name, cuts)
	}
}

// spec: storage.md §1, "atomic"; security.md W5. At every step of a write, when the process ends there and also when the
// machine does: each file is the old one or a new one, Home Assistant finds no password without its login (it makes an
// administrator of whoever signs in with one), and the next start finds all of the change or nothing; all if it was
// acknowledged.
func TestCutOffAtEveryStep(t *testing.T) {
	old := held(t, "testdata/2025")
	everyCut(t, func(t *testing.T, c cut) (bool, int) {
		dir, more, ways, err := c.of(t)
		noLoosePassword(t, dir)
		snapshot, wrong := Read(t.Context(), dir, quietLog())
		if wrong != nil {
			t.Fatalf("a reader: %v", wrong)
		}
		again := open(t, dir)
		found := held(t, dir)
		made := cmp.Equal(found, c.goal)
		if !made && !cmp.Equal(found, old) {
			t.Errorf("the change is made by half: %s", cmp.Diff(c.goal, found))
		}
		if err == nil && !made {
			t.Error("an acknowledged change is lost")
		}
		for name, text := range found {
			if string(snapshot.current().encode(name)) != text {
				t.Errorf("a reader found another %s than the next start", name)
			}
		}
		noLoosePassword(t, dir)
		for _, pattern := range []string{"*" + temporary, journalFile} {
			if left, _ := filepath.Glob(filepath.Join(dir, pattern)); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		}
		if c.lose == 0 {
			if err := addUser(t.Context(), again, "next"); err != nil {
				t.Errorf("the next change: %v", err)
			}
		}
		return more, ways
	})
}

// noLoosePassword fails the test when a password has no login as the files stand, which is how Home Assistant reads them.
func noLoosePassword(t *testing.T, dir string) {
	t.Helper()
	l := loader{folder: folder{disk{}, dir}, log: quietLog()}
	if err := l.load(); err != nil {
		t.Fatalf("as Home Assistant finds the files: %v", err)
	}
	loose, err := reader{func() *state { return l.state }}.LoosePasswords(t.Context())
	if err != nil || len(loose) > 0 {
		t.Errorf("there are passwords without a login: %v, %v", loose, err)
	}
}

// A start that cannot carry out an interrupted change leaves what was prepared for it to one that can.
func TestAnInterruptedChangeIsCarriedOutWhenThatIsPossible(t *testing.T) {
	old := held(t, "testdata/2025")
	everyCut(t, func(t *testing.T, c cut) (bool, int) {
		dir, more, ways, _ := c.of(t)
		if s, err := Open(t.Context(), dir, quiet(), withDisk(&faulty{err: syscall.EROFS})); err == nil {
			_ = s.Close()
		}
		_ = open(t, dir)
		if found := held(t, dir); !cmp.Equal(found, c.goal) && !cmp.Equal(found, old) {
			t.Errorf("the change is made by half: %s", cmp.Diff(c.goal, found))
		}
		return more, ways
	})
}

// A change that was interrupted is not carried out over, or beside, what another program wrote since.
func TestAnInterruptedChangeIsGivenUpAsAWhole(t *testing.T) {
	everyCut(t, func(t *testing.T, c cut) (bool, int) {
		dir, more, ways, _ := c.of(t)
		if !strings.Contains(text(t, dir, authFile), `"Ada"`) { // she is gone already
			return more, ways
		}
		theyWrite(t, dir, authFile, `"Ada"`, `"Ada Lovelace"`)
		theirs := text(t, dir, authFile)
		_ = open(t, dir)
		noLoosePassword(t, dir)
		if text(t, dir, authFile) != theirs {
			t.Error("what they wrote is gone")
		}
		return more, ways
	})
}

// When what was prepared is gone, nothing is left that could be carried out.
func TestAnInterruptedChangeWithoutItsFilesIsGivenUp(t *testing.T) {
	everyCut(t, func(t *testing.T, c cut) (bool, int) {
		dir, more, ways, _ := c.of(t)
		if err := sweep(dir); err != nil {
			t.Fatal(err)
		}
		_ = open(t, dir)
		noLoosePassword(t, dir)
		return more, ways
	})
}
