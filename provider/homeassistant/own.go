package homeassistant

import (
	"context"
	"slices"

	"github.com/seed-6a977b3d/latchkey"
)

// LoginOf returns the credentials by which a user signs in with a username and a password, the first of several, and
// whether there are any. Their text "username" is the name that the other methods ask for.
func LoginOf(u latchkey.User) (c latchkey.Credentials, ok bool) {
	i := slices.IndexFunc(u.Credentials, func(c latchkey.Credentials) bool { return c.Provider.Type == Type })
	if i < 0 {
		return latchkey.Credentials{}, false
	}
	return u.Credentials[i], true
}

// ChangeOwnPassword gives a username a new password on behalf of whoever knows the current one (security.md 6), which
// is judged first: a wrong one is [latchkey.ErrInvalidAuth], and guessing it gets slower as at the door
// ([latchkey.TooManyAttempts]). The other errors are those of [Provider.ChangePassword]. Sessions go on: offer to end the
// others (security.md 22).
func (p *Provider) ChangeOwnPassword(
	ctx context.Context, m *latchkey.Manager, username, current, password string, from latchkey.Origin,
) error {
	err := m.TryPassword(ctx, p.Key(), username, from, func() error { return p.ValidateLogin(ctx, username, current) })
	if err != nil {
		return err
	}
	return p.ChangePassword(ctx, username, password)
}
