package insecureexample_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/mfa/insecureexample"
)

func newModule(t *testing.T, pins ...insecureexample.PIN) *insecureexample.Module {
	t.Helper()
	m, err := insecureexample.New(insecureexample.Config{PINs: pins})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func verify(t *testing.T, m *insecureexample.Module, userID string, in flow.Input) bool {
	t.Helper()
	ok, err := m.Verify(t.Context(), userID, nil, in)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// spec: mfa.md §6, "validate: some entry has this user and pin"
func TestAnyPINOfTheUserIsRight(t *testing.T) {
	m := newModule(t, insecureexample.PIN{UserID: "anna", PIN: "1"}, insecureexample.PIN{UserID: "ben", PIN: "2"},
		insecureexample.PIN{UserID: "anna", PIN: "3"}, insecureexample.PIN{UserID: "cleo", PIN: ""})
	for _, tt := range []struct {
		user string
		in   flow.Input
		want bool
	}{
		{"anna", flow.Input{"pin": "1"}, true},
		{"anna", flow.Input{"pin": "3"}, true},
		{"anna", flow.Input{"pin": "2"}, false},
		{"ben", flow.Input{"pin": "2"}, true},
		{"nobody", flow.Input{"pin": "1"}, false},
		{"anna", flow.Input{}, false},
		{"cleo", flow.Input{}, false},
		{"cleo", flow.Input{"pin": 1}, false},
	} {
		if got := verify(t, m, tt.user, tt.in); got != tt.want {
			t.Errorf("%s with %v: %v", tt.user, tt.in, got)
		}
	}
}

// spec: mfa.md §6, setup_user and depose_user
func TestSetUpReplacesAndDeposeRemovesTheFirst(t *testing.T) {
	m := newModule(t, insecureexample.PIN{UserID: "anna", PIN: "1"}, insecureexample.PIN{UserID: "anna", PIN: "3"})
	ctx := t.Context()
	for _, id := range []string{"anna", "ben"} {
		if got, err := m.SetUp(ctx, id, map[string]any{"pin": "9"}); got != nil || err != nil {
			t.Errorf("SetUp = %v, %v", got, err)
		}
		if !verify(t, m, id, flow.Input{"pin": "9"}) {
			t.Errorf("%s: the new pin is refused", id)
		}
	}
	if verify(t, m, "anna", flow.Input{"pin": "1"}) || !verify(t, m, "anna", flow.Input{"pin": "3"}) {
		t.Error("not the first pin was replaced")
	}
	for i, want := range []bool{true, false, false} {
		if err := m.Depose(ctx, "anna"); err != nil {
			t.Fatal(err)
		}
		if got, err := m.IsSetUp(ctx, "anna"); got != want || err != nil {
			t.Errorf("after %d removals: set up = %v, %v", i+1, got, err)
		}
	}
	if _, err := m.SetUp(ctx, "anna", nil); !errors.Is(err, latchkey.ErrValue) {
		t.Errorf("set up without a pin: %v", err)
	}
}

// spec: mfa.md §3, the generic set-up flow; §6, "the set-up result is {result: null}"
func TestSetUpDialogue(t *testing.T) {
	m := newModule(t)
	step := func(ctx context.Context, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
		return m.SetUpStep(ctx, latchkey.User{ID: "anna"}, s, in)
	}
	s, result, err := flow.Advance(t.Context(), flow.New(flow.Context{}), nil, step)
	form := flow.Form{StepID: "init", Schema: m.Schema(), Errors: map[string]string{}}
	if d := cmp.Diff(flow.Result(form), result); err != nil || d != "" {
		t.Fatalf("%v (-want +got): %s", err, d)
	}
	_, result, err = flow.Advance(t.Context(), s, flow.Input{"pin": "5"}, step)
	if d := cmp.Diff(flow.Result(flow.Done{Data: map[string]any{"result": nil}}), result); err != nil || d != "" {
		t.Errorf("%v (-want +got): %s", err, d)
	}
	if !verify(t, m, "anna", flow.Input{"pin": "5"}) {
		t.Error("the pin is refused")
	}
}

// spec: mfa.md §1 and §2
func TestConfiguration(t *testing.T) {
	m := newModule(t)
	want := flow.Schema{{Name: "pin", Kind: flow.String, Presence: flow.Required}}
	if d := cmp.Diff(want, m.Schema()); d != "" || m.ID() != "insecure_example" ||
		m.Name() != "Insecure Personal Identify Number" || m.MaxRetries() != 3 {
		t.Errorf("id %q, name %q, retries %d, schema %s", m.ID(), m.Name(), m.MaxRetries(), d)
	}
	m, err := insecureexample.New(insecureexample.Config{ID: "x", Name: "PIN"})
	if err != nil || m.ID() != "x" || m.Name() != "PIN" {
		t.Errorf("%v, %v", m, err)
	}
	if _, err := insecureexample.New(insecureexample.Config{PINs: []insecureexample.PIN{{PIN: "1"}}}); err == nil {
		t.Error("a pin of nobody is accepted")
	}
}

func TestManyAtTheSameTime(t *testing.T) {
	m := newModule(t)
	var all sync.WaitGroup
	for _, id := range []string{"anna", "ben", "cleo", "anna"} {
		all.Go(func() {
			for range 100 {
				_, err := m.SetUp(context.Background(), id, map[string]any{"pin": id})
				ok, wrong := m.Verify(context.Background(), id, nil, flow.Input{"pin": id})
				if err := errors.Join(err, wrong); err != nil || !ok {
					t.Errorf("%s: %v, %v", id, ok, err)
				}
			}
		})
	}
	all.Wait()
}
