package postgres_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/internal/pgtest"
	"github.com/seed-6a977b3d/latchkey/mfa/totp"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
)

// factorHouse is two nodes on one database, and somebody with a second factor.
type factorHouse struct {
	nodes []*latchkey.Manager
	anna  latchkey.User
}

const annasPassword = "correct horse battery"

func newFactorHouse(t *testing.T) factorHouse {
	t.Helper()
	address := pgtest.Schema(t)
	var h factorHouse
	for range 2 {
		s := open(t, address)
		local, err := homeassistant.New(s, homeassistant.Options{Cost: 4})
		if err != nil {
			t.Fatal(err)
		}
		app, err := totp.New(s, totp.Config{})
		if err != nil {
			t.Fatal(err)
		}
		m, err := latchkey.New(s, latchkey.Options{
			Providers: []latchkey.Provider{local}, Modules: []latchkey.MFAModule{app}, Pending: s.Pending(),
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		if h.nodes = append(h.nodes, m); len(h.nodes) > 1 {
			continue
		}
		login, err := local.NewLogin(t.Context(), "anna", annasPassword)
		if err != nil {
			t.Fatal(err)
		}
		if h.anna, err = m.CreateUser(t.Context(), latchkey.NewUser{}, login.GiveTo); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// newApp gives somebody an authenticator app, and returns the code that it shows.
func (h factorHouse) newApp(t *testing.T, secret string) string {
	t.Helper()
	if err := h.nodes[0].EnableMFA(t.Context(), h.anna.ID, totp.Type, map[string]any{"secret": secret}); err != nil {
		t.Fatal(err)
	}
	code, err := hotp.GenerateCode(secret, uint64(time.Now().Unix()/30))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// asked signs in up to the second factor, and returns the id of the login.
func (h factorHouse) asked(t *testing.T, node int) string {
	t.Helper()
	begun, _, err := h.nodes[node].StartLogin(t.Context(), latchkey.LoginRequest{
		Provider: latchkey.ProviderKey{Type: "homeassistant"}, Purpose: latchkey.PurposeAuthorize,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, result, err := h.nodes[node].ContinueLogin(t.Context(), latchkey.LoginInput{
		ID: begun.ID, Input: flow.Input{"username": "anna", "password": annasPassword},
	})
	if form, ok := result.(flow.Form); err != nil || !ok || form.StepID != "mfa" {
		t.Fatalf("after the password: %+v, %v", result, err)
	}
	return begun.ID
}

// errNotIn says that an answer did not sign in.
var errNotIn = errors.New("not signed in")

func answer(t *testing.T, m *latchkey.Manager, id, code string) (flow.Result, error) {
	_, result, err := m.ContinueLogin(t.Context(), latchkey.LoginInput{ID: id, Input: flow.Input{"code": code}})
	if _, done := result.(flow.Done); err == nil && !done {
		err = errNotIn
	}
	return result, err
}

// spec: security.md 12: a code works once, and so one of several that are sent at once has to get somebody in.
func TestOneOfSeveralRightCodesOnAllNodesSignsIn(t *testing.T) {
	h := newFactorHouse(t)
	for _, secret := range []string{"JBSWY3DPEHPK3PXP", "FPPTH34D4E3MI2HG", "MFRGGZDFMZTWQ2LK", "GEZDGNBVGY3TQOJQ"} {
		code, id := h.newApp(t, secret), h.asked(t, 0)
		if n := atOnce(h.nodes, 5, func(m *latchkey.Manager, _ int) error {
			result, err := answer(t, m, id, code)
			if err != nil && !errors.Is(err, flow.ErrUnknownFlow) {
				t.Errorf("a right code is told %+v, %v", result, err)
			}
			return err
		}); n != 1 {
			t.Errorf("of ten right codes on two nodes %d signed in", n)
		}
	}
}

// spec: security.md 17, and 14: one code is one login, on whatever nodes it is given at the same time
func TestOneRecoveryCodeIsOneLoginOnAllNodes(t *testing.T) {
	h := newFactorHouse(t)
	h.newApp(t, "JBSWY3DPEHPK3PXP")
	codes, err := h.nodes[1].CreateRecoveryCodes(t.Context(), h.anna.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range codes[:3] {
		var logins []string
		for i := range 6 {
			logins = append(logins, h.asked(t, i%2))
		}
		if n := atOnce(h.nodes, 3, func(m *latchkey.Manager, n int) error {
			_, err := answer(t, m, logins[n], code)
			if err != nil && !errors.Is(err, errNotIn) {
				t.Error(err)
			}
			return err
		}); n != 1 {
			t.Errorf("one code completed %d logins", n)
		}
	}
	if left, made, err := h.nodes[0].RecoveryCodesLeft(t.Context(), h.anna.ID); err != nil || !made || left != 7 {
		t.Errorf("%d are left, %v", left, err)
	}
}
