// Package notify is the second factor that sends people a code, by mail or to their telephone (mfa.md §5). It owns which
// service each user chose and the rules by which codes are accepted; how a message travels is a [Notifier]'s affair.
package notify

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/mfa/internal/onetime"
	"github.com/seed-6a977b3d/latchkey/mfa/internal/record"
)

// Type is the module's type in configurations, and its id unless it is configured otherwise.
const Type = "notify"

// DefaultName is what the module is called unless it is configured otherwise.
const DefaultName = "Notify One-Time Password"

const (
	fieldCode  = "code"
	maxRetries = 3
)

// ErrUnknownUser says that a code cannot be sent to somebody who has not set the module up.
var ErrUnknownUser = &latchkey.Error{Kind: latchkey.ErrValue, Text: "Cannot find user_id"}

// ErrDelayed says that no code is sent, because too many wrong ones were given.
var ErrDelayed = &latchkey.Error{Kind: latchkey.ErrDenied, Text: "Too many wrong codes: try again in a few minutes"}

// Store is what the module needs of a [latchkey.Store].
type Store interface {
	latchkey.ModuleDataReader
	Update(ctx context.Context, fn func(latchkey.Tx) error) error
}

// Config sets the module up.
type Config struct {
	// ID names the module; [Type] if empty. What people have set up is kept under the type, as Home Assistant keeps it: who
	// gives the module another id turns nobody's second factor off.
	ID string
	// Name is shown to people; [DefaultName] if empty.
	Name string
	// Include names the services that people may choose; all of them if empty. Exclude takes some out, and beats Include.
	Include, Exclude []string
	// Message is the text that is sent, in which {} stands for the code; [DefaultMessage] if empty.
	Message string
	// Logger gets what could not be delivered; nil for slog.Default.
	Logger *slog.Logger
}

// Module asks for a code that it sends for each login.
type Module struct {
	users            record.Table[user]
	id, name         string
	include, exclude []string
	message          message
	outbox           *outbox
}

var _ latchkey.MFAModule = (*Module)(nil)

// New returns the module over the store, which sends through the notifier. A message without a place for the code is
// refused. Close the module to stop sending.
func New(store Store, notifier Notifier, cfg Config) (*Module, error) {
	if store == nil || notifier == nil {
		return nil, errors.New("notify: no store or no notifier: give the store that the manager uses, and Senders for example")
	}
	text, err := parseMessage(cmp.Or(cfg.Message, DefaultMessage))
	if err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	return &Module{
		users: record.Table[user]{Store: store, ModuleID: Type},
		id:    cmp.Or(cfg.ID, Type), name: cmp.Or(cfg.Name, DefaultName),
		include: slices.Clone(cfg.Include), exclude: slices.Clone(cfg.Exclude), message: text,
		outbox: newOutbox(notifier, cmp.Or(cfg.Logger, slog.Default())),
	}, nil
}

// Close ends the sending of messages that are under way, and waits until it has ended.
func (m *Module) Close() { m.outbox.close() }

// ID implements [latchkey.MFAModule].
func (m *Module) ID() string { return m.id }

// Name implements [latchkey.MFAModule].
func (m *Module) Name() string { return m.name }

// MaxRetries implements [latchkey.MFAModule]: the third wrong code ends a login.
func (m *Module) MaxRetries() int { return maxRetries }

// Schema implements [latchkey.MFAModule].
func (m *Module) Schema() flow.Schema {
	return flow.Schema{{Name: fieldCode, Kind: flow.String, Presence: flow.Required}}
}

// user is what is stored for a user. The secrets of codes are not: they last for one login.
type user struct {
	Service latchkey.NullString `json:"notify_service"`
	Target  latchkey.NullString `json:"target"`
	onetime.Throttle
}

// challenge is what one code is made of. It is random throughout and says nothing about other codes.
type challenge struct {
	Secret  string `json:"secret"`
	Counter uint64 `json:"counter"`
}

func newChallenge() challenge {
	var b [8]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails: it ends the program instead
	return challenge{Secret: onetime.NewSecret(), Counter: binary.BigEndian.Uint64(b[:])}
}

// accepts reports whether the code was typed.
func (c challenge) accepts(typed string) bool {
	code, err := onetime.Code(c.Secret, c.Counter)
	return err == nil && onetime.Equal(code, typed)
}

// send sends the challenge's code on its way. It is [ErrNoService] when the service does not exist now.
func (m *Module) send(ctx context.Context, userID string, u user, c challenge) error {
	code, err := onetime.Code(c.Secret, c.Counter)
	if err != nil {
		return err
	}
	return m.outbox.send(ctx, userID, u.Service.Text, Message{Text: m.message.with(code), Target: u.Target.Text})
}

// IsSetUp implements [latchkey.MFAModule].
func (m *Module) IsSetUp(ctx context.Context, userID string) (bool, error) {
	return m.users.Has(ctx, userID)
}

// SetUp implements [latchkey.MFAModule]. Of the data, "notify_service" and "target" count. It returns nothing. The user
// must exist: [latchkey.ErrNotFound].
func (m *Module) SetUp(ctx context.Context, userID string, data map[string]any) (any, error) {
	u := user{Service: text(data, fieldService), Target: text(data, fieldTarget)}
	return nil, m.users.Store.Update(ctx, func(tx latchkey.Tx) error { return m.users.Write(ctx, tx, userID, u) })
}

func text(data map[string]any, name string) latchkey.NullString {
	s, ok := data[name].(string)
	return latchkey.NullString{Text: s, Valid: ok}
}

// Depose implements [latchkey.MFAModule].
func (m *Module) Depose(ctx context.Context, userID string) error { return m.users.Delete(ctx, userID) }

// Challenge implements [latchkey.MFAModule]: it sends a new code on its way, and does not wait until it has arrived. The
// errors are [ErrUnknownUser], [ErrNoService] and [ErrDelayed].
func (m *Module) Challenge(ctx context.Context, userID string) (json.RawMessage, error) {
	u, err := m.users.Read(ctx, m.users.Store, userID)
	switch {
	case errors.Is(err, latchkey.ErrNotFound):
		return nil, ErrUnknownUser
	case err != nil:
		return nil, err
	case u.Delayed(time.Now()):
		return nil, ErrDelayed
	}
	c := newChallenge()
	if err := m.send(ctx, userID, u, c); err != nil {
		return nil, err
	}
	return json.Marshal(c)
}

// Verify implements [latchkey.MFAModule]. Wrong codes are counted by user, whatever login they were given in: after ten
// in a row answers are refused unseen for 30 seconds, after the next for a minute, and so on up to 15 minutes; a right
// one ends that (security.md 14).
func (m *Module) Verify(ctx context.Context, userID string, asked json.RawMessage, in flow.Input) (bool, error) {
	var c challenge
	if len(asked) > 0 {
		if err := json.Unmarshal(asked, &c); err != nil {
			return false, fmt.Errorf("read the challenge of second factor %s: %w", m.ID(), err)
		}
	}
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
		if right = c.accepts(in.Text(fieldCode)); right {
			u.Throttle = onetime.Throttle{}
		} else {
			u.Throttle = u.Failed(now)
		}
		return m.users.Write(ctx, tx, userID, u)
	})
	if errors.Is(err, latchkey.ErrNotFound) {
		return false, nil
	}
	return right && err == nil, err
}
