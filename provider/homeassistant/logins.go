package homeassistant

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-6a977b3d/latchkey"
)

// ErrInvalidUser is the kind of every refusal that concerns a username (providers.md §3.2).
var ErrInvalidUser = errors.New("invalid user")

// UserError says what is wrong with a username. Key is the key of its translation; Username is empty for
// user_not_found.
type UserError struct {
	Key      string
	Username string
	text     string
}

// Error says in English what is refused.
func (e *UserError) Error() string { return e.text }

// Unwrap returns [ErrInvalidUser].
func (e *UserError) Unwrap() error { return ErrInvalidUser }

// Is compares by key, so that errors.Is finds [ErrUserNotFound] and its like.
func (e *UserError) Is(target error) bool {
	other, ok := target.(*UserError)
	return ok && other.Key == e.Key
}

// The refusals of usernames, to match with errors.Is.
var (
	ErrUserNotFound  = &UserError{Key: "user_not_found", text: "User not found"}
	ErrNotNormalized = &UserError{Key: "username_not_normalized", text: "Username is not normalized"}
	ErrUsernameTaken = &UserError{Key: "username_already_exists", text: "Username already exists"}
)

func notNormalized(name string) error {
	return &UserError{Key: ErrNotNormalized.Key, Username: name, text: fmt.Sprintf(
		"Username %q is not normalized: write it in lower case, without white space before or after it", name)}
}

func taken(name string) error {
	return &UserError{Key: ErrUsernameTaken.Key, Username: name, text: fmt.Sprintf("Username %q already exists", name)}
}

// ErrEmptyUsername refuses a username of nothing (security.md W4).
var ErrEmptyUsername = &latchkey.Error{Kind: latchkey.ErrValue, Text: "Username must not be empty"}

// maxUsernameBytes bounds new usernames.
const maxUsernameBytes = 1024

// ErrUnusableUsername refuses a username that could not be typed or kept.
var ErrUnusableUsername = &latchkey.Error{Kind: latchkey.ErrValue,
	Text: "Username is too long, holds a NUL character or is not valid UTF-8: choose another"}

// RefusalCode names, for programs, what is wrong with a username or a password that an error is about. It is empty for any
// other error.
func RefusalCode(err error) string {
	if name, ok := errors.AsType[*UserError](err); ok {
		return name.Key
	}
	for _, row := range []struct {
		err  error
		code string
	}{
		{ErrEmptyUsername, "username_empty"},
		{ErrUnusableUsername, "username_unusable"},
		{ErrPasswordTooShort, "password_too_short"},
		{ErrPasswordTooLong, "password_too_long"},
		{ErrPasswordCommon, "password_common"},
		{ErrPasswordUnusable, "password_unusable"},
	} {
		if errors.Is(err, row.err) {
			return row.code
		}
	}
	return ""
}

// ValidateLogin checks a username and a password. Whatever is wrong is [latchkey.ErrInvalidAuth], and takes the time of
// one bcrypt check whether the user exists or not.
func (p *Provider) ValidateLogin(ctx context.Context, username, password string) error {
	records, err := matching(ctx, p.store, username)
	if err != nil {
		return err
	}
	release, err := p.slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	if len(records) == 0 {
		p.spendTime(password)
		return latchkey.ErrInvalidAuth
	}
	if !p.verify(records[len(records)-1].Hash, password) { // the last one, if there are several
		return latchkey.ErrInvalidAuth
	}
	return nil
}

// slot waits until a hash may be computed: hashing all that arrive at once would leave no processor for anything else.
func (p *Provider) slot(ctx context.Context) (release func(), err error) {
	select {
	case p.slots <- struct{}{}:
		return func() { <-p.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Login is a username with a hashed password that is ready to be given to a user.
type Login struct {
	credentials latchkey.Credentials
	password    latchkey.Password
}

// NewLogin checks a username and a password and hashes the password. The username must be in its normalised form:
// [ErrNotNormalized], [ErrEmptyUsername]. The password must be acceptable: [CheckPassword]. Nothing is stored yet.
func (p *Provider) NewLogin(ctx context.Context, username, password string) (Login, error) {
	if err := checkUsername(username); err != nil {
		return Login{}, err
	}
	hash, err := p.newHash(ctx, password)
	if err != nil {
		return Login{}, err
	}
	return Login{
		credentials: latchkey.NewCredentials(p.Key(), map[string]any{"username": username}),
		password:    latchkey.Password{Username: username, Hash: hash},
	}, nil
}

// CheckUsername says why a username cannot be given to somebody, before a password for it is asked for. It decides
// nothing: that is for the transaction that gives it.
func (p *Provider) CheckUsername(ctx context.Context, username string) error {
	if err := checkUsername(username); err != nil {
		return err
	}
	others, err := matching(ctx, p.store, username)
	if err == nil && len(others) > 0 {
		err = taken(username)
	}
	return err
}

func checkUsername(username string) error {
	if username == "" {
		return ErrEmptyUsername
	}
	if strings.Contains(username, "\x00") || !utf8.ValidString(username) || len(username) > maxUsernameBytes {
		return ErrUnusableUsername
	}
	if latchkey.NormalizeUsername(username) != username {
		return notNormalized(username)
	}
	return nil
}

// GiveTo stores the login as one of the user's, inside a transaction. It is [ErrUsernameTaken] for a username that
// exists. It is a [latchkey.WithUser], so that a user and its login are made together.
func (l Login) GiveTo(ctx context.Context, tx latchkey.Tx, u latchkey.User) error {
	others, err := matching(ctx, tx, l.password.Username)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return taken(l.password.Username)
	}
	if err := tx.InsertPassword(ctx, l.password); err != nil {
		return err
	}
	c := l.credentials
	c.UserID = u.ID
	return tx.InsertCredentials(ctx, c)
}

// AddLogin gives an existing user another username and password, with the errors of [Provider.NewLogin] and
// [Login.GiveTo]. It is [latchkey.ErrNotFound] for a user that does not exist.
func (p *Provider) AddLogin(ctx context.Context, userID, username, password string) error {
	login, err := p.NewLogin(ctx, username, password)
	if err != nil {
		return err
	}
	return p.store.Update(ctx, func(tx latchkey.Tx) error {
		u, err := tx.User(ctx, userID)
		if err != nil {
			return err
		}
		return login.GiveTo(ctx, tx, u)
	})
}

// RemoveLogin removes the password record of a username, or is [ErrUserNotFound]. Credentials of that name stay: they
// are removed with [latchkey.Manager.RemoveCredentials], which does both.
func (p *Provider) RemoveLogin(ctx context.Context, username string) error {
	return p.store.Update(ctx, func(tx latchkey.Tx) error {
		record, err := find(ctx, tx, username)
		if err != nil {
			return err
		}
		return tx.DeletePassword(ctx, record.Username)
	})
}

// ChangeUsername renames the login that the credentials stand for; password and sessions stay (providers.md §3.2). The
// new name is checked first: [ErrNotNormalized], [ErrEmptyUsername], [ErrUsernameTaken]. Then a login that does not
// exist is [ErrUserNotFound].
func (p *Provider) ChangeUsername(ctx context.Context, c latchkey.Credentials, username string) error {
	if err := checkUsername(username); err != nil {
		return err
	}
	return p.store.Update(ctx, func(tx latchkey.Tx) error {
		others, err := matching(ctx, tx, username)
		if err != nil {
			return err
		}
		if len(others) > 0 {
			return taken(username)
		}
		record, err := find(ctx, tx, c.Text("username"))
		if err != nil {
			return err
		}
		renamed := record
		renamed.Username = username
		if err := tx.UpdatePassword(ctx, record.Username, renamed); err != nil {
			return err
		}
		c.Data = maps.Clone(c.Data)
		c.Data["username"] = username
		return tx.UpdateCredentials(ctx, c)
	})
}

// ChangePassword gives a username a new password, or is [ErrUserNotFound]. The password must be acceptable:
// [CheckPassword]. The caller has made sure that the person may do that; sessions go on.
func (p *Provider) ChangePassword(ctx context.Context, username, password string) error {
	return p.setPassword(ctx, username, password, func(latchkey.Tx) error { return nil })
}

// Reset is what the reset of a password came to.
type Reset struct {
	// SessionsEnded counts the clients that have to sign in again, TokensKept the long-lived tokens that stay valid.
	SessionsEnded, TokensKept int
}

// ResetPassword gives a username a new password and ends the sessions of its user, both or neither, so that whoever
// knew the old one is out (security.md 11). Second factors and long-lived tokens stay, and so do the sessions whose
// refresh tokens have the ids in keep: the one of whoever resets their own. The errors are those of
// [Provider.ChangePassword].
func (p *Provider) ResetPassword(ctx context.Context, username, password string, keep ...string) (Reset, error) {
	var reset Reset
	err := p.setPassword(ctx, username, password, func(tx latchkey.Tx) error {
		reset = Reset{}
		holders, err := p.holders(ctx, tx, username)
		if err != nil {
			return err
		}
		for _, userID := range holders {
			if err := endSessions(ctx, tx, userID, keep, &reset); err != nil {
				return err
			}
		}
		return nil
	})
	return reset, err
}

// setPassword changes a password and does more in the same transaction.
func (p *Provider) setPassword(ctx context.Context, username, password string, also func(latchkey.Tx) error) error {
	if _, err := find(ctx, p.store, username); err != nil {
		return err
	}
	hash, err := p.newHash(ctx, password)
	if err != nil {
		return err
	}
	return p.store.Update(ctx, func(tx latchkey.Tx) error {
		record, err := find(ctx, tx, username)
		if err != nil {
			return err
		}
		record.Hash = hash
		if err := tx.UpdatePassword(ctx, record.Username, record); err != nil {
			return err
		}
		return also(tx)
	})
}

// holders returns the users who sign in with a username: one, or none for a password that nobody has.
func (p *Provider) holders(ctx context.Context, tx latchkey.Tx, username string) ([]string, error) {
	name, err := nameRule(ctx, tx)
	if err != nil {
		return nil, err
	}
	stored, err := tx.CredentialsBySubject(ctx, p.Key(), username)
	var ids []string
	for _, c := range stored {
		if name(c.Text("username")) == name(username) {
			ids = append(ids, c.UserID)
		}
	}
	return ids, err
}

func endSessions(ctx context.Context, tx latchkey.Tx, userID string, keep []string, reset *Reset) error {
	tokens, err := tx.RefreshTokens(ctx, userID)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if t.Type != latchkey.TokenNormal {
			reset.TokensKept++
			continue
		}
		if slices.Contains(keep, t.ID) {
			continue
		}
		if err := tx.DeleteRefreshToken(ctx, t.ID); err != nil {
			return err
		}
		reset.SessionsEnded++
	}
	return nil
}

func (p *Provider) newHash(ctx context.Context, password string) (string, error) {
	if err := CheckPassword(password); err != nil {
		return "", err
	}
	release, err := p.slot(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return hashPassword(password, p.cost)
}
