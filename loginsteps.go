package latchkey

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/seed-6a977b3d/latchkey/flow"
)

// The steps that follow every provider which supports a second factor (manager.md §11).
const (
	stepSelectModule = "select_mfa_module"
	stepMFA          = "mfa"

	fieldModule = "multi_factor_auth_module"
)

// stepLogin takes one step: it is handed a login and returns the next, and touches nothing else.
func (m *Manager) stepLogin(ctx context.Context, l Login, from Origin, in flow.Input) (Login, flow.Result, error) {
	p, ok := m.Provider(l.Provider)
	if !ok {
		return l, nil, flow.ErrUnknownHandler
	}
	next := l
	state, result, err := flow.Advance(ctx, l.State, in,
		func(ctx context.Context, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
			var result flow.Result
			var err error
			switch s.Step {
			case stepSelectModule:
				next.Factor, result, err = m.selectModule(ctx, s, l.Factor, in)
			case stepMFA:
				next.Factor, result, err = m.askModule(ctx, s, l.Factor, in)
			default:
				s, result, err = m.askProvider(ctx, p, s, from, in)
				if done, ok := result.(flow.Done); ok && err == nil {
					next, result, err = m.accepted(ctx, next, p, done.Data)
				}
			}
			return s, result, err
		})
	if err != nil {
		return l, nil, err
	}
	next.State = state
	return next, result, nil
}

// The fields of the forms that ask for a password (providers.md §2 and §6).
const (
	fieldUsername = "username"
	fieldPassword = "password"
)

// askProvider takes a step of the provider's. One that judges a password is a try, and there may have been too many.
func (m *Manager) askProvider(
	ctx context.Context, p Provider, s flow.State, from Origin, in flow.Input,
) (next flow.State, result flow.Result, err error) {
	if _, judges := in[fieldPassword]; !judges {
		return p.Step(ctx, s, in)
	}
	err = m.TryPassword(ctx, p.Key(), in.Text(fieldUsername), from, func() error {
		var err error
		next, result, err = p.Step(ctx, s, in)
		if err != nil {
			return err
		}
		return verdict(result)
	})
	var wait *TooManyAttempts
	switch {
	case errors.As(err, &wait) && s.Form != nil:
		form := *s.Form
		form.Errors = flow.BaseError("too_many_attempts")
		form.Placeholders = map[string]string{"wait_seconds": strconv.Itoa(int(wait.Wait/time.Second) + 1)}
		return s, form, nil
	case result != nil && (errors.Is(err, ErrInvalidAuth) || errors.Is(err, errUndecided)):
		err = nil
	}
	return next, result, err
}

// errUndecided says that a password was neither right nor wrong.
var errUndecided = errors.New("not decided")

// verdict says what a provider's answer to a password means.
func verdict(r flow.Result) error {
	if _, right := r.(flow.Done); right {
		return nil
	}
	if form, again := r.(flow.Form); again && form.Errors["base"] == "invalid_auth" {
		return ErrInvalidAuth
	}
	return errUndecided
}

// accepted goes on after the provider knows the person: to the second factor if there is one to ask for.
func (m *Manager) accepted(ctx context.Context, l Login, p Provider, data map[string]any) (Login, flow.Result, error) {
	c, err := p.Credentials(ctx, data)
	if err != nil {
		return l, nil, err
	}
	l.Credentials = &c
	if l.Stamp, err = m.stamp(ctx, c); err != nil {
		return l, nil, err
	}
	done := flow.Done{Data: data}
	if l.Context.CredentialOnly || !p.SupportsMFA() || c.IsNew() {
		return l, done, nil
	}
	enabled, err := m.EnabledModules(ctx, c.UserID)
	if err != nil || len(enabled) == 0 {
		return l, done, err
	}
	l.Factor = SecondFactor{UserID: c.UserID}
	for _, mod := range enabled {
		l.Factor.Offered = append(l.Factor.Offered, mod.ID())
	}
	var result flow.Result
	l.Factor, result, err = m.selectModule(ctx, l.State, l.Factor, nil)
	return l, result, err
}

// selectModule lets the person choose among several modules.
func (m *Manager) selectModule(ctx context.Context, s flow.State, f SecondFactor, in flow.Input) (SecondFactor, flow.Result, error) {
	errs := flow.NoErrors()
	if in != nil {
		if id := in.Text(fieldModule); slices.Contains(f.Offered, id) {
			f.Chosen = id
			return m.askModule(ctx, s, f, nil)
		}
		errs = flow.BaseError("invalid_auth_module")
	}
	if len(f.Offered) == 1 {
		f.Chosen = f.Offered[0]
		return m.askModule(ctx, s, f, nil)
	}
	field := flow.Field{Name: fieldModule, Kind: flow.Select}
	for _, id := range f.Offered {
		if mod, ok := m.Module(id); ok {
			field.Options = append(field.Options, flow.Choice(id, mod.Name()))
		}
	}
	return f, flow.Form{StepID: stepSelectModule, Schema: flow.Schema{field}, Errors: errs}, nil
}

// askModule asks for the answer of the chosen module and checks it.
func (m *Manager) askModule(ctx context.Context, s flow.State, f SecondFactor, in flow.Input) (SecondFactor, flow.Result, error) {
	mod, ok := m.Module(f.Chosen)
	if !ok {
		if len(f.Offered) == 1 {
			return f, flow.Abort{Reason: "unknown_error"}, nil
		}
		return m.selectModule(ctx, s, f, flow.Input{})
	}
	if in == nil {
		return m.showModule(ctx, mod, f)
	}
	if time.Now().After(s.Created.Add(MFASessionExpiration)) {
		return f, flow.Abort{Reason: "login_expired"}, nil
	}
	right, err := m.answers(ctx, mod, f, in)
	if err != nil {
		return f, nil, err
	}
	if right {
		return f, flow.Done{}, nil
	}
	f.Failures++
	if most := mod.MaxRetries(); most > 0 && f.Failures >= most {
		return f, flow.Abort{Reason: "too_many_retry"}, nil
	}
	return f, moduleForm(mod, flow.BaseError("invalid_code")), nil
}

// showModule lets the module ask. When it cannot, its form is still good for a recovery code.
func (m *Manager) showModule(ctx context.Context, mod MFAModule, f SecondFactor) (SecondFactor, flow.Result, error) {
	challenge, failed := mod.Challenge(ctx, f.UserID)
	f.Challenge, f.Unasked = challenge, failed != nil
	if failed == nil {
		return f, moduleForm(mod, flow.NoErrors()), nil
	}
	m.log.Error("a second factor cannot be asked for", "module", mod.ID(), "user_id", f.UserID, "error", failed)
	left, _, err := m.RecoveryCodesLeft(ctx, f.UserID)
	if err != nil {
		m.log.Error("nor can a recovery code", "user_id", f.UserID, "error", err)
	}
	if left == 0 {
		return f, flow.Abort{Reason: "unknown_error"}, nil
	}
	return f, moduleForm(mod, flow.BaseError("code_not_sent")), nil
}

// answers reports whether the input is what the module waits for, or a recovery code in its place.
func (m *Manager) answers(ctx context.Context, mod MFAModule, f SecondFactor, in flow.Input) (bool, error) {
	if !f.Unasked {
		if right, err := mod.Verify(ctx, f.UserID, f.Challenge, in); right || err != nil {
			return right, err
		}
	}
	return m.tryRecoveryCode(ctx, f.UserID, mod.Schema(), in)
}

func moduleForm(mod MFAModule, errs map[string]string) flow.Form {
	return flow.Form{
		StepID: stepMFA, Schema: mod.Schema(), Errors: errs,
		Placeholders: map[string]string{"mfa_module_name": mod.Name(), "mfa_module_id": mod.ID()},
	}
}
