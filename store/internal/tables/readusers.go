package tables

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/seed-6a977b3d/latchkey"
)

// selectUser asks for users. Their groups and credentials come along as JSON, so that one statement, and so one state of
// the database, gives the whole user.
func (r Reader) selectUser(where string) string {
	return `SELECT u.id, u.name, u.is_owner, u.is_active, u.system_generated, u.local_only, ` + r.dialect.UserLists +
		` FROM users u ` + where
}

func scanUser(row Row) (latchkey.User, error) {
	var u latchkey.User
	var name sql.Null[string]
	var groups, credentials string
	err := row.Scan(&u.ID, &name, &u.IsOwner, &u.IsActive, &u.SystemGenerated, &u.LocalOnly, &groups, &credentials)
	if err != nil {
		return latchkey.User{}, err
	}
	u.Name = null(name)
	if err := json.Unmarshal([]byte(groups), &u.GroupIDs); err != nil {
		return latchkey.User{}, err
	}
	var list [][4]json.RawMessage
	if err := json.Unmarshal([]byte(credentials), &list); err != nil {
		return latchkey.User{}, err
	}
	for _, c := range list {
		got := latchkey.Credentials{UserID: u.ID}
		var err error
		got.Data, err = latchkey.ParseData(c[3])
		if err := errors.Join(err, json.Unmarshal(c[0], &got.ID), json.Unmarshal(c[1], &got.Provider.Type),
			json.Unmarshal(c[2], &got.Provider.ID)); err != nil {
			return latchkey.User{}, err
		}
		u.Credentials = append(u.Credentials, got)
	}
	if len(u.GroupIDs) == 0 {
		u.GroupIDs = nil
	}
	return u, nil
}

// User implements latchkey.Reader, as do the others.
func (r Reader) User(ctx context.Context, id string) (latchkey.User, error) {
	u, err := one(ctx, r, scanUser, r.selectUser(`WHERE u.id = $1`), id)
	return u, r.found(err, "user", id)
}

// Users implements latchkey.Reader.
func (r Reader) Users(ctx context.Context, after string, limit int) ([]latchkey.User, error) {
	first, err := r.behind(ctx, after)
	if err != nil {
		return nil, err
	}
	return all(ctx, r, scanUser, r.selectUser(`WHERE u.seq > $1 ORDER BY u.seq LIMIT $2`), first, atLeastNone(limit))
}

// atLeastNone is a limit as databases have it: one takes a limit below none for no limit, and another refuses it.
func atLeastNone(limit int) int { return max(limit, 0) }

// behind returns where a page begins: behind the user with this id, or with the first if it is empty.
func (r Reader) behind(ctx context.Context, after string) (seq int64, err error) {
	if after == "" {
		return 0, nil
	}
	seq, err = one(ctx, r, scanOne[int64], `SELECT seq FROM users WHERE id = $1`, after)
	return seq, r.found(err, "user", after)
}

// Owner implements latchkey.Reader.
func (r Reader) Owner(ctx context.Context) (latchkey.User, error) {
	u, err := one(ctx, r, scanUser, r.selectUser(`WHERE u.is_owner ORDER BY u.seq LIMIT 1`))
	return u, r.found(err, "user", "with the owner flag")
}

// HasPeople implements latchkey.Reader.
func (r Reader) HasPeople(ctx context.Context) (bool, error) {
	return r.exists(ctx, `SELECT 1 FROM users WHERE NOT system_generated`)
}

// HasAdminBeside implements latchkey.Reader.
func (r Reader) HasAdminBeside(ctx context.Context, id string) (bool, error) {
	return r.hasAdminBeside(ctx, id, "")
}

// HasAdminWithLogin implements latchkey.Reader.
func (r Reader) HasAdminWithLogin(ctx context.Context) (bool, error) {
	return r.hasAdminBeside(ctx, "", ` AND u.is_active AND EXISTS (SELECT 1 FROM credentials c WHERE c.user_id = u.id)`)
}

// hasAdminBeside looks for an admin of whom something more is true.
func (r Reader) hasAdminBeside(ctx context.Context, id, also string) (bool, error) {
	// Written so that the few owners are gone through, and not all people, of whom there is an index as well.
	owner, err := r.exists(ctx, `SELECT 1 FROM users u
		WHERE u.is_owner AND NOT coalesce(u.system_generated, true) AND u.id <> $1`+also, id)
	if owner || err != nil {
		return owner, err
	}
	return r.exists(ctx, `SELECT 1 FROM user_groups g JOIN users u ON u.id = g.user_id
		WHERE g.group_id = $1 AND u.is_active AND NOT u.system_generated AND u.id <> $2`+also, latchkey.GroupAdmin, id)
}

// UserByCredentials implements latchkey.Reader.
func (r Reader) UserByCredentials(ctx context.Context, credentialsID string) (latchkey.User, error) {
	u, err := one(ctx, r, scanUser,
		r.selectUser(`WHERE u.id = (SELECT user_id FROM credentials WHERE id = $1)`), credentialsID)
	return u, r.found(err, "user with credentials", credentialsID)
}

// CredentialsBySubject implements latchkey.Reader.
func (r Reader) CredentialsBySubject(ctx context.Context, p latchkey.ProviderKey, subject string) ([]latchkey.Credentials, error) {
	scan := func(row Row) (latchkey.Credentials, error) {
		c := latchkey.Credentials{Provider: p}
		var data []byte
		if err := row.Scan(&c.ID, &c.UserID, &data); err != nil {
			return c, err
		}
		var err error
		c.Data, err = latchkey.ParseData(data)
		return c, err
	}
	return all(ctx, r, scan, `SELECT id, user_id, data FROM credentials
		WHERE subject = $1 AND provider_type = $2 AND provider_id IS NOT DISTINCT FROM $3 ORDER BY seq`,
		latchkey.NormalizeUsername(subject), p.Type, column(p.ID))
}

// Group implements latchkey.Reader.
func (r Reader) Group(ctx context.Context, id string) (latchkey.Group, error) {
	for _, g := range latchkey.SystemGroups() {
		if g.ID == id {
			return g, nil
		}
	}
	g, err := one(ctx, r, scanGroup, `SELECT id, name, policy FROM groups WHERE id = $1`, id)
	return g, r.found(err, "group", id)
}

// Groups implements latchkey.Reader.
func (r Reader) Groups(ctx context.Context) ([]latchkey.Group, error) {
	custom, err := all(ctx, r, scanGroup, `SELECT id, name, policy FROM groups ORDER BY seq`)
	return append(latchkey.SystemGroups(), custom...), err
}

func scanGroup(row Row) (latchkey.Group, error) {
	var g latchkey.Group
	var name sql.Null[string]
	var policy []byte
	if err := row.Scan(&g.ID, &name, &policy); err != nil {
		return g, err
	}
	g.Name = null(name)
	return g, json.Unmarshal(policy, &g.Policy)
}
