package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-6a977b3d/latchkey"
)

// tx is a transaction. It implements latchkey.Tx and gathers the changes that it makes.
type tx struct {
	reader
	sql     *sql.Tx
	changes []latchkey.Change
	inside  bool // an operation has begun, and is undone as a whole
}

// exec runs a statement that writes, and names what it was about when it fails. A statement that is refused ends a
// transaction of PostgreSQL, unless there is a point to go back to.
func (t *tx) exec(ctx context.Context, what, query string, args ...any) error {
	_, err := t.run(ctx, query, args...)
	return written(err, what)
}

// execOne runs a statement that must find exactly what it changes.
func (t *tx) execOne(ctx context.Context, what, query string, args ...any) error {
	n, err := t.run(ctx, query, args...)
	if err == nil && n == 0 {
		return fmt.Errorf("%s: %w", what, latchkey.ErrNotFound)
	}
	return written(err, what)
}

func (t *tx) run(ctx context.Context, query string, args ...any) (rows int64, err error) {
	ctx, cancel := t.limited(ctx)
	defer cancel()
	if !t.inside {
		if _, err := t.sql.ExecContext(ctx, `SAVEPOINT statement`); err != nil {
			return 0, err
		}
	}
	result, err := t.sql.ExecContext(ctx, query, proper(args)...)
	if err != nil {
		if !t.inside {
			_, undone := t.sql.ExecContext(ctx, `ROLLBACK TO statement`)
			err = errors.Join(err, undone)
		}
		return 0, err
	}
	if !t.inside {
		if _, err := t.sql.ExecContext(ctx, `RELEASE statement`); err != nil {
			return 0, err
		}
	}
	return result.RowsAffected()
}

// one runs a statement that no constraint can refuse, and so needs no point to go back to. It reports whether the statement
// changed anything.
func (t *tx) one(ctx context.Context, query string, args ...any) (bool, error) {
	ctx, cancel := t.limited(ctx)
	defer cancel()
	result, err := t.sql.ExecContext(ctx, query, proper(args)...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// must is one for a statement that is of no use when it changes nothing: then the error is otherwise.
func (t *tx) must(ctx context.Context, otherwise error, what, query string, args ...any) error {
	changed, err := t.one(ctx, query, args...)
	if err == nil && !changed {
		err = otherwise
	}
	return written(err, what)
}

// written gives a violated constraint the words of the domain.
func written(err error, what string) error {
	if err == nil {
		return nil
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		switch refused.Code {
		case "23505":
			return fmt.Errorf("%s: %w", what, latchkey.ErrExists)
		case "23503":
			return fmt.Errorf("%s: what it belongs to: %w", what, latchkey.ErrNotFound)
		}
	}
	return fmt.Errorf("%s: %w", what, told(err))
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
	if err := t.mark(ctx, `SAVEPOINT operation`); err != nil {
		return err
	}
	t.inside = true
	err := steps()
	t.inside = false
	if err != nil {
		t.changes = t.changes[:noted]
		return errors.Join(err, t.mark(ctx, `ROLLBACK TO operation`))
	}
	return t.mark(ctx, `RELEASE operation`)
}

func (t *tx) mark(ctx context.Context, statement string) error {
	ctx, cancel := t.limited(ctx)
	defer cancel()
	_, err := t.sql.ExecContext(ctx, statement)
	return told(err)
}

func (t *tx) InsertUser(ctx context.Context, u latchkey.User) error {
	return t.whole(ctx, func() error { return t.insertUser(ctx, u) })
}

func (t *tx) insertUser(ctx context.Context, u latchkey.User) error {
	err := t.exec(ctx, "insert user "+u.ID, `INSERT INTO users
		(id, name, normalized, is_owner, is_active, system_generated, local_only) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
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
	err := t.execOne(ctx, "update user "+u.ID, `UPDATE users SET name = $1, normalized = $2, is_owner = $3,
		is_active = $4, system_generated = $5, local_only = $6 WHERE id = $7`,
		column(u.Name), latchkey.NormalizeUsername(u.Name.Text), u.IsOwner, u.IsActive, u.SystemGenerated, u.LocalOnly, u.ID)
	if err != nil {
		return err
	}
	if err := t.exec(ctx, "leave groups", `DELETE FROM user_groups WHERE user_id = $1`, u.ID); err != nil {
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
			`INSERT INTO user_groups (user_id, position, group_id) VALUES ($1, $2, $3)`, u.ID, i, id); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) DeleteUser(ctx context.Context, id string) error {
	tokens, err := t.tokenIDs(ctx, `user_id = $1`, id)
	if err != nil {
		return err
	}
	if err := t.must(ctx, latchkey.ErrNotFound, "delete user "+id, `DELETE FROM users WHERE id = $1`, id); err != nil {
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
	err = t.must(ctx, latchkey.ErrExists, "insert group "+g.ID,
		`INSERT INTO groups (id, name, policy) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, g.ID, column(g.Name), string(policy))
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
	err = t.must(ctx, latchkey.ErrNotFound, "update group "+g.ID, `UPDATE groups SET name = $1, policy = $2 WHERE id = $3`,
		column(g.Name), string(policy), g.ID)
	return t.noted(err, latchkey.GroupChanged, g.ID)
}

func (t *tx) DeleteGroup(ctx context.Context, id string) error {
	if err := t.must(ctx, latchkey.ErrNotFound, "delete group "+id, `DELETE FROM groups WHERE id = $1`, id); err != nil {
		return err
	}
	t.note(latchkey.GroupChanged, id)
	members, err := collect(ctx, t.q, scanText, `SELECT user_id FROM user_groups WHERE group_id = $1`, id)
	if err != nil {
		return err
	}
	t.note(latchkey.UserChanged, members...)
	return t.exec(ctx, "leave group "+id, `DELETE FROM user_groups WHERE group_id = $1`, id)
}

func (t *tx) InsertCredentials(ctx context.Context, c latchkey.Credentials) error {
	data, err := json.Marshal(c.Data)
	if err != nil {
		return err
	}
	err = t.exec(ctx, "insert credentials "+c.ID, `INSERT INTO credentials
		(id, user_id, provider_type, provider_id, subject, data) VALUES ($1, $2, $3, $4, $5, $6)`,
		c.ID, c.UserID, c.Provider.Type, column(c.Provider.ID), latchkey.NormalizeUsername(c.Subject()), string(data))
	return t.noted(err, latchkey.UserChanged, c.UserID)
}

// holder returns the id of the user who holds the credentials.
func (t *tx) holder(ctx context.Context, credentialsID string) (userID string, err error) {
	err = t.q.QueryRowContext(ctx, `SELECT user_id FROM credentials WHERE id = $1`, credentialsID).Scan(&userID)
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
	err = t.must(ctx, latchkey.ErrNotFound, "update credentials "+c.ID, `UPDATE credentials SET subject = $1, data = $2 WHERE id = $3`,
		latchkey.NormalizeUsername(c.Subject()), string(data), c.ID)
	return t.noted(err, latchkey.UserChanged, userID)
}

func (t *tx) DeleteCredentials(ctx context.Context, id string) error {
	userID, err := t.holder(ctx, id)
	if err != nil {
		return err
	}
	tokens, err := t.tokenIDs(ctx, `credential_id = $1`, id)
	if err != nil {
		return err
	}
	if err := t.must(ctx, latchkey.ErrNotFound, "delete credentials "+id, `DELETE FROM credentials WHERE id = $1`, id); err != nil {
		return err
	}
	t.note(latchkey.UserChanged, userID)
	t.note(latchkey.TokenRemoved, tokens...)
	return nil
}

// InsertRefreshToken is one statement that cannot be refused, and so needs no point to go back to: what stands in its way
// is asked for only when nothing was inserted.
func (t *tx) InsertRefreshToken(ctx context.Context, n latchkey.RefreshToken) error {
	sealed, err := t.box.Seal([]byte(n.JWTKey.Reveal()), tokenPlace(n.ID))
	if err != nil {
		return err
	}
	hash := n.Secret.Hash()
	inserted, err := t.one(ctx, `INSERT INTO refresh_tokens (id, user_id, client_id, client_name,
		client_icon, type, created_at, access_token_expiration, secret_hash, jwt_key, last_used_at, last_used_ip, expire_at,
		credential_id, version)
		SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::bigint, $8::bigint, $9::bytea, $10::bytea,
			$11::bigint, $12::text, $13::bigint, $14::text, $15::text
		WHERE EXISTS (SELECT 1 FROM users WHERE id = $2::text)
			AND ($14::text IS NULL OR EXISTS (SELECT 1 FROM credentials WHERE id = $14::text))
		ON CONFLICT DO NOTHING`,
		n.ID, n.UserID, column(n.ClientID), orNull(n.ClientName), orNull(n.ClientIcon), string(n.Type), n.CreatedAt.UnixMicro(),
		int64(n.AccessTokenExpiration), hash[:], sealed, micros(n.LastUsedAt), orNull(n.LastUsedIP), micros(n.ExpireAt),
		orNull(n.CredentialID), orNull(n.Version))
	if err != nil || inserted {
		return written(err, "insert refresh token "+n.ID)
	}
	return fmt.Errorf("insert refresh token %s: %w", n.ID, t.inTheWay(ctx, n))
}

// inTheWay says why a token was not inserted.
func (t *tx) inTheWay(ctx context.Context, n latchkey.RefreshToken) error {
	user, err := t.exists(ctx, `SELECT 1 FROM users WHERE id = $1`, n.UserID)
	if err != nil {
		return err
	}
	credentials := n.CredentialID == ""
	if !credentials {
		if credentials, err = t.exists(ctx, `SELECT 1 FROM credentials WHERE id = $1`, n.CredentialID); err != nil {
			return err
		}
	}
	if user && credentials {
		return latchkey.ErrExists
	}
	return fmt.Errorf("what it belongs to: %w", latchkey.ErrNotFound)
}

const updateToken = `UPDATE refresh_tokens SET client_id = $1, client_name = $2, client_icon = $3, created_at = $4,
	access_token_expiration = $5, last_used_at = $6, last_used_ip = $7, expire_at = $8, credential_id = $9, version = $10
	WHERE id = $11`

// UpdateRefreshToken first tries what cannot be refused: nearly always nothing has changed of what has to be unique or to
// exist.
func (t *tx) UpdateRefreshToken(ctx context.Context, n latchkey.RefreshToken) error {
	args := []any{
		column(n.ClientID), orNull(n.ClientName), orNull(n.ClientIcon), n.CreatedAt.UnixMicro(), int64(n.AccessTokenExpiration),
		micros(n.LastUsedAt), orNull(n.LastUsedIP), micros(n.ExpireAt), orNull(n.CredentialID), orNull(n.Version), n.ID,
	}
	what := "update refresh token " + n.ID
	changed, err := t.one(ctx, updateToken+` AND client_name IS NOT DISTINCT FROM $2
		AND credential_id IS NOT DISTINCT FROM $9`, args...)
	if err != nil {
		return written(err, what)
	}
	if !changed {
		err = t.execOne(ctx, what, updateToken, args...)
	}
	return t.noted(err, latchkey.TokenChanged, n.ID)
}

func (t *tx) DeleteRefreshToken(ctx context.Context, id string) error {
	err := t.must(ctx, latchkey.ErrNotFound, "delete refresh token "+id, `DELETE FROM refresh_tokens WHERE id = $1`, id)
	return t.noted(err, latchkey.TokenRemoved, id)
}

func (t *tx) InsertPassword(ctx context.Context, p latchkey.Password) error {
	return t.must(ctx, latchkey.ErrExists, "insert password",
		`INSERT INTO passwords (username, normalized, hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		p.Username, latchkey.NormalizeUsername(p.Username), p.Hash)
}

func (t *tx) UpdatePassword(ctx context.Context, username string, p latchkey.Password) error {
	return t.execOne(ctx, "update password", `UPDATE passwords SET username = $1, normalized = $2, hash = $3 WHERE username = $4`,
		p.Username, latchkey.NormalizeUsername(p.Username), p.Hash, username)
}

func (t *tx) DeletePassword(ctx context.Context, username string) error {
	return t.must(ctx, latchkey.ErrNotFound, "delete password", `DELETE FROM passwords WHERE username = $1`, username)
}

func (t *tx) PutModuleData(ctx context.Context, moduleID, userID string, data []byte) error {
	sealed, err := t.box.Seal(data, modulePlace(moduleID, userID))
	if err != nil {
		return err
	}
	return t.must(ctx, latchkey.ErrNotFound, "put data of module "+moduleID+" for user "+userID,
		`INSERT INTO module_data (module_id, user_id, data)
		SELECT $1::text, id, $3::bytea FROM users WHERE id = $2::text
		ON CONFLICT (user_id, module_id) DO UPDATE SET data = excluded.data`, moduleID, userID, sealed)
}

func (t *tx) DeleteModuleData(ctx context.Context, moduleID, userID string) error {
	return t.must(ctx, latchkey.ErrNotFound, "delete data of module "+moduleID,
		`DELETE FROM module_data WHERE module_id = $1 AND user_id = $2`, moduleID, userID)
}

func (t *tx) CompleteOnboarding(ctx context.Context, step string) error {
	return t.must(ctx, latchkey.ErrExists, "complete step "+step,
		`INSERT INTO onboarding (step) VALUES ($1) ON CONFLICT DO NOTHING`, step)
}
