package ban

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// ErrTheirs says that somebody else banned an address, and that it is theirs to lift the ban.
var ErrTheirs = &latchkey.Error{Kind: latchkey.ErrState,
	Text: "This address is banned by Home Assistant, which latchkey only follows here: take it out of its " + FileName}

// Beside returns a list beside another one that somebody else keeps. The bans of both count; only the own list is ever
// changed.
func Beside(own, theirs List) List { return &beside{own, theirs} }

type beside struct{ own, theirs List }

// Bans implements [List].
func (b *beside) Bans(ctx context.Context) (map[netip.Addr]time.Time, error) {
	all, err := b.theirs.Bans(ctx)
	if err != nil {
		return nil, err
	}
	ours, err := b.own.Bans(ctx)
	if err != nil {
		return nil, err
	}
	all = maps.Clone(all)
	maps.Copy(all, ours)
	return all, nil
}

// Ban implements [List].
func (b *beside) Ban(ctx context.Context, addr netip.Addr, at time.Time) error {
	theirs, err := b.theirs.Bans(ctx)
	if err != nil {
		return err
	}
	if _, ok := theirs[addr]; ok {
		return nil
	}
	return b.own.Ban(ctx, addr, at)
}

// Lift implements [List]. It is [ErrTheirs] for an address that the other list has.
func (b *beside) Lift(ctx context.Context, addr netip.Addr) error {
	gone := b.own.Lift(ctx, addr)
	if gone != nil && !errors.Is(gone, latchkey.ErrNotFound) {
		return gone
	}
	theirs, err := b.theirs.Bans(ctx)
	if err != nil {
		return err
	}
	if _, ok := theirs[addr]; ok {
		return ErrTheirs
	}
	return gone
}
