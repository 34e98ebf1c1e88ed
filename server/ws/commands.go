package ws

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/seed-6a977b3d/latchkey"
)

// Command is one entry of the table of commands. Make it with [Define].
type Command struct {
	name   string
	guard  Guard
	schema schema
	err    error // the schema could not be made
	run    func(ctx context.Context, call *Call, in any) (any, error)
}

// Define makes a command: clients send its name as the type of a message.
//
// In is a struct with a field for each member of the message, named by its json tag. A member may be left out when the
// tag has the option omitzero; null is refused. The fields have the types string, bool, int64, []string,
// map[string]int64, any (whatever is sent), or a pointer to one of them, which is nil when the member was left out. No
// other members are accepted. When In has a method Validate() error, its error says what else is wrong with a message.
//
// The guard is asked before fn is called, with the user as it is then; [New] refuses a command without guard or fn. What
// fn returns is the result, which must be expressible as JSON. An error that is an [*Error] is told as it is, others by the
// table of websocket.md W-21. Commands of one client are carried out one after another, each within the deadline of its
// context.
func Define[In, Out any](name string, guard Guard, fn func(context.Context, *Call, In) (Out, error)) Command {
	s, err := schemaOf[In](name)
	if guard == nil || fn == nil {
		err = fmt.Errorf("command %q: give it a guard, such as ws.Admin, and a function", name)
	}
	return Command{name: name, guard: guard, schema: s, err: err,
		run: func(ctx context.Context, call *Call, in any) (any, error) { return fn(ctx, call, in.(In)) }}
}

// None is the In of commands without members, and the Out of those without a result.
type None struct{}

// MarshalJSON writes null.
func (None) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// Empty is the Out of commands whose result is an empty object.
type Empty struct{}

// Guard says whether a user may use a command; its error is told. Users who are gone or not active do not get this far:
// their sockets close.
type Guard func(latchkey.User) error

// Anyone lets every user.
func Anyone(latchkey.User) error { return nil }

// People lets everybody but system-generated users (websocket.md §4).
func People(u latchkey.User) error {
	if u.SystemGenerated {
		return errSystemUser
	}
	return nil
}

// Admin lets administrators, the owner among them.
func Admin(u latchkey.User) error {
	if !u.IsAdmin() {
		return errUnauthorized
	}
	return nil
}

// Owner lets the owner alone.
func Owner(u latchkey.User) error {
	if !u.IsOwner {
		return errUnauthorized
	}
	return nil
}

// Call is a command that is being carried out.
type Call struct {
	// ID is the id of the message, which is also that of the subscription that a command makes.
	ID uint64
	// User is who asks, as of now.
	User latchkey.User
	// Token is the refresh token that the socket was opened with, as of then.
	Token latchkey.RefreshToken
	// Origin is where the socket was opened from.
	Origin latchkey.Origin

	session  *session
	replied  bool     // the answer was sent
	leaving  bool     // the socket closes behind the answer
	answered []func() // done behind the answer
}

// answer sends the result.
func (c *Call) answer(result any) error {
	id, err := json.Marshal(c.ID)
	if err != nil {
		return err
	}
	c.replied = true
	return c.session.send(resultMessage{ID: id, Type: "result", Success: true, Result: result})
}

// then has something done behind the answer, also when that is an error.
func (c *Call) then(do func()) { c.answered = append(c.answered, do) }

// endingSession runs fn, which may end the refresh token of the call itself. The client then still gets its answer
// before the socket closes (websocket.md A-7).
func (c *Call) endingSession(fn func() error) error {
	var err error
	c.leaving, err = c.session.revocable.hold(fn)
	return err
}
