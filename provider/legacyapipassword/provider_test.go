package legacyapipassword_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	legacy "github.com/seed-6a977b3d/latchkey/provider/legacyapipassword"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

func newProvider(t *testing.T, id latchkey.NullString) (*legacy.Provider, latchkey.Store) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "house.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	p, err := legacy.New(store, legacy.Config{ID: id, Password: "pässword"})
	if err != nil {
		t.Fatal(err)
	}
	return p, store
}

// spec: providers.md §6, the flow
func TestTheFormAsksForThePassword(t *testing.T) {
	p, _ := newProvider(t, latchkey.NullString{})
	form := flow.Form{StepID: "init", Errors: map[string]string{},
		Schema: flow.Schema{{Name: "password", Kind: flow.String, Presence: flow.Required}}}
	s, result, err := flow.Advance(t.Context(), flow.New(flow.Context{}), nil, p.Step)
	if d := cmp.Diff(flow.Result(form), result); err != nil || d != "" {
		t.Fatalf("%v (-want +got): %s", err, d)
	}
	form.Errors = map[string]string{"base": "invalid_auth"}
	for _, wrong := range []string{"", "pässwor", "pässword ", "Pässword", "pa\u0308ssword"} {
		s, result, err = flow.Advance(t.Context(), s, flow.Input{"password": wrong}, p.Step)
		if d := cmp.Diff(flow.Result(form), result); err != nil || d != "" {
			t.Errorf("%q: %v (-want +got): %s", wrong, err, d)
		}
	}
	_, result, err = flow.Advance(t.Context(), s, flow.Input{"password": "pässword"}, p.Step)
	if d := cmp.Diff(flow.Result(flow.Done{Data: map[string]any{}}), result); err != nil || d != "" {
		t.Errorf("%v (-want +got): %s", err, d)
	}
}

// spec: providers.md §6, credentials and metadata; §1, never those of another provider's id
func TestEverybodyIsOneUser(t *testing.T) {
	p, store := newProvider(t, latchkey.NullString{})
	other, err := legacy.New(store, legacy.Config{ID: latchkey.Text("second"), Password: "x"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := latchkey.New(store, latchkey.Options{Providers: []latchkey.Provider{p, other}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	from := netip.MustParseAddr("192.168.1.20")
	signIn := func(p *legacy.Provider, password string) latchkey.User {
		t.Helper()
		begun, _, err := m.StartLogin(t.Context(), latchkey.LoginRequest{Provider: p.Key(), From: latchkey.Origin{Addr: from}, Purpose: latchkey.PurposeAuthorize})
		if err != nil {
			t.Fatal(err)
		}
		done, result, err := m.ContinueLogin(t.Context(), latchkey.LoginInput{ID: begun.ID, From: latchkey.Origin{Addr: from}, Input: flow.Input{"password": password}})
		if err != nil || done.Credentials == nil {
			t.Fatalf("%+v, %v", result, err)
		}
		u, err := m.GetOrCreateUser(t.Context(), *done.Credentials)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	one, two := signIn(p, "pässword"), signIn(p, "pässword")
	if one.ID != two.ID || one.Name.Text != "Legacy API password user" || !one.IsActive || len(one.Credentials[0].Data) != 0 {
		t.Errorf("users %+v and %+v", one, two)
	}
	if third := signIn(other, "x"); third.ID == one.ID {
		t.Error("another provider signs in the same user")
	}
}

// spec: providers.md §1 and §6; security.md W4
func TestConfiguration(t *testing.T) {
	p, store := newProvider(t, latchkey.NullString{})
	if p.Key() != (latchkey.ProviderKey{Type: "legacy_api_password"}) || p.Name() != "Legacy API Password" || !p.SupportsMFA() {
		t.Errorf("%v, %q", p.Key(), p.Name())
	}
	if p, err := legacy.New(store, legacy.Config{Name: "Old", Password: "x"}); err != nil || p.Name() != "Old" {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := legacy.New(store, legacy.Config{}); err == nil {
		t.Error("an empty password is accepted")
	}
	if _, err := legacy.New(nil, legacy.Config{Password: "x"}); err == nil {
		t.Error("a provider without a store is made")
	}
}

// spec: providers.md §6, "numbers converted to text; null, lists and objects refused"
func TestParsePassword(t *testing.T) {
	for _, tt := range []struct {
		in   any
		want string
	}{{"hush", "hush"}, {"", ""}, {1234, "1234"}, {int64(-5), "-5"}, {uint64(7), "7"}, {1.5, "1.5"}} {
		if got, err := legacy.ParsePassword(tt.in); err != nil || got.Reveal() != tt.want {
			t.Errorf("ParsePassword(%v) = %q, %v", tt.in, got.Reveal(), err)
		}
	}
	for _, in := range []any{nil, []any{"hush"}, map[string]any{"hush": 1}, true} {
		got, err := legacy.ParsePassword(in)
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("ParsePassword(%v) = %q, %v", in, got.Reveal(), err)
		}
	}
	if got := fmt.Sprintf("%+v", legacy.Config{Password: "hush"}); strings.Contains(got, "hush") {
		t.Errorf("a printed configuration tells the password: %s", got)
	}
}
