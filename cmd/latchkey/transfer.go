package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/store/hassfile"
	"github.com/seed-6a977b3d/latchkey/store/postgres"
	"github.com/seed-6a977b3d/latchkey/transfer"
)

// transferFlags are what import and export have in common.
type transferFlags struct {
	storeFlags
	jsonFlag
	yesFlag
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
		return own, other, misuse{err}
	}
	if own.Store == other.Store {
		return own, other, fmt.Errorf("%s is the store itself: name another one, or choose the store with --store", address)
	}
	return own, other, nil
}

// errMissing says that there is no store where one is to be copied from.
var errMissing = errors.New("does not exist")

func (c *transferFlags) copy(p *program, source, target config.Config) (err error) {
	if target.Store.Follow {
		return fmt.Errorf("%s is only followed, and nothing is ever written there: stop Home Assistant, and leave out ?mode=follow",
			target.Store)
	}
	source.MustExist, source.ReadOnly = true, true
	from, err := openStore(p, source)
	if errors.Is(err, fs.ErrNotExist) && !config.StoreExists(source) || errors.Is(err, postgres.ErrNoHouse) {
		return fmt.Errorf("%s %w, and nothing was copied: check the address", source.Store, errMissing)
	} else if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if somebody, err := from.Users(p.ctx, "", 1); err != nil {
		return err
	} else if len(somebody) == 0 {
		return fmt.Errorf("there is nobody in %s, and nothing to copy: check the address", source.Store)
	}
	there := config.StoreExists(target)
	target.MustExist, target.ReadOnly = c.DryRun && there, c.DryRun // a dry run makes nothing
	target.MakeFolder = true
	if c.DryRun && !there {
		return c.plan(p, from, emptyAt(target))
	}
	to, err := openStore(p, target)
	if c.DryRun && errors.Is(err, postgres.ErrNoHouse) {
		return c.plan(p, from, emptyAt(target))
	} else if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if c.DryRun {
		return c.plan(p, from, to)
	}
	return c.apply(p, from, to, there)
}

// counted is a store of which a person at the terminal is told how many users were read.
type counted struct {
	latchkey.Reader
	work *work
}

// Users implements [latchkey.UserReader].
func (c counted) Users(ctx context.Context, after string, limit int) ([]latchkey.User, error) {
	page, err := c.Reader.Users(ctx, after, limit)
	c.work.done.Add(int64(len(page)))
	return page, err
}

// LoosePasswords implements [transfer.PasswordLister].
func (c counted) LoosePasswords(ctx context.Context) ([]latchkey.Password, error) {
	if lister, ok := c.Reader.(transfer.PasswordLister); ok {
		return lister.LoosePasswords(ctx)
	}
	return nil, nil
}

// compare returns what would be done.
func compare(p *program, from, to latchkey.Store) ([]transfer.Item, error) {
	w := p.stderr.begin("comparing", "users", noEndKnown)
	defer w.end()
	return transfer.Plan(p.ctx, counted{from, w}, to, options(from))
}

// plan prints what would be done.
func (c *transferFlags) plan(p *program, from, to latchkey.Store) error {
	items, err := compare(p, from, to)
	if err != nil {
		return err
	}
	return c.report(p.stdout, items, "would be copied")
}

// apply copies, with a copy of what was there before put aside first. What would be overwritten is asked about.
func (c *transferFlags) apply(p *program, from, to latchkey.Store, there bool) error {
	items, err := compare(p, from, to)
	if err != nil {
		return err
	}
	counts := tallyActions(items)
	if counts[transfer.Conflict] == 0 && transfer.Changes(items) {
		if err := c.confirmChanges(p, counts[transfer.Change]); err != nil {
			return err
		}
		if there {
			if err := keep(p, to); err != nil {
				return err
			}
		}
	}
	w := p.stderr.begin("copying", "users", noEndKnown)
	items, err = transfer.Copy(p.ctx, counted{from, w}, to, options(from))
	w.end()
	if err != nil && !errors.Is(err, transfer.ErrConflicts) {
		return err
	}
	what := "copied"
	if err != nil {
		what = "not copied"
	}
	return errors.Join(err, c.report(p.stdout, items, what))
}

// confirmChanges asks before records are overwritten.
func (c *transferFlags) confirmChanges(p *program, overwritten int) error {
	if overwritten == 0 {
		return nil
	}
	return c.confirm(p, fmt.Sprintf("Overwrite %s with what differs there? --dry-run shows which.", count(overwritten, "record")))
}

func tallyActions(items []transfer.Item) map[transfer.Action]int {
	counts := map[transfer.Action]int{}
	for _, item := range items {
		counts[item.Action]++
	}
	return counts
}

// keep puts a copy of what is there aside.
func keep(p *program, to latchkey.Store) error {
	w := p.stderr.begin("keeping a copy of what is there", "", noEndKnown)
	kept, err := config.BackUp(p.ctx, to, time.Now())
	w.end()
	if err != nil {
		return err
	}
	for _, path := range kept {
		_, _ = fmt.Fprintf(p.stderr, "what was there is kept in %s\n", printable(path))
	}
	return nil
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
	for _, item := range items {
		t.row(string(item.Action), item.Kind, item.ID, item.Name, item.Note)
	}
	if err := t.end(); err != nil {
		return err
	}
	counts := tallyActions(items)
	_, err := fmt.Fprintf(w, "%d records %s, %d left behind, %d in conflict", counts[transfer.Add]+counts[transfer.Change], what,
		counts[transfer.Leave], counts[transfer.Conflict])
	if kept := counts[transfer.Keep]; err == nil && kept > 0 {
		_, err = fmt.Fprintf(w, ", %d kept that only the other store has", kept)
	}
	if err == nil {
		_, err = fmt.Fprintln(w)
	}
	return err
}

// emptyAt stands in for a store that is not made yet: it holds nothing, and has the limits that the store will have.
func emptyAt(c config.Config) latchkey.Store {
	if c.Store.Scheme == config.SchemeHass {
		return struct {
			emptyStore
			hassfile.Limits
		}{}
	}
	return emptyStore{}
}

// emptyStore holds nothing. Nobody asks it for more than a plan does.
type emptyStore struct{ latchkey.Store }

func (emptyStore) Group(context.Context, string) (latchkey.Group, error) {
	return latchkey.Group{}, latchkey.ErrNotFound
}

func (emptyStore) Groups(context.Context) ([]latchkey.Group, error) { return nil, nil }

func (emptyStore) User(context.Context, string) (latchkey.User, error) {
	return latchkey.User{}, latchkey.ErrNotFound
}

func (emptyStore) Users(context.Context, string, int) ([]latchkey.User, error) { return nil, nil }

func (emptyStore) Owner(context.Context) (latchkey.User, error) {
	return latchkey.User{}, latchkey.ErrNotFound
}

func (emptyStore) UserByCredentials(context.Context, string) (latchkey.User, error) {
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
