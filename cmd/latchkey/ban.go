package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/server/ban"
)

type banCommands struct {
	List banList `cmd:"" help:"List the addresses that are kept out."`
	Add  banAdd  `cmd:"" help:"Keep an address out."`
	Lift banLift `cmd:"" help:"Let an address in again. It counts within a second."`
}

// withBans hands the list of bans over: that of all nodes if the store keeps one, else the ban file. The store is opened
// only where the list is in it.
func (f storeFlags) withBans(p *program, do func(ban.List) error) (err error) {
	settings, err := f.load(p)
	if err != nil {
		return err
	}
	logger := newLogger(settings, p.stderr)
	if settings.Store.HasBans() {
		settings.MustExist, settings.Logger = true, logger
		store, err := config.OpenStore(p.ctx, settings)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		if shared, ok := store.(ban.List); ok {
			return do(shared)
		}
	}
	return do(ban.NewFile(settings.BanFile(), logger))
}

type banList struct {
	storeFlags
	JSON bool `name:"json" help:"Print a JSON array."`
}

// Run lists the latest first.
func (c *banList) Run(p *program) error {
	return c.withBans(p, func(l ban.List) error {
		bans, err := l.Bans(p.ctx)
		if err != nil {
			return err
		}
		order := slices.SortedFunc(maps.Keys(bans), func(a, b netip.Addr) int {
			if later := bans[b].Compare(bans[a]); later != 0 {
				return later
			}
			return a.Compare(b)
		})
		if c.JSON {
			return c.printJSON(p, order, bans)
		}
		table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(table, "ADDRESS\tSINCE") // a failure shows when it is flushed
		for _, addr := range order {
			since := "unknown"
			if at := bans[addr]; !at.IsZero() {
				since = at.Local().Format(time.DateTime)
			}
			_, _ = fmt.Fprintf(table, "%s\t%s\n", addr, since)
		}
		return table.Flush()
	})
}

func (*banList) printJSON(p *program, order []netip.Addr, bans map[netip.Addr]time.Time) error {
	type entry struct {
		Address  string     `json:"address"`
		BannedAt *time.Time `json:"banned_at"`
	}
	list := []entry{}
	for _, addr := range order {
		e := entry{Address: addr.String()}
		if at := bans[addr].UTC(); !at.IsZero() {
			e.BannedAt = &at
		}
		list = append(list, e)
	}
	encoder := json.NewEncoder(p.stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(list)
}

type banAdd struct {
	storeFlags
	Address string `arg:"" help:"The IP address."`
}

// Run bans the address from now on.
func (c *banAdd) Run(p *program) error {
	addr, err := parseAddress(c.Address)
	if err != nil {
		return err
	}
	if (latchkey.Origin{Addr: addr}).Shared() {
		return fmt.Errorf("%s is this machine, which is never banned", addr)
	}
	return c.withBans(p, func(l ban.List) error { return l.Ban(p.ctx, addr, time.Now()) })
}

type banLift struct {
	storeFlags
	Address string `arg:"" help:"The IP address."`
}

// Run lifts the ban of the address.
func (c *banLift) Run(p *program) error {
	addr, err := parseAddress(c.Address)
	if err != nil {
		return err
	}
	return c.withBans(p, func(l ban.List) error {
		err := l.Lift(p.ctx, addr)
		if errors.Is(err, latchkey.ErrNotFound) {
			return fmt.Errorf("%s is not banned: `latchkey ban list` shows who is", addr)
		}
		return err
	})
}

func parseAddress(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return addr, fmt.Errorf("%q is no IP address: write one such as 203.0.113.9", text)
	}
	return addr, nil
}
