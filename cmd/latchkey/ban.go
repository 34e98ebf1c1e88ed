package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
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
func (f storeFlags) withBans(p *program, do func(config.Config, ban.List) error) (err error) {
	settings, err := f.load(p)
	if err != nil {
		return err
	}
	logger := newLogger(settings, p.stderr)
	if settings.Store.HasBans() {
		settings.MustExist = true
		store, err := openStore(p, settings)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		if shared, ok := store.(ban.List); ok {
			return do(settings, shared)
		}
	}
	return do(settings, settings.Bans(logger))
}

type banList struct {
	storeFlags
	jsonFlag
}

// banRow is what the list shows of a ban.
type banRow struct {
	Address  string     `json:"address"`
	BannedAt *time.Time `json:"banned_at"` // null where nobody knows
}

func (r banRow) cells() []string {
	since := "unknown"
	if r.BannedAt != nil {
		since = moment(*r.BannedAt)
	}
	return []string{r.Address, since}
}

// Run lists the latest first.
func (c *banList) Run(p *program) error {
	return c.withBans(p, func(_ config.Config, l ban.List) error {
		bans, err := l.Bans(p.ctx)
		if err != nil {
			return err
		}
		order := slices.SortedFunc(maps.Keys(bans), func(a, b netip.Addr) int {
			return cmp.Or(bans[b].Compare(bans[a]), a.Compare(b))
		})
		var rows []banRow
		for _, addr := range order {
			rows = append(rows, banRow{addr.String(), instant(bans[addr])})
		}
		return printRows(p.stdout, c.JSON, []string{"ADDRESS", "SINCE"}, each(rows), banRow.cells)
	})
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
	return c.withBans(p, func(settings config.Config, l ban.List) error {
		for _, proxies := range settings.HTTP.TrustedProxies {
			if proxies.Contains(addr.Unmap()) {
				return fmt.Errorf("%s is that of a proxy in trusted_proxies, behind which anybody may be, and is never banned", addr)
			}
		}
		if err := l.Ban(p.ctx, addr, time.Now()); err != nil {
			return err
		}
		what := "is kept out"
		if settings.HTTP.BansOff {
			what = "is in the list, which keeps nobody out while ip_ban_enabled is false"
		}
		_, err := fmt.Fprintln(p.stdout, addr, what)
		return err
	})
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
	return c.withBans(p, func(_ config.Config, l ban.List) error {
		err := l.Lift(p.ctx, addr)
		if errors.Is(err, latchkey.ErrNotFound) {
			return fmt.Errorf("%s is not banned: `latchkey ban list` shows who is", addr)
		} else if err != nil {
			return err
		}
		_, err = fmt.Fprintln(p.stdout, addr, "is let in again")
		return err
	})
}

func parseAddress(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return addr, misuse{fmt.Errorf("%q is no IP address: write one such as 203.0.113.9", text)}
	}
	return addr, nil
}
