package hassfile

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// record reads the members of one object of a file. What is wrong first stays in err.
type record struct {
	file, place string
	*object
	err error
}

func (r *record) fail(key, format string, args ...any) {
	if r.err == nil {
		field := r.place
		if key != "" {
			field += "." + key
		}
		r.err = &fileError{r.file, field, fmt.Errorf(format, args...)}
	}
}

// must returns a member that has to be there.
func (r *record) must(key string) any {
	v, ok := r.get(key)
	if !ok {
		r.fail(key, "it is missing")
	}
	return v
}

func (r *record) text(key string) string {
	s, ok := r.must(key).(string)
	if !ok {
		r.fail(key, "a text is expected")
	}
	return s
}

// nullable reads a text or null; absent is null, unless it is required.
func (r *record) nullable(key string, required bool) latchkey.NullString {
	v, ok := r.get(key)
	if !ok && required {
		r.fail(key, "it is missing")
	}
	if v == nil {
		return latchkey.NullString{}
	}
	s, ok := v.(string)
	if !ok {
		r.fail(key, "a text or null is expected")
	}
	return latchkey.Text(s)
}

func (r *record) flag(key string, required bool) bool {
	v, ok := r.get(key)
	if !ok && required {
		r.fail(key, "it is missing")
	}
	if v == nil && !required {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		r.fail(key, "true or false is expected")
	}
	return b
}

// list reads a list of objects. place names it in errors.
func (r *record) list(key string, required bool) []*record {
	v, ok := r.get(key)
	if !ok && !required {
		return nil
	}
	all, ok := v.([]any)
	if !ok {
		r.fail(key, "a list is expected")
		return nil
	}
	records := make([]*record, 0, len(all))
	for i, each := range all {
		o, ok := each.(*object)
		if !ok {
			r.fail(fmt.Sprintf("%s[%d]", key, i), "an object is expected")
			return nil
		}
		records = append(records, &record{file: r.file, place: fmt.Sprintf("%s.%s[%d]", r.place, key, i), object: o})
	}
	return records
}

// texts reads a list of texts.
func (r *record) texts(key string) []string {
	v, ok := r.get(key)
	if !ok {
		return nil
	}
	all, ok := v.([]any)
	if !ok {
		r.fail(key, "a list is expected")
		return nil
	}
	var texts []string
	for _, each := range all {
		s, ok := each.(string)
		if !ok {
			r.fail(key, "a list of texts is expected")
			return nil
		}
		texts = append(texts, s)
	}
	return texts
}

// seconds reads a duration.
func (r *record) seconds(key string) time.Duration {
	n, ok := r.must(key).(json.Number)
	f, err := n.Float64()
	if !ok || err != nil || math.Abs(f) > 1e12 {
		r.fail(key, "a number of seconds is expected")
		return 0
	}
	const most = float64(math.MaxInt64) / float64(time.Second)
	if f >= most {
		return math.MaxInt64
	}
	return time.Duration(math.Round(f*1e6)) * time.Microsecond
}

// readUser reads a user without its credentials (storage.md §2.1).
func readUser(r *record) *userEntry {
	return &userEntry{
		User: latchkey.User{
			ID: r.text("id"), GroupIDs: r.texts("group_ids"), IsOwner: r.flag("is_owner", true), IsActive: r.flag("is_active", true),
			Name: r.nullable("name", true), SystemGenerated: r.flag("system_generated", true), LocalOnly: r.flag("local_only", false),
		},
		extra: r.without("id", "group_ids", "is_owner", "is_active", "name", "system_generated", "local_only"),
	}
}

func readCredentials(r *record) (latchkey.Credentials, *credentialsEntry) {
	c := latchkey.Credentials{
		ID: r.text("id"), UserID: r.text("user_id"),
		Provider: latchkey.ProviderKey{Type: r.text("auth_provider_type"), ID: r.nullable("auth_provider_id", true)},
	}
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
	return c, &credentialsEntry{
		id: c.ID, data: data, extra: r.without("id", "user_id", "auth_provider_type", "auth_provider_id", "data"),
	}
}

// readToken reads a refresh token. One that could never be used is left out, which its note says (storage.md §2.1).
func readToken(r *record) (e *tokenEntry, note string) {
	created, err := parseInstant(r.text("created_at"))
	if r.err == nil && err != nil {
		return nil, fmt.Sprintf("Ignoring refresh token %s with invalid created_at %s for user_id %s",
			r.text("id"), r.text("created_at"), r.text("user_id"))
	}
	key, ok := r.get("jwt_key")
	if !ok || key == nil {
		return nil, "a refresh token from before 2018 has no key and is left out"
	}
	t := latchkey.RefreshToken{
		ID: r.text("id"), UserID: r.text("user_id"), ClientID: r.nullable("client_id", true),
		ClientName: r.nullable("client_name", false).Text, ClientIcon: r.nullable("client_icon", false).Text,
		CreatedAt: created, AccessTokenExpiration: r.seconds("access_token_expiration"),
		Secret: latchkey.Secret(r.text("token")), JWTKey: latchkey.Secret(r.text("jwt_key")),
		LastUsedIP: r.nullable("last_used_ip", false).Text, CredentialID: r.nullable("credential_id", false).Text,
		Version: r.nullable("version", false).Text,
	}
	t.LastUsedAt, _ = parseInstant(r.nullable("last_used_at", false).Text) // unparsable is never
	kind := r.nullable("token_type", false)
	switch t.Type = latchkey.TokenType(kind.Text); {
	case !kind.Valid && !t.ClientID.Valid:
		t.Type = latchkey.TokenSystem
	case !kind.Valid:
		t.Type = latchkey.TokenNormal
	case !t.Type.Valid():
		r.fail("token_type", "%q is none of normal, system and long_lived_access_token", kind.Text)
	}
	if v, ok := r.get("expire_at"); ok && v != nil {
		n, isNumber := v.(json.Number)
		if t.ExpireAt, err = fromUnix(n); !isNumber || err != nil {
			r.fail("expire_at", "a time as Unix seconds, or null, is expected")
		}
	}
	return &tokenEntry{RefreshToken: t, blank: r.blank(), extra: r.without(tokenKeys()...)}, ""
}

// blank returns the keys that hold an empty text where the domain does not tell that from null. It is nil for nearly all.
func (r *record) blank() (keys []string) {
	for _, key := range []string{"client_name", "client_icon", "last_used_ip", "version"} {
		if v, _ := r.get(key); v == "" {
			keys = append(keys, key)
		}
	}
	return keys
}

func tokenKeys() []string {
	return []string{
		"id", "user_id", "client_id", "client_name", "client_icon", "token_type", "created_at", "access_token_expiration",
		"token", "jwt_key", "last_used_at", "last_used_ip", "expire_at", "credential_id", "version",
	}
}
