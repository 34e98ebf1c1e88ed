package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
)

type userCommands struct {
	Add    userAdd    `cmd:"" help:"Add a user who signs in with a password. The first one becomes the owner."`
	List   userList   `cmd:"" help:"List all users."`
	Passwd userPasswd `cmd:"" help:"Set the password of a user and end their sessions."`
}

type userAdd struct {
	storeFlags
	passwordFlag
	Username string `arg:"" help:"What the user signs in with. Case does not matter."`
	Name     string `help:"What the user is called; the username unless set."`
	Group    string `placeholder:"GROUP" help:"system-admin, system-users, system-read-only or a group of your own; unless set, system-admin for the first user and system-users for the others."`
}

// Run makes the user.
func (c *userAdd) Run(p *program) (err error) {
	running, err := c.open(p, true)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	password, err := c.password(p, c.Username)
	if err != nil {
		return err
	}
	login, err := running.Passwords.NewLogin(p.ctx, latchkey.NormalizeUsername(c.Username), password)
	if err != nil {
		return err
	}
	n := latchkey.NewUser{Name: latchkey.Text(c.Name), GroupIDs: []string{c.Group}}
	with := []latchkey.WithUser{completeSetup, login.GiveTo}
	if c.Name == "" {
		n.Name.Text = c.Username
	}
	if c.Group == "" {
		n.GroupIDs[0] = latchkey.GroupUser
		with = append(with, promoteOwner)
	}
	u, err := running.Manager.CreateUser(p.ctx, n, with...)
	if err != nil {
		return adviseGroups(p.ctx, running.Manager, c.Group, err)
	}
	role := "in the group " + strings.Join(u.GroupIDs, ", ")
	if u.IsOwner {
		role += ", as the owner"
	}
	_, err = fmt.Fprintf(p.stdout, "added user %s %s\n", printable(latchkey.NormalizeUsername(c.Username)), role)
	return err
}

// completeSetup marks the first step of the set-up as done together with the first account (onboarding.md S-3).
func completeSetup(ctx context.Context, tx latchkey.Tx, u latchkey.User) error {
	if !u.IsOwner {
		return nil
	}
	if err := tx.CompleteOnboarding(ctx, latchkey.OnboardingUser); !errors.Is(err, latchkey.ErrExists) {
		return err
	}
	return nil
}

// promoteOwner makes an owner an administrator, too, where nothing else was asked for. Who is the owner is known only
// inside the transaction.
func promoteOwner(ctx context.Context, tx latchkey.Tx, u latchkey.User) error {
	if !u.IsOwner {
		return nil
	}
	u.GroupIDs = []string{latchkey.GroupAdmin}
	return tx.UpdateUser(ctx, u)
}

// adviseGroups adds the groups that exist to an error about one that does not.
func adviseGroups(ctx context.Context, m *latchkey.Manager, group string, err error) error {
	groups, listErr := m.Groups(ctx)
	if group == "" || listErr != nil || !errors.Is(err, latchkey.ErrValue) {
		return err
	}
	var ids []string
	for _, g := range groups {
		if g.ID == group {
			return err
		}
		ids = append(ids, g.ID)
	}
	return fmt.Errorf("--group: %w; the groups are %s", err, strings.Join(ids, ", "))
}

type userPasswd struct {
	storeFlags
	passwordFlag
	Username string `arg:"" help:"The user's username."`
}

// Run sets the password and ends the sessions, so that whoever knew the old one is out (security.md 11).
func (c *userPasswd) Run(p *program) (err error) {
	running, err := c.open(p, false)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	// Asked before the password is, so that nobody types one for nothing.
	records, err := running.Store.Passwords(p.ctx, c.Username)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		return unknownUser(c.Username)
	}
	password, err := c.password(p, c.Username)
	if err != nil {
		return err
	}
	reset, err := running.Passwords.ResetPassword(p.ctx, c.Username, password)
	if errors.Is(err, homeassistant.ErrUserNotFound) {
		return unknownUser(c.Username)
	} else if err != nil {
		return err
	}
	text := fmt.Sprintf("set the password of %s and ended %s",
		printable(records[0].Username), count(reset.SessionsEnded, "session"))
	if reset.TokensKept > 0 {
		text += fmt.Sprintf("; %s still valid", count(reset.TokensKept, "long-lived token"))
	}
	_, err = fmt.Fprintln(p.stdout, text)
	return err
}

// userNamed returns the user who signs in with a username, or an error that is latchkey.ErrNotFound.
func userNamed(ctx context.Context, r *config.Running, username string) (latchkey.User, error) {
	credentials, err := r.Passwords.Credentials(ctx, map[string]any{"username": username})
	if err != nil {
		return latchkey.User{}, err
	}
	u, err := r.Manager.UserByCredentials(ctx, credentials)
	if errors.Is(err, latchkey.ErrNotFound) {
		return latchkey.User{}, unknownUser(username)
	}
	return u, err
}

func unknownUser(username string) error {
	return fmt.Errorf("user %q %w: `latchkey user list` shows who there is", username, latchkey.ErrNotFound)
}

type userList struct {
	storeFlags
	JSON bool `name:"json" help:"Print a JSON array."`
}

// userRow is what the list shows of a user.
type userRow struct {
	ID              string              `json:"id"`
	Username        latchkey.NullString `json:"username"`
	Name            latchkey.NullString `json:"name"`
	IsOwner         bool                `json:"is_owner"`
	IsActive        bool                `json:"is_active"`
	SystemGenerated bool                `json:"system_generated"`
	LocalOnly       bool                `json:"local_only"`
	GroupIDs        []string            `json:"group_ids"`
}

// Run lists the users in the order of their creation.
func (c *userList) Run(p *program) (err error) {
	running, err := c.open(p, false)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	rows := []userRow{}
	for u, err := range running.Manager.Users(p.ctx) {
		if err != nil {
			return err
		}
		row := userRow{
			ID: u.ID, Name: u.Name, IsOwner: u.IsOwner, IsActive: u.IsActive, SystemGenerated: u.SystemGenerated,
			LocalOnly: u.LocalOnly, GroupIDs: append([]string{}, u.GroupIDs...),
		}
		for _, credentials := range u.Credentials {
			if credentials.Provider == running.Passwords.Key() && !row.Username.Valid {
				row.Username = latchkey.Text(credentials.Text("username"))
			}
		}
		rows = append(rows, row)
	}
	if c.JSON {
		encoder := json.NewEncoder(p.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(rows)
	}
	return writeTable(p.stdout, rows)
}

func writeTable(w io.Writer, rows []userRow) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tUSERNAME\tNAME\tOWNER\tACTIVE\tGROUPS\tLOCAL ONLY\tSYSTEM")
	for _, r := range rows {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			printable(r.ID), printable(r.Username.Text), printable(r.Name.Text), yes(r.IsOwner), yes(r.IsActive),
			printable(strings.Join(r.GroupIDs, ",")), yes(r.LocalOnly), yes(r.SystemGenerated))
	}
	return table.Flush() // the first error of all writes
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// printable returns a text as one cell of a table. Control characters in it, which could play tricks with a terminal,
// are replaced.
func printable(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// closeAfter closes what a command has opened and keeps its first error.
func closeAfter(r *config.Running, err *error) {
	if closeErr := r.Close(); *err == nil && closeErr != nil {
		*err = fmt.Errorf("close the store: %w", closeErr)
	}
}
