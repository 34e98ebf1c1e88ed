package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
)

type userCommands struct {
	List       userList       `cmd:"" help:"List users, the oldest first."`
	Show       userShow       `cmd:"" help:"Show a user, with logins, second factors, sessions and tokens."`
	Add        userAdd        `cmd:"" help:"Add a user who signs in with a password. The first one becomes the owner."`
	AddLogin   userAddLogin   `cmd:"" help:"Let a user who has no password sign in with one."`
	Passwd     userPasswd     `cmd:"" help:"Set the password of a user and end their sessions."`
	Rename     userRename     `cmd:"" help:"Change what a user is called."`
	Username   userUsername   `cmd:"" help:"Change what a user signs in with. Password and sessions stay."`
	Set        userSet        `cmd:"" help:"Change the groups of a user, and whether they sign in at home only."`
	Activate   userActivate   `cmd:"" help:"Let a user sign in again."`
	Deactivate userDeactivate `cmd:"" help:"Keep a user from signing in, and end all their sessions and tokens."`
	Delete     userDelete     `cmd:"" help:"Delete a user with everything that is theirs."`
}

// userArg names the user that a command is about.
type userArg struct {
	User string `arg:"" help:"The user's username, or id."`
}

type credentialsRow struct {
	Type string `json:"type"`
}

// userRow is a user as administrators see it on the wire (websocket.md §6).
type userRow struct {
	ID              string              `json:"id"`
	Username        latchkey.NullString `json:"username"`
	Name            latchkey.NullString `json:"name"`
	IsOwner         bool                `json:"is_owner"`
	IsActive        bool                `json:"is_active"`
	SystemGenerated bool                `json:"system_generated"`
	LocalOnly       bool                `json:"local_only"`
	GroupIDs        []string            `json:"group_ids"`
	Credentials     []credentialsRow    `json:"credentials"`
}

// describe returns what is shown of a user.
func describe(u latchkey.User) userRow {
	row := userRow{
		ID: u.ID, Username: usernameOf(u), Name: u.Name, IsOwner: u.IsOwner, IsActive: u.IsActive,
		SystemGenerated: u.SystemGenerated, LocalOnly: u.LocalOnly, GroupIDs: append([]string{}, u.GroupIDs...),
		Credentials: make([]credentialsRow, len(u.Credentials)),
	}
	for i, c := range u.Credentials {
		row.Credentials[i].Type = c.Provider.Type
	}
	return row
}

func (r userRow) cells(call func([]string) []string) []string {
	return []string{
		r.ID, r.Username.Text, r.Name.Text, yes(r.IsOwner), yes(r.IsActive), strings.Join(call(r.GroupIDs), ", "),
		yes(r.LocalOnly), yes(r.SystemGenerated),
	}
}

// printUser says what became of a user, or prints it for scripts.
func (f jsonFlag) printUser(p *program, u latchkey.User, format string, args ...any) error {
	if f.JSON {
		return printJSON(p.stdout, describe(u))
	}
	_, err := fmt.Fprintf(p.stdout, format+"\n", args...)
	return err
}

type userList struct {
	storeFlags
	jsonFlag
	Search string `placeholder:"TEXT" help:"Only users whose name or username contains this, or whose id it is."`
	Limit  *int   `placeholder:"N" help:"At most so many."`
	After  string `placeholder:"ID" help:"Begin behind the user with this id."`
}

// AfterApply is called by the parser, once nothing is missing.
func (c *userList) AfterApply() error {
	if c.Limit != nil && *c.Limit < 1 {
		return errors.New("--limit: must be 1 or more")
	}
	return nil
}

// Run lists the users in the order of their creation.
func (c *userList) Run(p *program) (err error) {
	running, err := c.read(p)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	last, n := "", 0
	rows := func(yield func(userRow, error) bool) {
		for u, err := range c.users(p.ctx, running.Manager) {
			last, n = u.ID, n+1
			if !yield(describe(u), err) {
				return
			}
		}
	}
	call, err := callGroups(p.ctx, running.Manager)
	if err != nil {
		return err
	}
	cells := func(r userRow) []string { return r.cells(call) }
	headings := []string{"ID", "USERNAME", "NAME", "OWNER", "ACTIVE", "GROUPS", "LOCAL ONLY", "SYSTEM"}
	if err := printList(p, c.jsonFlag, headings, "users", rows, cells); err != nil {
		return err
	}
	if c.Limit != nil && n == *c.Limit {
		_, err = fmt.Fprintf(p.stderr, "There may be more: --after %s goes on.\n", printable(last))
	}
	return err
}

// pageSize is how many users are read at a time.
const pageSize = 500

// users goes through the users that were asked for.
func (c *userList) users(ctx context.Context, m *latchkey.Manager) iter.Seq2[latchkey.User, error] {
	if c.Search == "" && c.After == "" && c.Limit == nil {
		return m.Users(ctx)
	}
	return func(yield func(latchkey.User, error) bool) {
		after, left := c.After, math.MaxInt
		if c.Limit != nil {
			left = *c.Limit
		}
		for {
			size := min(pageSize, left)
			page, err := m.FindUsers(ctx, c.Search, after, size)
			if errors.Is(err, latchkey.ErrNotFound) {
				err = fmt.Errorf("--after: user %q %w: use an id that was listed", after, latchkey.ErrNotFound)
			}
			if err != nil {
				yield(latchkey.User{}, err)
				return
			}
			for _, u := range page {
				if !yield(u, nil) {
					return
				}
				after, left = u.ID, left-1
			}
			if len(page) < size || left == 0 {
				return
			}
		}
	}
}

type userShow struct {
	storeFlags
	jsonFlag
	userArg
}

// userDetails is a user with what belongs to it.
type userDetails struct {
	userRow
	factors
	Sessions int `json:"sessions"`
	Tokens   int `json:"long_lived_access_tokens"`
}

// Run shows the user.
func (c *userShow) Run(p *program) (err error) {
	running, err := c.read(p)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	u, err := userNamed(p.ctx, running, c.User)
	if err != nil {
		return err
	}
	details := userDetails{userRow: describe(u)}
	if details.factors, err = factorsOf(p.ctx, running, u); err != nil {
		return err
	}
	tokens, err := running.Manager.RefreshTokens(p.ctx, u.ID)
	if err != nil {
		return err
	}
	details.Sessions, details.Tokens = tally(tokens)
	if c.JSON {
		return printJSON(p.stdout, details)
	}
	var logins, enabled []string
	for _, credentials := range u.Credentials {
		logins = append(logins, credentials.Provider.String())
	}
	for _, module := range details.Modules {
		if module.Enabled {
			enabled = append(enabled, module.Name)
		}
	}
	call, err := callGroups(p.ctx, running.Manager)
	if err != nil {
		return err
	}
	t := newTable(p.stdout)
	t.row("ID", u.ID)
	t.row("Username", details.Username.Text)
	t.row("Name", u.Name.Text)
	t.row("Owner", yes(u.IsOwner))
	t.row("Active", yes(u.IsActive))
	t.row("Groups", strings.Join(call(u.GroupIDs), ", "))
	t.row("Local only", yes(u.LocalOnly))
	t.row("System", yes(u.SystemGenerated))
	t.row("Signs in by", strings.Join(logins, ", "))
	t.row("Second factors", strings.Join(enabled, ", "))
	t.row("Recovery codes left", details.codesLeft())
	t.row("Sessions", strconv.Itoa(details.Sessions))
	t.row("Long-lived tokens", strconv.Itoa(details.Tokens))
	return t.end()
}

// tally counts the sessions and the long-lived tokens among refresh tokens.
func tally(tokens []latchkey.RefreshToken) (sessions, longLived int) {
	for _, t := range tokens {
		if t.Type == latchkey.TokenLongLived {
			longLived++
		} else {
			sessions++
		}
	}
	return sessions, longLived
}
