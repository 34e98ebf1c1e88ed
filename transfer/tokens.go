package transfer

import (
	"context"
	"fmt"

	"github.com/seed-6a977b3d/latchkey"
)

// What cannot travel, and why.
const (
	secretUnknown = "only a hash of its secret is kept here, and the other store needs the secret itself: " +
		"the person signs in again"
	nameTaken = "another token of this name is there already"
)

// tokens plans the sessions and long-lived tokens, when all users are there: what somebody signed in with may belong to
// somebody else by now, and the session still ends with it (security.md W8).
func (c *copier) tokens(ctx context.Context) error {
	for _, p := range c.people {
		if err := c.tokensOf(ctx, p); err != nil {
			return fmt.Errorf("user %s: %w", p.id, err)
		}
	}
	return nil
}

func (c *copier) tokensOf(ctx context.Context, p person) error {
	all, err := c.from.RefreshTokens(ctx, p.id)
	if err != nil {
		return err
	}
	for _, t := range all {
		item := Item{Action: Add, Kind: kindOf(t), ID: t.ID, Name: p.name, Note: t.ClientID.Text}
		if t.Type == latchkey.TokenLongLived {
			item.Note = t.ClientName
		}
		before, err := c.to.RefreshToken(ctx, t.ID)
		isNew, err := missing(err)
		switch {
		case err != nil:
			return err
		case isNew:
			item, err = c.newToken(ctx, item, t)
		default:
			item, err = c.changedToken(item, before, t), nil
		}
		if err != nil {
			return err
		}
		if item.apply != nil || item.Action == Leave {
			c.add(item)
		}
	}
	return nil
}

// tokenName is what no two long-lived tokens have in common, but for those that have no name.
type tokenName struct{ userID, name string }

func kindOf(t latchkey.RefreshToken) string {
	if t.Type == latchkey.TokenLongLived {
		return "token"
	}
	return "session"
}

// newToken plans a token that the other store does not have.
func (c *copier) newToken(ctx context.Context, item Item, t latchkey.RefreshToken) (Item, error) {
	leave := func(why string) (Item, error) {
		item.Action, item.Note = Leave, why
		return item, nil
	}
	if t.Type == latchkey.TokenLongLived && t.ClientName != "" {
		_, err := c.to.LongLivedToken(ctx, t.UserID, t.ClientName)
		free, err := missing(err)
		if err != nil {
			return item, err
		}
		name := tokenName{t.UserID, t.ClientName}
		if !free || c.names[name] {
			return leave(nameTaken)
		}
		c.names[name] = true
	}
	if t.Secret == "" {
		if t.Type != latchkey.TokenLongLived {
			return leave(secretUnknown)
		}
		// Nobody ever holds the secret of a long-lived token: what its program holds is signed with the key, which travels.
		t.Secret = latchkey.NewSecret()
	}
	item.apply = func(ctx context.Context, tx latchkey.Tx) error { return tx.InsertRefreshToken(ctx, t) }
	return item, nil
}

// changedToken plans what is newer about a token that both have.
func (*copier) changedToken(item Item, before, t latchkey.RefreshToken) Item {
	switch {
	case t.LastUsedAt.Before(before.LastUsedAt):
		return item // the other one was used since, and knows more
	case t.LastUsedAt.Equal(before.LastUsedAt) && t.ExpireAt.Equal(before.ExpireAt):
		return item
	}
	next := before
	next.LastUsedAt, next.LastUsedIP, next.ExpireAt = t.LastUsedAt, t.LastUsedIP, t.ExpireAt
	item.Action = Change
	item.apply = func(ctx context.Context, tx latchkey.Tx) error { return tx.UpdateRefreshToken(ctx, next) }
	return item
}
