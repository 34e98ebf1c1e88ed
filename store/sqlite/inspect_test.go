package sqlite_test

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// folderOf returns what the folder of a database holds: names, modes, times and contents.
func folderOf(t *testing.T, path string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]string{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(read(t, filepath.Join(filepath.Dir(path), e.Name())))
		held[e.Name()] = info.Mode().String() + info.ModTime().String() + string(sum[:])
	}
	return held
}

// inspected inspects a database, which must stay as it is.
func inspected(t *testing.T, path string, key []byte) (sqlite.Inspection, error) {
	t.Helper()
	before := folderOf(t, path)
	found, err := sqlite.Inspect(t.Context(), path, key)
	if diff := cmp.Diff(before, folderOf(t, path)); diff != "" {
		t.Errorf("the inspection changed something: %s", diff)
	}
	return found, err
}

func TestAnInspectionFindsASoundHouse(t *testing.T) {
	path, key := paths(t)
	s := open(t, path)
	n := insertToken(t, s)
	used := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	err := s.Update(t.Context(), func(tx latchkey.Tx) error {
		n.LastUsedAt = used
		admin := latchkey.User{ID: "admin", IsActive: true, GroupIDs: []string{latchkey.GroupUser, latchkey.GroupAdmin}}
		return errors.Join(tx.UpdateRefreshToken(t.Context(), n), tx.InsertUser(t.Context(), admin))
	})
	if err != nil {
		t.Fatal(err)
	}
	closed(t, s)
	found, err := inspected(t, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !found.Latest.Equal(used) {
		t.Errorf("the latest use is %v, want %v", found.Latest, used)
	}
	want := sqlite.Inspection{
		Path: path, KeyFile: key, Version: found.Newest, Newest: found.Newest, People: true, Admin: true, Latest: found.Latest,
	}
	if diff := cmp.Diff(want, found); diff != "" || found.Newest == 0 {
		t.Error(diff)
	}
}

func TestAnInspectionOfAnEmptyHouse(t *testing.T) {
	path, _ := paths(t)
	if _, err := inspected(t, path, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a database that is not there: %v", err)
	}
	closed(t, open(t, path))
	found, err := inspected(t, path, nil)
	if err != nil || found.People || found.Admin || !found.Latest.IsZero() {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestAnInspectionSaysWhatIsWrongWithTheKey(t *testing.T) {
	path, key := paths(t)
	closed(t, open(t, path))
	for name, test := range map[string]struct {
		given []byte
		spoil func() error
		is    error
		says  string
	}{
		"given and wrong":    {given: make([]byte, 32)},
		"given and no key":   {given: []byte("short")},
		"readable by others": {spoil: func() error { return os.Chmod(key, 0o644) }, says: "chmod 600"},
		"no key":             {spoil: func() error { return os.WriteFile(key, []byte("x"), 0o600) }, says: "not a seal key"},
		"missing":            {spoil: func() error { return os.Remove(key) }, is: fs.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			kept := read(t, key)
			defer func() {
				if err := errors.Join(os.WriteFile(key, kept, 0o600), os.Chmod(key, 0o600)); err != nil {
					t.Error(err)
				}
			}()
			if test.spoil != nil {
				if err := test.spoil(); err != nil {
					t.Fatal(err)
				}
			}
			found, err := inspected(t, path, test.given)
			if err != nil || found.Key == nil || !strings.Contains(found.Key.Error(), test.says) ||
				test.is != nil && !errors.Is(found.Key, test.is) {
				t.Errorf("%v, %v", found.Key, err)
			}
		})
	}
}

func TestAnInspectionFindsDamage(t *testing.T) {
	exec := func(t *testing.T, path, statement string) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		spoil func(t *testing.T, path string)
		found string // as damage
		err   string // as an error
	}{
		"rows of nobody": {func(t *testing.T, path string) {
			exec(t, path, `INSERT INTO module_data VALUES ('nobody', 'totp', x''), ('nobody', 'notify', x'')`)
		}, "2 rows of the table module_data belong to rows of users that are not there", ""},
		"a row that its table cannot hold": {func(t *testing.T, path string) {
			exec(t, path, `PRAGMA writable_schema = 1; UPDATE sqlite_schema
				SET sql = replace(sql, 'client_icon TEXT', 'client_icon TEXT NOT NULL') WHERE name = 'refresh_tokens'`)
		}, "NULL value in refresh_tokens.client_icon", ""},
		"a page that is overwritten": {func(t *testing.T, path string) {
			file := read(t, path)
			copy(file[4096:], strings.Repeat("x", 2*4096))
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "", "damaged"},
		"another program's": {func(t *testing.T, path string) {
			exec(t, path, `PRAGMA application_id = 1`)
		}, "", "another program"},
		"a newer version": {func(t *testing.T, path string) {
			exec(t, path, `PRAGMA user_version = 1000`)
		}, "", "of version 1000"},
		"no database": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("text ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "", "not an SQLite database"},
		"a folder": {func(t *testing.T, path string) {
			if err := errors.Join(os.Rename(path, path+".kept"), os.Symlink(filepath.Dir(path), path)); err != nil {
				t.Fatal(err)
			}
		}, "", "is no file"},
		"a log that nobody has put in": {func(t *testing.T, path string) {
			if err := os.WriteFile(path+"-wal", []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "", "start latchkey once"},
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := paths(t)
			s := open(t, path)
			insertToken(t, s)
			closed(t, s)
			test.spoil(t, path)
			if name == "a folder" {
				_, err := sqlite.Inspect(t.Context(), path, nil)
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v", err)
				}
				return
			}
			found, err := inspected(t, path, nil)
			switch {
			case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)),
				test.found != "" && (err != nil || !strings.Contains(strings.Join(found.Damage, "\n"), test.found)):
				t.Errorf("%q, %v", found.Damage, err)
			}
		})
	}
}

func TestAnInspectionBesideAProcessThatWritesAndAfterItsEnd(t *testing.T) {
	path, _ := paths(t)
	cmd, lines := start(t, "insert", path)
	defer func() { _ = cmd.Process.Kill() }() // it was killed already, unless the test failed
	for range 20 {
		if !lines.Scan() {
			t.Fatal("the child has ended")
		}
		found, err := sqlite.Inspect(t.Context(), path, nil)
		if err != nil || len(found.Damage) > 0 || found.Key != nil || !found.People {
			t.Fatalf("%+v, %v", found, err)
		}
		if found.Use.Open != cmd.Process.Pid {
			t.Fatalf("open by %d, want %d", found.Use.Open, cmd.Process.Pid)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	found, err := inspected(t, path, nil)
	if err != nil || len(found.Damage) > 0 || !found.People || found.Use != (sqlite.Use{}) {
		t.Errorf("after its end: %+v, %v", found, err)
	}
}

func TestAnInspectionNamesWhoIsWriting(t *testing.T) {
	path, _ := paths(t)
	cmd, lines := start(t, "hold", path)
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if !lines.Scan() {
		t.Fatal("the child has ended")
	}
	if use := sqlite.InUse(path); use.Writing != cmd.Process.Pid || use.Open != cmd.Process.Pid {
		t.Errorf("%+v, want %d", use, cmd.Process.Pid)
	}
}
