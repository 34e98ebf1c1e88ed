package server_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/server"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// A hub mounts the API and keeps its own lights behind it.
func Example() {
	dir, err := os.MkdirTemp("", "hub")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	store, err := sqlite.Open(context.Background(), filepath.Join(dir, "hub.db"))
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
	api, err := server.New(auth, server.Options{Local: local, Onboarding: store})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.Handle("/auth/", api)
	mux.Handle("/api/", api)
	mux.Handle("/lights", api.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := server.SessionFrom(r.Context())
		_, _ = fmt.Fprintf(w, "the lights of %s", session.User.Name)
	})))

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest("GET", "/lights", nil))
	fmt.Println(answer.Body)
	// Output: 401: Unauthorized
}
