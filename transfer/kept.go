package transfer

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed-6a977b3d/latchkey"
)

const onlyThere = "only the other store has it, where it stays: delete it there if it was deleted here"

// kept tells of the users, and of the tokens of users that both have, that only the other store has. A copy deletes none
// of them: what was revoked here since an earlier one is still good there.
func (c *copier) kept(ctx context.Context) error {
	if slices.ContainsFunc(c.items, func(item Item) bool { return item.Action == Conflict }) {
		return nil // two houses have little in common
	}
	after := ""
	for {
		page, err := c.to.Users(ctx, after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, u := range page {
			if err := c.keptOf(ctx, u); err != nil {
				return fmt.Errorf("user %s: %w", u.ID, err)
			}
		}
		after = page[len(page)-1].ID
	}
}

func (c *copier) keptOf(ctx context.Context, u latchkey.User) error {
	_, err := c.from.User(ctx, u.ID)
	if gone, err := missing(err); err != nil {
		return err
	} else if gone {
		c.add(Item{Action: Keep, Kind: "user", ID: u.ID, Name: u.Name.Text, Note: onlyThere})
		return nil
	}
	all, err := c.to.RefreshTokens(ctx, u.ID)
	if err != nil {
		return err
	}
	for _, t := range all {
		_, err := c.from.RefreshToken(ctx, t.ID)
		if gone, err := missing(err); err != nil {
			return err
		} else if gone {
			c.add(Item{Action: Keep, Kind: kindOf(t), ID: t.ID, Name: u.Name.Text, Note: onlyThere})
		}
	}
	return nil
}
