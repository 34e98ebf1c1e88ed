package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
)

type mfaCommands struct {
	Status        mfaStatus        `cmd:"" help:"Show which second factors a user has set up, and how many recovery codes are left."`
	Enable        mfaEnable        `cmd:"" help:"Set up a second factor for a user, whose app or phone is at hand."`
	Disable       mfaDisable       `cmd:"" help:"End a second factor of a user."`
	Reset         mfaReset         `cmd:"" help:"End all second factors of a user who has lost them, and the recovery codes."`
	RecoveryCodes mfaRecoveryCodes `cmd:"" help:"Make ten recovery codes for a user and print them, once. Older ones are void."`
}

// moduleRow is a second factor as its user sees it on the wire (websocket.md §5.1).
type moduleRow struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
}

// modulesOf returns all second factors, and which of them a user has set up.
func modulesOf(ctx context.Context, r *config.Running, u latchkey.User) ([]moduleRow, error) {
	enabled, err := r.Manager.EnabledModules(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	has := map[string]bool{}
	for _, module := range enabled {
		has[module.ID()] = true
	}
	rows := []moduleRow{}
	for _, module := range r.Manager.Modules() {
		rows = append(rows, moduleRow{module.ID(), module.Name(), has[module.ID()]})
	}
	return rows, nil
}

// moduleFlag names a second factor.
type moduleFlag struct {
	Module string `placeholder:"ID" help:"Which second factor, as in mfa status; the only one unless there are several."`
}

// choose returns the second factor that was named, or the only one of those that there are to choose from.
func (f moduleFlag) choose(r *config.Running, from []latchkey.MFAModule, none string) (latchkey.MFAModule, error) {
	if f.Module != "" {
		module, ok := r.Manager.Module(f.Module)
		if !ok {
			return nil, fmt.Errorf("there is no second factor %q: there are %s", f.Module, idsOf(r.Manager.Modules()))
		}
		return module, nil
	}
	switch len(from) {
	case 0:
		return nil, fmt.Errorf("%s", none)
	case 1:
		return from[0], nil
	}
	return nil, fmt.Errorf("there are several second factors: choose one with --module, of %s", idsOf(from))
}

func idsOf(modules []latchkey.MFAModule) string {
	var ids []string
	for _, module := range modules {
		ids = append(ids, module.ID())
	}
	return strings.Join(ids, ", ")
}

type mfaStatus struct {
	storeFlags
	jsonFlag
	userArg
}

// factors is what there is to know of a user's second factors.
type factors struct {
	Modules []moduleRow `json:"mfa_modules"`
	// RecoveryCodesLeft is null if none were made.
	RecoveryCodesLeft *int `json:"recovery_codes_left"`
}

func factorsOf(ctx context.Context, r *config.Running, u latchkey.User) (f factors, err error) {
	if f.Modules, err = modulesOf(ctx, r, u); err != nil {
		return f, err
	}
	left, made, err := r.Manager.RecoveryCodesLeft(ctx, u.ID)
	if made {
		f.RecoveryCodesLeft = &left
	}
	return f, err
}

// Run shows the second factors.
func (c *mfaStatus) Run(p *program) (err error) {
	running, err := c.read(p)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	u, err := userNamed(p.ctx, running, c.User)
	if err != nil {
		return err
	}
	f, err := factorsOf(p.ctx, running, u)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, f)
	}
	err = printRows(p.stdout, false, []string{"ID", "NAME", "SET UP"}, each(f.Modules), func(r moduleRow) []string {
		return []string{r.ID, r.Name, yes(r.Enabled)}
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "recovery codes left: %s\n", f.codesLeft())
	return err
}

func (f factors) codesLeft() string {
	if f.RecoveryCodesLeft == nil {
		return "none were made"
	}
	return strconv.Itoa(*f.RecoveryCodesLeft)
}

type mfaDisable struct {
	storeFlags
	moduleFlag
	yesFlag
	userArg
}

// Run ends the second factor, once that is confirmed.
func (c *mfaDisable) Run(p *program) error {
	return c.withPerson(c.storeFlags, p, func(r *config.Running, u latchkey.User) error {
		enabled, err := r.Manager.EnabledModules(p.ctx, u.ID)
		if err != nil {
			return err
		}
		module, err := c.choose(r, enabled, label(u)+" has set up no second factor")
		if err != nil {
			return err
		}
		question := fmt.Sprintf("End the second factor %s of %s? From then on the password alone lets them in, unless there is another.",
			printable(module.Name()), fullName(u))
		if err := c.confirm(p, question); err != nil {
			return err
		}
		if err := r.Manager.DisableMFA(p.ctx, u.ID, module.ID()); err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.stdout, "ended the second factor %s of %s\n", printable(module.Name()), label(u))
		return err
	})
}

type mfaReset struct {
	storeFlags
	yesFlag
	userArg
}

// Run ends all second factors, once that is confirmed.
func (c *mfaReset) Run(p *program) error {
	return c.withPerson(c.storeFlags, p, func(r *config.Running, u latchkey.User) error {
		question := fmt.Sprintf("End all second factors of %s, and make their recovery codes void? From then on the password alone lets them in.",
			fullName(u))
		if err := c.confirm(p, question); err != nil {
			return err
		}
		if err := r.Manager.ResetMFA(p.ctx, u.ID); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.stdout, "ended all second factors of %s\n", label(u))
		return err
	})
}

type mfaRecoveryCodes struct {
	storeFlags
	jsonFlag
	yesFlag
	userArg
}

// Run makes new codes; where there are some already, once that is confirmed.
func (c *mfaRecoveryCodes) Run(p *program) error {
	return c.withPerson(c.storeFlags, p, func(r *config.Running, u latchkey.User) error {
		left, _, err := r.Manager.RecoveryCodesLeft(p.ctx, u.ID)
		if err != nil {
			return err
		}
		if left > 0 {
			question := fmt.Sprintf("Make new recovery codes for %s? The %s that they have left become void.", fullName(u), count(left, "code"))
			if err := c.confirm(p, question); err != nil {
				return err
			}
		}
		codes, err := r.Manager.CreateRecoveryCodes(p.ctx, u.ID)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(p.stdout, map[string][]string{"recovery_codes": codes})
		}
		if _, err := fmt.Fprintln(p.stdout, strings.Join(codes, "\n")); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(p.stderr, "These codes are shown only now. Each lets them in once, in place of a second factor.")
		return nil
	})
}
