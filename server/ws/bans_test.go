package ws_test

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/ban"
	"github.com/seed-6a977b3d/latchkey/server/ws"
)

func TestAdministratorsSeeAndLiftBans(t *testing.T) {
	list := ban.NewFile(filepath.Join(t.TempDir(), ban.FileName), nil)
	h := newHouse(t, houseOptions{ws: ws.Options{Bans: list}})
	for n, addr := range []string{"203.0.113.9", "2001:db8::1"} {
		at := time.Date(2026, 1, 1+n, 0, 0, 0, 0, time.UTC)
		if err := list.Ban(t.Context(), netip.MustParseAddr(addr), at); err != nil {
			t.Fatal(err)
		}
	}
	c := h.connect(t, h.anna)
	c.ask(`{"id":1,"type":"latchkey/bans/list"}`, `{"id":1,"type":"result","success":true,"result":[{"address":"2001:db8::1","banned_at":"2026-01-02T00:00:00+00:00"},`+
		`{"address":"203.0.113.9","banned_at":"2026-01-01T00:00:00+00:00"}]}`)
	c.ask(`{"id":2,"type":"latchkey/bans/lift","address":"2001:DB8::1"}`, done("2"))
	c.refused(`{"id":3,"type":"latchkey/bans/lift","address":"2001:db8::1"}`, "not_found", "Address is not banned")
	c.refused(`{"id":4,"type":"latchkey/bans/lift","address":"house"}`, "invalid_format", "expected an IP address for dictionary value @ data['address']")
	bans, err := list.Bans(t.Context())
	if err != nil || len(bans) != 1 {
		t.Errorf("banned are %v, %v", bans, err)
	}
	ben := h.connect(t, h.person(t, "ben", latchkey.GroupUser))
	ben.refused(`{"id":1,"type":"latchkey/bans/list"}`, "unauthorized", "Unauthorized")
	ben.refused(`{"id":2,"type":"latchkey/bans/lift","address":"203.0.113.9"}`, "unauthorized", "Unauthorized")
}
