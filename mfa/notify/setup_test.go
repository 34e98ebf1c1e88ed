package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/mfa/notify"
)

// step takes one step of anna's set-up, through the check of the form and through JSON, as the manager does.
func step(t *testing.T, m *notify.Module, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
	t.Helper()
	next, result, err := flow.Advance(t.Context(), s, in, func(ctx context.Context, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
		return m.SetUpStep(ctx, latchkey.User{ID: anna}, s, in)
	})
	b, bad := json.Marshal(next)
	var read flow.State
	if bad := errors.Join(bad, json.Unmarshal(b, &read)); bad != nil {
		t.Fatal(bad)
	}
	return read, result, err
}

// expect checks what a step came to.
func expect(t *testing.T, want, got flow.Result, err error) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v, (-want +got): %s", err, d)
	}
}

func firstForm(services ...string) flow.Form {
	var options []flow.Option
	for _, s := range services {
		options = append(options, flow.Choice(s, s))
	}
	return flow.Form{StepID: "init", Errors: map[string]string{}, Schema: flow.Schema{
		{Name: "notify_service", Kind: flow.Select, Presence: flow.Required, Options: options},
		{Name: "target", Kind: flow.String, Presence: flow.Optional},
	}}
}

func secondForm(service string, problem map[string]string) flow.Form {
	return flow.Form{StepID: "setup", Errors: problem, Placeholders: map[string]string{"notify_service": service},
		Schema: flow.Schema{{Name: "code", Kind: flow.String, Presence: flow.Required}}}
}

// spec: mfa.md §5, "Set-up flow"; websocket.md A-16; flows.md §7, "notify set-up"
func TestSetUpDialogue(t *testing.T) {
	store := newStore(t)
	synctest.Test(t, func(t *testing.T) {
		p := &post{services: []string{"phone", "mail"}}
		m := newModule(t, store, p, notify.Config{})
		s, result, err := step(t, m, flow.New(flow.Context{}), nil)
		expect(t, firstForm("mail", "phone"), result, err)
		p.services = append(p.services, "late")
		s, result, err = step(t, m, s, nil)
		expect(t, firstForm("mail", "phone"), result, err) // as they were when the set-up began
		if _, _, err := step(t, m, s, flow.Input{"notify_service": "late"}); err == nil {
			t.Error("a service that was not offered is accepted")
		}

		s, result, err = step(t, m, s, flow.Input{"notify_service": "mail", "target": "anna@example.org"})
		expect(t, secondForm("mail", map[string]string{}), result, err)
		sent := p.next(t)
		if sent.Service != "mail" || sent.Target != "anna@example.org" {
			t.Errorf("sent %+v", sent)
		}
		s, result, err = step(t, m, s, flow.Input{"code": "wrong"})
		expect(t, secondForm("mail", map[string]string{"base": "invalid_code"}), result, err)
		if again := p.next(t); again != sent {
			t.Errorf("after a wrong code %+v is sent, want %+v again", again, sent)
		}
		s, result, err = step(t, m, s, nil)
		expect(t, secondForm("mail", map[string]string{}), result, err)
		if again := p.next(t); again != sent {
			t.Errorf("shown afresh, %+v is sent", again)
		}
		if ok, err := m.IsSetUp(t.Context(), anna); ok || err != nil {
			t.Errorf("set up too early: %v, %v", ok, err)
		}
		_, result, err = step(t, m, s, flow.Input{"code": sent.code(t)})
		expect(t, flow.Done{Data: map[string]any{}}, result, err)
		if ok, err := m.IsSetUp(t.Context(), anna); !ok || err != nil {
			t.Errorf("not set up: %v, %v", ok, err)
		}
		challenge(t, m)
		if login := p.next(t); login.Service != "mail" || login.Target != "anna@example.org" || login.Text == sent.Text {
			t.Errorf("the first login is sent %+v", login)
		}
	})
}

// spec: mfa.md §5: abort reasons; "Exclude beats include"
func TestServicesThatMayBeChosen(t *testing.T) {
	store := newStore(t)
	all := []string{"c", "a", "b", "a"}
	for _, tt := range []struct {
		name             string
		services         []string
		include, exclude []string
		want             []string
	}{
		{"all, sorted", all, nil, nil, []string{"a", "b", "c"}},
		{"included", all, []string{"c", "b", "z"}, nil, []string{"b", "c"}},
		{"excluded", all, nil, []string{"a", "z"}, []string{"b", "c"}},
		{"both", all, []string{"a", "b"}, []string{"a"}, []string{"b"}},
		{"none left", all, []string{"a"}, []string{"a"}, nil},
		{"none at all", nil, nil, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newModule(t, store, &post{services: tt.services}, notify.Config{Include: tt.include, Exclude: tt.exclude})
			_, result, err := step(t, m, flow.New(flow.Context{}), nil)
			if tt.want == nil {
				expect(t, flow.Abort{Reason: "no_available_service"}, result, err)
				return
			}
			expect(t, firstForm(tt.want...), result, err)
		})
	}
}

// spec: mfa.md §5, "a missing service → abort notify_service_not_exist", "target missing → null"
func TestTheChosenServiceVanishes(t *testing.T) {
	store := newStore(t)
	synctest.Test(t, func(t *testing.T) {
		p := &post{services: []string{"phone"}}
		m := newModule(t, store, p, notify.Config{})
		s, _, err := step(t, m, flow.New(flow.Context{}), nil)
		if err != nil {
			t.Fatal(err)
		}
		p.services = nil
		_, result, err := step(t, m, s, flow.Input{"notify_service": "phone"})
		expect(t, flow.Abort{Reason: "notify_service_not_exist"}, result, err)
		p.services = []string{"phone"}
		s, result, err = step(t, m, s, flow.Input{"notify_service": "phone"})
		expect(t, secondForm("phone", map[string]string{}), result, err)
		if sent := p.next(t); sent.Target != "" {
			t.Errorf("sent to %q", sent.Target)
		}
		p.services = nil
		_, result, err = step(t, m, s, flow.Input{"code": "wrong"})
		expect(t, flow.Abort{Reason: "notify_service_not_exist"}, result, err)
		s.Step = "elsewhere"
		if _, _, err := step(t, m, s, nil); !errors.Is(err, flow.ErrUnknownStep) {
			t.Errorf("unknown step: %v", err)
		}
	})
}
