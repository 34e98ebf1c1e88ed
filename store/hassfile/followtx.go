package hassfile

import (
	"context"
	"slices"

	"github.com/seed-6a977b3d/latchkey"
)

// followTx is a transaction beside a running Home Assistant: its files can be read, and our own sessions changed. What
// it reads is the embedded view; what it writes goes to the transaction of our own store, or is refused.
type followTx struct {
	view
	ownTx latchkey.Tx
	state *state
	used  []latchkey.RefreshToken
}

var _ latchkey.Tx = (*followTx)(nil)

// shadow makes sure that our own store knows the user of a session, and the credentials that led to it.
func (t *followTx) shadow(ctx context.Context, userID, credentialsID string) error {
	e := t.state.users[userID]
	if e == nil {
		return missing("user", userID)
	}
	if _, err := t.ownTx.User(ctx, userID); isNotFound(err) {
		err = t.ownTx.InsertUser(ctx, latchkey.User{ID: userID, Name: e.Name, IsActive: true})
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if credentialsID == "" {
		return nil
	}
	for _, c := range e.Credentials {
		if c.ID != credentialsID {
			continue
		}
		_, err := t.ownTx.UserByCredentials(ctx, c.ID)
		if isNotFound(err) {
			err = t.ownTx.InsertCredentials(ctx, c)
		}
		return err
	}
	return missing("credentials", credentialsID)
}

// InsertRefreshToken begins a session of our own.
func (t *followTx) InsertRefreshToken(ctx context.Context, n latchkey.RefreshToken) error {
	if t.state.tokens[n.ID] != nil {
		return exists("refresh token", n.ID)
	}
	if n.Type == latchkey.TokenLongLived && n.ClientName != "" {
		if _, err := t.reader.LongLivedToken(ctx, n.UserID, n.ClientName); err == nil {
			return exists("long-lived token", n.ClientName)
		}
	}
	if err := t.shadow(ctx, n.UserID, n.CredentialID); err != nil {
		return err
	}
	return t.ownTx.InsertRefreshToken(ctx, n)
}

// UpdateRefreshToken changes a session of our own. The use of one of Home Assistant's is remembered beside its file, and
// is all that may change about it.
func (t *followTx) UpdateRefreshToken(ctx context.Context, n latchkey.RefreshToken) error {
	if t.state.tokens[n.ID] == nil {
		return t.ownTx.UpdateRefreshToken(ctx, n)
	}
	used, err := t.RefreshToken(ctx, n.ID)
	if err != nil {
		return err
	}
	if !n.LastUsedAt.Equal(used.LastUsedAt) && n.ExpireAt.IsZero() == used.ExpireAt.IsZero() {
		used.ExpireAt = n.ExpireAt // which a use puts off
	}
	used.LastUsedAt, used.LastUsedIP = n.LastUsedAt, n.LastUsedIP
	used.Secret, used.JWTKey, used.UserID, used.Type = n.Secret, n.JWTKey, n.UserID, n.Type // never changed
	if used != n {
		return latchkey.ErrFollowing
	}
	t.used = append(t.used, n)
	return nil
}

// DeleteRefreshToken ends a session of our own.
func (t *followTx) DeleteRefreshToken(ctx context.Context, id string) error {
	if t.state.tokens[id] != nil {
		return latchkey.ErrFollowing
	}
	return t.ownTx.DeleteRefreshToken(ctx, id)
}

// PutModuleData notes what latchkey knows about a second factor, such as which code was used last. The factor itself is
// Home Assistant's, if that has a file for it.
func (t *followTx) PutModuleData(ctx context.Context, moduleID, userID string, data []byte) error {
	if err := t.shadow(ctx, userID, ""); err != nil {
		return err
	}
	if fileOf(moduleID) == "" {
		return t.ownTx.PutModuleData(ctx, moduleID, userID, data)
	}
	table := newModuleTable()
	if theirs := t.state.modules[moduleID]; theirs != nil {
		table = theirs
	}
	before, there := table.known[userID]
	known, ours := table.split(moduleID, userID, data)
	if !there || known == nil || string(compact(before)) != string(compact(known)) {
		return latchkey.ErrFollowing
	}
	if ours == nil {
		ours = newObject()
	}
	return t.ownTx.PutModuleData(ctx, moduleID, userID, compact(ours))
}

// DeleteModuleData deletes what Home Assistant has no file for.
func (t *followTx) DeleteModuleData(ctx context.Context, moduleID, userID string) error {
	if fileOf(moduleID) != "" {
		return latchkey.ErrFollowing
	}
	return t.ownTx.DeleteModuleData(ctx, moduleID, userID)
}

// Announce implements [latchkey.Tx].
func (t *followTx) Announce(c latchkey.Change) { t.ownTx.Announce(c) }

// What follows belongs into the files of Home Assistant.

// InsertUser is refused with [latchkey.ErrFollowing].
func (*followTx) InsertUser(context.Context, latchkey.User) error { return latchkey.ErrFollowing }

// UpdateUser is refused with [latchkey.ErrFollowing].
func (*followTx) UpdateUser(context.Context, latchkey.User) error { return latchkey.ErrFollowing }

// DeleteUser is refused with [latchkey.ErrFollowing].
func (*followTx) DeleteUser(context.Context, string) error { return latchkey.ErrFollowing }

// InsertGroup is refused with [latchkey.ErrFollowing].
func (*followTx) InsertGroup(context.Context, latchkey.Group) error { return latchkey.ErrFollowing }

// UpdateGroup is refused with [latchkey.ErrFollowing].
func (*followTx) UpdateGroup(context.Context, latchkey.Group) error { return latchkey.ErrFollowing }

// DeleteGroup is refused with [latchkey.ErrFollowing].
func (*followTx) DeleteGroup(context.Context, string) error { return latchkey.ErrFollowing }

// InsertCredentials is refused with [latchkey.ErrFollowing].
func (*followTx) InsertCredentials(context.Context, latchkey.Credentials) error {
	return latchkey.ErrFollowing
}

// UpdateCredentials is refused with [latchkey.ErrFollowing].
func (*followTx) UpdateCredentials(context.Context, latchkey.Credentials) error {
	return latchkey.ErrFollowing
}

// DeleteCredentials is refused with [latchkey.ErrFollowing].
func (*followTx) DeleteCredentials(context.Context, string) error { return latchkey.ErrFollowing }

// InsertPassword is refused with [latchkey.ErrFollowing].
func (*followTx) InsertPassword(context.Context, latchkey.Password) error {
	return latchkey.ErrFollowing
}

// UpdatePassword is refused with [latchkey.ErrFollowing].
func (*followTx) UpdatePassword(context.Context, string, latchkey.Password) error {
	return latchkey.ErrFollowing
}

// DeletePassword is refused with [latchkey.ErrFollowing].
func (*followTx) DeletePassword(context.Context, string) error { return latchkey.ErrFollowing }

// CompleteOnboarding finds every step done, or is refused with [latchkey.ErrFollowing].
func (t *followTx) CompleteOnboarding(ctx context.Context, step string) error {
	done, err := t.OnboardingDone(ctx)
	if err != nil {
		return err
	}
	if slices.Contains(done, step) {
		return exists("step", step)
	}
	return latchkey.ErrFollowing
}
