package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
)

const (
	stepSetup = "setup"

	fieldService = "notify_service"
	fieldTarget  = "target"
)

// memory is what a set-up remembers between its steps: the services that there were when it began, then what was chosen.
type memory struct {
	Services  []string  `json:"services"`
	Chosen    user      `json:"chosen"`
	Challenge challenge `json:"challenge"`
}

// SetUpStep implements [latchkey.MFAModule]. The first form asks for the service and the target; the second sends a code
// there, each time that it is shown, and asks for it (mfa.md §5).
func (m *Module) SetUpStep(ctx context.Context, u latchkey.User, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
	var mem memory
	if err := s.Recall(&mem); err != nil {
		return s, nil, fmt.Errorf("read set-up: %w", err)
	}
	switch s.Step {
	case flow.InitStep:
		return m.choose(ctx, u, s, mem, in)
	case stepSetup:
		result, err := m.confirm(ctx, u, mem, in)
		return s, result, err
	}
	return s, nil, flow.ErrUnknownStep
}

// choose asks for the service.
func (m *Module) choose(ctx context.Context, u latchkey.User, s flow.State, mem memory, in flow.Input) (flow.State, flow.Result, error) {
	if mem.Services == nil {
		mem.Services = m.available(ctx)
	}
	if len(mem.Services) == 0 {
		return s, flow.Abort{Reason: "no_available_service"}, nil
	}
	options := make([]flow.Option, len(mem.Services))
	for i, name := range mem.Services {
		options[i] = flow.Choice(name, name)
	}
	schema := flow.Schema{
		{Name: fieldService, Kind: flow.Select, Presence: flow.Required, Options: options},
		{Name: fieldTarget, Kind: flow.String, Presence: flow.Optional},
	}
	if len(in) == 0 {
		s, err := s.Remember(mem)
		return s, flow.Form{StepID: flow.InitStep, Schema: schema, Errors: flow.NoErrors()}, err
	}
	in, err := schema.Validate(in)
	if err != nil {
		return s, nil, err
	}
	mem.Chosen = user{Service: text(in, fieldService), Target: text(in, fieldTarget)}
	mem.Challenge = newChallenge()
	if s, err = s.Remember(mem); err != nil {
		return s, nil, err
	}
	result, err := m.confirm(ctx, u, mem, nil)
	return s, result, err
}

// available returns the services that people may choose, sorted.
func (m *Module) available(ctx context.Context) []string {
	names := []string{}
	for _, name := range m.outbox.notifier.Services(ctx) {
		if !slices.Contains(m.exclude, name) && (len(m.include) == 0 || slices.Contains(m.include, name)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// confirm sends a code to what was chosen and asks for it. A wrong one sends the same code again.
func (m *Module) confirm(ctx context.Context, u latchkey.User, mem memory, in flow.Input) (flow.Result, error) {
	errs := flow.NoErrors()
	if in != nil {
		if mem.Challenge.accepts(in.Text(fieldCode)) {
			err := m.users.Store.Update(ctx, func(tx latchkey.Tx) error { return m.users.Write(ctx, tx, u.ID, mem.Chosen) })
			return flow.Done{Data: map[string]any{}}, err
		}
		errs = flow.BaseError("invalid_code")
	}
	err := m.send(ctx, u.ID, mem.Chosen, mem.Challenge)
	if errors.Is(err, ErrNoService) {
		return flow.Abort{Reason: "notify_service_not_exist"}, nil
	} else if err != nil {
		return nil, err
	}
	return flow.Form{
		StepID: stepSetup, Schema: m.Schema(), Errors: errs,
		Placeholders: map[string]string{"notify_service": mem.Chosen.Service.Text},
	}, nil
}
