//go:build unix

package commandline

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// accept lets in whose password is right, and tells about everybody.
const accept = `echo "name=$username the $1"; echo "group=$2"; echo "local_only=$3"; [ "$password" = right ]`

func newStore(t *testing.T) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "house.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// newProvider returns a provider that runs the script, and its log.
func newProvider(t *testing.T, store Store, metaOn bool, script string, args ...string) (*Provider, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	p, err := New(store, Config{
		Command: "/bin/sh", Args: append([]string{"-c", script, "sh"}, args...), Meta: metaOn,
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, log
}

func login(username, password string) flow.Input {
	return flow.Input{"username": username, "password": password}
}

// spec: providers.md §4.4 and §2
func TestTheFlow(t *testing.T) {
	p, _ := newProvider(t, newStore(t), false, `[ "$username/$password" = "Anna B/ right " ]`)
	form := flow.Form{StepID: "init", Errors: map[string]string{}, Schema: flow.Schema{
		{Name: "username", Kind: flow.String, Presence: flow.Required},
		{Name: "password", Kind: flow.String, Presence: flow.Required},
	}}
	s, result, err := flow.Advance(t.Context(), flow.New(flow.Context{}), nil, p.Step)
	if d := cmp.Diff(flow.Result(form), result); err != nil || d != "" {
		t.Fatalf("%v (-want +got): %s", err, d)
	}
	form.Errors = map[string]string{"base": "invalid_auth"}
	for _, wrong := range []flow.Input{
		login("Anna B", "right"), login("anna b", " right "), login("", ""), login("Anna B", " right \x00"),
	} {
		s, result, err = flow.Advance(t.Context(), s, wrong, p.Step)
		if d := cmp.Diff(flow.Result(form), result); err != nil || d != "" {
			t.Errorf("%q: %v (-want +got): %s", wrong, err, d)
		}
	}
	_, result, err = flow.Advance(t.Context(), s, login("\u3000 Anna B\t\x1f\n", " right "), p.Step)
	if d := cmp.Diff(flow.Result(flow.Done{Data: map[string]any{"username": "Anna B"}}), result); err != nil || d != "" {
		t.Errorf("%v (-want +got): %s", err, d)
	}
}

// spec: providers.md §4.2, the log texts
func TestRefusalsAreLogged(t *testing.T) {
	p, log := newProvider(t, newStore(t), false, `echo "asked for $username" >&2; exit 3`)
	if err := p.ValidateLogin(t.Context(), "d'Arc\n", "hush"); !errors.Is(err, latchkey.ErrInvalidAuth) {
		t.Error(err)
	}
	for _, want := range []string{
		`level=ERROR msg="User \"d'Arc\\n\" failed to authenticate, command exited with code 3"`, `output="asked for d'Arc"`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log = %s\nwant %s", log, want)
		}
	}
	log.Reset()
	p.program.command = "/no/such/program"
	if err := p.ValidateLogin(t.Context(), "anna", "hush"); !errors.Is(err, latchkey.ErrInvalidAuth) {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "Error while authenticating 'anna': ") || strings.Contains(log.String(), "hush") {
		t.Errorf("log = %s", log)
	}
}

// spec: providers.md §4.3 and §4.4, metadata
func TestWhatTheCommandTellsMakesTheUser(t *testing.T) {
	store := newStore(t)
	yes := latchkey.Text
	for _, tt := range []struct {
		name, script string
		metaOn       bool
		want         latchkey.UserMeta
	}{
		{"all", accept, true, latchkey.UserMeta{Name: yes("anna the first"), Group: yes("system-users"), IsActive: true, LocalOnly: true}},
		{"nothing", "exit 0", true, latchkey.UserMeta{IsActive: true}},
		{"off", accept, false, latchkey.UserMeta{IsActive: true}},
		{"not exactly true", "echo local_only=True; echo group=", true, latchkey.UserMeta{Group: yes(""), IsActive: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := newProvider(t, store, tt.metaOn, tt.script, "first", "system-users", "true")
			if err := p.ValidateLogin(t.Context(), "anna", "right"); err != nil {
				t.Fatal(err)
			}
			c := latchkey.NewCredentials(p.Key(), map[string]any{"username": "anna"})
			got, err := p.UserMeta(t.Context(), c)
			if d := cmp.Diff(tt.want, got); err != nil || d != "" {
				t.Errorf("%v (-want +got): %s", err, d)
			}
		})
	}
}

// A restart between the sign-in and the making of the user must not make an administrator of everybody.
func TestForgottenMetaMakesNobody(t *testing.T) {
	store := newStore(t)
	p, _ := newProvider(t, store, true, accept)
	if err := p.ValidateLogin(t.Context(), "anna", "wrong"); !errors.Is(err, latchkey.ErrInvalidAuth) {
		t.Fatal(err)
	}
	m, err := latchkey.New(store, latchkey.Options{Providers: []latchkey.Provider{p}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c := latchkey.NewCredentials(p.Key(), map[string]any{"username": "anna"})
	if u, err := m.GetOrCreateUser(t.Context(), c); !errors.Is(err, ErrMetaLost) || !errors.Is(err, latchkey.ErrState) {
		t.Errorf("%+v, %v", u, err)
	}
}

// spec: providers.md §4.3, "later logins do not change an existing user"; §4.4, exact comparison
func TestSignIn(t *testing.T) {
	store := newStore(t)
	args := []string{"first", latchkey.GroupUser, "true"}
	p, _ := newProvider(t, store, true, accept, args...)
	m, err := latchkey.New(store, latchkey.Options{Providers: []latchkey.Provider{p}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	signIn := func(username string) latchkey.User {
		t.Helper()
		from := netip.MustParseAddr("192.168.1.20")
		begun, _, err := m.StartLogin(t.Context(), latchkey.LoginRequest{Provider: p.Key(), From: latchkey.Origin{Addr: from}, Purpose: latchkey.PurposeAuthorize})
		if err != nil {
			t.Fatal(err)
		}
		done, result, err := m.ContinueLogin(t.Context(), latchkey.LoginInput{ID: begun.ID, From: latchkey.Origin{Addr: from}, Input: login(username, "right")})
		if err != nil || done.Credentials == nil {
			t.Fatalf("%+v, %v", result, err)
		}
		u, err := m.GetOrCreateUser(t.Context(), *done.Credentials)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	anna := signIn("anna")
	if anna.Name.Text != "anna the first" || !cmp.Equal(anna.GroupIDs, []string{latchkey.GroupUser}) || !anna.LocalOnly || anna.IsOwner {
		t.Errorf("user %+v", anna)
	}
	copy(p.program.args[3:], []string{"second", latchkey.GroupAdmin, "false"})
	if again := signIn(" anna "); !cmp.Equal(again, anna) {
		t.Errorf("the second sign-in gives %+v, want %+v", again, anna)
	}
	if other := signIn("Anna"); other.ID == anna.ID || other.Name.Text != "Anna the second" || other.LocalOnly {
		t.Errorf("a name in another case gives %+v", other)
	}
}

// spec: providers.md §1, §2, §4.1
func TestConfiguration(t *testing.T) {
	store := newStore(t)
	p, err := New(store, Config{Command: "/bin/../bin//./sh", ID: latchkey.Text("ldap"), Name: "LDAP"})
	if err != nil {
		t.Fatal(err)
	}
	if p.program.command != "/bin/sh" || p.Name() != "LDAP" || p.Key().String() != "command_line.ldap" || !p.SupportsMFA() {
		t.Errorf("%q, %q, %v", p.program.command, p.Name(), p.Key())
	}
	if p, err := New(store, Config{Command: "true"}); err != nil || p.Name() != "Command Line Authentication" ||
		p.Key() != (latchkey.ProviderKey{Type: "command_line"}) || p.program.timeout != 30*time.Second {
		t.Errorf("%+v, %v", p, err)
	}
	for name, cfg := range map[string]Config{
		"no command":          {},
		"NUL in the command":  {Command: "/bin/\x00"},
		"NUL in an argument":  {Command: "true", Args: []string{"a", "b\x00"}},
		"a timeout behind us": {Command: "true", Timeout: -1},
	} {
		if _, err := New(store, cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := New(nil, Config{Command: "true"}); err == nil {
		t.Error("a provider without a store is made")
	}
}
