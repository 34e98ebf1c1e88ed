package hassfile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// reader answers what a [latchkey.Reader] is asked, out of one state.
type reader struct{ current func() *state }

// now returns the state, unless nobody waits for an answer any more.
func (r reader) now(ctx context.Context) (*state, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return r.current(), nil
}

func missing(what, id string) error { return fmt.Errorf("%s %s: %w", what, id, latchkey.ErrNotFound) }

func (r reader) User(ctx context.Context, id string) (latchkey.User, error) {
	s, err := r.now(ctx)
	if err != nil {
		return latchkey.User{}, err
	}
	if e := s.users[id]; e != nil {
		return e.User, nil
	}
	return latchkey.User{}, missing("user", id)
}

func (r reader) Users(ctx context.Context, after string, limit int) ([]latchkey.User, error) {
	s, err := r.now(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := s.behind(after)
	if err != nil {
		return nil, err
	}
	ids = ids[:min(max(limit, 0), len(ids))]
	page := make([]latchkey.User, 0, len(ids))
	for _, id := range ids {
		page = append(page, s.users[id].User)
	}
	return page, nil
}

// behind returns the users behind the one with this id, or all of them if it is empty.
func (s *state) behind(after string) ([]string, error) {
	if after == "" {
		return s.userOrder, nil
	}
	if s.users[after] == nil {
		return nil, missing("user", after)
	}
	return s.userOrder[slices.Index(s.userOrder, after)+1:], nil
}

func (r reader) FindUsers(ctx context.Context, text, after string, limit int) ([]latchkey.User, error) {
	s, err := r.now(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := s.behind(after)
	if err != nil {
		return nil, err
	}
	part := latchkey.NormalizeUsername(text)
	contains := func(name string) bool { return strings.Contains(latchkey.NormalizeUsername(name), part) }
	var page []latchkey.User
	for _, id := range ids {
		if len(page) >= limit {
			break
		}
		u := s.users[id].User
		called := func(c latchkey.Credentials) bool { return contains(c.Subject()) }
		if id == text || contains(u.Name.Text) || slices.ContainsFunc(u.Credentials, called) {
			page = append(page, u)
		}
	}
	return page, nil
}

func (r reader) Owner(ctx context.Context) (latchkey.User, error) {
	s, err := r.now(ctx)
	if err != nil {
		return latchkey.User{}, err
	}
	for _, id := range s.userOrder {
		if s.users[id].IsOwner {
			return s.users[id].User, nil
		}
	}
	return latchkey.User{}, fmt.Errorf("owner: %w", latchkey.ErrNotFound)
}

func (r reader) HasPeople(ctx context.Context) (bool, error) {
	s, err := r.now(ctx)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(s.userOrder, func(id string) bool { return !s.users[id].SystemGenerated }), nil
}

func (r reader) HasAdminBeside(ctx context.Context, id string) (bool, error) {
	return r.hasAdminBeside(ctx, id, func(latchkey.User) bool { return true })
}

func (r reader) HasAdminWithLogin(ctx context.Context) (bool, error) {
	return r.hasAdminBeside(ctx, "", func(u latchkey.User) bool { return u.IsActive && len(u.Credentials) > 0 })
}

// hasAdminBeside looks for an admin of whom something more is true.
func (r reader) hasAdminBeside(ctx context.Context, id string, also func(latchkey.User) bool) (bool, error) {
	s, err := r.now(ctx)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(s.userOrder, func(other string) bool {
		u := s.users[other].User
		return other != id && !u.SystemGenerated && u.IsAdmin() && also(u)
	}), nil
}

func (r reader) UserByCredentials(ctx context.Context, credentialsID string) (latchkey.User, error) {
	s, err := r.now(ctx)
	if err != nil {
		return latchkey.User{}, err
	}
	if holder, ok := s.holders[credentialsID]; ok {
		return s.users[holder].User, nil
	}
	return latchkey.User{}, missing("credentials", credentialsID)
}

func (r reader) CredentialsBySubject(
	ctx context.Context, p latchkey.ProviderKey, subject string,
) ([]latchkey.Credentials, error) {
	s, err := r.now(ctx)
	if err != nil {
		return nil, err
	}
	var found []latchkey.Credentials
	for _, id := range s.bySubject[subjectKey{p, latchkey.NormalizeUsername(subject)}] {
		u := s.users[s.holders[id]]
		i := slices.IndexFunc(u.Credentials, func(c latchkey.Credentials) bool { return c.ID == id })
		found = append(found, u.Credentials[i])
	}
	return found, nil
}

func (r reader) Group(ctx context.Context, id string) (latchkey.Group, error) {
	s, err := r.now(ctx)
	if err != nil {
		return latchkey.Group{}, err
	}
	if g, ok := s.group(id); ok {
		return g, nil
	}
	return latchkey.Group{}, missing("group", id)
}

func (r reader) Groups(ctx context.Context) ([]latchkey.Group, error) {
	s, err := r.now(ctx)
	if err != nil {
		return nil, err
	}
	all := latchkey.SystemGroups()
	for _, g := range s.groups {
		if !g.SystemGenerated {
			all = append(all, g.Group)
		}
	}
	return all, nil
}

func (r reader) RefreshToken(ctx context.Context, id string) (latchkey.RefreshToken, error) {
	s, err := r.now(ctx)
	if err != nil {
		return latchkey.RefreshToken{}, err
	}
	if e := s.tokens[id]; e != nil {
		return e.RefreshToken, nil
	}
	return latchkey.RefreshToken{}, missing("refresh token", id)
}

// RefreshTokenBySecret looks for a hash, so that the time that it takes tells nothing of the secret.
func (r reader) RefreshTokenBySecret(ctx context.Context, secret latchkey.Secret) (latchkey.RefreshToken, error) {
	s, err := r.now(ctx)
	if err != nil {
		return latchkey.RefreshToken{}, err
	}
	if id, ok := s.bySecret[secret.Hash()]; ok && secret != "" {
		return s.tokens[id].RefreshToken, nil
	}
	return latchkey.RefreshToken{}, fmt.Errorf("refresh token: %w", latchkey.ErrNotFound)
}

func (r reader) RefreshTokens(ctx context.Context, userID string) ([]latchkey.RefreshToken, error) {
	s, err := r.now(ctx)
	if err != nil {
		return nil, err
	}
	var found []latchkey.RefreshToken
	for e := range s.tokensBy(userID) {
		found = append(found, e.RefreshToken)
	}
	return found, nil
}

func (r reader) LongLivedToken(ctx context.Context, userID, clientName string) (latchkey.RefreshToken, error) {
	s, err := r.now(ctx)
	if err != nil {
		return latchkey.RefreshToken{}, err
	}
	for t := range s.tokensBy(userID) {
		if t.Type == latchkey.TokenLongLived && clientName != "" && t.ClientName == clientName {
			return t.RefreshToken, nil
		}
	}
	return latchkey.RefreshToken{}, missing("long-lived token", clientName)
}

func (r reader) ExpiredRefreshTokens(ctx context.Context, at time.Time, limit int) ([]latchkey.RefreshToken, error) {
	s, err := r.now(ctx)
	if err != nil {
		return nil, err
	}
	var found []latchkey.RefreshToken
	for _, e := range s.byExpiry() {
		if len(found) >= limit || e.ExpireAt.After(at) {
			break
		}
		found = append(found, e.RefreshToken)
	}
	return found, nil
}

func (r reader) NextExpiry(ctx context.Context) (time.Time, error) {
	s, err := r.now(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if order := s.byExpiry(); len(order) > 0 {
		return order[0].ExpireAt, nil
	}
	return time.Time{}, nil
}

func (r reader) Passwords(ctx context.Context, username string) ([]latchkey.Password, error) {
	s, err := r.now(ctx)
	if err != nil {
		return nil, err
	}
	var found []latchkey.Password
	for _, e := range s.passwords.byName[latchkey.NormalizeUsername(username)] {
		found = append(found, e.Password)
	}
	return found, nil
}

func (r reader) UnnormalizedUsernames(ctx context.Context) ([]string, error) {
	s, err := r.now(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(s.passwords.unnormalized), nil
}

// LoosePasswords returns the records that belong to no login, for whoever copies one house into another: in Home Assistant,
// somebody who knows such a password is made an administrator.
func (r reader) LoosePasswords(ctx context.Context) ([]latchkey.Password, error) {
	s, err := r.now(ctx)
	if err != nil {
		return nil, err
	}
	exactly := len(s.passwords.unnormalized) > 0 // providers.md §3.1, legacy mode
	var loose []latchkey.Password
	for _, e := range s.passwords.entries {
		logins, err := r.CredentialsBySubject(ctx, latchkey.ProviderKey{Type: "homeassistant"}, e.Username)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(logins, func(c latchkey.Credentials) bool { return !exactly || c.Subject() == e.Username }) {
			loose = append(loose, e.Password)
		}
	}
	return loose, nil
}

func (r reader) ModuleData(ctx context.Context, moduleID, userID string) ([]byte, error) {
	s, err := r.now(ctx)
	if err != nil {
		return nil, err
	}
	if table := s.modules[moduleID]; table != nil && s.users[userID] != nil {
		if data, ok := table.join(moduleID, userID); ok {
			return data, nil
		}
	}
	return nil, missing("data of module", moduleID)
}

// CountSetUp returns how many users have set up a second factor of Home Assistant, for whoever may have forgotten to ask for it.
func (r reader) CountSetUp(moduleID string) (n int) {
	s := r.current()
	if table := s.modules[moduleID]; table != nil {
		for userID := range table.known {
			if s.users[userID] != nil {
				n++
			}
		}
	}
	return n
}

func (r reader) ModulesOf(ctx context.Context, userID string) ([]string, error) {
	s, err := r.now(ctx)
	if err != nil || s.users[userID] == nil {
		return nil, err
	}
	var found []string
	for id, table := range s.modules {
		if _, ok := table.join(id, userID); ok {
			found = append(found, id)
		}
	}
	slices.Sort(found)
	return found, nil
}

func (r reader) OnboardingDone(ctx context.Context) ([]string, error) {
	s, err := r.now(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(s.onboarding), nil
}
