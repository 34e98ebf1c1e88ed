package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/seed-6a977b3d/latchkey"
)

// tx is a transaction. It implements latchkey.Tx and gathers the changes that it makes.
type tx struct {
	reader
	sql     *sql.Tx
	changes []latchkey.Change
}

// exec runs a statement that writes, and names what it was about when it fails.
func (t *tx) exec(ctx context.Context, what, query string, args ...any) error {
	_, err := t.sql.ExecContext(ctx, query, args...)
	return written(err, what)
}

// execOne runs a statement that must find exactly what it changes.
func (t *tx) execOne(ctx context.Context, what, query string, args ...any) error {
	result, err := t.sql.ExecContext(ctx, query, args...)
	if err != nil {
		return written(err, what)
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		err = latchkey.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// written gives a violated constraint the words of the domain.
func written(err error, what string) error {
	if err == nil {
		return nil
	}
	var s *sqlite.Error
	if errors.As(err, &s) {
		switch s.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
			return fmt.Errorf("%s: %w", what, latchkey.ErrExists)
		case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
			return fmt.Errorf("%s: what it belongs to: %w", what, latchkey.ErrNotFound)
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// note notes that the operation at hand changes these.
func (t *tx) note(kind latchkey.ChangeKind, ids ...string) {
	for _, id := range ids {
		t.Announce(latchkey.Change{Kind: kind, ID: id})
	}
}

func (t *tx) Announce(c latchkey.Change) { t.changes = append(t.changes, c) }

// noted notes a change unless the statement that makes it has failed.
func (t *tx) noted(err error, kind latchkey.ChangeKind, id string) error {
	if err == nil {
		t.note(kind, id)
	}
	return err
}

// whole runs the steps of one operation so that all of them are done or none, also when the transaction goes on after
// the operation has failed.
func (t *tx) whole(ctx context.Context, steps func() error) error {
	noted := len(t.changes)
	if err := t.exec(ctx, "begin operation", `SAVEPOINT operation`); err != nil {
		return err
	}
	if err := steps(); err != nil {
		t.changes = t.changes[:noted]
		return errors.Join(err, t.exec(ctx, "undo operation", `ROLLBACK TO operation; RELEASE operation`))
	}
	return t.exec(ctx, "end operation", `RELEASE operation`)
}

func (t *tx) InsertUser(ctx context.Context, u latchkey.User) error {
	return t.whole(ctx, func() error { return t.insertUser(ctx, u) })
}

func (t *tx) insertUser(ctx context.Context, u latchkey.User) error {
	err := t.exec(ctx, "insert user "+u.ID, `INSERT INTO users
		(id, name, normalized, is_owner, is_active, system_generated, local_only) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		u.ID, column(u.Name), latchkey.NormalizeUsername(u.Name.Text), u.IsOwner, u.IsActive, u.SystemGenerated, u.LocalOnly)
	if err != nil {
		return err
	}
	if err := t.setGroups(ctx, u); err != nil {
		return err
	}
	for _, c := range u.Credentials {
		c.UserID = u.ID
		if err := t.InsertCredentials(ctx, c); err != nil {
			return err
		}
	}
	t.note(latchkey.UserChanged, u.ID)
	return nil
}

func (t *tx) UpdateUser(ctx context.Context, u latchkey.User) error {
	return t.whole(ctx, func() error { return t.updateUser(ctx, u) })
}

func (t *tx) updateUser(ctx context.Context, u latchkey.User) error {
	err := t.execOne(ctx, "update user "+u.ID, `UPDATE users SET name = ?, normalized = ?, is_owner = ?,
		is_active = ?, system_generated = ?, local_only = ? WHERE id = ?`,
		column(u.Name), latchkey.NormalizeUsername(u.Name.Text), u.IsOwner, u.IsActive, u.SystemGenerated, u.LocalOnly, u.ID)
	if err != nil {
		return err
	}
	if err := t.exec(ctx, "leave groups", `DELETE FROM user_groups WHERE user_id = ?`, u.ID); err != nil {
		return err
	}
	t.note(latchkey.UserChanged, u.ID)
	return t.setGroups(ctx, u)
}

// setGroups writes the memberships of a user who has none. A group that is named twice counts once.
func (t *tx) setGroups(ctx context.Context, u latchkey.User) error {
	seen := map[string]bool{}
	for i, id := range u.GroupIDs {
		if seen[id] {
			continue
		}
		seen[id] = true
		if _, err := t.Group(ctx, id); err != nil {
			return err
		}
		if err := t.exec(ctx, "join group "+id,
			`INSERT INTO user_groups (user_id, position, group_id) VALUES (?, ?, ?)`, u.ID, i, id); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) DeleteUser(ctx context.Context, id string) error {
	tokens, err := t.tokenIDs(ctx, `user_id = ?`, id)
	if err != nil {
		return err
	}
	if err := t.execOne(ctx, "delete user "+id, `DELETE FROM users WHERE id = ?`, id); err != nil {
		return err
	}
	t.note(latchkey.UserChanged, id)
	t.note(latchkey.TokenRemoved, tokens...)
	return nil
}

// tokenIDs returns the tokens that are about to be deleted along with what they belong to.
func (t *tx) tokenIDs(ctx context.Context, where string, arg any) ([]string, error) {
	return collect(ctx, t.q, scanText, `SELECT id FROM refresh_tokens WHERE `+where+` ORDER BY seq`, arg)
}

func (t *tx) InsertGroup(ctx context.Context, g latchkey.Group) error {
	if isSystemGroup(g.ID) {
		return fmt.Errorf("insert group %s: %w", g.ID, latchkey.ErrExists)
	}
	policy, err := json.Marshal(g.Policy)
	if err != nil {
		return err
	}
	err = t.exec(ctx, "insert group "+g.ID, `INSERT INTO groups (id, name, policy) VALUES (?, ?, ?)`,
		g.ID, column(g.Name), string(policy))
	return t.noted(err, latchkey.GroupChanged, g.ID)
}

func isSystemGroup(id string) bool {
	return id == latchkey.GroupAdmin || id == latchkey.GroupUser || id == latchkey.GroupReadOnly
}

func (t *tx) UpdateGroup(ctx context.Context, g latchkey.Group) error {
	policy, err := json.Marshal(g.Policy)
	if err != nil {
		return err
	}
	err = t.execOne(ctx, "update group "+g.ID, `UPDATE groups SET name = ?, policy = ? WHERE id = ?`,
		column(g.Name), string(policy), g.ID)
	return t.noted(err, latchkey.GroupChanged, g.ID)
}

func (t *tx) DeleteGroup(ctx context.Context, id string) error {
	if err := t.execOne(ctx, "delete group "+id, `DELETE FROM groups WHERE id = ?`, id); err != nil {
		return err
	}
	t.note(latchkey.GroupChanged, id)
	members, err := collect(ctx, t.q, scanText, `SELECT user_id FROM user_groups WHERE group_id = ?`, id)
	if err != nil {
		return err
	}
	t.note(latchkey.UserChanged, members...)
	return t.exec(ctx, "leave group "+id, `DELETE FROM user_groups WHERE group_id = ?`, id)
}

func (t *tx) InsertCredentials(ctx context.Context, c latchkey.Credentials) error {
	data, err := json.Marshal(c.Data)
	if err != nil {
		return err
	}
	err = t.exec(ctx, "insert credentials "+c.ID, `INSERT INTO credentials
		(id, user_id, provider_type, provider_id, subject, data) VALUES (?, ?, ?, ?, ?, ?)`,
		c.ID, c.UserID, c.Provider.Type, column(c.Provider.ID), latchkey.NormalizeUsername(c.Subject()), string(data))
	return t.noted(err, latchkey.UserChanged, c.UserID)
}

// holder returns the id of the user who holds the credentials.
func (t *tx) holder(ctx context.Context, credentialsID string) (userID string, err error) {
	err = t.q.QueryRowContext(ctx, `SELECT user_id FROM credentials WHERE id = ?`, credentialsID).Scan(&userID)
	return userID, found(err, "credentials", credentialsID)
}

func (t *tx) UpdateCredentials(ctx context.Context, c latchkey.Credentials) error {
	userID, err := t.holder(ctx, c.ID)
	if err != nil {
		return err
	}
	data, err := json.Marshal(c.Data)
	if err != nil {
		return err
	}
	err = t.execOne(ctx, "update credentials "+c.ID, `UPDATE credentials SET subject = ?, data = ? WHERE id = ?`,
		latchkey.NormalizeUsername(c.Subject()), string(data), c.ID)
	return t.noted(err, latchkey.UserChanged, userID)
}

func (t *tx) DeleteCredentials(ctx context.Context, id string) error {
	userID, err := t.holder(ctx, id)
	if err != nil {
		return err
	}
	tokens, err := t.tokenIDs(ctx, `credential_id = ?`, id)
	if err != nil {
		return err
	}
	if err := t.execOne(ctx, "delete credentials "+id, `DELETE FROM credentials WHERE id = ?`, id); err != nil {
		return err
	}
	t.note(latchkey.UserChanged, userID)
	t.note(latchkey.TokenRemoved, tokens...)
	return nil
}

func (t *tx) InsertRefreshToken(ctx context.Context, n latchkey.RefreshToken) error {
	sealed, err := t.box.Seal([]byte(n.JWTKey.Reveal()), tokenPlace(n.ID))
	if err != nil {
		return err
	}
	hash := n.Secret.Hash()
	return t.exec(ctx, "insert refresh token "+n.ID, `INSERT INTO refresh_tokens (id, user_id, client_id, client_name,
		client_icon, type, created_at, access_token_expiration, secret_hash, jwt_key, last_used_at, last_used_ip, expire_at,
		credential_id, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		n.ID, n.UserID, column(n.ClientID), orNull(n.ClientName), orNull(n.ClientIcon), string(n.Type), n.CreatedAt.UnixMicro(),
		int64(n.AccessTokenExpiration), hash[:], sealed, micros(n.LastUsedAt), orNull(n.LastUsedIP), micros(n.ExpireAt),
		orNull(n.CredentialID), orNull(n.Version))
}

func (t *tx) UpdateRefreshToken(ctx context.Context, n latchkey.RefreshToken) error {
	err := t.execOne(ctx, "update refresh token "+n.ID, `UPDATE refresh_tokens SET client_id = ?, client_name = ?,
		client_icon = ?, created_at = ?, access_token_expiration = ?, last_used_at = ?, last_used_ip = ?, expire_at = ?,
		credential_id = ?, version = ? WHERE id = ?`,
		column(n.ClientID), orNull(n.ClientName), orNull(n.ClientIcon), n.CreatedAt.UnixMicro(), int64(n.AccessTokenExpiration),
		micros(n.LastUsedAt), orNull(n.LastUsedIP), micros(n.ExpireAt), orNull(n.CredentialID), orNull(n.Version), n.ID)
	return t.noted(err, latchkey.TokenChanged, n.ID)
}

func (t *tx) DeleteRefreshToken(ctx context.Context, id string) error {
	err := t.execOne(ctx, "delete refresh token "+id, `DELETE FROM refresh_tokens WHERE id = ?`, id)
	return t.noted(err, latchkey.TokenRemoved, id)
}

func (t *tx) InsertPassword(ctx context.Context, p latchkey.Password) error {
	return t.exec(ctx, "insert password", `INSERT INTO passwords (username, normalized, hash) VALUES (?, ?, ?)`,
		p.Username, latchkey.NormalizeUsername(p.Username), p.Hash)
}

func (t *tx) UpdatePassword(ctx context.Context, username string, p latchkey.Password) error {
	return t.execOne(ctx, "update password", `UPDATE passwords SET username = ?, normalized = ?, hash = ? WHERE username = ?`,
		p.Username, latchkey.NormalizeUsername(p.Username), p.Hash, username)
}

func (t *tx) DeletePassword(ctx context.Context, username string) error {
	return t.execOne(ctx, "delete password", `DELETE FROM passwords WHERE username = ?`, username)
}

func (t *tx) PutModuleData(ctx context.Context, moduleID, userID string, data []byte) error {
	sealed, err := t.box.Seal(data, modulePlace(moduleID, userID))
	if err != nil {
		return err
	}
	return t.exec(ctx, "put data of module "+moduleID, `INSERT INTO module_data (module_id, user_id, data) VALUES (?, ?, ?)
		ON CONFLICT (user_id, module_id) DO UPDATE SET data = excluded.data`, moduleID, userID, sealed)
}

func (t *tx) DeleteModuleData(ctx context.Context, moduleID, userID string) error {
	return t.execOne(ctx, "delete data of module "+moduleID,
		`DELETE FROM module_data WHERE module_id = ? AND user_id = ?`, moduleID, userID)
}

func (t *tx) CompleteOnboarding(ctx context.Context, step string) error {
	return t.exec(ctx, "complete step "+step, `INSERT INTO onboarding (step) VALUES (?)`, step)
}

// record writes the changes down for the other processes.
func (t *tx) record(ctx context.Context, origin string) error {
	now := time.Now().UnixMicro()
	for _, c := range t.changes {
		if err := t.exec(ctx, "record change", `INSERT INTO changes (origin, kind, id, at) VALUES (?, ?, ?, ?)`,
			origin, string(c.Kind), c.ID, now); err != nil {
			return err
		}
	}
	return nil
}
