package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
)

type userAdd struct {
	storeFlags
	jsonFlag
	passwordFlag
	Username  string   `arg:"" help:"What the user signs in with. Case does not matter."`
	NoLogin   bool     `help:"Give the user no username and no password, for who signs in by other means: <username> is only what they are called."`
	Name      string   `placeholder:"NAME" help:"What the user is called; the username unless set."`
	Group     []string `sep:"none" placeholder:"GROUP" help:"A group, by id or name; may be repeated. Unless set, system-admin for the first user and system-users for the others."`
	LocalOnly bool     `help:"Let the user sign in from the home network only."`
}

// AfterApply is called by the parser, once nothing is missing.
func (c *userAdd) AfterApply() error {
	switch {
	case c.NoLogin && c.PasswordStdin:
		return errors.New("--no-login and --password-stdin contradict each other")
	case c.NoLogin && c.Name == "":
		return checkName("<username>", c.Username)
	case c.Name == "":
		return nil
	}
	return checkName("--name", c.Name)
}

// Run makes the user.
func (c *userAdd) Run(p *program) (err error) {
	running, err := c.open(p, true)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	n := latchkey.NewUser{Name: latchkey.Text(c.Name), LocalOnly: c.LocalOnly}
	if c.Name == "" {
		n.Name.Text = c.Username
	}
	// Before the password is asked for, so that nobody types one for nothing.
	if n.GroupIDs, err = groupIDs(p.ctx, running.Manager, c.Group); err != nil {
		return err
	}
	login, err := c.login(p, running)
	if err != nil {
		return err
	}
	with := []latchkey.WithUser{completeSetup, login}
	if len(c.Group) == 0 {
		n.GroupIDs = []string{latchkey.GroupUser}
		with = append(with, promoteOwner)
	}
	u, err := running.Manager.CreateUser(p.ctx, n, with...)
	if err != nil {
		return err
	}
	call, err := callGroups(p.ctx, running.Manager)
	if err != nil {
		return err
	}
	role := "in the group " + strings.Join(call(u.GroupIDs), ", ")
	if u.IsOwner {
		role += ", as the owner"
	}
	return c.printUser(p, u, "added user %s %s", label(u), printable(role))
}

// login prepares what the user signs in with. The first account has to have a login, or nobody could sign in.
func (c *userAdd) login(p *program, r *config.Running) (latchkey.WithUser, error) {
	if c.NoLogin {
		return func(_ context.Context, _ latchkey.Tx, u latchkey.User) error {
			if u.IsOwner {
				return errors.New("the first user owns the house, and has to be able to sign in: give a username")
			}
			return nil
		}, nil
	}
	username := latchkey.NormalizeUsername(c.Username)
	if err := r.Passwords.CheckUsername(p.ctx, username); err != nil {
		return nil, err
	}
	password, err := c.password(p, c.Username)
	if err != nil {
		return nil, err
	}
	login, err := r.Passwords.NewLogin(p.ctx, username, password)
	return login.GiveTo, err
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

type userAddLogin struct {
	storeFlags
	passwordFlag
	userArg
	Username string `arg:"" help:"What the user shall sign in with. Case does not matter."`
}

// Run gives the user a username and a password.
func (c *userAddLogin) Run(p *program) (err error) {
	running, err := c.open(p, false)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	u, err := userNamed(p.ctx, running, c.User)
	if err != nil {
		return err
	}
	if err := mustBePerson(u); err != nil {
		return err
	}
	if login, ok := homeassistant.LoginOf(u); ok {
		return fmt.Errorf("%s signs in as %q already: `latchkey user username` changes that", label(u), login.Text("username"))
	}
	username := latchkey.NormalizeUsername(c.Username)
	if err := running.Passwords.CheckUsername(p.ctx, username); err != nil {
		return err
	}
	password, err := c.password(p, c.Username)
	if err != nil {
		return err
	}
	if err := running.Passwords.AddLogin(p.ctx, u.ID, username, password); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s can sign in as %s\n", label(u), printable(username))
	return err
}

type userPasswd struct {
	storeFlags
	passwordFlag
	userArg
}

// Run sets the password and ends the sessions, so that whoever knew the old one is out (security.md 11).
func (c *userPasswd) Run(p *program) (err error) {
	running, err := c.open(p, false)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	username := c.User
	// Asked before the password is, so that nobody types one for nothing.
	records, err := running.Store.Passwords(p.ctx, username)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		u, err := userNamed(p.ctx, running, c.User)
		if err != nil {
			return err
		}
		login, ok := homeassistant.LoginOf(u)
		if !ok {
			return fmt.Errorf("%s has no password: `latchkey user add-login` gives one", label(u))
		}
		username = login.Text("username")
	}
	password, err := c.password(p, username)
	if err != nil {
		return err
	}
	reset, err := running.Passwords.ResetPassword(p.ctx, username, password)
	if errors.Is(err, homeassistant.ErrUserNotFound) {
		return unknownUser(c.User)
	} else if err != nil {
		return err
	}
	text := fmt.Sprintf("set the password of %s and ended %s",
		printable(latchkey.NormalizeUsername(username)), count(reset.SessionsEnded, "session"))
	if reset.TokensKept > 0 {
		text += fmt.Sprintf("; %s still valid", count(reset.TokensKept, "long-lived token"))
	}
	_, err = fmt.Fprintln(p.stdout, text)
	return err
}
