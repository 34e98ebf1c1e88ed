package totp

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/mfa/internal/onetime"
)

// memory is what a set-up remembers between its steps.
type memory struct {
	Secret string `json:"secret"`
}

// SetUpStep implements [latchkey.MFAModule]: one form shows a new secret as text, address and QR code, and asks for the
// current code. A wrong one shows the same secret again, as often as it takes; asking afresh makes a new one. The code that
// ends the set-up is used up. The result does not repeat the secret (websocket.md A-15).
func (m *Module) SetUpStep(ctx context.Context, u latchkey.User, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
	var mem memory
	if err := s.Recall(&mem); err != nil {
		return s, nil, fmt.Errorf("read set-up: %w", err)
	}
	if len(in) == 0 || mem.Secret == "" {
		mem.Secret = onetime.NewSecret()
		s, err := s.Remember(mem)
		if err != nil {
			return s, nil, err
		}
		form, err := m.setUpForm(u, mem.Secret, flow.NoErrors())
		return s, form, err
	}
	step, ok := match(mem.Secret, in.Text(fieldCode), time.Now(), 0)
	if !ok {
		form, err := m.setUpForm(u, mem.Secret, flow.BaseError("invalid_code"))
		return s, form, err
	}
	if err := m.setUp(ctx, u.ID, user{Secret: mem.Secret, LastStep: step}); err != nil {
		return s, nil, err
	}
	return s, flow.Done{Data: map[string]any{"result": nil}}, nil
}

func (m *Module) setUpForm(u latchkey.User, secret string, errs map[string]string) (flow.Result, error) {
	url := URL(u.Name, secret)
	qr, err := NewQRCode(url)
	if err != nil {
		return nil, fmt.Errorf("show second factor %s to user %s: %w", m.ID(), u.ID, err)
	}
	return flow.Form{
		StepID: flow.InitStep, Schema: m.Schema(), Errors: errs,
		Placeholders: map[string]string{"code": secret, "url": url, "qr_code": qr.SVG()},
	}, nil
}
