package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
)

// choice says which refresh tokens are to be ended: some by their ids, or those of a user, all or by name.
type choice struct {
	what  string // what they are called
	list  string // the command that lists them
	ids   []string
	user  string
	names []string // none for all
	kind  func(latchkey.RefreshToken) bool
}

// end ends what was chosen, once that is confirmed.
func (c choice) end(p *program, r *config.Running, ask yesFlag, verb string) error {
	tokens, err := c.find(p.ctx, r)
	if err != nil {
		return err
	}
	if len(tokens) == 0 {
		_, err := fmt.Fprintf(p.stdout, "there is no %s to end\n", c.what)
		return err
	}
	var names []string
	for _, t := range tokens {
		u, err := r.Manager.User(p.ctx, t.UserID)
		if err != nil {
			return err
		}
		names = append(names, describeToken(u, t))
	}
	const shown = 5
	list := strings.Join(names[:min(shown, len(names))], ", ")
	if more := len(names) - shown; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	if err := ask.confirm(p, fmt.Sprintf("%s %s: %s?", verb, count(len(tokens), c.what), list)); err != nil {
		return err
	}
	ended := 0
	for user, ids := range byUser(tokens) {
		n, err := r.Manager.RemoveRefreshTokens(p.ctx, user, func(t latchkey.RefreshToken) bool {
			if c.everything() { // what began meanwhile, too
				return c.kind(t)
			}
			return slices.Contains(ids, t.ID)
		})
		if ended += n; err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(p.stdout, "ended %s\n", count(ended, c.what))
	return err
}

func (c choice) everything() bool { return len(c.ids) == 0 && len(c.names) == 0 }

// describeToken says whose token it is, and for what.
func describeToken(u latchkey.User, t latchkey.RefreshToken) string {
	what := t.ClientName
	if what == "" {
		what = t.ClientID.Text
	}
	return fmt.Sprintf("%s of %s", printable(what), label(u))
}

// byUser returns the ids of tokens by their users.
func byUser(tokens []latchkey.RefreshToken) map[string][]string {
	ids := map[string][]string{}
	for _, t := range tokens {
		ids[t.UserID] = append(ids[t.UserID], t.ID)
	}
	return ids
}

// find returns what was chosen. What was named must exist; all of nothing is nothing.
func (c choice) find(ctx context.Context, r *config.Running) ([]latchkey.RefreshToken, error) {
	var found []latchkey.RefreshToken
	for _, id := range c.ids {
		t, err := r.Manager.RefreshToken(ctx, id)
		if errors.Is(err, latchkey.ErrNotFound) || err == nil && !c.kind(t) {
			return nil, fmt.Errorf("%s %q %w: `latchkey %s` shows which there are", c.what, id, latchkey.ErrNotFound, c.list)
		} else if err != nil {
			return nil, err
		}
		found = append(found, t)
	}
	if c.user == "" {
		return found, nil
	}
	u, err := userNamed(ctx, r, c.user)
	if err != nil {
		return nil, err
	}
	tokens, err := r.Manager.RefreshTokens(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	for _, t := range tokens {
		if c.kind(t) && (len(c.names) == 0 || slices.Contains(c.names, t.ClientName)) {
			found = append(found, t)
		}
	}
	for _, name := range c.names {
		if !slices.ContainsFunc(found, func(t latchkey.RefreshToken) bool { return t.ClientName == name }) {
			return nil, fmt.Errorf("%s %q of %s %w: `latchkey %s` shows which there are",
				c.what, name, label(u), latchkey.ErrNotFound, c.list)
		}
	}
	return found, nil
}
