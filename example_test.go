package latchkey_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// A house with one person, who signs an application in.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "house")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	store, err := sqlite.Open(ctx, filepath.Join(dir, "house.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	local, err := homeassistant.New(store, homeassistant.Options{})
	if err != nil {
		log.Fatal(err)
	}
	auth, err := latchkey.New(store, latchkey.Options{Providers: []latchkey.Provider{local}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	// The first person owns the house. The login is made together with the user.
	login, err := local.NewLogin(ctx, "anna", "correct horse battery")
	if err != nil {
		log.Fatal(err)
	}
	anna, err := auth.CreateUser(ctx, latchkey.NewUser{Name: latchkey.Text("Anna")}, login.GiveTo)
	if err != nil {
		log.Fatal(err)
	}

	refresh, err := auth.CreateRefreshToken(ctx, latchkey.NewRefreshToken{
		UserID: anna.ID, ClientID: latchkey.Text("https://app.example/"),
	})
	if err != nil {
		log.Fatal(err)
	}
	access, err := auth.CreateAccessToken(ctx, refresh.ID, netip.MustParseAddr("192.168.1.20"))
	if err != nil {
		log.Fatal(err)
	}
	session, err := auth.ValidateAccessToken(ctx, access)
	if err != nil {
		log.Fatal(err)
	}
	may, err := auth.Permissions(ctx, session.User)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(session.User.Name, session.User.IsOwner, may.Check("light.hall", "control"))
	// Output: Anna true true
}
