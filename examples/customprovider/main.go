// Command customprovider is a small hub in whose house people sign in with a badge that they hold to a reader. It shows
// all that a provider of one's own takes: one type with six methods, and one line where the manager is made.
//
//	go run ./examples/customprovider
//
// Clients of Home Assistant sign in at it as they would anywhere else: the form asks for the badge's number.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/server"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// holder is somebody who has a badge.
type holder struct {
	username string
	name     string
	group    string
}

// badgeStore is what the provider needs of a latchkey.Store, and no more.
type badgeStore interface {
	CredentialsBySubject(ctx context.Context, p latchkey.ProviderKey, subject string) ([]latchkey.Credentials, error)
}

// badges is the provider. It knows badges by the hash of their number, so that looking one up tells nothing by the time
// that it takes.
type badges struct {
	store   badgeStore
	holders map[[32]byte]holder
}

func newBadges(store badgeStore, holders map[latchkey.Secret]holder) badges {
	b := badges{store: store, holders: map[[32]byte]holder{}}
	for number, h := range holders {
		b.holders[number.Hash()] = h
	}
	return b
}

// Key names the provider. Credentials that it made are found by this name for as long as the house stands.
func (badges) Key() latchkey.ProviderKey { return latchkey.ProviderKey{Type: "badge"} }

// Name is what people choose, if there are several providers.
func (badges) Name() string { return "Badge" }

// SupportsMFA lets people who have set up a second factor be asked for it.
func (badges) SupportsMFA() bool { return true }

// Step shows the form, and looks at what came back. Everything that a login has to remember goes through the state, so
// that a login can go on after a restart or on another node; this one has nothing to remember.
func (b badges) Step(_ context.Context, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
	form := flow.Form{
		StepID: flow.InitStep,
		Schema: flow.Schema{{Name: "badge", Kind: flow.String, Presence: flow.Required}},
		Errors: flow.NoErrors(),
	}
	if in == nil {
		return s, form, nil
	}
	h, known := b.holders[latchkey.Secret(in.Text("badge")).Hash()]
	if !known {
		form.Errors = flow.BaseError("invalid_auth")
		return s, form, nil
	}
	return s, flow.Done{Data: map[string]any{"username": h.username}}, nil
}

// Credentials returns what is stored for the person, or new credentials for somebody who comes for the first time. Stores
// find them by the member "username" of their data.
func (b badges) Credentials(ctx context.Context, data map[string]any) (latchkey.Credentials, error) {
	username, _ := data["username"].(string)
	stored, err := b.store.CredentialsBySubject(ctx, b.Key(), username)
	if err != nil {
		return latchkey.Credentials{}, err
	}
	if len(stored) > 0 {
		return stored[0], nil
	}
	return latchkey.NewCredentials(b.Key(), map[string]any{"username": username}), nil
}

// UserMeta describes the user that is made for somebody who comes for the first time. Somebody who has lost the badge
// meanwhile becomes nobody; without a group they would become an administrator.
func (b badges) UserMeta(_ context.Context, c latchkey.Credentials) (latchkey.UserMeta, error) {
	for _, h := range b.holders {
		if h.username == c.Text("username") {
			return latchkey.UserMeta{Name: latchkey.Text(h.name), Group: latchkey.Text(h.group), IsActive: true}, nil
		}
	}
	return latchkey.UserMeta{}, latchkey.ErrInvalidAuth
}

// newHub returns the hub's pages, and a function that ends what runs behind them.
func newHub(store latchkey.Store, holders map[latchkey.Secret]holder) (http.Handler, func(), error) {
	auth, err := latchkey.New(store, latchkey.Options{Providers: []latchkey.Provider{newBadges(store, holders)}})
	if err != nil {
		return nil, nil, err
	}
	api, err := server.New(auth, server.Options{})
	if err != nil {
		auth.Close()
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", api)
	mux.Handle("/door", api.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := server.SessionFrom(r.Context())
		_, _ = fmt.Fprintf(w, "the door opens for %s\n", session.User.Name)
	})))
	return mux, auth.Close, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", "127.0.0.1:8124")
	if err != nil {
		log.Fatal(err)
	}
	database := filepath.Join(os.TempDir(), "customprovider.db")
	log.Printf("the hub listens on http://%s and keeps its users in %s", listener.Addr(), database)
	if err := run(ctx, database, listener); err != nil {
		log.Fatal(err)
	}
}

// run serves the hub until ctx ends.
func run(ctx context.Context, database string, listener net.Listener) error {
	store, err := sqlite.Open(ctx, database)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	hub, closeHub, err := newHub(store, map[latchkey.Secret]holder{
		"04:A2:2B:9C": {username: "anna", name: "Anna", group: latchkey.GroupAdmin},
		"04:7F:13:E0": {username: "guest", name: "Guest", group: latchkey.GroupReadOnly},
	})
	if err != nil {
		return err
	}
	defer closeHub()
	httpServer := server.HTTPServer(hub, slog.Default())
	failed := make(chan error, 1)
	go func() { failed <- httpServer.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return httpServer.Shutdown(ending)
}
