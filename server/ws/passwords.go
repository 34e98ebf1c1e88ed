package ws

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
)

var (
	errSystemLogin     = &Error{Code: "system_generated", Message: "Cannot add credentials to a system generated user."}
	errNoSuchUser      = &Error{Code: "user_not_found", Message: "User not found"}
	errNoLogin         = &Error{Code: "credentials_not_found", Message: "Credentials not found"}
	errCurrentPassword = &Error{Code: "invalid_current_password", Message: "Invalid current password"}
)

// passwords are the commands about usernames and passwords of the built-in provider (websocket.md §7).
type passwords struct {
	manager *latchkey.Manager
	local   *homeassistant.Provider
}

func passwordCommands(m *latchkey.Manager, local *homeassistant.Provider) []Command {
	if local == nil {
		return nil
	}
	const family = "config/auth_provider/homeassistant/"
	p := passwords{m, local}
	return []Command{
		Define(family+"create", Admin, p.create),
		Define(family+"delete", Admin, p.delete),
		Define(family+"change_password", Anyone, p.change),
		Define(family+"admin_change_password", Owner, p.reset),
		Define(family+"admin_change_username", Owner, p.rename),
	}
}

type newLogin struct {
	UserID   string `json:"user_id"`
	Username string `json:"username"`
	Password string `json:"password"`
}

// create gives a user a login, beside those that the user may have.
func (p passwords) create(ctx context.Context, c *Call, in newLogin) (None, error) {
	u, err := p.manager.User(ctx, in.UserID)
	switch {
	case errors.Is(err, latchkey.ErrNotFound):
		return None{}, errUserNotFound
	case err != nil:
		return None{}, err
	case u.SystemGenerated:
		return None{}, errSystemLogin
	case !mayChangeKeys(c, u):
		return None{}, errUnauthorized
	}
	err = p.local.AddLogin(ctx, in.UserID, in.Username, in.Password)
	if errors.Is(err, latchkey.ErrNotFound) { // gone since it was looked up
		return None{}, errUserNotFound
	}
	return None{}, loginError(err)
}

// mayChangeKeys reports whether the caller may change by what a user signs in. With a login of the owner's an administrator
// would be the owner, and without one the owner be locked out: those are the owner's to change.
func mayChangeKeys(c *Call, u latchkey.User) bool { return !u.IsOwner || c.User.IsOwner }

type username struct {
	Username string `json:"username"`
}

// delete removes a login with the sessions that it led to (security.md W8). Whoever removes the login of their own
// session gets the answer before the socket closes. The last one with which somebody can manage the house stays.
func (p passwords) delete(ctx context.Context, c *Call, in username) (None, error) {
	credentials, err := p.local.Credentials(ctx, map[string]any{"username": in.Username})
	if err != nil {
		return None{}, err
	}
	if credentials.IsNew() { // nobody's: there may be a password all the same
		return None{}, loginError(p.local.RemoveLogin(ctx, in.Username))
	}
	holder, err := p.manager.UserByCredentials(ctx, credentials)
	switch {
	case err != nil && !errors.Is(err, latchkey.ErrNotFound): // not found is gone since it was looked up, which is no error
		return None{}, err
	case err == nil && !mayChangeKeys(c, holder):
		return None{}, errUnauthorized
	}
	return None{}, c.endingSession(func() error { return p.manager.RemoveCredentials(ctx, credentials) })
}

type ownPassword struct {
	Current string `json:"current_password"`
	New     string `json:"new_password"`
}

// change sets the caller's own password. The sessions stay. A wrong current password is no failed login as far as
// bans go, but whoever holds a session may not guess it any faster than at the door.
func (p passwords) change(ctx context.Context, c *Call, in ownPassword) (None, error) {
	login, err := loginOf(c.User)
	if err != nil {
		return None{}, err
	}
	err = p.local.ChangeOwnPassword(ctx, p.manager, login.Text("username"), in.Current, in.New, c.Origin)
	var wait *latchkey.TooManyAttempts
	switch {
	case errors.Is(err, latchkey.ErrInvalidAuth):
		return None{}, errCurrentPassword
	case errors.As(err, &wait):
		return None{}, &Error{Code: CodeHomeAssistant, Message: fmt.Sprintf(
			"%s. Try again in %d seconds.", wait.Error(), int(wait.Wait/time.Second)+1)}
	}
	return None{}, loginError(err)
}

type otherPassword struct {
	UserID   string `json:"user_id"`
	Password string `json:"password"`
}

// reset sets the password of somebody who lost it, or whose password somebody else found: where they are signed in they
// are signed out, but for the session that asks. Their second factors stay (security.md 11).
func (p passwords) reset(ctx context.Context, c *Call, in otherPassword) (None, error) {
	login, err := p.loginOf(ctx, in.UserID)
	if err != nil {
		return None{}, err
	}
	_, err = p.local.ResetPassword(ctx, login.Text("username"), in.Password, c.Token.ID)
	return None{}, loginError(err)
}

type otherUsername struct {
	UserID   string `json:"user_id"`
	Username string `json:"username"`
}

// rename changes under which name somebody signs in. Password and sessions stay.
func (p passwords) rename(ctx context.Context, _ *Call, in otherUsername) (None, error) {
	login, err := p.loginOf(ctx, in.UserID)
	if err != nil {
		return None{}, err
	}
	err = p.local.ChangeUsername(ctx, login, in.Username)
	if errors.Is(err, latchkey.ErrNotFound) { // the credentials went since they were looked up
		return None{}, errNoLogin
	}
	return None{}, loginError(err)
}

// loginOf returns the first login of a user.
func (p passwords) loginOf(ctx context.Context, userID string) (latchkey.Credentials, error) {
	u, err := p.manager.User(ctx, userID)
	if errors.Is(err, latchkey.ErrNotFound) {
		return latchkey.Credentials{}, errNoSuchUser
	} else if err != nil {
		return latchkey.Credentials{}, err
	}
	return loginOf(u)
}

func loginOf(u latchkey.User) (latchkey.Credentials, error) {
	login, ok := homeassistant.LoginOf(u)
	if !ok {
		return latchkey.Credentials{}, errNoLogin
	}
	return login, nil
}

// loginError puts the provider's refusals of usernames and passwords into the words of the wire; other errors stay as
// they are. No text of the provider's repeats a password.
func loginError(err error) error {
	if name, ok := errors.AsType[*homeassistant.UserError](err); ok {
		told := &Error{
			Code: CodeHomeAssistant, Message: name.Error(), TranslationKey: name.Key, TranslationDomain: "auth",
		}
		switch name.Key {
		case homeassistant.ErrNotNormalized.Key:
			told.TranslationPlaceholders = map[string]string{"new_username": name.Username}
		case homeassistant.ErrUsernameTaken.Key:
			told.TranslationPlaceholders = map[string]string{"username": name.Username}
		}
		return told
	}
	if value, ok := errors.AsType[*latchkey.Error](err); ok && errors.Is(value, latchkey.ErrValue) {
		return &Error{Code: CodeHomeAssistant, Message: value.Text}
	}
	return err
}
