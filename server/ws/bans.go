package ws

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// Bans is where banned addresses are kept. The lists of package ban are ones.
type Bans interface {
	// Bans returns the banned addresses and since when they are: the zero time where nobody knows.
	Bans(ctx context.Context) (map[netip.Addr]time.Time, error)
	// Lift removes an address, or is [latchkey.ErrNotFound].
	Lift(ctx context.Context, addr netip.Addr) error
}

// errNotBanned says that there is nothing to lift.
var errNotBanned = &Error{Code: CodeNotFound, Message: "Address is not banned"}

// banCommands are commands of latchkey's own, for administrators: Home Assistant knows none.
func banCommands(b Bans) []Command {
	if b == nil {
		return nil
	}
	return []Command{
		Define("latchkey/bans/list", Admin, func(ctx context.Context, _ *Call, _ None) ([]banEntry, error) {
			return listBans(ctx, b)
		}),
		Define("latchkey/bans/lift", Admin, func(ctx context.Context, _ *Call, in bannedAddress) (None, error) {
			return None{}, liftBan(ctx, b, in)
		}),
	}
}

type banEntry struct {
	Address  string     `json:"address"`
	BannedAt *timestamp `json:"banned_at"`
}

// listBans returns the latest first.
func listBans(ctx context.Context, b Bans) ([]banEntry, error) {
	bans, err := b.Bans(ctx)
	if err != nil {
		return nil, err
	}
	latestFirst := func(a, b netip.Addr) int {
		return cmp.Or(bans[b].Compare(bans[a]), a.Compare(b))
	}
	list := make([]banEntry, 0, len(bans))
	for _, addr := range slices.SortedFunc(maps.Keys(bans), latestFirst) {
		list = append(list, banEntry{addr.String(), timeOrNull(bans[addr])})
	}
	return list, nil
}

type bannedAddress struct {
	Address string `json:"address"`
}

func liftBan(ctx context.Context, b Bans, in bannedAddress) error {
	addr, err := netip.ParseAddr(in.Address)
	if err != nil {
		return invalidFormat("expected an IP address for dictionary value @ data['address']")
	}
	if err := b.Lift(ctx, addr); errors.Is(err, latchkey.ErrNotFound) {
		return errNotBanned
	} else if err != nil {
		return err
	}
	return nil
}
