package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

type tokenCommands struct {
	List   tokenList   `cmd:"" help:"List the long-lived access tokens of a user, or of all users."`
	Create tokenCreate `cmd:"" help:"Make a long-lived access token for a program and print it, once."`
	Remove tokenRemove `cmd:"" help:"Remove long-lived access tokens, which end at once."`
}

type tokenCreate struct {
	storeFlags
	jsonFlag
	User string `required:"" placeholder:"USERNAME" help:"Whom the program acts for."`
	Name string `required:"" placeholder:"CLIENT" help:"What the program is called in the list of the user's tokens."`
	Days int    `default:"3650" help:"How many days the token is valid; ${default} unless set."`
}

// maxDays is a hundred years.
const maxDays = 36500

// AfterApply is called by the parser, once nothing is missing.
func (c *tokenCreate) AfterApply() error {
	if c.Name == "" {
		return errors.New("--name: give the program a name, by which its token can be told from others")
	}
	if err := checkName("--name", c.Name); err != nil {
		return err
	}
	if c.Days < 1 || c.Days > maxDays {
		return fmt.Errorf("--days: must be from 1 to %d", maxDays)
	}
	return nil
}

// madeToken is what a script gets of a new token.
type madeToken struct {
	ID         string    `json:"id"`
	UserID     string    `json:"user_id"`
	ClientName string    `json:"client_name"`
	Token      string    `json:"token"`
	ExpiresAt  time.Time `json:"expires_at"`
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
	refresh, token, err := running.Manager.CreateLongLivedToken(p.ctx, u.ID, c.Name, "", life)
	if err != nil {
		return fmt.Errorf("make a token for %q: %w", c.User, adviseName(err))
	}
	if err := c.print(p, madeToken{refresh.ID, u.ID, c.Name, token, refresh.CreatedAt.Add(life)}); err != nil {
		// Nobody holds it, and it would keep its name taken.
		return errors.Join(err, running.Manager.RemoveRefreshToken(p.ctx, refresh.ID))
	}
	return nil
}

func (c *tokenCreate) print(p *program, made madeToken) error {
	if c.JSON {
		return printJSON(p.stdout, made)
	}
	if _, err := fmt.Fprintln(p.stdout, made.Token); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(p.stderr, "This token is shown only now: keep it like a password. It is valid until %s.\n",
		made.ExpiresAt.Local().Format(time.DateOnly)) // the token itself was printed
	return nil
}

// adviseName adds what to do about a name that another token of the user has.
func adviseName(err error) error {
	if errors.Is(err, latchkey.ErrUserInactive) || !errors.Is(err, latchkey.ErrValue) {
		return err
	}
	return fmt.Errorf("%w: choose another --name, or remove the old token first", err)
}

type tokenList struct {
	storeFlags
	jsonFlag
	User string `placeholder:"USERNAME" help:"Whose tokens; everybody's unless set."`
}

// Run lists the tokens, the oldest of each user first.
func (c *tokenList) Run(p *program) error {
	headings := []string{"ID", "USER", "NAME", "CREATED", "EXPIRES", "LAST USED", "FROM"}
	return listTokens(p, c.storeFlags, c.jsonFlag, c.User, isLongLived, headings, func(r tokenRow) []string {
		return []string{
			r.ID, r.user, r.ClientName.Text, moment(r.CreatedAt), moment(r.ends),
			momentOf(r.LastUsedAt), r.LastUsedIP.Text,
		}
	})
}

func isLongLived(t latchkey.RefreshToken) bool { return t.Type == latchkey.TokenLongLived }

type tokenRemove struct {
	storeFlags
	yesFlag
	ID   []string `arg:"" optional:"" help:"The ids of tokens, which the list shows."`
	User string   `placeholder:"USERNAME" help:"Whose token, where it is named by --name."`
	Name []string `sep:"none" placeholder:"CLIENT" help:"What the token is called; may be repeated."`
	All  bool     `help:"Remove all tokens of the user."`
}

// AfterApply is called by the parser, once nothing is missing.
func (c *tokenRemove) AfterApply() error {
	byUser := len(c.Name) > 0 || c.All
	switch {
	case len(c.ID) > 0 && (c.User != "" || byUser):
		return errors.New("name tokens either by their ids, or by --user with --name or --all")
	case len(c.ID) == 0 && (c.User == "" || !byUser):
		return errors.New("say which tokens: by their ids, or by --user with --name or --all")
	case c.All && len(c.Name) > 0:
		return errors.New("--all and --name contradict each other")
	}
	return nil
}

// Run removes the tokens, once that is confirmed.
func (c *tokenRemove) Run(p *program) (err error) {
	running, err := c.open(p, false)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	chosen := choice{what: "long-lived token", list: "token list", ids: c.ID, user: c.User, kind: isLongLived}
	if !c.All {
		chosen.names = c.Name
	}
	return chosen.end(p, running, c.yesFlag, "Remove")
}
