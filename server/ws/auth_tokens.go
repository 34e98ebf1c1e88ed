package ws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// currentTokenDelay is how long after its answer auth/delete_all_refresh_tokens ends the session (websocket.md A-8).
const currentTokenDelay = 2 * time.Second

var (
	errInvalidTokenID = &Error{Code: "invalid_token_id", Message: "Received invalid token"}
	errTokenRemoving  = &Error{Code: "token_removing_error", Message: "During removal, an error was raised."}
)

// tokens are the commands about refresh tokens: one's own, never those of others.
type tokens struct {
	manager *latchkey.Manager
	later   func(func(hurry <-chan struct{}))
}

func tokenCommands(m *latchkey.Manager, later func(func(hurry <-chan struct{}))) []Command {
	t := tokens{m, later}
	return []Command{
		Define("auth/long_lived_access_token", Anyone, t.createLongLived),
		Define("auth/refresh_tokens", Anyone, t.list),
		Define("auth/delete_refresh_token", Anyone, t.delete),
		Define("auth/delete_all_refresh_tokens", Anyone, t.deleteAll),
		Define("auth/refresh_token_set_expiry", Anyone, t.setExpiry),
	}
}

type longLived struct {
	Lifespan   int64  `json:"lifespan"` // days
	ClientName string `json:"client_name"`
	ClientIcon string `json:"client_icon,omitzero"`
}

// Validate refuses tokens that would have ended when they begin (websocket.md A-4).
func (l longLived) Validate() error {
	if l.Lifespan < 1 {
		return fmt.Errorf("value must be at least 1 for dictionary value @ data['lifespan']. Got %d", l.Lifespan)
	}
	return nil
}

// createLongLived makes a refresh token for a program and returns its one access token (websocket.md §5.2).
func (t tokens) createLongLived(ctx context.Context, c *Call, in longLived) (string, error) {
	const day = 24 * time.Hour
	if in.Lifespan > int64(math.MaxInt64/day) {
		return "", errUnknown
	}
	_, access, err := t.manager.CreateLongLivedToken(ctx, c.User.ID, in.ClientName, in.ClientIcon, time.Duration(in.Lifespan)*day)
	if errors.Is(err, latchkey.ErrValue) { // the name is taken, a system user, or a life too long: no news for the log
		return "", errUnknown
	}
	return access, err
}

// refreshToken is one element of auth/refresh_tokens (websocket.md §5.3). Its secret stays here.
type refreshToken struct {
	ID           string              `json:"id"`
	ClientID     latchkey.NullString `json:"client_id"`
	ClientName   *string             `json:"client_name"`
	ClientIcon   *string             `json:"client_icon"`
	Type         latchkey.TokenType  `json:"type"`
	CreatedAt    timestamp           `json:"created_at"`
	IsCurrent    bool                `json:"is_current"`
	LastUsedAt   *timestamp          `json:"last_used_at"`
	LastUsedIP   *string             `json:"last_used_ip"`
	ProviderType *string             `json:"auth_provider_type"`
	ExpireAt     *timestamp          `json:"expire_at"`
}

func (t tokens) list(ctx context.Context, c *Call, _ None) ([]refreshToken, error) {
	own, err := t.manager.RefreshTokens(ctx, c.User.ID)
	if err != nil {
		return nil, err
	}
	providers := map[string]string{}
	for _, credentials := range c.User.Credentials {
		providers[credentials.ID] = credentials.Provider.Type
	}
	list := make([]refreshToken, len(own))
	for i, r := range own {
		list[i] = refreshToken{
			ID: r.ID, ClientID: r.ClientID, ClientName: orNull(r.ClientName), ClientIcon: orNull(r.ClientIcon),
			Type: r.Type, CreatedAt: timestamp(r.CreatedAt), IsCurrent: r.ID == c.Token.ID,
			LastUsedAt: timeOrNull(r.LastUsedAt), LastUsedIP: orNull(r.LastUsedIP),
			ProviderType: orNull(providers[r.CredentialID]), ExpireAt: timeOrNull(r.ExpireAt),
		}
	}
	return list, nil
}

// mustOwn refuses tokens of others in the same words as tokens that do not exist.
func (t tokens) mustOwn(ctx context.Context, c *Call, id string) error {
	r, err := t.manager.RefreshToken(ctx, id)
	if errors.Is(err, latchkey.ErrNotFound) || err == nil && r.UserID != c.User.ID {
		return errInvalidTokenID
	}
	return err
}

type tokenID struct {
	ID string `json:"refresh_token_id"`
}

// delete removes a token. The current one closes the socket, behind the answer (websocket.md A-7).
func (t tokens) delete(ctx context.Context, c *Call, in tokenID) (Empty, error) {
	if err := t.mustOwn(ctx, c, in.ID); err != nil {
		return Empty{}, err
	}
	return Empty{}, c.endingSession(func() error { return t.manager.RemoveRefreshToken(ctx, in.ID) })
}

type tokenFilter struct {
	Type    *string `json:"token_type,omitzero"`
	Current *bool   `json:"delete_current_token,omitzero"`
}

func (f tokenFilter) matches(r latchkey.RefreshToken) bool {
	return f.Type == nil || string(r.Type) == *f.Type
}

// deleteAll removes all tokens that match: first the others, then, a while after the answer, the current one, also when
// the answer is an error (websocket.md ).
func (t tokens) deleteAll(ctx context.Context, c *Call, in tokenFilter) (Empty, error) {
	if (in.Current == nil || *in.Current) && in.matches(c.Token) {
		current, left := c.Token.ID, context.WithoutCancel(ctx)
		c.then(func() { t.later(func(hurry <-chan struct{}) { t.removeCurrent(left, c, current, hurry) }) })
	}
	own, err := t.manager.RefreshTokens(ctx, c.User.ID)
	if err != nil {
		return Empty{}, errors.Join(errTokenRemoving, err)
	}
	var failed error
	for _, r := range own {
		if r.ID == c.Token.ID || !in.matches(r) {
			continue
		}
		if err := t.manager.RemoveRefreshToken(ctx, r.ID); err != nil {
			failed = cmp.Or(failed, err)
			c.session.handler.log.Error("removing a refresh token failed", "token", r.ID, "error", err)
		}
	}
	if refused := (*latchkey.Error)(nil); errors.As(failed, &refused) && errors.Is(refused, latchkey.ErrState) {
		return Empty{}, &Error{Code: errTokenRemoving.Code, Message: errTokenRemoving.Message + " " + refused.Text}
	} else if failed != nil {
		return Empty{}, errTokenRemoving
	}
	return Empty{}, nil
}

func (t tokens) removeCurrent(ctx context.Context, c *Call, id string, hurry <-chan struct{}) {
	wait := time.NewTimer(currentTokenDelay)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-hurry:
	}
	if err := t.manager.RemoveRefreshToken(ctx, id); err != nil {
		c.session.handler.log.Error("removing the current refresh token failed", "token", id, "error", err)
	}
}

type tokenExpiry struct {
	ID     string `json:"refresh_token_id"`
	Enable bool   `json:"enable_expiry"`
}

// setExpiry lets a token end by itself, or not (websocket.md §5.6).
func (t tokens) setExpiry(ctx context.Context, c *Call, in tokenExpiry) (Empty, error) {
	if err := t.mustOwn(ctx, c, in.ID); err != nil {
		return Empty{}, err
	}
	err := t.manager.SetExpiry(ctx, in.ID, in.Enable)
	if errors.Is(err, latchkey.ErrNotFound) {
		return Empty{}, errInvalidTokenID
	}
	return Empty{}, err
}
