package tables

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

const selectToken = `SELECT id, user_id, client_id, client_name, client_icon, type, created_at, access_token_expiration,
	jwt_key, last_used_at, last_used_ip, expire_at, credential_id, version FROM refresh_tokens `

func (r Reader) scanToken(row Row) (latchkey.RefreshToken, error) {
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
	t.CreatedAt, t.LastUsedAt, t.ExpireAt = time.UnixMicro(created).UTC(), Instant(lastUsed), Instant(expire)
	t.LastUsedIP, t.CredentialID, t.Version = lastIP.V, credential.V, version.V
	return t, nil
}

// tokenPlace binds a sealed key to the token that it belongs to.
func tokenPlace(id string) string { return "refresh_tokens/jwt_key/" + id }

// RefreshToken implements latchkey.Reader.
func (r Reader) RefreshToken(ctx context.Context, id string) (latchkey.RefreshToken, error) {
	t, err := one(ctx, r, r.scanToken, selectToken+`WHERE id = $1`, id)
	return t, r.found(err, "refresh token", id)
}

// RefreshTokenBySecret implements latchkey.Reader.
func (r Reader) RefreshTokenBySecret(ctx context.Context, secret latchkey.Secret) (latchkey.RefreshToken, error) {
	hash := secret.Hash()
	t, err := one(ctx, r, r.scanToken, selectToken+`WHERE secret_hash = $1`, hash[:])
	return t, r.found(err, "refresh token", "with this secret")
}

// RefreshTokens implements latchkey.Reader.
func (r Reader) RefreshTokens(ctx context.Context, userID string) ([]latchkey.RefreshToken, error) {
	return all(ctx, r, r.scanToken, selectToken+`WHERE user_id = $1 ORDER BY seq`, userID)
}

// LongLivedToken implements latchkey.Reader.
func (r Reader) LongLivedToken(ctx context.Context, userID, clientName string) (latchkey.RefreshToken, error) {
	t, err := one(ctx, r, r.scanToken, selectToken+
		`WHERE user_id = $1 AND client_name = $2 AND type = 'long_lived_access_token'`, userID, clientName)
	return t, r.found(err, "long-lived token", clientName)
}

// ExpiredRefreshTokens implements latchkey.Reader.
func (r Reader) ExpiredRefreshTokens(ctx context.Context, at time.Time, limit int) ([]latchkey.RefreshToken, error) {
	return all(ctx, r, r.scanToken, selectToken+
		`WHERE expire_at IS NOT NULL AND expire_at <= $1 ORDER BY expire_at, seq LIMIT $2`, at.UnixMicro(), atLeastNone(limit))
}

// NextExpiry implements latchkey.Reader.
func (r Reader) NextExpiry(ctx context.Context) (time.Time, error) {
	next, err := one(ctx, r, scanOne[sql.Null[int64]], `SELECT min(expire_at) FROM refresh_tokens WHERE expire_at IS NOT NULL`)
	return Instant(next), r.dialect.Told(err)
}

// Passwords implements latchkey.Reader.
func (r Reader) Passwords(ctx context.Context, username string) ([]latchkey.Password, error) {
	scan := func(row Row) (p latchkey.Password, err error) {
		err = row.Scan(&p.Username, &p.Hash)
		return p, err
	}
	return all(ctx, r, scan, `SELECT username, hash FROM passwords WHERE normalized = $1 ORDER BY seq`,
		latchkey.NormalizeUsername(username))
}

// UnnormalizedUsernames implements latchkey.Reader.
func (r Reader) UnnormalizedUsernames(ctx context.Context) ([]string, error) {
	names, err := all(ctx, r, ScanText, `SELECT username FROM passwords WHERE username <> normalized`)
	slices.Sort(names) // a database sorts as its locale does
	return names, err
}

// ModuleData implements latchkey.Reader.
func (r Reader) ModuleData(ctx context.Context, moduleID, userID string) ([]byte, error) {
	sealed, err := one(ctx, r, scanOne[[]byte],
		`SELECT data FROM module_data WHERE module_id = $1 AND user_id = $2`, moduleID, userID)
	if err := r.found(err, "data of module "+moduleID+" for user", userID); err != nil {
		return nil, err
	}
	return r.box.Open(sealed, modulePlace(moduleID, userID))
}

// ModulesOf implements latchkey.Reader.
func (r Reader) ModulesOf(ctx context.Context, userID string) ([]string, error) {
	ids, err := all(ctx, r, ScanText, `SELECT module_id FROM module_data WHERE user_id = $1`, userID)
	slices.Sort(ids)
	return ids, err
}

// modulePlace binds sealed data to its module and user. The quotes keep any two pairs of ids apart.
func modulePlace(moduleID, userID string) string {
	return fmt.Sprintf("module_data/%q/%q", moduleID, userID)
}

// OnboardingDone implements latchkey.Reader.
func (r Reader) OnboardingDone(ctx context.Context) ([]string, error) {
	return all(ctx, r, ScanText, `SELECT step FROM onboarding ORDER BY seq`)
}
