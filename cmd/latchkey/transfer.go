package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/transfer"
)

// transferFlags are what import and export have in common.
type transferFlags struct {
	storeFlags
	jsonFlag
	DryRun bool `help:"Show what would be done, and do nothing."`
}

type importCommand struct {
	transferFlags
	From string `arg:"" placeholder:"ADDRESS" help:"Where the data is, such as hass:/config/.storage for that of a Home Assistant."`
}

type exportCommand struct {
	transferFlags
	To string `arg:"" placeholder:"ADDRESS" help:"Where the data shall be written, such as hass:/config/.storage for a Home Assistant."`
}

// Run copies what another store holds into the one of the settings.
func (c *importCommand) Run(p *program) error {
	settings, other, err := c.stores(p, c.From)
	if err != nil {
		return err
	}
	return c.copy(p, other, settings)
}

// Run copies what the store of the settings holds into another one.
func (c *exportCommand) Run(p *program) error {
	settings, other, err := c.stores(p, c.To)
	if err != nil {
		return err
	}
	return c.copy(p, settings, other)
}

// stores returns the settings, and the same settings with another store.
func (c *transferFlags) stores(p *program, address string) (own, other config.Config, err error) {
	if own, err = c.load(p); err != nil {
		return own, other, err
	}
	other = own
	if other.Store, err = config.ParseStore(address); err != nil {
		return own, other, err
	}
	if own.Store == other.Store {
		return own, other, fmt.Errorf("%s is the store itself: name another one, or choose the store with --store", address)
	}
	return own, other, nil
}

func (c *transferFlags) copy(p *program, source, target config.Config) (err error) {
	source.MustExist, source.ReadOnly = true, true
	from, err := config.OpenStore(p.ctx, source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	target.MustExist = c.DryRun && config.StoreExists(target) // a dry run makes nothing
	if c.DryRun && !target.MustExist {
		return c.plan(p, from, nil)
	}
	to, err := config.OpenStore(p.ctx, target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if c.DryRun {
		return c.plan(p, from, to)
	}
	return c.apply(p, from, to)
}

// plan prints what would be done. A store that does not exist yet is empty.
func (c *transferFlags) plan(p *program, from, to latchkey.Store) error {
	items, err := transfer.Plan(p.ctx, from, orEmpty(to), options(from))
	if err != nil {
		return err
	}
	return c.report(p.stdout, items, "would be copied")
}

// apply copies, with a copy of what is there put aside first.
func (c *transferFlags) apply(p *program, from, to latchkey.Store) error {
	items, err := transfer.Plan(p.ctx, from, to, options(from))
	if err != nil {
		return err
	}
	if transfer.Changes(items) {
		kept, err := config.BackUp(p.ctx, to, time.Now())
		if err != nil {
			return err
		}
		for _, path := range kept {
			_, _ = fmt.Fprintf(p.stderr, "what was there is kept in %s\n", path)
		}
	}
	items, err = transfer.Copy(p.ctx, from, to, options(from))
	if err != nil && !errors.Is(err, transfer.ErrConflicts) {
		return err
	}
	what := "copied"
	if err != nil {
		what = "not copied"
	}
	return errors.Join(err, c.report(p.stdout, items, what))
}

func options(latchkey.Reader) transfer.Options {
	return transfer.Options{Modules: transfer.DefaultModules()}
}

// report prints the items as a table with a line of sums, or as JSON.
func (c *transferFlags) report(w io.Writer, items []transfer.Item, what string) error {
	if c.JSON {
		if items == nil {
			items = []transfer.Item{}
		}
		return printJSON(w, items)
	}
	if len(items) == 0 {
		_, err := fmt.Fprintln(w, "nothing to do: both hold the same")
		return err
	}
	t := newTable(w, "ACTION", "KIND", "ID", "NAME", "NOTE")
	counts := map[transfer.Action]int{}
	for _, item := range items {
		counts[item.Action]++
		t.row(string(item.Action), item.Kind, item.ID, item.Name, item.Note)
	}
	if err := t.end(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d records %s, %d left behind, %d in conflict\n",
		counts[transfer.Add]+counts[transfer.Change], what, counts[transfer.Leave], counts[transfer.Conflict])
	return err
}

// orEmpty stands in for a store that is not made yet.
func orEmpty(s latchkey.Store) latchkey.Store {
	if s == nil {
		return emptyStore{}
	}
	return s
}

// emptyStore holds nothing. Nobody asks it for more than a plan does.
type emptyStore struct{ latchkey.Store }

func (emptyStore) Group(context.Context, string) (latchkey.Group, error) {
	return latchkey.Group{}, latchkey.ErrNotFound
}

func (emptyStore) User(context.Context, string) (latchkey.User, error) {
	return latchkey.User{}, latchkey.ErrNotFound
}

func (emptyStore) Owner(context.Context) (latchkey.User, error) {
	return latchkey.User{}, latchkey.ErrNotFound
}

func (emptyStore) CredentialsBySubject(
	context.Context, latchkey.ProviderKey, string,
) ([]latchkey.Credentials, error) {
	return nil, nil
}

func (emptyStore) Passwords(context.Context, string) ([]latchkey.Password, error) { return nil, nil }

func (emptyStore) ModuleData(context.Context, string, string) ([]byte, error) {
	return nil, latchkey.ErrNotFound
}

func (emptyStore) RefreshToken(context.Context, string) (latchkey.RefreshToken, error) {
	return latchkey.RefreshToken{}, latchkey.ErrNotFound
}

func (emptyStore) LongLivedToken(context.Context, string, string) (latchkey.RefreshToken, error) {
	return latchkey.RefreshToken{}, latchkey.ErrNotFound
}

func (emptyStore) OnboardingDone(context.Context) ([]string, error) { return nil, nil }
