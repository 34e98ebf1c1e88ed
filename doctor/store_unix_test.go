//go:build unix

package doctor_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/doctor"
	"github.com/seed-6a977b3d/latchkey/internal/pgtest"
	"github.com/seed-6a977b3d/latchkey/store/hassfile"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// childVariable makes the test program be another process, which writes to a database until it is killed.
const childVariable = "LATCHKEY_DOCTOR_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		store, err := sqlite.Open(context.Background(), path)
		if err == nil {
			err = store.Update(context.Background(), func(latchkey.Tx) error {
				fmt.Println("writing")
				select {}
			})
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestWhatIsSaidOfADatabase(t *testing.T) {
	statement := func(path, text string) error {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			return err
		}
		_, err = db.Exec(text)
		return errors.Join(err, db.Close())
	}
	for name, test := range map[string]struct {
		spoil func(path, key string) error
		part  string
		s     doctor.Severity
		says  string
	}{
		"damaged": {func(path, _ string) error {
			return statement(path, `INSERT INTO module_data VALUES ('nobody', 'totp', x'')`)
		}, doctor.Store, doctor.Error, "is damaged: 1 rows of the table module_data"},
		"older": {func(path, _ string) error { return statement(path, `PRAGMA user_version = 1`) },
			doctor.Store, doctor.Note, "is of version 1, and this program knows"},
		"newer": {func(path, _ string) error { return statement(path, `PRAGMA user_version = 1000`) },
			doctor.Store, doctor.Error, "or a newer one"},
		"another program's": {func(path, _ string) error { return statement(path, `PRAGMA application_id = 1`) },
			doctor.Store, doctor.Error, "another program"},
		"without its key": {func(_, key string) error { return os.Remove(key) },
			doctor.Key, doctor.Error, "latchkey.key is missing, without which no secret"},
		"with another key": {func(_, key string) error {
			return os.WriteFile(key, []byte("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"), 0o600)
		}, doctor.Key, doctor.Error, "latchkey.key does not open the secrets"},
		"with a key that others may read": {func(_, key string) error { return os.Chmod(key, 0o640) },
			doctor.Key, doctor.Error, "others may read the key"},
		"that others may read": {func(path, _ string) error { return os.Chmod(path, 0o644) },
			doctor.Files, doctor.Warning, "others may read"},
		"that others may write": {func(path, _ string) error { return os.Chmod(path, 0o666) },
			doctor.Files, doctor.Error, "others may read and write"},
		"in a folder of everybody": {func(path, _ string) error { return os.Chmod(filepath.Dir(path), 0o777) },
			doctor.Files, doctor.Error, "others may write the folder"},
		"in a folder of everybody where names are safe": {func(path, _ string) error {
			return os.Chmod(filepath.Dir(path), 0o777|os.ModeSticky)
		}, doctor.Files, doctor.OK, "2 files"},
	} {
		t.Run(name, func(t *testing.T) {
			c, o := healthy(t)
			furnish(t, c)
			if err := test.spoil(c.Store.Path, sqlite.KeyFile(c.Store.Path)); err != nil {
				t.Fatal(err)
			}
			findings := doctor.Examine(t.Context(), c, o)
			expect(t, findings, test.part, test.s, test.says)
			for _, f := range findings {
				if f.Severity == doctor.Error && f.Mend == "" && !strings.Contains(f.Text, ";") && !strings.Contains(f.Text, ": ") {
					t.Errorf("nothing is said to do about %q", f.Text)
				}
			}
		})
	}
	c, o := healthy(t)
	furnish(t, c)
	c.SealKey = latchkey.Secret(strings.Repeat("x", 32))
	expect(t, doctor.Examine(t.Context(), c, o), doctor.Key, doctor.Error, "LATCHKEY_SEAL_KEY does not open the secrets")
}

func TestTheFilesOfAConfiguration(t *testing.T) {
	c, o := healthy(t)
	o.ConfigFile = filepath.Join(t.TempDir(), "latchkey.yaml")
	secrets := filepath.Join(filepath.Dir(o.ConfigFile), "secrets.yaml")
	for path, mode := range map[string]os.FileMode{o.ConfigFile: 0o666, secrets: 0o644} {
		if err := errors.Join(os.WriteFile(path, nil, mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	findings := doctor.Examine(t.Context(), c, o)
	expect(t, findings, doctor.Files, doctor.Error, "others may write "+o.ConfigFile)
	expect(t, findings, doctor.Files, doctor.Warning, "others may read "+secrets+", which holds secrets -> chmod 600 "+secrets)
}

func TestAProcessThatKeepsAllOthersFromWriting(t *testing.T) {
	c, o := healthy(t)
	furnish(t, c)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(program)
	child.Env = append(os.Environ(), childVariable+"="+c.Store.Path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	}()
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	says := fmt.Sprintf("process %d has been writing for more than 2s", child.Process.Pid)
	expect(t, doctor.Examine(t.Context(), c, o), doctor.Store, doctor.Warning, says)
}

// storage is a folder of a Home Assistant, with an owner.
func storage(t *testing.T) (config.Config, doctor.Options) {
	t.Helper()
	c, o := healthy(t)
	c.Store = config.StoreAddress{Scheme: "hass", Path: filepath.Join(t.TempDir(), "config", ".storage")}
	c.Folder = filepath.Dir(c.Store.Path)
	if err := os.MkdirAll(c.Store.Path, 0o700); err != nil {
		t.Fatal(err)
	}
	furnish(t, c)
	return c, o
}

func TestWhatIsSaidOfFilesOfHomeAssistant(t *testing.T) {
	c, o := storage(t)
	findings := doctor.Examine(t.Context(), c, o)
	if worst := doctor.Worst(findings); worst != doctor.OK {
		t.Errorf("the worst is %s: %+v", worst, findings)
	}
	expect(t, findings, doctor.Store, doctor.OK, "holds 1 files of a house")
	expect(t, findings, doctor.Key, doctor.OK, "nothing is sealed")

	store, err := hassfile.Open(t.Context(), c.Store.Path)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, doctor.Examine(t.Context(), c, o), doctor.Store, doctor.OK, "a latchkey has it open")
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	auth := filepath.Join(c.Store.Path, "auth")
	leftover := auth + ".latchkey-tmp"
	if err := errors.Join(os.WriteFile(leftover, nil, 0o600), os.Chmod(auth, 0o644)); err != nil {
		t.Fatal(err)
	}
	findings = doctor.Examine(t.Context(), c, o)
	expect(t, findings, doctor.Store, doctor.Note, leftover+" is left over")
	expect(t, findings, doctor.Files, doctor.Warning, "others may read "+auth)

	passwords := `{"version": 1, "data": {"users": [{"username": "nobody", "password": "JDJiJA=="}]}}`
	if err := os.WriteFile(filepath.Join(c.Store.Path, "auth_provider.homeassistant"), []byte(passwords), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, doctor.Examine(t.Context(), c, o), doctor.Store, doctor.Warning, `the password of "nobody" belongs to nobody`)

	if err := os.WriteFile(auth, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, doctor.Examine(t.Context(), c, o), doctor.Store, doctor.Error, "auth")
	c.Store.Path = filepath.Join(c.Folder, "nowhere")
	expect(t, doctor.Examine(t.Context(), c, o), doctor.Store, doctor.Error, "there is no folder")
	c.Store.Follow = true
	expect(t, doctor.Examine(t.Context(), c, o), doctor.Store, doctor.Error, "there is no folder")
	c.Store.Follow, c.Store.Path = false, t.TempDir()
	expect(t, doctor.Examine(t.Context(), c, o), doctor.Store, doctor.Note, "there is no house in ")
}

func TestAHomeAssistantThatRunsOnTheSameFiles(t *testing.T) {
	c, o := storage(t)
	lock, err := os.Create(filepath.Join(c.Folder, ".ha_run.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	expect(t, doctor.Examine(t.Context(), c, o), doctor.Store, doctor.OK, "")
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	expect(t, doctor.Examine(t.Context(), c, o), doctor.Store, doctor.Error, "a Home Assistant runs on")
	c.Store.Follow = true
	findings := doctor.Examine(t.Context(), c, o)
	expect(t, findings, doctor.Store, doctor.OK, "Home Assistant runs on it")
	expect(t, findings, doctor.Store, doctor.Note, "there is no database "+filepath.Join(c.Folder, config.SessionsFile))
	for _, f := range findings {
		if strings.Contains(f.Mend, "user add") {
			t.Errorf("what Home Assistant keeps is to be added here: %+v", f)
		}
	}
}

func TestADatabaseThatDoesNotAnswer(t *testing.T) {
	c, o := healthy(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	c.Store = config.StoreAddress{Scheme: "postgres", Path: "//house:hunter22@" + nobody + "/latchkey"}
	findings := doctor.Examine(t.Context(), c, o)
	expect(t, findings, doctor.Store, doctor.Error, "does not answer: the store cannot be reached -> start it")
	expect(t, findings, doctor.Disk, doctor.OK, "kept by a server")
	if strings.Contains(fmt.Sprint(findings), "hunter22") {
		t.Error("a finding shows the password")
	}
}

func TestADatabaseOfSeveralNodes(t *testing.T) {
	c, o := healthy(t)
	var err error
	if c.Store, err = config.ParseStore(pgtest.Schema(t)); err != nil {
		t.Fatal(err)
	}
	findings := doctor.Examine(t.Context(), c, o)
	expect(t, findings, doctor.Store, doctor.Note, "there are no tables")
	expect(t, findings, doctor.Key, doctor.Error, "there is no key to seal the secrets")
	expect(t, findings, doctor.Clock, doctor.OK, "the clock of the database agrees")
	c.SealKey = latchkey.Secret(strings.Repeat("x", 32))
	expect(t, doctor.Examine(t.Context(), c, o), doctor.Key, doctor.OK, "will seal")

	furnish(t, c)
	findings = doctor.Examine(t.Context(), c, o)
	if worst := doctor.Worst(findings); worst == doctor.Error {
		t.Errorf("%+v", findings)
	}
	expect(t, findings, doctor.Key, doctor.OK, "LATCHKEY_SEAL_KEY opens the secrets")
	expect(t, findings, doctor.People, doctor.OK, "")
	expect(t, findings, doctor.Bans, doctor.OK, "the store keeps the list")
	c.SealKey = latchkey.Secret(strings.Repeat("y", 32))
	expect(t, doctor.Examine(t.Context(), c, o), doctor.Key, doctor.Error, "does not fit this database")
}
