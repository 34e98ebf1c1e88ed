package ws

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
)

// factors are the commands with which people set up their second factors.
type factors struct{ manager *latchkey.Manager }

func mfaCommands(m *latchkey.Manager) []Command {
	f := factors{m}
	return []Command{
		Define("auth/setup_mfa", People, f.setUp),
		Define("auth/depose_mfa", People, f.depose),
	}
}

type setUpMFA struct {
	ModuleID *string `json:"mfa_module_id,omitzero"`
	FlowID   *string `json:"flow_id,omitzero"`
	Input    any     `json:"user_input,omitzero"`
}

// Validate refuses to begin and to continue at once, or neither.
func (s setUpMFA) Validate() error {
	switch {
	case s.ModuleID == nil && s.FlowID == nil:
		return errors.New("must contain one of mfa_module_id, flow_id. Got None")
	case s.ModuleID != nil && s.FlowID != nil:
		return errors.New("two or more values in the same group of exclusion 'module_or_flow_id' @ data. Got 2")
	}
	return nil
}

// setUp takes one step of a set-up, which belongs to the user who began it (websocket.md §5.8, A-19).
func (f factors) setUp(ctx context.Context, c *Call, in setUpMFA) (json.RawMessage, error) {
	if in.ModuleID != nil {
		return f.begin(ctx, c, *in.ModuleID)
	}
	input, err := flowInput(in.Input)
	if err != nil {
		return nil, err
	}
	setup, result, err := f.manager.ContinueSetup(ctx, c.User.ID, *in.FlowID, input)
	if errors.Is(err, flow.ErrUnknownFlow) {
		return nil, errUnknown
	} else if err != nil {
		return nil, err
	}
	return encodeSetup(setup, result)
}

func (f factors) begin(ctx context.Context, c *Call, moduleID string) (json.RawMessage, error) {
	if _, ok := f.manager.Module(moduleID); !ok {
		return nil, &Error{Code: "no_module", Message: "MFA module " + moduleID + " is not found"}
	}
	setup, result, err := f.manager.StartSetup(ctx, c.User.ID, moduleID)
	if err != nil {
		return nil, err
	}
	return encodeSetup(setup, result)
}

// flowInput reads what a person filled in. Nothing asks for the form afresh (websocket.md ).
func flowInput(v any) (flow.Input, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	default:
		return nil, invalidFormat("expected a dictionary for dictionary value @ data['user_input']. Got " + hidden)
	}
}

// encodeSetup writes a step for the wire, where the module is named by a plain text and the end carries what the module
// made of it apart from the members of the flow (websocket.md A-15).
func encodeSetup(s latchkey.Setup, r flow.Result) (json.RawMessage, error) {
	if done, ok := r.(flow.Done); ok {
		data := done.Data
		if data == nil {
			data = map[string]any{}
		}
		r = flow.Done{Data: map[string]any{"data": data, "context": struct{}{}}}
	}
	return flow.Encode(s.ID, s.ModuleID, r)
}

type moduleID struct {
	ID string `json:"mfa_module_id"`
}

// depose ends a second factor of the caller. It is done also when there was none (websocket.md §5.9).
func (f factors) depose(ctx context.Context, c *Call, in moduleID) (string, error) {
	err := f.manager.DisableMFA(ctx, c.User.ID, in.ID)
	if errors.Is(err, latchkey.ErrValue) {
		return "", &Error{Code: "disable_failed", Message: "Cannot disable MFA Module " + in.ID + ": " + err.Error()}
	} else if err != nil {
		return "", err
	}
	return "done", nil
}
