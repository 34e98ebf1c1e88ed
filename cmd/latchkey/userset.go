package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
)

// withPerson opens the store and hands over the person that a command changes.
func (a userArg) withPerson(f storeFlags, p *program, do func(*config.Running, latchkey.User) error) (err error) {
	running, err := f.open(p, false)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	u, err := userNamed(p.ctx, running, a.User)
	if err != nil {
		return err
	}
	if err := mustBePerson(u); err != nil {
		return err
	}
	return do(running, u)
}

type userRename struct {
	storeFlags
	jsonFlag
	userArg
	Name string `arg:"" help:"What the user shall be called."`
}

// AfterApply is called by the parser, once nothing is missing.
func (c *userRename) AfterApply() error { return checkName("<name>", c.Name) }

// Run changes the name that people see.
func (c *userRename) Run(p *program) error {
	return c.withPerson(c.storeFlags, p, func(r *config.Running, u latchkey.User) error {
		u, err := r.Manager.UpdateUser(p.ctx, u.ID, latchkey.UserUpdate{Name: &c.Name})
		if err != nil {
			return err
		}
		return c.printUser(p, u, "%s is called %s", label(u), printable(c.Name))
	})
}

type userUsername struct {
	storeFlags
	userArg
	Username string `arg:"" help:"What the user shall sign in with. Case does not matter."`
}

// Run changes the name that is typed at the sign-in.
func (c *userUsername) Run(p *program) error {
	return c.withPerson(c.storeFlags, p, func(r *config.Running, u latchkey.User) error {
		login, ok := loginNamed(u, c.User)
		if !ok {
			return fmt.Errorf("%s has no password: `latchkey user add-login` gives one", label(u))
		}
		username := latchkey.NormalizeUsername(c.Username)
		if err := r.Passwords.ChangeUsername(p.ctx, login, username); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.stdout, "%s signs in as %s\n", printable(login.Text("username")), printable(username))
		return err
	})
}

type userSet struct {
	storeFlags
	jsonFlag
	userArg
	Group     []string `sep:"none" xor:"groups" placeholder:"GROUP" help:"A group that the user shall be in, by id or name; may be repeated. All others are left."`
	NoGroups  bool     `xor:"groups" help:"Leave all groups."`
	LocalOnly *bool    `negatable:"" help:"Let the user sign in from the home network only, or from anywhere."`
}

// AfterApply is called by the parser, once nothing is missing.
func (c *userSet) AfterApply() error {
	if len(c.Group) == 0 && !c.NoGroups && c.LocalOnly == nil {
		return errors.New("say what to change, with --group, --no-groups, --local-only or --no-local-only")
	}
	return nil
}

// Run changes all that was asked for, or nothing.
func (c *userSet) Run(p *program) error {
	return c.withPerson(c.storeFlags, p, func(r *config.Running, u latchkey.User) error {
		change := latchkey.UserUpdate{LocalOnly: c.LocalOnly}
		if len(c.Group) > 0 || c.NoGroups {
			ids, err := groupIDs(p.ctx, r.Manager, c.Group)
			if err != nil {
				return err
			}
			change.GroupIDs = &ids
		}
		changed, err := r.Manager.UpdateUser(p.ctx, u.ID, change)
		if err != nil {
			return err
		}
		where := "from anywhere"
		if changed.LocalOnly {
			where = "at home only"
		}
		groups := "in no group"
		if len(changed.GroupIDs) > 0 {
			call, err := callGroups(p.ctx, r.Manager)
			if err != nil {
				return err
			}
			groups = "in the group " + strings.Join(call(changed.GroupIDs), ", ")
		}
		return c.printUser(p, changed, "%s is %s, and signs in %s", label(u), printable(groups), where)
	})
}

type userActivate struct {
	storeFlags
	jsonFlag
	userArg
}

// Run lets the user in again.
func (c *userActivate) Run(p *program) error {
	return c.withPerson(c.storeFlags, p, func(r *config.Running, u latchkey.User) error {
		u, err := setActive(p, r, u, true)
		if err != nil {
			return err
		}
		return c.printUser(p, u, "%s may sign in", label(u))
	})
}

// setActive lets a user sign in, or keeps it from that and ends everything that it had begun.
func setActive(p *program, r *config.Running, u latchkey.User, active bool) (latchkey.User, error) {
	return r.Manager.UpdateUser(p.ctx, u.ID, latchkey.UserUpdate{IsActive: &active})
}

type userDeactivate struct {
	storeFlags
	jsonFlag
	yesFlag
	userArg
}

// Run ends everything that the user had begun, once that is confirmed.
func (c *userDeactivate) Run(p *program) error {
	return c.withPerson(c.storeFlags, p, func(r *config.Running, u latchkey.User) error {
		if u.IsOwner { // to be refused, and so nothing to be asked about
			_, err := setActive(p, r, u, false)
			return err
		}
		lost, err := tokensLost(p, r, u)
		if err != nil {
			return err
		}
		question := fmt.Sprintf("Deactivate %s? Everything that they are signed in to ends: %s.", fullName(u), lost)
		if err := c.confirm(p, question); err != nil {
			return err
		}
		if u, err = setActive(p, r, u, false); err != nil {
			return err
		}
		return c.printUser(p, u, "%s may not sign in any more; ended are %s", label(u), lost)
	})
}

// tokensLost says how many sessions and tokens end with a user.
func tokensLost(p *program, r *config.Running, u latchkey.User) (string, error) {
	tokens, err := r.Manager.RefreshTokens(p.ctx, u.ID)
	if err != nil {
		return "", err
	}
	sessions, longLived := tally(tokens)
	return count(sessions, "session") + " and " + count(longLived, "long-lived token"), nil
}

// fullName names a user so that nobody is taken for another.
func fullName(u latchkey.User) string {
	if usernameOf(u).Text == "" {
		return fmt.Sprintf("%s (%s)", printable(u.Name.Text), u.ID)
	}
	return fmt.Sprintf("%s (%s, %s)", label(u), printable(u.Name.Text), u.ID)
}

type userDelete struct {
	storeFlags
	yesFlag
	userArg
}

// Run deletes the user, once that is confirmed. The owner stays (websocket.md G-3).
func (c *userDelete) Run(p *program) (err error) {
	running, err := c.open(p, false)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	u, err := userNamed(p.ctx, running, c.User)
	if err != nil {
		return err
	}
	if u.IsOwner {
		return fmt.Errorf("%s owns the house, and cannot be deleted", label(u))
	}
	lost, err := tokensLost(p, running, u)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("Delete %s? Lost are the login, the second factors, %s.", fullName(u), lost)
	if err := c.confirm(p, question); err != nil {
		return err
	}
	if err := running.Manager.RemoveUser(p.ctx, u.ID); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "deleted %s, with %s\n", label(u), lost)
	return err
}
