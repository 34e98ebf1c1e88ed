package pages_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey/server"
	"github.com/seed-6a977b3d/latchkey/server/pages"
)

func TestBansAreListedAndLifted(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	b.get("/admin/bans").is(200, "Banned addresses", "No address is banned.")
	early, late := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::1")
	h.bans.list[early] = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	h.bans.list[late] = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	h.bans.list[netip.MustParseAddr("198.51.100.1")] = time.Time{} // nobody knows since when
	p := b.get("/admin/bans").is(200, "2001:db8::1 Banned since 2026-11-02 12:00 UTC", "203.0.113.9 Banned since 2026-11-01 12:00 UTC", "198.51.100.1 Lift the ban")
	p.send("Lift the ban : 203.0.113.9").is(200, "The ban is lifted.", "2001:db8::1").lacks("203.0.113.9").at("/admin/bans?done=ban_lifted")
	if _, banned := h.bans.list[early]; banned {
		t.Error("the address is still banned")
	}
	p.send("Lift the ban : 203.0.113.9").is(200, "The ban is lifted.") // from a page that is outdated
	token := formToken(t, p)
	b.do(http.MethodPost, "/admin/bans", url.Values{"form_token": {token}, "address": {"nonsense"}}).is(404)
	if len(h.bans.list) != 2 {
		t.Errorf("%d addresses are banned", len(h.bans.list))
	}
}

func TestWhereThereAreNoBansThereIsNoPageForThem(t *testing.T) {
	b := open(t, func(_ *server.Options, p *pages.Options) { p.Bans = nil }).signIn("anna")
	b.get("/admin/bans").is(404)
}
