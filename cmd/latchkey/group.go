package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/permission"
)

type groupCommands struct {
	List   groupList   `cmd:"" help:"List the groups, the built-in ones first."`
	Show   groupShow   `cmd:"" help:"Show what a group allows, and who is in it."`
	Create groupCreate `cmd:"" help:"Make a group."`
	Set    groupSet    `cmd:"" help:"Change what a group allows. It counts for its members at once."`
	Rename groupRename `cmd:"" help:"Change what a group is called."`
	Delete groupDelete `cmd:"" help:"Delete a group. Its members lose what it allowed."`
}

// groupArg names the group that a command is about.
type groupArg struct {
	Group string `arg:"" help:"The group's id, or its name."`
}

// groupRow is what is shown of a group.
type groupRow struct {
	ID              string              `json:"id"`
	Name            latchkey.NullString `json:"name"`
	SystemGenerated bool                `json:"system_generated"`
	Policy          permission.Policy   `json:"policy"`
}

func groupOf(g latchkey.Group) groupRow {
	return groupRow{ID: g.ID, Name: g.Name, SystemGenerated: g.SystemGenerated, Policy: g.Policy}
}

type groupList struct {
	storeFlags
	jsonFlag
}

// Run lists the groups.
func (c *groupList) Run(p *program) (err error) {
	running, err := c.read(p)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	groups, err := running.Manager.Groups(p.ctx)
	if err != nil {
		return err
	}
	var rows []groupRow
	for _, g := range groups {
		rows = append(rows, groupOf(g))
	}
	return printRows(p.stdout, c.JSON, []string{"ID", "NAME", "BUILT IN", "POLICY"}, each(rows), func(r groupRow) []string {
		return []string{r.ID, r.Name.Text, yes(r.SystemGenerated), r.Policy.String()}
	})
}

type groupShow struct {
	storeFlags
	jsonFlag
	groupArg
}

// groupDetails is a group with its members.
type groupDetails struct {
	groupRow
	Members []memberRow `json:"members"`
}

type memberRow struct {
	ID       string              `json:"id"`
	Username latchkey.NullString `json:"username"`
	Name     latchkey.NullString `json:"name"`
}

// Run shows the group.
func (c *groupShow) Run(p *program) (err error) {
	running, err := c.read(p)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	g, err := groupNamed(p.ctx, running.Manager, c.Group)
	if err != nil {
		return err
	}
	members, err := membersOf(p, running, g.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, groupDetails{groupOf(g), members})
	}
	t := newTable(p.stdout)
	t.row("ID", g.ID)
	t.row("Name", g.Name.Text)
	t.row("Built in", yes(g.SystemGenerated))
	t.row("Members", fmt.Sprint(len(members)))
	if err := t.end(); err != nil {
		return err
	}
	policy, err := jsonText(g.Policy, "")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(p.stdout, "\n%s\n", policy); err != nil || len(members) == 0 {
		return err
	}
	_, _ = fmt.Fprintln(p.stdout) // a failure shows when the table ends
	return printRows(p.stdout, false, []string{"ID", "USERNAME", "NAME"}, each(members), func(m memberRow) []string {
		return []string{m.ID, m.Username.Text, m.Name.Text}
	})
}

// membersOf looks through all users.
func membersOf(p *program, r *config.Running, id string) ([]memberRow, error) {
	w := p.stderr.begin("looking for members", "users", noEndKnown)
	defer w.end()
	members := []memberRow{}
	for u, err := range r.Manager.Users(p.ctx) {
		w.done.Add(1)
		if err != nil {
			return nil, err
		}
		if slices.Contains(u.GroupIDs, id) {
			members = append(members, memberRow{u.ID, usernameOf(u), u.Name})
		}
	}
	return members, nil
}

// policyFlag names the file of a policy.
type policyFlag struct {
	Policy string `placeholder:"FILE" help:"JSON file with the policy; - for standard input."`
}

// policy reads the policy that was given. Everything that is wrong with it is told, each with its place.
func (f policyFlag) policy(p *program) (permission.Policy, error) {
	text, name, err := f.text(p)
	if err != nil {
		return permission.Policy{}, err
	}
	policy, err := permission.Parse(text)
	var wrong *permission.ValidationError
	if !errors.As(err, &wrong) {
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return policy, err
	}
	for _, problem := range wrong.Problems {
		_, _ = fmt.Fprintf(p.stderr, "%s: %s; %s\n", printable(name), printable(problem.String()), printable(problem.Advice))
	}
	return policy, fmt.Errorf("%s holds no valid policy (%s): nothing was changed", name, count(len(wrong.Problems), "problem"))
}

// maxPolicy is more than any policy that makes sense.
const maxPolicy = 16 << 20

func (f policyFlag) text(p *program) (text []byte, name string, err error) {
	from, name := io.Reader(p.lines), "standard input"
	if f.Policy != "-" {
		file, err := os.Open(f.Policy)
		if err != nil {
			return nil, "", fmt.Errorf("--policy: %w: name a JSON file, or - for standard input", err)
		}
		defer func() { _ = file.Close() }() // it was only read
		from, name = file, f.Policy
	} else if _, ok := terminalOf(p.stdin); ok {
		_, _ = fmt.Fprintln(p.stderr, "type the policy, and end it with Ctrl-D:")
	}
	text, err = awaited(p.ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(from, maxPolicy+1)) })
	switch {
	case p.ctx.Err() != nil:
		return nil, name, context.Cause(p.ctx)
	case err != nil:
		return nil, name, fmt.Errorf("--policy: %w: name a JSON file, or - for standard input", err)
	case len(bytes.TrimSpace(text)) == 0:
		return nil, name, fmt.Errorf("--policy: %s is empty: a policy that allows nothing is {}", name)
	case len(text) > maxPolicy:
		return nil, name, fmt.Errorf("%s: more than %d bytes are no policy", name, maxPolicy)
	}
	return text, name, nil
}

type groupCreate struct {
	storeFlags
	jsonFlag
	policyFlag
	Name string `arg:"" help:"What the group shall be called."`
}

// AfterApply is called by the parser, once nothing is missing.
func (c *groupCreate) AfterApply() error { return checkName("<name>", c.Name) }

// Run makes the group, which allows nothing unless a policy is given.
func (c *groupCreate) Run(p *program) (err error) {
	var policy permission.Policy
	if c.Policy != "" {
		if policy, err = c.policy(p); err != nil {
			return err
		}
	}
	running, err := c.open(p, false)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	g, err := running.Manager.CreateGroup(p.ctx, c.Name, policy)
	if err != nil {
		return err
	}
	return c.printGroup(p, g, "made the group %s, %s", printable(g.Name.Text), printable(g.ID))
}

// printGroup says what became of a group, or prints it for scripts.
func (f jsonFlag) printGroup(p *program, g latchkey.Group, format string, args ...any) error {
	if f.JSON {
		return printJSON(p.stdout, groupOf(g))
	}
	_, err := fmt.Fprintf(p.stdout, format+"\n", args...)
	return err
}

// withGroup opens the store and hands over the group that a command changes.
func (a groupArg) withGroup(f storeFlags, p *program, do func(*config.Running, latchkey.Group) error) (err error) {
	running, err := f.open(p, false)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	g, err := groupNamed(p.ctx, running.Manager, a.Group)
	if err != nil {
		return err
	}
	if g.SystemGenerated {
		return fmt.Errorf("%s is built in, and stays as it is: make a group of your own with `latchkey group create`", g.ID)
	}
	return do(running, g)
}

type groupSet struct {
	storeFlags
	jsonFlag
	groupArg
	policyFlag
}

// AfterApply is called by the parser, once nothing is missing.
func (c *groupSet) AfterApply() error {
	if c.Policy == "" {
		return errors.New("--policy: name the file that holds the policy, or - for standard input")
	}
	return nil
}

// Run changes the policy.
func (c *groupSet) Run(p *program) error {
	policy, err := c.policy(p)
	if err != nil {
		return err
	}
	return c.withGroup(c.storeFlags, p, func(r *config.Running, g latchkey.Group) error {
		g, err := r.Manager.UpdateGroup(p.ctx, g.ID, latchkey.GroupUpdate{Policy: &policy})
		if err != nil {
			return err
		}
		return c.printGroup(p, g, "changed what the group %s allows", printable(g.Name.Text))
	})
}

type groupRename struct {
	storeFlags
	jsonFlag
	groupArg
	Name string `arg:"" help:"What the group shall be called."`
}

// AfterApply is called by the parser, once nothing is missing.
func (c *groupRename) AfterApply() error { return checkName("<name>", c.Name) }

// Run changes the name.
func (c *groupRename) Run(p *program) error {
	return c.withGroup(c.storeFlags, p, func(r *config.Running, g latchkey.Group) error {
		g, err := r.Manager.UpdateGroup(p.ctx, g.ID, latchkey.GroupUpdate{Name: &c.Name})
		if err != nil {
			return err
		}
		return c.printGroup(p, g, "the group %s is called %s", printable(g.ID), printable(g.Name.Text))
	})
}

type groupDelete struct {
	storeFlags
	yesFlag
	groupArg
}

// Run deletes the group, once that is confirmed.
func (c *groupDelete) Run(p *program) error {
	return c.withGroup(c.storeFlags, p, func(r *config.Running, g latchkey.Group) error {
		members, err := membersOf(p, r, g.ID)
		if err != nil {
			return err
		}
		question := fmt.Sprintf("Delete the group %s (%s)? What it allows to %s is lost, and so is its policy.",
			printable(g.Name.Text), g.ID, count(len(members), "member"))
		if err := c.confirm(p, question); err != nil {
			return err
		}
		if err := r.Manager.RemoveGroup(p.ctx, g.ID); err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.stdout, "deleted the group %s\n", printable(g.Name.Text))
		return err
	})
}
