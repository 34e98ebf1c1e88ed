package hassfile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
)

// copied copies a folder of testdata, which may be written to.
func copied(t testing.TB, version string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", version))); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t testing.TB, dir string, options ...Option) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, append([]Option{quiet()}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func update(t testing.TB, s latchkey.Store, fn func(context.Context, latchkey.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), func(tx latchkey.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

// touch makes every file be written again, with what it holds.
func touch(t testing.TB, s *Store) {
	t.Helper()
	s.mu.Lock()
	goal := s.pending
	s.mu.Unlock()
	dirty := map[string]bool{}
	for _, name := range []string{authFile, passwordFile, totpFile, notifyFile, onboardingFile} {
		dirty[name] = goal.envelopes[name].found
	}
	if err := s.write(goal, dirty); err != nil {
		t.Fatal(err)
	}
}

func text(t testing.TB, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// described tells what a store holds in a few lines.
func described(t testing.TB, r latchkey.Reader) string {
	t.Helper()
	ctx := t.Context()
	users, err := r.Users(ctx, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, u := range users {
		fmt.Fprintf(&b, "%s %q owner=%v active=%v system=%v local=%v %v", u.ID, u.Name, u.IsOwner, u.IsActive, u.SystemGenerated, u.LocalOnly, u.GroupIDs)
		for _, c := range u.Credentials {
			fmt.Fprintf(&b, " %s/%s", c.Provider, c.Subject())
		}
		tokens, err := r.RefreshTokens(ctx, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range tokens {
			fmt.Fprintf(&b, " %s=%s/%s/%s", token.ID, token.Type, token.ClientID, token.CredentialID)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// spec: storage.md §2.1 to §2.4, versions.md: every version that there was is read, and written in the newest form, which is
// that of testdata/newest
func TestEveryVersionIsRead(t *testing.T) {
	const ada, supervisor = "3f1c2a9b8d7e4c50a1b2c3d4e5f60718", "9a8b7c6d5e4f4a3b9c1d2e3f4a5b6c7d"
	for version, want := range map[string]string{
		"0.76": ada + ` "Ada" owner=true active=true system=false local=false [system-admin] homeassistant/ada t1=normal/http://hass.local:8123//` + "\n" +
			supervisor + ` "Supervisor" owner=false active=true system=true local=false [] t2=system//` + "\n",
		"0.81": ada + ` "Ada" owner=true active=true system=false local=false [system-admin] t1=normal/http://hass.local:8123//` + "\n" +
			supervisor + ` "Supervisor" owner=false active=true system=true local=false [system-admin]` + "\n" +
			`u3 "Bob" owner=false active=true system=false local=false []` + "\n",
		"0.82": ada + ` "Ada" owner=true active=true system=false local=false [system-admin]` + "\n" +
			`u3 "Bob" owner=false active=true system=false local=false [system-read-only]` + "\n",
		"2019": ada + ` "Adä" owner=true active=true system=false local=false [system-admin] homeassistant/ada t1=normal/http://hass.local:8123//` + "\n" +
			supervisor + ` "Supervisor" owner=false active=true system=true local=false []` + "\n",
		"2021.3":  ada + ` "Ada" owner=true active=true system=false local=false [system-admin] homeassistant/ada t1=normal/http://hass.local:8123//c1 t2=normal/http://hass.local:8123//` + "\n",
		"2021.12": ada + ` "Ada" owner=true active=true system=false local=false [system-admin] t1=normal/http://hass.local:8123//` + "\n" + `u3 "" owner=false active=false system=false local=true [system-users]` + "\n",
		"2024.2":  ada + ` "Ada" owner=true active=true system=false local=false [system-admin] ends=normal/https://ha.example.org// never=normal/https://ha.example.org//` + "\n",
		"2025": ada + ` "Ada" owner=true active=true system=false local=false [system-admin] homeassistant/ada 5b6c7d8e9f004a1b8c2d3e4f5a6b7c8d=normal/https://ha.example.org//0d5e6f708192434fa5b6c7d8e9f00112 aa11bb22cc33440d85ee66ff77008811=long_lived_access_token//` + "\n" +
			`c0ffee00c0ff4e00a0ffee00c0ffee00 "Home Assistant Content" owner=false active=true system=true local=false [system-read-only]` + "\n",
	} {
		t.Run(version, func(t *testing.T) {
			dir := copied(t, version)
			s := open(t, dir)
			if diff := cmp.Diff(want, described(t, s)); diff != "" {
				t.Error(diff)
			}
			// Written in the newest form, and read again, it is the same.
			touch(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			newest := "testdata/newest/" + version
			if version == "2025" {
				newest = "testdata/2025"
			}
			for _, name := range []string{authFile, passwordFile, totpFile, notifyFile} {
				if want, err := os.ReadFile(filepath.Join(newest, name)); err != nil && name == authFile {
					t.Error(err)
				} else if err == nil {
					if diff := cmp.Diff(string(want), text(t, dir, name)); diff != "" {
						t.Errorf("%s: %s", name, diff)
					}
				}
			}
			again := open(t, dir)
			if diff := cmp.Diff(want, described(t, again)); diff != "" {
				t.Errorf("after it was written: %s", diff)
			}
			before := text(t, dir, authFile)
			touch(t, again)
			if diff := cmp.Diff(before, text(t, dir, authFile)); diff != "" {
				t.Errorf("written twice: %s", diff)
			}
		})
	}
}

// spec: storage.md §1 and §2: what a newest Home Assistant wrote is written back byte by byte, odd as it may be
func TestTheNewestFormIsWrittenAsItWasRead(t *testing.T) {
	for _, version := range []string{"2025", "odd"} {
		t.Run(version, func(t *testing.T) {
			dir := copied(t, version)
			touch(t, open(t, dir))
			for _, name := range []string{authFile, passwordFile, totpFile, notifyFile, onboardingFile} {
				if diff := cmp.Diff(text(t, filepath.Join("testdata", version), name), text(t, dir, name)); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
				if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: %v, %v", name, info, err)
				}
			}
		})
	}
}

// spec: storage.md §6: the leftover of a test build is ignored
func TestALeftoverStaysWhereItIs(t *testing.T) {
	const leftover, session = "auth.session", `{"version": 1, "key": "auth.session", "data": {"unauthorized_sessions": {}, "key": "x"}}`
	dir := copied(t, "2025")
	write(t, dir, leftover, session)
	s := open(t, dir)
	if err := addUser(t.Context(), s, "ben"); err != nil {
		t.Fatal(err)
	}
	if text(t, dir, leftover) != session {
		t.Error("it was changed")
	}
}

// What is odd in a file stays when something beside it is changed, and a file is written only if something in it is.
func TestAChangeLeavesWhatIsOddAsItIs(t *testing.T) {
	dir := copied(t, "odd")
	s := open(t, dir)
	update(t, s, func(ctx context.Context, tx latchkey.Tx) error {
		u, err := tx.User(ctx, "u3")
		if err != nil {
			return err
		}
		u.Name = latchkey.Text("Cleo")
		return tx.UpdateUser(ctx, u)
	})
	before := strings.Split(text(t, "testdata/odd", authFile), "\n")
	after := strings.Split(text(t, dir, authFile), "\n")
	var changed []string
	for i := range after {
		if after[i] != before[i] {
			changed = append(changed, strings.TrimSpace(after[i]))
		}
	}
	if len(before) != len(after) || !slices.Equal(changed, []string{`"name": "Cleo",`}) {
		t.Errorf("changed are the lines %q", changed)
	}
	if text(t, dir, passwordFile) != text(t, "testdata/odd", passwordFile) {
		t.Error("a file was written that nothing in it changed of")
	}
}

// spec: storage.md §2.3: an unsound policy allows nothing; a dangling membership grants nothing
func TestOddGroupsGrantNothing(t *testing.T) {
	s := open(t, copied(t, "odd"))
	groups, err := s.Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if g.ID == "odd" || g.ID == "empty" {
			m, err := latchkey.New(s, latchkey.Options{})
			if err != nil {
				t.Fatal(err)
			}
			p, err := m.Permissions(t.Context(), latchkey.User{IsActive: true, GroupIDs: []string{g.ID}})
			if err != nil || p.Check("light.hall", "read") {
				t.Errorf("group %s lets its members read: %v", g.ID, err)
			}
			m.Close()
		}
	}
}

// spec: storage.md §4 and §5: what latchkey knows beyond Home Assistant's files is kept beside them
func TestSecondFactorsKeepWhatHomeAssistantHasNoPlaceFor(t *testing.T) {
	const ada = "3f1c2a9b8d7e4c50a1b2c3d4e5f60718"
	dir := copied(t, "2025")
	s := open(t, dir)
	data := func(s *Store) string {
		b, err := s.ModuleData(t.Context(), "totp", ada)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := data(s); got != `{"secret":"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}` {
		t.Errorf("read is %s", got)
	}
	const used = `{"secret":"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP","last_step":7}`
	update(t, s, func(ctx context.Context, tx latchkey.Tx) error {
		return tx.PutModuleData(ctx, "totp", ada, []byte(used))
	})
	if text(t, dir, totpFile) != text(t, "testdata/2025", totpFile) {
		t.Error("Home Assistant's file was changed")
	}
	_ = s.Close()
	if got := data(open(t, dir)); got != used {
		t.Errorf("kept is %s", got)
	}
}
