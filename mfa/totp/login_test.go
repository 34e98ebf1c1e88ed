package totp_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/mfa/totp"
	"github.com/seed-6a977b3d/latchkey/provider/insecureexample"
)

// spec: manager.md §11; mfa.md §4; websocket.md A-15: from the set-up to the sign-in, as the manager does it
func TestSetUpAndSignIn(t *testing.T) {
	store := newStore(t)
	synctest.Test(t, func(t *testing.T) {
		passwords, err := insecureexample.New(store, insecureexample.Config{
			Users: []insecureexample.User{{Username: "anna", Password: "hush"}}})
		if err != nil {
			t.Fatal(err)
		}
		m, err := latchkey.New(store, latchkey.Options{
			Providers: []latchkey.Provider{passwords},
			Modules:   []latchkey.MFAModule{newModule(t, store)},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		ctx, from := t.Context(), netip.MustParseAddr("192.168.1.20")
		c := latchkey.NewCredentials(passwords.Key(), map[string]any{"username": "anna"})
		if err := m.LinkUser(ctx, anna, c); err != nil {
			t.Fatal(err)
		}

		setup, result, err := m.StartSetup(ctx, anna, totp.Type)
		if err != nil {
			t.Fatal(err)
		}
		chosen := result.(flow.Form).Placeholders["code"]
		_, result, err = m.ContinueSetup(ctx, anna, setup.ID, flow.Input{"code": codeAt(t, chosen, 0)})
		if err != nil {
			t.Fatal(err)
		}
		if wire, err := flow.Encode(setup.ID, totp.Type, result); err != nil || strings.Contains(string(wire), chosen) {
			t.Errorf("the end of the set-up is %s, %v", wire, err)
		}
		time.Sleep(period)

		begin := func() latchkey.Login {
			t.Helper()
			begun, _, err := m.StartLogin(ctx, latchkey.LoginRequest{Provider: passwords.Key(), From: latchkey.Origin{Addr: from}, Purpose: latchkey.PurposeAuthorize})
			if err != nil {
				t.Fatal(err)
			}
			begun, result, err = m.ContinueLogin(ctx, latchkey.LoginInput{ID: begun.ID, From: latchkey.Origin{Addr: from},
				Input: flow.Input{"username": "anna", "password": "hush"}})
			if form, ok := result.(flow.Form); err != nil || !ok || form.StepID != "mfa" {
				t.Fatalf("after the password: %+v, %v", result, err)
			}
			return begun
		}
		answer := func(login latchkey.Login, code string) flow.Result {
			t.Helper()
			_, result, err := m.ContinueLogin(ctx, latchkey.LoginInput{ID: login.ID, From: latchkey.Origin{Addr: from}, Input: flow.Input{"code": code}})
			if err != nil {
				t.Fatal(err)
			}
			return result
		}
		code := codeAt(t, chosen, 0)
		if result := answer(begin(), code); !isDone(result) {
			t.Errorf("the right code: %+v", result)
		}
		again := begin()
		for range 4 {
			if form, ok := answer(again, code).(flow.Form); !ok || form.Errors["base"] != "invalid_code" {
				t.Errorf("a used code: %+v", form)
			}
		}
		if d := cmp.Diff(flow.Result(flow.Abort{Reason: "too_many_retry"}), answer(again, code)); d != "" {
			t.Error("the fifth wrong code (-want +got):", d)
		}
	})
}

func isDone(r flow.Result) bool {
	_, ok := r.(flow.Done)
	return ok
}
