package latchkey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed-6a977b3d/latchkey/flow"
)

// MFAModule is a second factor. Its methods are called from many goroutines.
type MFAModule interface {
	// ID names the module among all modules.
	ID() string
	// Name is shown to people.
	Name() string
	// MaxRetries is the number of wrong answers after which a login is over; none if it is zero or less.
	MaxRetries() int
	// Schema is the form of the login step.
	Schema() flow.Schema
	// IsSetUp reports whether the user has set the module up.
	IsSetUp(ctx context.Context, userID string) (bool, error)
	// SetUp sets the module up for a user from data that only the module understands, replacing what was there. What it
	// returns is the module's own, too.
	SetUp(ctx context.Context, userID string, data map[string]any) (any, error)
	// Depose ends what SetUp began. It is no error for a user who has not set the module up.
	Depose(ctx context.Context, userID string) error
	// SetUpStep takes one step of the dialogue in which a user sets the module up. The dialogue begins with
	// [flow.InitStep]; when it comes to [flow.Done] the module is set up.
	SetUpStep(ctx context.Context, u User, s flow.State, in flow.Input) (flow.State, flow.Result, error)
	// Challenge begins the login step, each time that its form is to be shown afresh. What it returns is given to Verify.
	Challenge(ctx context.Context, userID string) (json.RawMessage, error)
	// Verify reports whether the input answers the challenge.
	Verify(ctx context.Context, userID string, challenge json.RawMessage, in flow.Input) (bool, error)
}

// EnabledModules returns the second factors that the user has set up, in the order of the configuration.
func (m *Manager) EnabledModules(ctx context.Context, userID string) ([]MFAModule, error) {
	var enabled []MFAModule
	for _, mod := range m.modules {
		ok, err := mod.IsSetUp(ctx, userID)
		if err != nil {
			return nil, err
		}
		if ok {
			enabled = append(enabled, mod)
		}
	}
	return enabled, nil
}

// EnableMFA sets a second factor up for a user without a dialogue. System users and unknown modules are errors of kind
// [ErrValue] (manager.md §5).
func (m *Manager) EnableMFA(ctx context.Context, userID, moduleID string, data map[string]any) error {
	u, err := m.User(ctx, userID)
	if err != nil {
		return err
	}
	if u.SystemGenerated {
		return refuse(ErrValue, "System generated users cannot enable multi-factor auth module.")
	}
	mod, ok := m.Module(moduleID)
	if !ok {
		return unknownModule(moduleID)
	}
	_, err = mod.SetUp(ctx, userID, data)
	return err
}

// DisableMFA ends a second factor of a user, and with the last one the user's recovery codes. A user who has not set it up
// is no error; system users and unknown modules are errors of kind [ErrValue] (manager.md §5).
func (m *Manager) DisableMFA(ctx context.Context, userID, moduleID string) error {
	if err := m.mayDisableMFA(ctx, userID); err != nil {
		return err
	}
	mod, ok := m.Module(moduleID)
	if !ok {
		return unknownModule(moduleID)
	}
	if err := mod.Depose(ctx, userID); err != nil {
		return err
	}
	enabled, err := m.EnabledModules(ctx, userID)
	if err != nil || len(enabled) > 0 {
		return err
	}
	return m.removeRecoveryCodes(ctx, userID)
}

func (m *Manager) mayDisableMFA(ctx context.Context, userID string) error {
	u, err := m.User(ctx, userID)
	if err == nil && u.SystemGenerated {
		err = refuse(ErrValue, "System generated users cannot disable multi-factor auth module.")
	}
	return err
}

// ResetMFA ends all second factors of a user, those of modules that are not configured any more included, and makes the
// recovery codes void: for somebody who has lost them, by an admin. What the store keeps goes in one transaction. A user
// without any is no error; a system user is one of kind [ErrValue].
func (m *Manager) ResetMFA(ctx context.Context, userID string) error {
	if err := m.mayDisableMFA(ctx, userID); err != nil {
		return err
	}
	err := m.store.Update(ctx, func(tx Tx) error {
		ids, err := tx.ModulesOf(ctx, userID)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := tx.DeleteModuleData(ctx, id, userID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, mod := range m.modules { // which may keep something elsewhere
		err = errors.Join(err, mod.Depose(ctx, userID))
	}
	return err
}

func unknownModule(id string) error {
	return refuse(ErrValue, "Unable find multi-factor auth module: %s", id)
}

// Setup is the dialogue in which a user sets up a second factor, as a value.
type Setup struct {
	flow.State
	ModuleID string `json:"module_id"`
	UserID   string `json:"user_id"`
}

// StartSetup begins to set a second factor up. An unknown module is an error of kind [ErrValue] (mfa.md §3).
func (m *Manager) StartSetup(ctx context.Context, userID, moduleID string) (Setup, flow.Result, error) {
	setup := Setup{State: flow.New(flow.Context{}), ModuleID: moduleID, UserID: userID}
	setup, result, err := m.stepSetup(ctx, setup, nil)
	if err != nil {
		return Setup{}, nil, err
	}
	if _, more := result.(flow.Form); more {
		err = m.keep(ctx, "user/"+userID, setupKey(setup.ID), setup)
	}
	return setup, result, err
}

// ContinueSetup takes the next step. A nil input shows the form afresh. It is [flow.ErrUnknownFlow] for a dialogue that
// is over or that another user began, and [*flow.InvalidData] for input that does not fit the form.
func (m *Manager) ContinueSetup(ctx context.Context, userID, id string, in flow.Input) (setup Setup, result flow.Result, err error) {
	err = m.step(ctx, setupKey(id), func(state []byte) (any, bool, error) {
		var before Setup
		if err := json.Unmarshal(state, &before); err != nil {
			return nil, false, fmt.Errorf("read set-up: %w", err)
		}
		if before.UserID != userID {
			return nil, false, flow.ErrUnknownFlow
		}
		setup, result, err = m.stepSetup(ctx, before, in)
		_, more := result.(flow.Form)
		return setup, more, err
	})
	if err != nil {
		return Setup{}, nil, err
	}
	return setup, result, nil
}

func setupKey(id string) string { return "setup/" + id }

func (m *Manager) stepSetup(ctx context.Context, s Setup, in flow.Input) (Setup, flow.Result, error) {
	mod, ok := m.Module(s.ModuleID)
	if !ok {
		return s, nil, refuse(ErrValue, "Mfa module %s is not found", s.ModuleID)
	}
	u, err := m.User(ctx, s.UserID)
	if errors.Is(err, ErrNotFound) {
		return s, nil, ErrUserNotFound
	} else if err != nil {
		return s, nil, err
	}
	state, result, err := flow.Advance(ctx, s.State, in,
		func(ctx context.Context, st flow.State, in flow.Input) (flow.State, flow.Result, error) {
			return mod.SetUpStep(ctx, u, st, in)
		})
	s.State = state
	return s, result, err
}
