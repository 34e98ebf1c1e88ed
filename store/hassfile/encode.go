package hassfile

import (
	"bytes"
	"io"
	"maps"
	"slices"

	"github.com/seed-6a977b3d/latchkey"
)

// writeTo writes the text of a file.
func (s *state) writeTo(w io.Writer, name string) error {
	e := s.envelopes[name]
	switch name {
	case authFile:
		return e.seal(w, name, member{"users", s.encodeUsers()}, member{"groups", s.encodeGroups()},
			member{"credentials", s.encodeCredentials()}, member{tokensKey, s.encodeTokens()})
	case passwordFile:
		return e.seal(w, name, member{"users", s.encodePasswords()})
	case totpFile:
		return e.seal(w, name, member{"users", s.encodeModule("totp")})
	case notifyFile:
		return e.seal(w, name, member{"users", s.encodeModule("notify")})
	case onboardingFile:
		steps := []any{}
		for _, step := range s.onboarding {
			steps = append(steps, step)
		}
		return e.seal(w, name, member{"done", steps})
	}
	return e.seal(w, name, member{"modules", s.encodeExtra()})
}

// encode returns the text of a file.
func (s *state) encode(name string) []byte {
	var b bytes.Buffer
	_ = s.writeTo(&b, name) // it takes everything
	return b.Bytes()
}

// recordDepth is the depth of a record in the file: below data and its list.
const recordDepth = 3

// encodeRecord writes a record with what latchkey does not know of it behind the rest.
func encodeRecord(extra []member, known ...member) encoded {
	return encoded(appendValue(nil, newObject(append(known, extra...)...), recordDepth))
}

func (s *state) encodeUsers() []encoded {
	list := make([]encoded, 0, len(s.userOrder))
	for _, id := range s.userOrder {
		u := s.users[id]
		if u.text == "" {
			groups := []any{}
			for _, g := range u.GroupIDs {
				groups = append(groups, g)
			}
			u.text = encodeRecord(u.extra, member{"id", u.ID}, member{"group_ids", groups}, member{"is_owner", u.IsOwner},
				member{"is_active", u.IsActive}, member{"name", orNull(u.Name)},
				member{"system_generated", u.SystemGenerated}, member{"local_only", u.LocalOnly})
		}
		list = append(list, u.text)
	}
	return list
}

// encodeGroups writes a policy only where the code has none (storage.md §2.1).
func (s *state) encodeGroups() []any {
	list := []any{}
	for _, g := range s.groups {
		record := newObject(member{"id", g.ID}, member{"name", orNull(g.Name)})
		if !g.SystemGenerated {
			record.members = append(record.members, member{"policy", g.policy})
		}
		record.members = append(record.members, g.extra...)
		list = append(list, record)
	}
	return list
}

func (s *state) encodeCredentials() []encoded {
	list := make([]encoded, 0, len(s.holders))
	for _, id := range s.userOrder {
		u := s.users[id]
		for i, c := range u.Credentials {
			e := u.credentials[i]
			if e.text == "" {
				e.text = encodeRecord(e.extra, member{"id", c.ID}, member{"user_id", u.ID},
					member{"auth_provider_type", c.Provider.Type}, member{"auth_provider_id", orNull(c.Provider.ID)},
					member{"data", e.data})
			}
			list = append(list, e.text)
		}
	}
	return list
}

func (s *state) encodeTokens() []encoded {
	list := make([]encoded, 0, len(s.tokens))
	for _, userID := range s.userOrder {
		for t := range s.tokensBy(userID) {
			if t.text == "" {
				t.text = encodeToken(t)
			}
			list = append(list, t.text)
		}
	}
	return list
}

func encodeToken(t *tokenEntry) encoded {
	optional := func(key, text string) member {
		if text == "" && !slices.Contains(t.blank, key) {
			return member{key, nil}
		}
		return member{key, text}
	}
	lasting := t.lasting
	if lasting == "" {
		lasting = float(t.AccessTokenExpiration.Seconds())
	}
	return encodeRecord(t.extra,
		member{"id", t.ID}, member{"user_id", t.UserID}, member{"client_id", orNull(t.ClientID)},
		optional("client_name", t.ClientName), optional("client_icon", t.ClientIcon), member{"token_type", string(t.Type)},
		member{"created_at", formatInstant(t.CreatedAt)},
		member{"access_token_expiration", lasting},
		member{"token", t.Secret.Reveal()}, member{"jwt_key", t.JWTKey.Reveal()},
		member{"last_used_at", instantOrNull(t.LastUsedAt)}, optional("last_used_ip", t.LastUsedIP),
		member{"expire_at", unixOrNull(t.ExpireAt)}, optional("credential_id", t.CredentialID), optional("version", t.Version))
}

func (s *state) encodePasswords() []any {
	list := make([]any, 0, len(s.passwords.entries))
	for _, e := range s.passwords.entries {
		list = append(list, e.record)
	}
	return list
}

// encodeModule writes who has set a second factor up, in the order in which they did.
func (s *state) encodeModule(id string) *object {
	users := newObject()
	if table := s.modules[id]; table != nil {
		for _, userID := range table.order {
			users.members = append(users.members, member{userID, table.known[userID]})
		}
	}
	return users
}

func (s *state) encodeExtra() *object {
	modules := newObject()
	for _, id := range slices.Sorted(maps.Keys(s.modules)) {
		users := newObject()
		for _, userID := range slices.Sorted(maps.Keys(s.modules[id].ours)) {
			users.members = append(users.members, member{userID, s.modules[id].ours[userID]})
		}
		if len(users.members) > 0 {
			modules.members = append(modules.members, member{id, users})
		}
	}
	return modules
}

// orNull is null for no text.
func orNull(s latchkey.NullString) any {
	if !s.Valid {
		return nil
	}
	return s.Text
}
