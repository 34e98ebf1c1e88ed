package hassfile

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/seed-6a977b3d/latchkey"
)

// tx is a transaction over a copy of a state. Each map is copied when it is first written.
type tx struct {
	reader
	state   *state
	copied  map[string]bool
	owned   map[any]bool    // the lists in maps that are this transaction's own, by their keys
	holes   map[string]bool // the users with tokens in their lists that are gone
	dirty   map[string]bool
	changes []latchkey.Change
}

var _ latchkey.Tx = (*tx)(nil)

func begin(s *state) *tx {
	next := *s
	t := &tx{state: &next, copied: map[string]bool{}, owned: map[any]bool{}, holes: map[string]bool{}, dirty: map[string]bool{}}
	t.reader = reader{func() *state { return t.state }}
	return t
}

func (t *tx) Announce(c latchkey.Change) { t.changes = append(t.changes, c) }

func (t *tx) note(kind latchkey.ChangeKind, ids ...string) {
	for _, id := range ids {
		t.Announce(latchkey.Change{Kind: kind, ID: id})
	}
}

func exists(what, id string) error { return fmt.Errorf("%s %s: %w", what, id, latchkey.ErrExists) }

// once runs fn the first time that a part of the state is written.
func (t *tx) once(part string, fn func(s *state)) {
	if !t.copied[part] {
		t.copied[part] = true
		fn(t.state)
	}
}

func (t *tx) writeUsers() {
	t.dirty[authFile] = true
	t.once("users", func(s *state) {
		s.users, s.userOrder = maps.Clone(s.users), slices.Clone(s.userOrder)
		s.holders, s.bySubject = maps.Clone(s.holders), maps.Clone(s.bySubject)
	})
}

func (t *tx) writeTokens() {
	t.dirty[authFile] = true
	t.once("tokens", func(s *state) {
		s.tokens, s.tokensOf, s.bySecret = maps.Clone(s.tokens), maps.Clone(s.tokensOf), maps.Clone(s.bySecret)
	})
	t.state.ends = &ends{}
}

// ownTokens makes the list of a user's tokens one that may be changed.
func (t *tx) ownTokens(userID string) {
	t.writeTokens()
	if !t.owned[userID] {
		t.owned[userID] = true
		t.state.tokensOf[userID] = slices.Clone(t.state.tokensOf[userID])
	}
}

// ownSubject does the same for the credentials of a subject.
func (t *tx) ownSubject(c latchkey.Credentials) {
	t.writeUsers()
	if key := subjectOf(c); !t.owned[key] {
		t.owned[key] = true
		t.state.bySubject[key] = slices.Clone(t.state.bySubject[key])
	}
}

func (t *tx) writeGroups() {
	t.dirty[authFile] = true
	t.once("groups", func(s *state) { s.groups = slices.Clone(s.groups) })
}

// writeModule returns the table of a module for writing.
func (t *tx) writeModule(id string) *moduleTable {
	t.once("modules", func(s *state) { s.modules = maps.Clone(s.modules) })
	t.once("module "+id, func(s *state) {
		if table := s.modules[id]; table != nil {
			s.modules[id] = table.clone()
		}
	})
	return t.state.module(id)
}

// checkGroups returns the ids once each, or what is wrong with one.
func (t *tx) checkGroups(ids []string) ([]string, error) {
	var once []string
	for _, id := range ids {
		if _, ok := t.state.group(id); !ok {
			return nil, missing("group", id)
		}
		if !slices.Contains(once, id) {
			once = append(once, id)
		}
	}
	return once, nil
}

func (t *tx) InsertUser(_ context.Context, u latchkey.User) error {
	if t.state.users[u.ID] != nil {
		return exists("user", u.ID)
	}
	groups, err := t.checkGroups(u.GroupIDs)
	if err != nil {
		return err
	}
	e := &userEntry{User: u}
	e.GroupIDs, e.Credentials = groups, nil
	seen := map[string]bool{}
	for _, c := range u.Credentials {
		c.UserID = u.ID
		kept, record, err := t.newCredentials(c)
		if err != nil {
			return err
		}
		if seen[c.ID] {
			return exists("credentials", c.ID)
		}
		seen[c.ID] = true
		e.Credentials, e.credentials = append(e.Credentials, kept), append(e.credentials, record)
	}
	t.writeUsers()
	for _, c := range e.Credentials {
		t.ownSubject(c)
	}
	t.state.userOrder = append(t.state.userOrder, e.ID)
	t.state.addUser(e)
	for range u.Credentials {
		t.note(latchkey.UserChanged, u.ID)
	}
	t.note(latchkey.UserChanged, u.ID)
	return nil
}

// newCredentials returns credentials as they are kept, or ErrExists.
func (t *tx) newCredentials(c latchkey.Credentials) (latchkey.Credentials, *credentialsEntry, error) {
	if _, taken := t.state.holders[c.ID]; taken {
		return c, nil, exists("credentials", c.ID)
	}
	kept, err := keep(c)
	if err != nil {
		return c, nil, err
	}
	data, err := toDocument(kept.Data)
	if err != nil {
		return c, nil, err
	}
	return kept, &credentialsEntry{id: c.ID, data: data}, nil
}

// keep returns credentials with data of their own, as it will be read from the file.
func keep(c latchkey.Credentials) (latchkey.Credentials, error) {
	if c.Data == nil {
		c.Data = map[string]any{}
	}
	text, err := json.Marshal(c.Data)
	if err != nil {
		return c, err
	}
	c.Data, err = latchkey.ParseData(text)
	return c, err
}

// changeUser replaces a user by a changed copy.
func (t *tx) changeUser(id string, change func(*userEntry)) {
	t.writeUsers()
	before := t.state.users[id] // without its text, which may be under way into the file just now
	e := &userEntry{User: before.User, extra: before.extra, credentials: before.credentials}
	change(e)
	t.state.users[id] = e
	t.note(latchkey.UserChanged, id)
}

func (t *tx) UpdateUser(_ context.Context, u latchkey.User) error {
	if t.state.users[u.ID] == nil {
		return missing("user", u.ID)
	}
	groups, err := t.checkGroups(u.GroupIDs)
	if err != nil {
		return err
	}
	t.changeUser(u.ID, func(e *userEntry) {
		held := e.Credentials
		e.User = u
		e.GroupIDs, e.Credentials = groups, held
	})
	return nil
}

func (t *tx) DeleteUser(ctx context.Context, id string) error {
	u := t.state.users[id]
	if u == nil {
		return missing("user", id)
	}
	t.writeUsers()
	for _, c := range u.Credentials {
		t.ownSubject(c)
		t.state.dropCredentials(c)
	}
	delete(t.state.users, id)
	t.state.userOrder = slices.DeleteFunc(t.state.userOrder, func(other string) bool { return other == id })
	t.note(latchkey.UserChanged, id)
	for e := range t.state.tokensBy(id) {
		t.dropToken(e)
	}
	for module := range t.state.modules {
		if err := t.DeleteModuleData(ctx, module, id); err != nil {
			continue // the user had not set it up
		}
	}
	return nil
}

func (t *tx) dropToken(e *tokenEntry) {
	t.writeTokens()
	t.state.dropToken(e)
	t.holes[e.UserID] = true
	t.note(latchkey.TokenRemoved, e.ID)
}

// compact takes the ids of tokens that are gone out of the list of a user.
func (t *tx) compact(userID string) {
	if t.holes[userID] {
		t.ownTokens(userID)
		t.state.compact(userID)
		delete(t.holes, userID)
	}
}

// finish makes the state one that can be shared.
func (t *tx) finish() *state {
	for userID := range t.holes {
		t.compact(userID)
	}
	return t.state
}

func (t *tx) InsertCredentials(_ context.Context, c latchkey.Credentials) error {
	if t.state.users[c.UserID] == nil {
		return missing("user", c.UserID)
	}
	kept, record, err := t.newCredentials(c)
	if err != nil {
		return err
	}
	t.changeUser(c.UserID, func(e *userEntry) {
		e.Credentials = append(slices.Clip(e.Credentials), kept)
		e.credentials = append(slices.Clip(e.credentials), record)
	})
	t.ownSubject(kept)
	t.state.addCredentials(kept)
	return nil
}

func (t *tx) UpdateCredentials(_ context.Context, c latchkey.Credentials) error {
	holder, ok := t.state.holders[c.ID]
	if !ok {
		return missing("credentials", c.ID)
	}
	kept, err := keep(c)
	if err != nil {
		return err
	}
	data, err := toDocument(kept.Data)
	if err != nil {
		return err
	}
	t.changeUser(holder, func(e *userEntry) {
		i := slices.IndexFunc(e.Credentials, func(o latchkey.Credentials) bool { return o.ID == c.ID })
		t.ownSubject(e.Credentials[i])
		t.state.dropCredentials(e.Credentials[i])
		e.Credentials, e.credentials = slices.Clone(e.Credentials), slices.Clone(e.credentials)
		e.Credentials[i].Data = kept.Data
		e.credentials[i] = &credentialsEntry{id: c.ID, data: renewed(e.credentials[i].data, data), extra: e.credentials[i].extra}
		t.ownSubject(e.Credentials[i])
		t.state.addCredentials(e.Credentials[i])
	})
	return nil
}

func (t *tx) DeleteCredentials(_ context.Context, id string) error {
	holder, ok := t.state.holders[id]
	if !ok {
		return missing("credentials", id)
	}
	t.changeUser(holder, func(e *userEntry) {
		i := slices.IndexFunc(e.Credentials, func(o latchkey.Credentials) bool { return o.ID == id })
		t.ownSubject(e.Credentials[i])
		t.state.dropCredentials(e.Credentials[i])
		e.Credentials = slices.Delete(slices.Clone(e.Credentials), i, i+1)
		e.credentials = slices.Delete(slices.Clone(e.credentials), i, i+1)
	})
	for _, userID := range t.state.userOrder { // a link may have moved them after the token was made
		for e := range t.state.tokensBy(userID) {
			if e.CredentialID == id {
				t.dropToken(e)
			}
		}
	}
	return nil
}

// keptToken is a token as it will be read from the file.
func keptToken(n latchkey.RefreshToken) latchkey.RefreshToken {
	n.CreatedAt, n.LastUsedAt, n.ExpireAt = micro(n.CreatedAt), micro(n.LastUsedAt), micro(n.ExpireAt)
	return n
}

func (t *tx) InsertRefreshToken(_ context.Context, n latchkey.RefreshToken) error {
	s := t.state
	if s.tokens[n.ID] != nil {
		return exists("refresh token", n.ID)
	}
	hash := n.Secret.Hash()
	if _, taken := s.bySecret[hash]; taken {
		return exists("refresh token", n.ID)
	}
	if s.users[n.UserID] == nil {
		return missing("user", n.UserID)
	}
	if _, ok := s.holders[n.CredentialID]; n.CredentialID != "" && !ok {
		return missing("credentials", n.CredentialID)
	}
	if n.Type == latchkey.TokenLongLived && n.ClientName != "" {
		for other := range s.tokensBy(n.UserID) {
			if other.Type == n.Type && other.ClientName == n.ClientName {
				return exists("long-lived token", n.ClientName)
			}
		}
	}
	t.compact(n.UserID) // or a token that is made anew would stand in the list twice
	t.ownTokens(n.UserID)
	t.state.addToken(&tokenEntry{RefreshToken: keptToken(n), hash: hash})
	return nil
}

func (t *tx) UpdateRefreshToken(_ context.Context, n latchkey.RefreshToken) error {
	before := t.state.tokens[n.ID]
	if before == nil {
		return missing("refresh token", n.ID)
	}
	if _, ok := t.state.holders[n.CredentialID]; n.CredentialID != "" && !ok {
		return missing("credentials", n.CredentialID)
	}
	e := &tokenEntry{RefreshToken: keptToken(n), hash: before.hash, blank: before.blank, extra: before.extra}
	e.Secret, e.JWTKey, e.UserID, e.Type = before.Secret, before.JWTKey, before.UserID, before.Type
	if e.AccessTokenExpiration == before.AccessTokenExpiration {
		e.lasting = before.lasting
	}
	t.writeTokens()
	t.state.tokens[n.ID] = e
	t.note(latchkey.TokenChanged, n.ID)
	return nil
}

func (t *tx) DeleteRefreshToken(_ context.Context, id string) error {
	e := t.state.tokens[id]
	if e == nil {
		return missing("refresh token", id)
	}
	t.dropToken(e)
	return nil
}
