// Package totp is the second factor of authenticator apps: a code that changes every 30 seconds (RFC 6238, mfa.md §4).
// It owns the secrets of its users and the rules by which their codes are accepted, and knows no login and no wire.
package totp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/mfa/internal/onetime"
	"github.com/seed-6a977b3d/latchkey/mfa/internal/record"
)

// Type is the module's type in configurations, and its id unless it is configured otherwise.
const Type = "totp"

// DefaultName is what the module is called unless it is configured otherwise.
const DefaultName = "Time-based One Time Password"

// Window is how many time steps before and after the current one a code of a login may belong to (security.md 13). In
// the set-up only the current step counts, since that is where a clock that is wrong should be noticed.
const Window = 1

const (
	period     = 30 // seconds in a time step
	fieldCode  = "code"
	maxRetries = 5

	// dummySecret is what codes of unknown users are checked against (mfa.md §4).
	dummySecret = "FPPTH34D4E3MI2HG"
)

// Store is what the module needs of a [latchkey.Store].
type Store interface {
	latchkey.ModuleDataReader
	Update(ctx context.Context, fn func(latchkey.Tx) error) error
}

// Config sets the module up. The zero value is the default.
type Config struct {
	// ID names the module; [Type] if empty. What people have set up is kept under the type, as Home Assistant keeps it: who
	// gives the module another id turns nobody's second factor off.
	ID string
	// Name is shown to people; [DefaultName] if empty.
	Name string
}

// Module asks for the code that an authenticator app shows.
type Module struct {
	users record.Table[user]
	id    string
	name  string
}

var _ latchkey.MFAModule = (*Module)(nil)

// New returns the module over the store. A store is required.
func New(store Store, cfg Config) (*Module, error) {
	if store == nil {
		return nil, errors.New("totp: no store: give the one that the manager uses")
	}
	return &Module{
		users: record.Table[user]{Store: store, ModuleID: Type},
		id:    cmp.Or(cfg.ID, Type),
		name:  cmp.Or(cfg.Name, DefaultName),
	}, nil
}

// ID implements [latchkey.MFAModule].
func (m *Module) ID() string { return m.id }

// Name implements [latchkey.MFAModule].
func (m *Module) Name() string { return m.name }

// MaxRetries implements [latchkey.MFAModule]: the fifth wrong code ends a login.
func (m *Module) MaxRetries() int { return maxRetries }

// Schema implements [latchkey.MFAModule].
func (m *Module) Schema() flow.Schema {
	return flow.Schema{{Name: fieldCode, Kind: flow.String, Presence: flow.Required}}
}

// user is what is stored for a user. LastStep is the latest time step whose code was accepted: no code of it or of an
// earlier one is accepted again (security.md 12).
type user struct {
	Secret   string `json:"secret"`
	LastStep int64  `json:"last_step,omitempty"`
	onetime.Throttle
}

// IsSetUp implements [latchkey.MFAModule].
func (m *Module) IsSetUp(ctx context.Context, userID string) (bool, error) {
	return m.users.Has(ctx, userID)
}

// SetUp implements [latchkey.MFAModule]. The data may bring a "secret" of its own, which is taken as it is; otherwise one
// is made. It returns the secret. The user must exist: [latchkey.ErrNotFound].
func (m *Module) SetUp(ctx context.Context, userID string, data map[string]any) (any, error) {
	secret, _ := data["secret"].(string)
	if secret == "" {
		secret = onetime.NewSecret()
	}
	if err := m.setUp(ctx, userID, user{Secret: secret}); err != nil {
		return nil, err
	}
	return secret, nil
}

// setUp replaces what is stored. Codes that were accepted stay used when the secret stays the same.
func (m *Module) setUp(ctx context.Context, userID string, u user) error {
	return m.users.Store.Update(ctx, func(tx latchkey.Tx) error {
		next := u
		before, err := m.users.Read(ctx, tx, userID)
		if err == nil && before.Secret == next.Secret {
			next.LastStep = max(next.LastStep, before.LastStep)
		}
		return m.users.Write(ctx, tx, userID, next) // what could not be read is replaced
	})
}

// Depose implements [latchkey.MFAModule].
func (m *Module) Depose(ctx context.Context, userID string) error { return m.users.Delete(ctx, userID) }

// Challenge implements [latchkey.MFAModule]. There is nothing to begin.
func (m *Module) Challenge(context.Context, string) (json.RawMessage, error) { return nil, nil }

// Verify implements [latchkey.MFAModule]. A code is accepted within [Window] and only once, on whatever node and in
// whatever login it is given first. After ten wrong codes in a row, in whatever logins, answers are refused unseen for 30
// seconds, after the next for a minute, and so on up to 15 minutes; a right one ends that (security.md 12 to 14).
func (m *Module) Verify(ctx context.Context, userID string, _ json.RawMessage, in flow.Input) (bool, error) {
	var right bool
	err := m.users.Store.Update(ctx, func(tx latchkey.Tx) error {
		right = false
		u, err := m.users.Read(ctx, tx, userID)
		if err != nil {
			return err
		}
		now := time.Now()
		if u.Delayed(now) {
			return nil
		}
		u, right = u.answer(in.Text(fieldCode), now)
		return m.users.Write(ctx, tx, userID, u)
	})
	if errors.Is(err, latchkey.ErrNotFound) {
		user{Secret: dummySecret}.answer(in.Text(fieldCode), time.Now())
		return false, nil
	}
	return right && err == nil, err
}

// answer returns what is known of the user after this answer, and whether it was right.
func (u user) answer(typed string, now time.Time) (user, bool) {
	step, ok := match(u.Secret, typed, now, Window)
	if !ok || step <= u.LastStep {
		u.Throttle = u.Failed(now)
		return u, false
	}
	u.LastStep, u.Throttle = step, onetime.Throttle{}
	return u, true
}

// match returns the latest time step within the window around now whose code was typed. All steps are looked at, so that
// the time that it takes does not tell which one it was.
func match(secret, typed string, now time.Time, window int64) (step int64, ok bool) {
	current := now.Unix() / period
	for s := current - window; s <= current+window; s++ {
		code, err := onetime.Code(secret, uint64(s))
		if err == nil && onetime.Equal(code, typed) {
			step, ok = s, true
		}
	}
	return step, ok
}
