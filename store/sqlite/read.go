package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/seal"
)

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// reader answers from a database or from inside a transaction. It implements latchkey.Reader.
type reader struct {
	q   querier
	box *seal.Box
}

// found gives a look-up's error the words of the domain.
func found(err error, what, id string) error {
	if errors.Is(err, sql.ErrNoRows) {
		err = latchkey.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, id, err)
	}
	return nil
}

// The groups and credentials of a user come along as JSON, so that one statement, and so one state of the database,
// gives the whole user.
const selectUser = `SELECT u.id, u.name, u.is_owner, u.is_active, u.system_generated, u.local_only,
	(SELECT json_group_array(group_id) FROM (SELECT group_id FROM user_groups WHERE user_id = u.id ORDER BY position)),
	(SELECT json_group_array(json_array(id, provider_type, provider_id, json(data)))
		FROM (SELECT * FROM credentials WHERE user_id = u.id ORDER BY seq))
	FROM users u `

func scanUser(row interface{ Scan(...any) error }) (latchkey.User, error) {
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
		if err := errors.Join(json.Unmarshal(c[0], &got.ID), json.Unmarshal(c[1], &got.Provider.Type),
			json.Unmarshal(c[2], &got.Provider.ID), json.Unmarshal(c[3], &got.Data)); err != nil {
			return latchkey.User{}, err
		}
		u.Credentials = append(u.Credentials, got)
	}
	if len(u.GroupIDs) == 0 {
		u.GroupIDs = nil
	}
	return u, nil
}

// null turns a column into the domain's text or nothing.
func null(s sql.Null[string]) latchkey.NullString {
	return latchkey.NullString{Text: s.V, Valid: s.Valid}
}

// column turns the domain's text or nothing into a column.
func column(s latchkey.NullString) any {
	if !s.Valid {
		return nil
	}
	return s.Text
}

// orNull writes the empty text as NULL.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (r reader) User(ctx context.Context, id string) (latchkey.User, error) {
	u, err := scanUser(r.q.QueryRowContext(ctx, selectUser+`WHERE u.id = ?`, id))
	return u, found(err, "user", id)
}

func (r reader) Users(ctx context.Context, after string, limit int) ([]latchkey.User, error) {
	first, err := r.behind(ctx, after)
	if err != nil {
		return nil, err
	}
	return collect(ctx, r.q, scanUser, selectUser+`WHERE u.seq > ? ORDER BY u.seq LIMIT ?`, first, limit)
}

// behind returns where a page begins: behind the user with this id, or with the first if it is empty.
func (r reader) behind(ctx context.Context, after string) (seq int64, err error) {
	if after == "" {
		return 0, nil
	}
	err = r.q.QueryRowContext(ctx, `SELECT seq FROM users WHERE id = ?`, after).Scan(&seq)
	return seq, found(err, "user", after)
}

func (r reader) FindUsers(ctx context.Context, text, after string, limit int) ([]latchkey.User, error) {
	part := latchkey.NormalizeUsername(text)
	if part == "" {
		return r.Users(ctx, after, limit)
	}
	first, err := r.behind(ctx, after)
	if err != nil {
		return nil, err
	}
	return collect(ctx, r.q, scanUser, selectUser+`WHERE u.seq > ?1 AND (u.id = ?2 OR instr(u.normalized, ?3)
		OR EXISTS (SELECT 1 FROM credentials c WHERE c.user_id = u.id AND instr(c.subject, ?3)))
		ORDER BY u.seq LIMIT ?4`, first, text, part, limit)
}

// collect reads all rows of a query.
func collect[T any](ctx context.Context, q querier, scan func(interface{ Scan(...any) error }) (T, error), query string, args ...any) (all []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

func (r reader) Owner(ctx context.Context) (latchkey.User, error) {
	u, err := scanUser(r.q.QueryRowContext(ctx, selectUser+`WHERE u.is_owner ORDER BY u.seq LIMIT 1`))
	return u, found(err, "user", "with the owner flag")
}

func (r reader) exists(ctx context.Context, query string, args ...any) (bool, error) {
	var yes bool
	err := r.q.QueryRowContext(ctx, `SELECT EXISTS (`+query+`)`, args...).Scan(&yes)
	return yes, err
}

func (r reader) HasPeople(ctx context.Context) (bool, error) {
	return r.exists(ctx, `SELECT 1 FROM users WHERE NOT system_generated`)
}

func (r reader) HasAdminBeside(ctx context.Context, id string) (bool, error) {
	owner, err := r.exists(ctx, `SELECT 1 FROM users WHERE is_owner AND NOT system_generated AND id <> ?`, id)
	if owner || err != nil {
		return owner, err
	}
	return r.exists(ctx, `SELECT 1 FROM user_groups g JOIN users u ON u.id = g.user_id
		WHERE g.group_id = ? AND u.is_active AND NOT u.system_generated AND u.id <> ?`, latchkey.GroupAdmin, id)
}

func (r reader) UserByCredentials(ctx context.Context, credentialsID string) (latchkey.User, error) {
	u, err := scanUser(r.q.QueryRowContext(ctx,
		selectUser+`WHERE u.id = (SELECT user_id FROM credentials WHERE id = ?)`, credentialsID))
	return u, found(err, "user with credentials", credentialsID)
}

func (r reader) CredentialsBySubject(ctx context.Context, p latchkey.ProviderKey, subject string) ([]latchkey.Credentials, error) {
	scan := func(row interface{ Scan(...any) error }) (latchkey.Credentials, error) {
		c := latchkey.Credentials{Provider: p}
		var data []byte
		if err := row.Scan(&c.ID, &c.UserID, &data); err != nil {
			return c, err
		}
		return c, json.Unmarshal(data, &c.Data)
	}
	return collect(ctx, r.q, scan, `SELECT id, user_id, data FROM credentials
		WHERE subject = ? AND provider_type = ? AND provider_id IS ? ORDER BY seq`,
		latchkey.NormalizeUsername(subject), p.Type, column(p.ID))
}

func (r reader) Group(ctx context.Context, id string) (latchkey.Group, error) {
	for _, g := range latchkey.SystemGroups() {
		if g.ID == id {
			return g, nil
		}
	}
	g, err := scanGroup(r.q.QueryRowContext(ctx, `SELECT id, name, policy FROM groups WHERE id = ?`, id))
	return g, found(err, "group", id)
}

func (r reader) Groups(ctx context.Context) ([]latchkey.Group, error) {
	custom, err := collect(ctx, r.q, scanGroup, `SELECT id, name, policy FROM groups ORDER BY seq`)
	return append(latchkey.SystemGroups(), custom...), err
}

func scanGroup(row interface{ Scan(...any) error }) (latchkey.Group, error) {
	var g latchkey.Group
	var name sql.Null[string]
	var policy []byte
	if err := row.Scan(&g.ID, &name, &policy); err != nil {
		return g, err
	}
	g.Name = null(name)
	return g, json.Unmarshal(policy, &g.Policy)
}

const selectToken = `SELECT id, user_id, client_id, client_name, client_icon, type, created_at, access_token_expiration,
	jwt_key, last_used_at, last_used_ip, expire_at, credential_id, version FROM refresh_tokens `

func (r reader) scanToken(row interface{ Scan(...any) error }) (latchkey.RefreshToken, error) {
	var t latchkey.RefreshToken
	var clientID, clientName, clientIcon, lastIP, credential, version sql.Null[string]
	var created int64
	var lastUsed, expire sql.Null[int64]
	var key []byte
	err := row.Scan(&t.ID, &t.UserID, &clientID, &clientName, &clientIcon, &t.Type, &created, &t.AccessTokenExpiration,
		&key, &lastUsed, &lastIP, &expire, &credential, &version)
	if err != nil {
		return latchkey.RefreshToken{}, err
	}
	opened, err := r.box.Open(key, tokenPlace(t.ID))
	if err != nil {
		return latchkey.RefreshToken{}, err
	}
	t.JWTKey = latchkey.Secret(opened)
	t.ClientID, t.ClientName, t.ClientIcon = null(clientID), clientName.V, clientIcon.V
	t.CreatedAt, t.LastUsedAt, t.ExpireAt = time.UnixMicro(created).UTC(), instant(lastUsed), instant(expire)
	t.LastUsedIP, t.CredentialID, t.Version = lastIP.V, credential.V, version.V
	return t, nil
}

// tokenPlace binds a sealed key to the token that it belongs to.
func tokenPlace(id string) string { return "refresh_tokens/jwt_key/" + id }

func instant(n sql.Null[int64]) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.V).UTC()
}

func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

func (r reader) RefreshToken(ctx context.Context, id string) (latchkey.RefreshToken, error) {
	t, err := r.scanToken(r.q.QueryRowContext(ctx, selectToken+`WHERE id = ?`, id))
	return t, found(err, "refresh token", id)
}

func (r reader) RefreshTokenBySecret(ctx context.Context, secret latchkey.Secret) (latchkey.RefreshToken, error) {
	hash := secret.Hash()
	t, err := r.scanToken(r.q.QueryRowContext(ctx, selectToken+`WHERE secret_hash = ?`, hash[:]))
	return t, found(err, "refresh token", "with this secret")
}

func (r reader) RefreshTokens(ctx context.Context, userID string) ([]latchkey.RefreshToken, error) {
	return collect(ctx, r.q, r.scanToken, selectToken+`WHERE user_id = ? ORDER BY seq`, userID)
}

func (r reader) LongLivedToken(ctx context.Context, userID, clientName string) (latchkey.RefreshToken, error) {
	t, err := r.scanToken(r.q.QueryRowContext(ctx, selectToken+
		`WHERE user_id = ? AND client_name = ? AND type = 'long_lived_access_token'`, userID, clientName))
	return t, found(err, "long-lived token", clientName)
}

func (r reader) ExpiredRefreshTokens(ctx context.Context, at time.Time, limit int) ([]latchkey.RefreshToken, error) {
	return collect(ctx, r.q, r.scanToken, selectToken+
		`WHERE expire_at IS NOT NULL AND expire_at <= ? ORDER BY expire_at, seq LIMIT ?`, at.UnixMicro(), limit)
}

func (r reader) NextExpiry(ctx context.Context) (time.Time, error) {
	var next sql.Null[int64]
	err := r.q.QueryRowContext(ctx, `SELECT min(expire_at) FROM refresh_tokens WHERE expire_at IS NOT NULL`).Scan(&next)
	return instant(next), err
}

func (r reader) Passwords(ctx context.Context, username string) ([]latchkey.Password, error) {
	scan := func(row interface{ Scan(...any) error }) (p latchkey.Password, err error) {
		err = row.Scan(&p.Username, &p.Hash)
		return p, err
	}
	return collect(ctx, r.q, scan, `SELECT username, hash FROM passwords WHERE normalized = ? ORDER BY seq`,
		latchkey.NormalizeUsername(username))
}

func scanText(row interface{ Scan(...any) error }) (s string, err error) {
	err = row.Scan(&s)
	return s, err
}

func (r reader) UnnormalizedUsernames(ctx context.Context) ([]string, error) {
	names, err := collect(ctx, r.q, scanText, `SELECT username FROM passwords WHERE username <> normalized`)
	slices.Sort(names)
	return names, err
}

func (r reader) ModuleData(ctx context.Context, moduleID, userID string) ([]byte, error) {
	var sealed []byte
	err := r.q.QueryRowContext(ctx, `SELECT data FROM module_data WHERE module_id = ? AND user_id = ?`, moduleID, userID).Scan(&sealed)
	if err := found(err, "data of module "+moduleID+" for user", userID); err != nil {
		return nil, err
	}
	return r.box.Open(sealed, modulePlace(moduleID, userID))
}

func (r reader) ModulesOf(ctx context.Context, userID string) ([]string, error) {
	return collect(ctx, r.q, scanText, `SELECT module_id FROM module_data WHERE user_id = ? ORDER BY module_id`, userID)
}

// modulePlace binds sealed data to its module and user. The quotes keep any two pairs of ids apart.
func modulePlace(moduleID, userID string) string {
	return fmt.Sprintf("module_data/%q/%q", moduleID, userID)
}

func (r reader) OnboardingDone(ctx context.Context) ([]string, error) {
	return collect(ctx, r.q, scanText, `SELECT step FROM onboarding ORDER BY seq`)
}
