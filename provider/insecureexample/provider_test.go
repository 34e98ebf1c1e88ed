package insecureexample_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/provider/insecureexample"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

func newStore(t *testing.T) latchkey.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "house.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func newProvider(t *testing.T, store latchkey.Store) *insecureexample.Provider {
	t.Helper()
	p, err := insecureexample.New(store, insecureexample.Config{Users: []insecureexample.User{
		{Username: "anna", Password: "old", Name: latchkey.Text("Anna")},
		{Username: "ben", Password: "bén"},
		{Username: "anna", Password: "new", Name: latchkey.Text("Second Anna")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// spec: providers.md §7: "last match wins"; errors null when there are none
func TestTheFlow(t *testing.T) {
	p := newProvider(t, newStore(t))
	form := flow.Form{StepID: "init", Schema: flow.Schema{
		{Name: "username", Kind: flow.String, Presence: flow.Required},
		{Name: "password", Kind: flow.String, Presence: flow.Required},
	}}
	s, result, err := flow.Advance(t.Context(), flow.New(flow.Context{}), nil, p.Step)
	if d := cmp.Diff(flow.Result(form), result); err != nil || d != "" {
		t.Fatalf("%v (-want +got): %s", err, d)
	}
	form.Errors = map[string]string{"base": "invalid_auth"}
	for _, wrong := range []flow.Input{
		{"username": "anna", "password": "old"}, {"username": "anna", "password": ""}, {"username": "Anna", "password": "new"},
		{"username": "anna ", "password": "new"}, {"username": "nobody", "password": "nobody"}, {"username": "", "password": ""},
		{"username": "ben", "password": "be\u0301n"},
	} {
		s, result, err = flow.Advance(t.Context(), s, wrong, p.Step)
		if d := cmp.Diff(flow.Result(form), result); err != nil || d != "" {
			t.Errorf("%q: %v (-want +got): %s", wrong, err, d)
		}
	}
	for username, password := range map[string]string{"anna": "new", "ben": "bén"} {
		_, result, err = flow.Advance(t.Context(), s, flow.Input{"username": username, "password": password}, p.Step)
		if d := cmp.Diff(flow.Result(flow.Done{Data: map[string]any{"username": username}}), result); err != nil || d != "" {
			t.Errorf("%v (-want +got): %s", err, d)
		}
	}
}

// spec: providers.md §7: "Credentials by exact username", metadata "of the first configured entry"
func TestCredentialsAndMeta(t *testing.T) {
	store := newStore(t)
	p := newProvider(t, store)
	m, err := latchkey.New(store, latchkey.Options{Providers: []latchkey.Provider{p}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	users := map[string]latchkey.User{}
	for _, username := range []string{"anna", "Anna", "ben", "anna"} {
		c, err := p.Credentials(t.Context(), map[string]any{"username": username})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(map[string]any{"username": username}, c.Data); d != "" {
			t.Error("data (-want +got):", d)
		}
		u, err := m.GetOrCreateUser(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := users[username]; ok != !c.IsNew() || ok && before.ID != u.ID {
			t.Errorf("%s is %+v, and was %+v", username, u, before)
		}
		users[username] = u
	}
	if len(users) != 3 || users["anna"].Name != latchkey.Text("Anna") || users["Anna"].Name.Valid || users["ben"].Name.Valid {
		t.Errorf("users %+v", users)
	}
}

// spec: providers.md §2; security.md W4
func TestConfiguration(t *testing.T) {
	store := newStore(t)
	p := newProvider(t, store)
	if p.Key() != (latchkey.ProviderKey{Type: "insecure_example"}) || p.Name() != "Unnamed auth provider" || !p.SupportsMFA() {
		t.Errorf("%v, %q", p.Key(), p.Name())
	}
	for _, u := range []insecureexample.User{{Username: "anna"}, {Password: "x"}} {
		if _, err := insecureexample.New(store, insecureexample.Config{Users: []insecureexample.User{u}}); err == nil {
			t.Errorf("%+v is accepted", u)
		}
	}
	if _, err := insecureexample.New(nil, insecureexample.Config{}); err == nil {
		t.Error("a provider without a store is made")
	}
}
