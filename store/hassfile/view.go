package hassfile

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// view reads what Home Assistant's files hold, and the sessions that latchkey keeps of its own, as one.
type view struct {
	reader
	own  latchkey.Reader
	uses *uses
}

// uses are when tokens of Home Assistant were last used here: its files are not ours to note that in.
type uses struct {
	mu   sync.Mutex
	last map[string]latchkey.RefreshToken
}

func (u *uses) note(t latchkey.RefreshToken) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last[t.ID] = t
}

// keep forgets the uses of tokens that are gone.
func (u *uses) keep(there map[string]*tokenEntry) {
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.DeleteFunc(u.last, func(id string, _ latchkey.RefreshToken) bool { return there[id] == nil })
}

// on returns a token with its last use, here or there. Whether it ends at all is for Home Assistant to say.
func (u *uses) on(t latchkey.RefreshToken) latchkey.RefreshToken {
	u.mu.Lock()
	defer u.mu.Unlock()
	if used, ok := u.last[t.ID]; ok && used.LastUsedAt.After(t.LastUsedAt) {
		t.LastUsedAt, t.LastUsedIP = used.LastUsedAt, used.LastUsedIP
		if !t.ExpireAt.IsZero() && used.ExpireAt.After(t.ExpireAt) {
			t.ExpireAt = used.ExpireAt
		}
	}
	return t
}

// theirs is a token of Home Assistant.
func (v view) theirs(t latchkey.RefreshToken, err error) (latchkey.RefreshToken, error) {
	if err == nil {
		t = v.uses.on(t)
	}
	return t, err
}

// stands reports whether what a token of ours leads to is still there: its user, and what it signed in with.
func (s *state) stands(t latchkey.RefreshToken) bool {
	return s.users[t.UserID] != nil && (t.CredentialID == "" || s.holders[t.CredentialID] == t.UserID)
}

// ours is a token that latchkey keeps, as long as it stands. Those that do not are about to be removed.
func (v view) ours(ctx context.Context, t latchkey.RefreshToken, err error) (latchkey.RefreshToken, error) {
	if err != nil {
		return latchkey.RefreshToken{}, err
	}
	s, err := v.now(ctx)
	if err != nil {
		return latchkey.RefreshToken{}, err
	}
	if !s.stands(t) {
		return latchkey.RefreshToken{}, missing("refresh token", t.ID)
	}
	return t, nil
}

func (v view) RefreshToken(ctx context.Context, id string) (latchkey.RefreshToken, error) {
	t, err := v.theirs(v.reader.RefreshToken(ctx, id))
	if errors.Is(err, latchkey.ErrNotFound) {
		own, err := v.own.RefreshToken(ctx, id)
		return v.ours(ctx, own, err)
	}
	return t, err
}

func (v view) RefreshTokenBySecret(ctx context.Context, secret latchkey.Secret) (latchkey.RefreshToken, error) {
	t, err := v.theirs(v.reader.RefreshTokenBySecret(ctx, secret))
	if errors.Is(err, latchkey.ErrNotFound) {
		own, err := v.own.RefreshTokenBySecret(ctx, secret)
		return v.ours(ctx, own, err)
	}
	return t, err
}

func (v view) RefreshTokens(ctx context.Context, userID string) ([]latchkey.RefreshToken, error) {
	s, err := v.now(ctx)
	if err != nil {
		return nil, err
	}
	all, err := reader{func() *state { return s }}.RefreshTokens(ctx, userID)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i] = v.uses.on(all[i])
	}
	own, err := v.own.RefreshTokens(ctx, userID)
	for _, t := range own {
		if s.stands(t) {
			all = append(all, t)
		}
	}
	slices.SortStableFunc(all, func(a, b latchkey.RefreshToken) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, err
}

func (v view) LongLivedToken(ctx context.Context, userID, clientName string) (latchkey.RefreshToken, error) {
	t, err := v.theirs(v.reader.LongLivedToken(ctx, userID, clientName))
	if errors.Is(err, latchkey.ErrNotFound) {
		own, err := v.own.LongLivedToken(ctx, userID, clientName)
		return v.ours(ctx, own, err)
	}
	return t, err
}

// ExpiredRefreshTokens are our own: Home Assistant removes its own itself.
func (v view) ExpiredRefreshTokens(ctx context.Context, at time.Time, limit int) ([]latchkey.RefreshToken, error) {
	return v.own.ExpiredRefreshTokens(ctx, at, limit)
}

func (v view) NextExpiry(ctx context.Context) (time.Time, error) { return v.own.NextExpiry(ctx) }

// ModuleData joins what Home Assistant keeps of a second factor with what latchkey noted about it.
func (v view) ModuleData(ctx context.Context, moduleID, userID string) ([]byte, error) {
	s, err := v.now(ctx)
	if err != nil {
		return nil, err
	}
	own, err := v.own.ModuleData(ctx, moduleID, userID)
	if err != nil && !errors.Is(err, latchkey.ErrNotFound) {
		return nil, err
	}
	if fileOf(moduleID) == "" {
		return own, err
	}
	table := newModuleTable()
	if theirs := s.modules[moduleID]; theirs != nil && s.users[userID] != nil {
		if known, ok := theirs.known[userID]; ok {
			table.known[userID] = known
		}
	}
	if doc, wrong := parseJSON(string(own)); wrong == nil {
		if noted, ok := doc.(*object); ok {
			table.ours[userID] = noted
		}
	}
	if data, ok := table.join(moduleID, userID); ok {
		return data, nil
	}
	return nil, missing("data of module", moduleID)
}

// ModulesOf joins those of which Home Assistant keeps something with those that only latchkey knows.
func (v view) ModulesOf(ctx context.Context, userID string) ([]string, error) {
	theirs, err := v.reader.ModulesOf(ctx, userID)
	if err != nil {
		return nil, err
	}
	own, err := v.own.ModulesOf(ctx, userID)
	if err != nil {
		return nil, err
	}
	all := append(theirs, own...)
	slices.Sort(all)
	var found []string
	for _, id := range slices.Compact(all) {
		_, err := v.ModuleData(ctx, id, userID) // a note about a factor is no factor
		if err == nil {
			found = append(found, id)
		} else if !isNotFound(err) {
			return nil, err
		}
	}
	return found, nil
}

// OnboardingDone is everything as soon as there is anybody: the first set-up is Home Assistant's affair (onboarding.md
// S-1).
func (v view) OnboardingDone(ctx context.Context) ([]string, error) {
	people, err := v.HasPeople(ctx)
	if err != nil || !people {
		return nil, err
	}
	return []string{latchkey.OnboardingUser, "core_config", "analytics", "integration"}, nil
}
