// Package insecureexample is the second factor of PINs that stand in the configuration as they are (mfa.md §6). It is for
// tests and demonstrations, and must not guard anything: it keeps everything in memory.
package insecureexample

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
)

// Type is the module's type in configurations, and its id unless it is configured otherwise.
const Type = "insecure_example"

// DefaultName is what the module is called unless it is configured otherwise.
const DefaultName = "Insecure Personal Identify Number"

const (
	fieldPIN   = "pin"
	maxRetries = 3
)

// PIN is what a user signs in with.
type PIN struct {
	UserID string
	PIN    latchkey.Secret
}

// Config sets the module up.
type Config struct {
	// ID names the module; [Type] if empty.
	ID string
	// Name is shown to people; [DefaultName] if empty.
	Name string
	// PINs are what there is at the start. A user may have several.
	PINs []PIN
}

// Module asks for a PIN.
type Module struct {
	id, name string

	mu   sync.RWMutex
	pins []PIN
}

var _ latchkey.MFAModule = (*Module)(nil)

// New returns the module. A PIN without a user is refused.
func New(cfg Config) (*Module, error) {
	for i, p := range cfg.PINs {
		if p.UserID == "" {
			return nil, fmt.Errorf("insecure_example: entry %d: write the user_id that the pin is of", i+1)
		}
	}
	return &Module{id: cmp.Or(cfg.ID, Type), name: cmp.Or(cfg.Name, DefaultName), pins: slices.Clone(cfg.PINs)}, nil
}

// ID implements [latchkey.MFAModule].
func (m *Module) ID() string { return m.id }

// Name implements [latchkey.MFAModule].
func (m *Module) Name() string { return m.name }

// MaxRetries implements [latchkey.MFAModule]: the third wrong PIN ends a login.
func (m *Module) MaxRetries() int { return maxRetries }

// Schema implements [latchkey.MFAModule].
func (m *Module) Schema() flow.Schema {
	return flow.Schema{{Name: fieldPIN, Kind: flow.String, Presence: flow.Required}}
}

// find returns the place of a user's first PIN, or -1. The caller holds mu.
func (m *Module) find(userID string) int {
	return slices.IndexFunc(m.pins, func(p PIN) bool { return p.UserID == userID })
}

// IsSetUp implements [latchkey.MFAModule].
func (m *Module) IsSetUp(_ context.Context, userID string) (bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.find(userID) >= 0, nil
}

// SetUp implements [latchkey.MFAModule]: the data's "pin" replaces the user's first one. It returns nothing. Data without
// a pin is an error of kind [latchkey.ErrValue].
func (m *Module) SetUp(_ context.Context, userID string, data map[string]any) (any, error) {
	pin, ok := data[fieldPIN].(string)
	if !ok {
		return nil, &latchkey.Error{Kind: latchkey.ErrValue, Text: "Required key not provided: pin"}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.find(userID); i >= 0 {
		m.pins[i].PIN = latchkey.Secret(pin)
	} else {
		m.pins = append(m.pins, PIN{UserID: userID, PIN: latchkey.Secret(pin)})
	}
	return nil, nil
}

// Depose implements [latchkey.MFAModule]: it removes the user's first PIN.
func (m *Module) Depose(_ context.Context, userID string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.find(userID); i >= 0 {
		m.pins = slices.Delete(m.pins, i, i+1)
	}
	return nil
}

// SetUpStep implements [latchkey.MFAModule]: the one form asks for a PIN.
func (m *Module) SetUpStep(ctx context.Context, u latchkey.User, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
	if len(in) == 0 {
		return s, flow.Form{StepID: flow.InitStep, Schema: m.Schema(), Errors: flow.NoErrors()}, nil
	}
	made, err := m.SetUp(ctx, u.ID, in)
	if err != nil {
		return s, nil, err
	}
	return s, flow.Done{Data: map[string]any{"result": made}}, nil
}

// Challenge implements [latchkey.MFAModule]. There is nothing to begin.
func (m *Module) Challenge(context.Context, string) (json.RawMessage, error) { return nil, nil }

// Verify implements [latchkey.MFAModule]: any of the user's PINs is right.
func (m *Module) Verify(_ context.Context, userID string, _ json.RawMessage, in flow.Input) (bool, error) {
	typed, given := in[fieldPIN].(string)
	m.mu.RLock()
	defer m.mu.RUnlock()
	right := 0
	for _, p := range m.pins {
		if p.UserID == userID {
			right |= subtle.ConstantTimeCompare([]byte(p.PIN.Reveal()), []byte(typed))
		}
	}
	return given && right == 1, nil
}
