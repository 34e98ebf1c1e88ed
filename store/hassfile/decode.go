package hassfile

import (
	"encoding/json"
	"fmt"

	"github.com/seed-6a977b3d/latchkey"
)

// What is read of a record that is in the newest form, nothing of it missing or out of place, is kept as it stands for the
// next time that the file is written.

// readUser reads a user without its credentials (storage.md §2.1).
func readUser(r *record) *userEntry {
	u := &userEntry{User: latchkey.User{
		ID: r.id("id"), GroupIDs: r.texts("group_ids"), IsOwner: r.flag("is_owner", true), IsActive: r.flag("is_active", true),
		Name: r.nullable("name", true), SystemGenerated: r.flag("system_generated", true), LocalOnly: r.flag("local_only", false),
	}}
	own(&u.ID, &u.Name.Text)
	u.extra = r.rest()
	if r.inOrder("id", "group_ids", "is_owner", "is_active", "name", "system_generated", "local_only") &&
		r.members[6].value != nil {
		u.text = r.object.text
	}
	return u
}

func readCredentials(r *record) (latchkey.Credentials, *credentialsEntry) {
	c := latchkey.Credentials{
		ID: r.id("id"), UserID: r.text("user_id"),
		Provider: latchkey.ProviderKey{Type: r.text("auth_provider_type"), ID: r.nullable("auth_provider_id", true)},
	}
	own(&c.ID, &c.UserID, &c.Provider.Type, &c.Provider.ID.Text)
	data := r.must("data")
	if _, ok := data.(*object); !ok {
		r.fail("data", "an object is expected")
		return c, nil
	}
	values, err := plain(data)
	if err != nil {
		r.fail("data", "%w", err)
		return c, nil
	}
	c.Data, _ = values.(map[string]any)
	e := &credentialsEntry{id: c.ID, data: data, extra: r.rest()}
	if r.inOrder("id", "user_id", "auth_provider_type", "auth_provider_id", "data") {
		e.text = r.object.text
	}
	return c, e
}

// readToken reads a refresh token. One that could never be used is left out, which its note says (storage.md §2.1).
func readToken(r *record) (e *tokenEntry, note string) {
	if key, _ := r.get("jwt_key"); key == nil {
		id, _ := r.get("id")
		return nil, fmt.Sprintf("Ignoring refresh token %v from before 2018, which has no jwt_key", id)
	}
	id, userID := r.id("id"), r.text("user_id")
	created, err := parseInstant(r.text("created_at"))
	if r.err == nil && err != nil {
		return nil, fmt.Sprintf("Ignoring refresh token %s with invalid created_at %s for user_id %s",
			id, r.text("created_at"), userID)
	}
	t := latchkey.RefreshToken{
		ID: id, UserID: userID, ClientID: r.nullable("client_id", true),
		ClientName: r.nullable("client_name", false).Text, ClientIcon: r.nullable("client_icon", false).Text,
		Type: readTokenType(r), CreatedAt: created,
	}
	var whole json.Number
	t.AccessTokenExpiration, whole = r.seconds("access_token_expiration")
	secret, signing := r.text("token"), r.text("jwt_key")
	if lastUsed := r.nullable("last_used_at", false).Text; lastUsed != "" {
		t.LastUsedAt, _ = parseInstant(lastUsed) // unparsable is never
	}
	t.LastUsedIP = r.nullable("last_used_ip", false).Text
	if v, ok := r.get("expire_at"); ok && v != nil {
		n, isNumber := v.(json.Number)
		if t.ExpireAt, err = fromUnix(n); !isNumber || err != nil {
			r.fail("expire_at", "a time as Unix seconds, or null, is expected")
		}
	}
	t.CredentialID, t.Version = r.nullable("credential_id", false).Text, r.nullable("version", false).Text
	own(&t.ID, &t.UserID, &t.ClientID.Text, &t.ClientName, &t.ClientIcon, &secret, &signing, &t.LastUsedIP, &t.CredentialID,
		&t.Version)
	t.Secret, t.JWTKey = latchkey.Secret(secret), latchkey.Secret(signing)
	e = &tokenEntry{RefreshToken: t, hash: t.Secret.Hash(), lasting: whole, blank: r.blank(), extra: r.rest()}
	if r.inOrder("id", "user_id", "client_id", "client_name", "client_icon", "token_type", "created_at",
		"access_token_expiration", "token", "jwt_key", "last_used_at", "last_used_ip", "expire_at", "credential_id", "version") &&
		r.members[5].value != nil {
		e.text = r.object.text
	}
	return e, ""
}

// readTokenType reads the type, which files of before September 2018 do not have.
func readTokenType(r *record) latchkey.TokenType {
	kind := r.nullable("token_type", false)
	t := latchkey.TokenType(kind.Text)
	switch {
	case kind.Valid && !t.Valid():
		r.fail("token_type", "%q is none of normal, system and long_lived_access_token", kind.Text)
	case kind.Valid: // one of the constants, which need no memory of their own
		for _, known := range []latchkey.TokenType{latchkey.TokenNormal, latchkey.TokenSystem, latchkey.TokenLongLived} {
			if t == known {
				return known
			}
		}
	case r.nullable("client_id", true).Valid:
		return latchkey.TokenNormal
	}
	return latchkey.TokenSystem
}

// blank returns the keys that hold an empty text where the domain does not tell that from null. It is nil for nearly all.
func (r *record) blank() (keys []string) {
	for _, key := range [...]string{"client_name", "client_icon", "last_used_ip", "version"} {
		if v, _ := r.get(key); v == "" {
			keys = append(keys, key)
		}
	}
	return keys
}
