package ban

import (
	"context"
	"net/netip"
	"time"
)

// List keeps which addresses are banned. Others may change it at any time.
type List interface {
	// Bans returns the banned addresses and since when they are: the zero time where nobody knows.
	Bans(ctx context.Context) (map[netip.Addr]time.Time, error)
	// Ban adds an address. One that is banned already stays as it is.
	Ban(ctx context.Context, addr netip.Addr, at time.Time) error
	// Lift removes an address, or is [latchkey.ErrNotFound].
	Lift(ctx context.Context, addr netip.Addr) error
}
