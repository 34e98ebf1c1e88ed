package latchkey_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/mfa/notify"
	"github.com/seed-6a977b3d/latchkey/mfa/totp"
	"github.com/seed-6a977b3d/latchkey/permission"
	"github.com/seed-6a977b3d/latchkey/provider/commandline"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/provider/insecureexample"
	"github.com/seed-6a977b3d/latchkey/provider/legacyapipassword"
	"github.com/seed-6a977b3d/latchkey/provider/trustednetworks"
	"github.com/seed-6a977b3d/latchkey/server"
	"github.com/seed-6a977b3d/latchkey/server/pages"
	"github.com/seed-6a977b3d/latchkey/server/web"
	"github.com/seed-6a977b3d/latchkey/server/ws"
	"github.com/seed-6a977b3d/latchkey/store/hassfile"
	"github.com/seed-6a977b3d/latchkey/transfer"
)

// What is missing is told where things are put together, and not at the first request.
func TestWhatIsMissingIsToldAtOnce(t *testing.T) {
	store := openFile(t)
	m, err := latchkey.New(store, latchkey.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	bare, err := web.New(web.Options{})
	if err != nil {
		t.Fatal(err)
	}
	made := func(_ any, err error) error { return err }
	for text, err := range map[string]error{
		"latchkey: no store": made(latchkey.New(nil, latchkey.Options{})),
		"provider 2 is nil": made(latchkey.New(store, latchkey.Options{
			Providers: []latchkey.Provider{guestProvider{}, nil}})),
		"module 1 is nil":             made(latchkey.New(store, latchkey.Options{Modules: []latchkey.MFAModule{nil}})),
		"homeassistant: no store":     made(homeassistant.New(nil, homeassistant.Options{})),
		"command_line: no store":      made(commandline.New(nil, commandline.Config{})),
		"insecure_example: no store":  made(insecureexample.New(nil, insecureexample.Config{})),
		"legacy_api_password: no":     made(legacyapipassword.New(nil, legacyapipassword.Config{})),
		"trusted_networks: no store":  made(trustednetworks.New(nil, trustednetworks.Config{})),
		"totp: no store":              made(totp.New(nil, totp.Config{})),
		"notify: no store":            made(notify.New(store, nil, notify.Config{})),
		"server: no manager":          made(server.New(nil, server.Options{})),
		"WebSocket: no manager":       made(ws.New(nil, ws.Options{})),
		"pages: give the pages":       made(pages.New(bare, pages.Options{})),
		"pages: give the pages that":  made(pages.New(nil, pages.Options{Manager: m})),
		"transfer: open both":         made(transfer.Copy(t.Context(), store, nil, transfer.Options{})),
		"transfer: open both stores,": made(transfer.Copy(t.Context(), nil, store, transfer.Options{})),
		"follow: no store":            made(hassfile.Follow(t.Context(), t.TempDir(), nil, nil)),
		`command "x": give it a guard`: made(ws.New(m, ws.Options{Commands: []ws.Command{
			ws.Define[ws.None, ws.None]("x", ws.Anyone, nil)}})),
	} {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error = %v, want one with %q", err, text)
		}
	}
	if n, err := latchkey.NewFailureCounter(nil, "x").Add(t.Context(), "y"); n != 1 || err != nil {
		t.Errorf("a counter in memory counts %d, %v", n, err)
	}
}

// Where an error would have nowhere to go, a function that is missing ends the program that forgot it.
func TestFunctionsThatAreMissing(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	api, err := server.New(h.Manager, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(){
		"OnRevoke":      func() { h.OnRevoke("x", nil) },
		"OnEvent":       func() { h.OnEvent(nil) },
		"RequireAuth":   func() { api.RequireAuth(nil) },
		"RequireAdmin":  func() { api.RequireAdmin(nil) },
		"RequireEntity": func() { api.RequireEntity(permission.Control, nil, http.NotFoundHandler()) },
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, "need") && !strings.Contains(text, "no handler") {
					t.Errorf("%s: %q", name, text)
				}
			}()
			do()
		}()
	}
}
