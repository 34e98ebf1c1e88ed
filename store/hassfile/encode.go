package hassfile

import (
	"maps"
	"slices"

	"github.com/seed-6a977b3d/latchkey"
)

// encode writes the text of a file.
func (s *state) encode(name string) []byte {
	e := s.envelopes[name]
	switch name {
	case authFile:
		return e.seal(name, member{"users", s.encodeUsers()}, member{"groups", s.encodeGroups()},
			member{"credentials", s.encodeCredentials()}, member{"refresh_tokens", s.encodeTokens()})
	case passwordFile:
		return e.seal(name, member{"users", s.encodePasswords()})
	case totpFile:
		return e.seal(name, member{"users", s.encodeModule("totp")})
	case notifyFile:
		return e.seal(name, member{"users", s.encodeModule("notify")})
	case onboardingFile:
		steps := []any{}
		for _, step := range s.onboarding {
			steps = append(steps, step)
		}
		return e.seal(name, member{"done", steps})
	}
	return e.seal(name, member{"modules", s.encodeExtra()})
}

// orNull is null for no text.
func orNull(s latchkey.NullString) any {
	if !s.Valid {
		return nil
	}
	return s.Text
}

// depth of a record in the file: below data and its list.
const recordDepth = 3

func (s *state) encodeUsers() []any {
	list := make([]any, 0, len(s.userOrder))
	for _, id := range s.userOrder {
		u := s.users[id]
		if u.text == nil {
			groups := []any{}
			for _, g := range u.GroupIDs {
				groups = append(groups, g)
			}
			u.text = appendValue(nil, &object{append([]member{
				{"id", u.ID}, {"group_ids", groups}, {"is_owner", u.IsOwner}, {"is_active", u.IsActive}, {"name", orNull(u.Name)},
				{"system_generated", u.SystemGenerated}, {"local_only", u.LocalOnly},
			}, u.extra...)}, recordDepth)
		}
		list = append(list, u.text)
	}
	return list
}

// encodeGroups writes a policy only where the code has none (storage.md §2.1).
func (s *state) encodeGroups() []any {
	list := []any{}
	for _, g := range s.groups {
		record := &object{[]member{{"id", g.ID}, {"name", orNull(g.Name)}}}
		if !g.SystemGenerated {
			record.members = append(record.members, member{"policy", g.policy})
		}
		record.members = append(record.members, g.extra...)
		list = append(list, record)
	}
	return list
}

func (s *state) encodeCredentials() []any {
	list := []any{}
	for _, id := range s.userOrder {
		u := s.users[id]
		for i, c := range u.Credentials {
			e := u.credentials[i]
			list = append(list, &object{append([]member{
				{"id", c.ID}, {"user_id", u.ID}, {"auth_provider_type", c.Provider.Type}, {"auth_provider_id", orNull(c.Provider.ID)},
				{"data", e.data},
			}, e.extra...)})
		}
	}
	return list
}

func (s *state) encodeTokens() []any {
	list := make([]any, 0, len(s.tokens))
	for _, userID := range s.userOrder {
		for _, id := range s.tokensOf[userID] {
			t := s.tokens[id]
			if t.text == nil {
				t.text = appendValue(nil, encodeToken(t), recordDepth)
			}
			list = append(list, t.text)
		}
	}
	return list
}

func encodeToken(t *tokenEntry) *object {
	optional := func(key, text string) member {
		if text == "" && !slices.Contains(t.blank, key) {
			return member{key, nil}
		}
		return member{key, text}
	}
	return &object{append([]member{
		{"id", t.ID}, {"user_id", t.UserID}, {"client_id", orNull(t.ClientID)}, optional("client_name", t.ClientName),
		optional("client_icon", t.ClientIcon), {"token_type", string(t.Type)},
		{"created_at", formatInstant(t.CreatedAt)},
		{"access_token_expiration", float(t.AccessTokenExpiration.Seconds())}, {"token", t.Secret.Reveal()},
		{"jwt_key", t.JWTKey.Reveal()}, {"last_used_at", instantOrNull(t.LastUsedAt)},
		optional("last_used_ip", t.LastUsedIP), {"expire_at", unixOrNull(t.ExpireAt)},
		optional("credential_id", t.CredentialID), optional("version", t.Version),
	}, t.extra...)}
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
	users := &object{}
	if table := s.modules[id]; table != nil {
		for _, userID := range table.order {
			users.members = append(users.members, member{userID, table.known[userID]})
		}
	}
	return users
}

func (s *state) encodeExtra() *object {
	modules := &object{}
	for _, id := range slices.Sorted(maps.Keys(s.modules)) {
		users := &object{}
		for _, userID := range slices.Sorted(maps.Keys(s.modules[id].ours)) {
			users.members = append(users.members, member{userID, s.modules[id].ours[userID]})
		}
		if len(users.members) > 0 {
			modules.members = append(modules.members, member{id, users})
		}
	}
	return modules
}
