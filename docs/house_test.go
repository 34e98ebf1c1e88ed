package docs

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/mfa/totp"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/server"
	"github.com/seed-6a977b3d/latchkey/server/ban"
	"github.com/seed-6a977b3d/latchkey/server/pages"
	"github.com/seed-6a977b3d/latchkey/server/web"
	"github.com/seed-6a977b3d/latchkey/server/ws"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// password is long and rare enough to be accepted.
const password = "correct horse battery"

// house is everything that the program serves, without an account.
type house struct {
	*latchkey.Manager
	local *homeassistant.Provider
	bans  *ban.File
	url   string
}

// open starts a house on a listener of its own.
func open(t *testing.T) house {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "latchkey.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	h := house{bans: ban.NewFile(filepath.Join(t.TempDir(), ban.FileName), log)}
	if h.local, err = homeassistant.New(store, homeassistant.Options{Cost: 4}); err != nil {
		t.Fatal(err)
	}
	codes, err := totp.New(store, totp.Config{Name: "Authenticator app"})
	if err != nil {
		t.Fatal(err)
	}
	h.Manager, err = latchkey.New(store, latchkey.Options{
		Providers: []latchkey.Provider{h.local}, Modules: []latchkey.MFAModule{codes}, Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.url = "http://" + listener.Addr().String()
	signer := server.NewSigner()
	sockets, err := ws.New(h.Manager, ws.Options{Local: h.local, Signer: signer, Bans: h.bans, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sockets.Shutdown(context.Background()) })
	bare, err := web.New(web.Options{})
	if err != nil {
		t.Fatal(err)
	}
	people, err := pages.New(bare, pages.Options{Manager: h.Manager, Local: h.local, Bans: h.bans, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	api, err := server.New(h.Manager, server.Options{
		Local: h.local, Onboarding: store, Pages: people, WebSocket: sockets, Signer: signer, URLs: []string{h.url}, Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	served := server.HTTPServer(api, log)
	t.Cleanup(func() { _ = served.Close() })
	go func() { _ = served.Serve(listener) }()
	return h
}

// person makes a user with a login of the same name, and returns an access token. The first is the owner.
func (h house) person(t *testing.T, username string) (u latchkey.User, token latchkey.RefreshToken, access string) {
	t.Helper()
	login, err := h.local.NewLogin(t.Context(), username, password)
	if err != nil {
		t.Fatal(err)
	}
	u, err = h.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text(username), GroupIDs: []string{latchkey.GroupUser}}, login.GiveTo)
	if err != nil {
		t.Fatal(err)
	}
	token, err = h.CreateRefreshToken(t.Context(), latchkey.NewRefreshToken{
		UserID: u.ID, ClientID: latchkey.Text("https://app.example/"), Credentials: &u.Credentials[0],
	})
	if err != nil {
		t.Fatal(err)
	}
	access, err = h.CreateAccessToken(t.Context(), token.ID, netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	return u, token, access
}
