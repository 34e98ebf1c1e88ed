package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

type tokenCommands struct {
	Create tokenCreate `cmd:"" help:"Make a long-lived access token for a program and print it, once."`
}

type tokenCreate struct {
	storeFlags
	User string `required:"" placeholder:"USERNAME" help:"Whom the program acts for."`
	Name string `required:"" placeholder:"CLIENT" help:"What the program is called in the list of the user's tokens."`
	Days int    `default:"3650" help:"How many days the token is valid; ${default} unless set."`
}

// maxDays is a hundred years.
const maxDays = 36500

// Validate is called by the parser.
func (c *tokenCreate) Validate() error {
	if c.Name == "" {
		return errors.New("--name: give the program a name, by which its token can be told from others")
	}
	if c.Days < 1 || c.Days > maxDays {
		return fmt.Errorf("--days: must be from 1 to %d", maxDays)
	}
	return nil
}

// Run makes the token.
func (c *tokenCreate) Run(p *program) (err error) {
	running, err := c.open(p, false)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	u, err := userNamed(p.ctx, running, c.User)
	if err != nil {
		return err
	}
	life := time.Duration(c.Days) * 24 * time.Hour
	refresh, err := running.Manager.CreateRefreshToken(p.ctx, latchkey.NewRefreshToken{
		UserID: u.ID, ClientName: latchkey.Text(c.Name), Type: latchkey.TokenLongLived, AccessTokenExpiration: life,
	})
	if err != nil {
		return fmt.Errorf("make a token for %q: %w", c.User, adviseName(err))
	}
	token, err := running.Manager.CreateAccessToken(p.ctx, refresh.ID, netip.Addr{})
	if err != nil {
		return errors.Join(err, running.Manager.RemoveRefreshToken(p.ctx, refresh.ID))
	}
	if _, err := fmt.Fprintln(p.stdout, token); err != nil {
		return errors.Join(err, running.Manager.RemoveRefreshToken(p.ctx, refresh.ID))
	}
	_, err = fmt.Fprintf(p.stderr, "This token is shown only now: keep it like a password. It is valid until %s.\n",
		refresh.CreatedAt.Add(life).Local().Format(time.DateOnly))
	return err
}

// adviseName adds what to do about a name that another token of the user has.
func adviseName(err error) error {
	if errors.Is(err, latchkey.ErrUserInactive) || !errors.Is(err, latchkey.ErrValue) {
		return err
	}
	return fmt.Errorf("%w: choose another --name, or remove the old token first", err)
}
