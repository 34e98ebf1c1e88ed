package pages

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

// banned is an address that is kept out.
type banned struct {
	Address string
	Since   time.Time // zero where nobody knows
}

// listBans lists the latest first.
func (h *house) listBans(v *visit) error {
	if h.Bans == nil {
		return latchkey.ErrNotFound
	}
	bans, err := h.Bans.Bans(v.ctx())
	if err != nil {
		return err
	}
	list := make([]banned, 0, len(bans))
	for addr, since := range bans {
		list = append(list, banned{addr.String(), since})
	}
	slices.SortFunc(list, func(a, b banned) int {
		return cmp.Or(b.Since.Compare(a.Since), cmp.Compare(a.Address, b.Address))
	})
	return v.show("bans.html", web.View{Title: web.Say("bans.title"), Data: list})
}

// liftBan lets an address in again. One that is not banned any more is let in already.
func (h *house) liftBan(v *visit) error {
	if h.Bans == nil {
		return latchkey.ErrNotFound
	}
	addr, err := netip.ParseAddr(v.field("address"))
	if err != nil {
		return latchkey.ErrNotFound
	}
	if err := h.Bans.Lift(v.ctx(), addr); err != nil && !isNotFound(err) {
		return err
	}
	return v.goTo("admin/bans", "ban_lifted")
}
