package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
)

// Bans returns the addresses that all nodes keep out, and since when.
func (s *Store) Bans(ctx context.Context) (map[netip.Addr]time.Time, error) {
	type row struct {
		address string
		at      sql.Null[int64]
	}
	var rows []row
	err := s.limit.do(ctx, func(ctx context.Context) (err error) {
		rows, err = tables.Collect(ctx, s.q, func(r tables.Row) (b row, err error) {
			err = r.Scan(&b.address, &b.at)
			return b, err
		}, `SELECT address, banned_at FROM bans`)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("bans: %w", told(err))
	}
	bans := make(map[netip.Addr]time.Time, len(rows))
	for _, b := range rows {
		addr, err := netip.ParseAddr(b.address)
		if err != nil {
			continue // nobody has such an address
		}
		bans[addr] = tables.Instant(b.at)
	}
	return bans, nil
}

// Ban keeps an address out, and announces it. One that is banned already stays as it is.
func (s *Store) Ban(ctx context.Context, addr netip.Addr, at time.Time) error {
	_, err := s.changeBans(ctx, `INSERT INTO bans (address, banned_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
		addr.String(), tables.Micros(at))
	return err
}

// Lift lets an address in again, and announces it, or is [latchkey.ErrNotFound].
func (s *Store) Lift(ctx context.Context, addr netip.Addr) error {
	changed, err := s.changeBans(ctx, `DELETE FROM bans WHERE address = $1`, addr.String())
	if err == nil && !changed {
		return fmt.Errorf("lift the ban of %s: %w", addr, latchkey.ErrNotFound)
	}
	return err
}

// changeBans is an Update of the list.
func (s *Store) changeBans(ctx context.Context, query string, args ...any) (changed bool, err error) {
	err = s.update(ctx, func(t *tables.Tx) error {
		if changed, err = t.Exec(ctx, query, args...); err != nil {
			return fmt.Errorf("change the list of bans: %w", err)
		}
		if changed {
			t.Announce(latchkey.Change{Kind: latchkey.BansChanged})
		}
		return nil
	})
	return changed, err
}
