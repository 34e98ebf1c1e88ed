package latchkey_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
)

// beginFrom starts a login at an address.
func (h house) beginFrom(t *testing.T, addr string) latchkey.Login {
	t.Helper()
	login, _ := h.start(t, func(r *latchkey.LoginRequest) { r.From.Addr = netip.MustParseAddr(addr) })
	return login
}

// underWay reports whether a login can go on.
func (h house) underWay(t *testing.T, l latchkey.Login) bool {
	t.Helper()
	_, _, err := h.ContinueLogin(t.Context(), latchkey.LoginInput{
		ID: l.ID, ClientID: l.ClientID, From: latchkey.Origin{Addr: l.Context.IPAddress},
	})
	if err != nil && !errors.Is(err, flow.ErrUnknownFlow) {
		t.Fatal(err)
	}
	return err == nil
}

// spec: http-auth.md L-4, "bound their number"; security.md 10: nobody who may not even sign in keeps others from it
func TestWhoBeginsLoginsWithoutEndDrivesOutTheirOwn(t *testing.T) {
	const flood = 10_001 // more than are kept in memory
	for _, tt := range []struct {
		name string
		from func(i int) string
	}{
		{"one address", func(int) string { return "203.0.113.9" }},
		{"addresses of one IPv6 network", func(i int) string {
			return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 13: 1, 14: byte(i >> 8), 15: byte(i)}).String()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, latchkey.Options{})
			anna := h.beginFrom(t, "203.0.113.7")
			first := h.beginFrom(t, tt.from(0))
			var last latchkey.Login
			for i := range flood {
				last = h.beginFrom(t, tt.from(i))
			}
			if !h.underWay(t, anna) {
				t.Error("somebody else's login was driven out")
			}
			if h.underWay(t, first) {
				t.Error("the first of thousands goes on")
			}
			if !h.underWay(t, last) {
				t.Error("the last does not go on, of which there may be a hundred")
			}
		})
	}
}

// Nor may a guest who begins to set up second factors without end.
func TestWhoBeginsSetUpsWithoutEndDrivesOutTheirOwn(t *testing.T) {
	h := newHouse(t, latchkey.Options{Modules: []latchkey.MFAModule{newPIN("pin", "1111")}})
	anna, guest := h.person(t, "anna"), h.person(t, "guest")
	login := h.beginFrom(t, "203.0.113.7")
	begin := func(u latchkey.User) latchkey.Setup {
		setup, _, err := h.StartSetup(t.Context(), u.ID, "pin")
		if err != nil {
			t.Fatal(err)
		}
		return setup
	}
	goesOn := func(s latchkey.Setup) bool {
		_, _, err := h.ContinueSetup(t.Context(), s.UserID, s.ID, nil)
		if err != nil && !errors.Is(err, flow.ErrUnknownFlow) {
			t.Fatal(err)
		}
		return err == nil
	}
	annas, first := begin(anna), begin(guest)
	var last latchkey.Setup
	for range 10_001 {
		last = begin(guest)
	}
	if !h.underWay(t, login) || !goesOn(annas) {
		t.Error("what somebody else had begun was driven out")
	}
	if goesOn(first) || !goesOn(last) {
		t.Error("of thousands the first goes on, or the last does not")
	}
}

// An address that may be anybody's has no bound of its own; yet logins that are done outlast any number that are not.
func TestCodesOutlastAFloodOfLogins(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	anna := h.person(t, "anna")
	code, err := h.CreateCode(t.Context(), latchkey.AuthorizationCode{
		ClientID: client, Purpose: latchkey.PurposeAuthorize, Credentials: anna.Credentials[0],
	})
	if err != nil {
		t.Fatal(err)
	}
	first := h.beginFrom(t, "127.0.0.1")
	for range 1000 {
		h.beginFrom(t, "127.0.0.1")
	}
	if !h.underWay(t, first) {
		t.Error("an address that may be anybody's has a bound")
	}
	for range 10_000 {
		h.beginFrom(t, "127.0.0.1")
	}
	if _, err := h.TakeCode(t.Context(), client, code, latchkey.PurposeAuthorize); err != nil {
		t.Error(err)
	}
}
