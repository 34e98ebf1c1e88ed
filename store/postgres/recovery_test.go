package postgres_test

import (
	"io"
	"log/slog"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/internal/pgtest"
	"github.com/seed-6a977b3d/latchkey/mfa/totp"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
)

// spec: security.md 17, and 14: one code is one login, on whatever nodes it is given at the same time
func TestOneRecoveryCodeIsOneLoginOnAllNodes(t *testing.T) {
	ctx := t.Context()
	address := pgtest.Schema(t)
	provider := latchkey.ProviderKey{Type: "homeassistant"}
	node := func() *latchkey.Manager {
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
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		return m
	}
	nodes := []*latchkey.Manager{node(), node()}
	s := open(t, address)
	local, err := homeassistant.New(s, homeassistant.Options{Cost: 4})
	if err != nil {
		t.Fatal(err)
	}
	const password = "correct horse battery"
	login, err := local.NewLogin(ctx, "anna", password)
	if err != nil {
		t.Fatal(err)
	}
	anna, err := nodes[0].CreateUser(ctx, latchkey.NewUser{}, login.GiveTo)
	if err != nil {
		t.Fatal(err)
	}
	if err := nodes[0].EnableMFA(ctx, anna.ID, totp.Type, nil); err != nil {
		t.Fatal(err)
	}
	codes, err := nodes[1].CreateRecoveryCodes(ctx, anna.ID)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(m *latchkey.Manager, id string, in flow.Input) flow.Result {
		_, result, err := m.ContinueLogin(ctx, latchkey.LoginInput{ID: id, Input: in})
		if err != nil {
			t.Error(err)
		}
		return result
	}
	for _, code := range codes[:3] {
		var logins []string
		for i := range 6 {
			begun, _, err := nodes[i%2].StartLogin(ctx, latchkey.LoginRequest{Provider: provider, Purpose: latchkey.PurposeAuthorize})
			if err != nil {
				t.Fatal(err)
			}
			answer(nodes[i%2], begun.ID, flow.Input{"username": "anna", "password": password})
			logins = append(logins, begun.ID)
		}
		if n := atOnce(nodes, 3, func(m *latchkey.Manager, n int) error {
			if _, done := answer(m, logins[n], flow.Input{"code": code}).(flow.Done); done {
				return nil
			}
			return latchkey.ErrInvalidAuth
		}); n != 1 {
			t.Errorf("one code completed %d logins", n)
		}
	}
	if left, made, err := nodes[0].RecoveryCodesLeft(ctx, anna.ID); err != nil || !made || left != 7 {
		t.Errorf("%d are left, %v", left, err)
	}
}
