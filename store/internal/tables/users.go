package tables

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/seed-6a977b3d/latchkey"
)

// InsertUser implements latchkey.Tx, as do the others.
func (t *Tx) InsertUser(ctx context.Context, u latchkey.User) error {
	return t.whole(ctx, func() error { return t.insertUser(ctx, u) })
}

func (t *Tx) insertUser(ctx context.Context, u latchkey.User) error {
	if err := t.insert(ctx, "insert user "+u.ID, users(), userRow(u)); err != nil {
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

func userRow(u latchkey.User) []any {
	return []any{u.ID, column(u.Name), latchkey.NormalizeUsername(u.Name.Text), u.IsOwner, u.IsActive, u.SystemGenerated, u.LocalOnly}
}

// UpdateUser implements latchkey.Tx.
func (t *Tx) UpdateUser(ctx context.Context, u latchkey.User) error {
	return t.whole(ctx, func() error { return t.updateUser(ctx, u) })
}

func (t *Tx) updateUser(ctx context.Context, u latchkey.User) error {
	err := t.must(ctx, latchkey.ErrNotFound, "update user "+u.ID, `UPDATE users SET name = $2, normalized = $3, is_owner = $4,
		is_active = $5, system_generated = $6, local_only = $7 WHERE id = $1`, userRow(u)...)
	if err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `DELETE FROM user_groups WHERE user_id = $1`, u.ID); err != nil {
		return fmt.Errorf("leave groups: %w", err)
	}
	t.note(latchkey.UserChanged, u.ID)
	return t.setGroups(ctx, u)
}

// setGroups writes the memberships of a user who has none.
func (t *Tx) setGroups(ctx context.Context, u latchkey.User) error {
	for _, row := range membershipRows(u) {
		id := row[2].(string)
		if _, err := t.Group(ctx, id); err != nil {
			return err
		}
		if err := t.insert(ctx, "join group "+id, memberships(), row); err != nil {
			return err
		}
	}
	return nil
}

// membershipRows are the groups of a user. One that is named twice counts once.
func membershipRows(u latchkey.User) (rows [][]any) {
	seen := map[string]bool{}
	for i, id := range u.GroupIDs {
		if !seen[id] {
			seen[id] = true
			rows = append(rows, []any{u.ID, int64(i), id})
		}
	}
	return rows
}

// DeleteUser implements latchkey.Tx.
func (t *Tx) DeleteUser(ctx context.Context, id string) error {
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
func (t *Tx) tokenIDs(ctx context.Context, where string, arg any) ([]string, error) {
	return all(ctx, t.Reader, ScanText, `SELECT id FROM refresh_tokens WHERE `+where+` ORDER BY seq`, arg)
}

// InsertGroup implements latchkey.Tx.
func (t *Tx) InsertGroup(ctx context.Context, g latchkey.Group) error {
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

// UpdateGroup implements latchkey.Tx.
func (t *Tx) UpdateGroup(ctx context.Context, g latchkey.Group) error {
	policy, err := json.Marshal(g.Policy)
	if err != nil {
		return err
	}
	err = t.must(ctx, latchkey.ErrNotFound, "update group "+g.ID,
		`UPDATE groups SET name = $1, policy = $2 WHERE id = $3`, column(g.Name), string(policy), g.ID)
	return t.noted(err, latchkey.GroupChanged, g.ID)
}

// DeleteGroup implements latchkey.Tx.
func (t *Tx) DeleteGroup(ctx context.Context, id string) error {
	if err := t.must(ctx, latchkey.ErrNotFound, "delete group "+id, `DELETE FROM groups WHERE id = $1`, id); err != nil {
		return err
	}
	t.note(latchkey.GroupChanged, id)
	members, err := all(ctx, t.Reader, ScanText, `SELECT user_id FROM user_groups WHERE group_id = $1`, id)
	if err != nil {
		return err
	}
	t.note(latchkey.UserChanged, members...)
	if _, err := t.Exec(ctx, `DELETE FROM user_groups WHERE group_id = $1`, id); err != nil {
		return fmt.Errorf("leave group %s: %w", id, err)
	}
	return nil
}

// InsertCredentials implements latchkey.Tx.
func (t *Tx) InsertCredentials(ctx context.Context, c latchkey.Credentials) error {
	row, err := credentialsRow(c)
	if err != nil {
		return err
	}
	return t.noted(t.insert(ctx, "insert credentials "+c.ID, credentials(), row), latchkey.UserChanged, c.UserID)
}

func credentialsRow(c latchkey.Credentials) ([]any, error) {
	data, err := json.Marshal(c.Data)
	return []any{
		c.ID, c.UserID, c.Provider.Type, column(c.Provider.ID), latchkey.NormalizeUsername(c.Subject()), string(data),
	}, err
}

// holder returns the id of the user who holds the credentials.
func (t *Tx) holder(ctx context.Context, credentialsID string) (userID string, err error) {
	userID, err = one(ctx, t.Reader, ScanText, `SELECT user_id FROM credentials WHERE id = $1`, credentialsID)
	return userID, t.found(err, "credentials", credentialsID)
}

// UpdateCredentials implements latchkey.Tx.
func (t *Tx) UpdateCredentials(ctx context.Context, c latchkey.Credentials) error {
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

// DeleteCredentials implements latchkey.Tx.
func (t *Tx) DeleteCredentials(ctx context.Context, id string) error {
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
