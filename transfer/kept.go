package transfer

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed-6a977b3d/latchkey"
)

const onlyThere = "only the other store has it, where it stays: delete it there if it was deleted here"

// kept tells of the groups and users that only the other store has, and of the logins, second factors and tokens of users that
// both have. A copy deletes none of them: what was taken away here since an earlier one is still good there.
func (c *copier) kept(ctx context.Context) error {
	if slices.ContainsFunc(c.items, func(item Item) bool { return item.Action == Conflict }) {
		return nil // two houses have little in common
	}
	groups, err := c.to.Groups(ctx)
	if err != nil {
		return err
	}
	for _, g := range groups {
		_, err := c.from.Group(ctx, g.ID)
		if err := c.keep(Item{Kind: "group", ID: g.ID, Name: g.Name.Text}, err); err != nil {
			return err
		}
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

// keep notes a record of the other store that is not found in this one.
func (c *copier) keep(item Item, found error) error {
	gone, err := missing(found)
	if gone {
		item.Action, item.Note = Keep, onlyThere
		c.add(item)
	}
	return err
}

func (c *copier) keptOf(ctx context.Context, u latchkey.User) error {
	here, err := c.from.User(ctx, u.ID)
	if err != nil {
		return c.keep(Item{Kind: "user", ID: u.ID, Name: u.Name.Text}, err)
	}
	for _, there := range u.Credentials {
		if !slices.ContainsFunc(here.Credentials, func(own latchkey.Credentials) bool { return own.ID == there.ID }) {
			c.add(Item{Action: Keep, Kind: "credentials", ID: there.ID, Name: u.Name.Text, Note: onlyThere})
		}
	}
	for _, module := range c.options.Modules {
		_, err := c.to.ModuleData(ctx, module, u.ID)
		if none, err := missing(err); err != nil {
			return err
		} else if none {
			continue
		}
		_, err = c.from.ModuleData(ctx, module, u.ID)
		if err := c.keep(Item{Kind: "second factor", ID: module, Name: u.Name.Text}, err); err != nil {
			return err
		}
	}
	all, err := c.to.RefreshTokens(ctx, u.ID)
	if err != nil {
		return err
	}
	for _, t := range all {
		_, err := c.from.RefreshToken(ctx, t.ID)
		if err := c.keep(Item{Kind: kindOf(t), ID: t.ID, Name: u.Name.Text}, err); err != nil {
			return err
		}
	}
	return nil
}
