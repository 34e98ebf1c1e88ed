package tables

import (
	"context"
	"fmt"

	"github.com/seed-6a977b3d/latchkey"
)

// InsertRefreshToken is one statement that cannot be refused: what stands in its way is asked for only when nothing was
// inserted.
func (t *Tx) InsertRefreshToken(ctx context.Context, n latchkey.RefreshToken) error {
	row, err := t.tokenRow(n)
	if err != nil {
		return err
	}
	table := refreshTokens()
	inserted, err := t.Exec(ctx, table.Insert()+`SELECT `+table.Parameters(t.dialect.Cast)+`
		WHERE EXISTS (SELECT 1 FROM users WHERE id = $2)
			AND ($14 IS NULL OR EXISTS (SELECT 1 FROM credentials WHERE id = $14))
		ON CONFLICT DO NOTHING`, row...)
	if err == nil && !inserted {
		err = t.inTheWay(ctx, n)
	}
	return about("insert refresh token "+n.ID, true, err, nil)
}

func (t *Tx) tokenRow(n latchkey.RefreshToken) ([]any, error) {
	sealed, err := t.box.Seal([]byte(n.JWTKey.Reveal()), tokenPlace(n.ID))
	hash := n.Secret.Hash()
	return []any{
		n.ID, n.UserID, column(n.ClientID), orNull(n.ClientName), orNull(n.ClientIcon), string(n.Type), n.CreatedAt.UnixMicro(),
		int64(n.AccessTokenExpiration), hash[:], sealed, Micros(n.LastUsedAt), orNull(n.LastUsedIP), Micros(n.ExpireAt),
		orNull(n.CredentialID), orNull(n.Version),
	}, err
}

// inTheWay says why a token was not inserted.
func (t *Tx) inTheWay(ctx context.Context, n latchkey.RefreshToken) error {
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
func (t *Tx) UpdateRefreshToken(ctx context.Context, n latchkey.RefreshToken) error {
	args := []any{
		column(n.ClientID), orNull(n.ClientName), orNull(n.ClientIcon), n.CreatedAt.UnixMicro(), int64(n.AccessTokenExpiration),
		Micros(n.LastUsedAt), orNull(n.LastUsedIP), Micros(n.ExpireAt), orNull(n.CredentialID), orNull(n.Version), n.ID,
	}
	changed, err := t.Exec(ctx, updateToken+` AND client_name IS NOT DISTINCT FROM $2
		AND credential_id IS NOT DISTINCT FROM $9`, args...)
	if err == nil && !changed {
		changed, err = t.try(ctx, updateToken, args...)
	}
	return t.noted(about("update refresh token "+n.ID, changed, err, latchkey.ErrNotFound), latchkey.TokenChanged, n.ID)
}

// DeleteRefreshToken implements latchkey.Tx.
func (t *Tx) DeleteRefreshToken(ctx context.Context, id string) error {
	err := t.must(ctx, latchkey.ErrNotFound, "delete refresh token "+id, `DELETE FROM refresh_tokens WHERE id = $1`, id)
	return t.noted(err, latchkey.TokenRemoved, id)
}

// InsertPassword implements latchkey.Tx.
func (t *Tx) InsertPassword(ctx context.Context, p latchkey.Password) error {
	return t.must(ctx, latchkey.ErrExists, "insert password", passwords().Values()+` ON CONFLICT DO NOTHING`, passwordRow(p)...)
}

func passwordRow(p latchkey.Password) []any {
	return []any{p.Username, latchkey.NormalizeUsername(p.Username), p.Hash}
}

// UpdatePassword implements latchkey.Tx.
func (t *Tx) UpdatePassword(ctx context.Context, username string, p latchkey.Password) error {
	changed, err := t.try(ctx, `UPDATE passwords SET username = $1, normalized = $2, hash = $3 WHERE username = $4`,
		append(passwordRow(p), username)...)
	return about("update password", changed, err, latchkey.ErrNotFound)
}

// DeletePassword implements latchkey.Tx.
func (t *Tx) DeletePassword(ctx context.Context, username string) error {
	return t.must(ctx, latchkey.ErrNotFound, "delete password", `DELETE FROM passwords WHERE username = $1`, username)
}

// PutModuleData implements latchkey.Tx.
func (t *Tx) PutModuleData(ctx context.Context, moduleID, userID string, data []byte) error {
	sealed, err := t.box.Seal(data, modulePlace(moduleID, userID))
	if err != nil {
		return err
	}
	return t.must(ctx, latchkey.ErrNotFound, "put data of module "+moduleID+" for user "+userID,
		`INSERT INTO module_data (module_id, user_id, data)
		SELECT `+t.dialect.cast(`$1`, `text`)+`, id, `+t.dialect.cast(`$3`, `bytea`)+` FROM users WHERE id = $2
		ON CONFLICT (user_id, module_id) DO UPDATE SET data = excluded.data`, moduleID, userID, sealed)
}

// DeleteModuleData implements latchkey.Tx.
func (t *Tx) DeleteModuleData(ctx context.Context, moduleID, userID string) error {
	return t.must(ctx, latchkey.ErrNotFound, "delete data of module "+moduleID,
		`DELETE FROM module_data WHERE module_id = $1 AND user_id = $2`, moduleID, userID)
}

// CompleteOnboarding implements latchkey.Tx.
func (t *Tx) CompleteOnboarding(ctx context.Context, step string) error {
	return t.must(ctx, latchkey.ErrExists, "complete step "+step,
		`INSERT INTO onboarding (step) VALUES ($1) ON CONFLICT DO NOTHING`, step)
}
