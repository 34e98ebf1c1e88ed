package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// guest is the only one in the tests who has a badge.
func guest() map[latchkey.Secret]holder {
	return map[latchkey.Secret]holder{"1234": {username: "guest", name: "Guest", group: latchkey.GroupReadOnly}}
}

func newStore(t *testing.T) latchkey.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "hub.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// call sends a request and decodes the answer.
func call(t *testing.T, r *http.Request, err error) map[string]any {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %s, %v", r.Method, r.URL.Path, answer.Status, body, err)
	}
	var out map[string]any
	if json.Unmarshal(body, &out) != nil {
		out = map[string]any{"text": string(body)}
	}
	return out
}

// Somebody signs in over the wire with a badge, as any client of Home Assistant would, and the door opens.
func TestSignInWithABadge(t *testing.T) {
	store := newStore(t)
	hub, closeHub, err := newHub(store, guest())
	if err != nil {
		t.Fatal(err)
	}
	defer closeHub()
	house := httptest.NewServer(hub)
	defer house.Close()
	app := house.URL + "/"
	post := func(path, format string, args ...any) map[string]any {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, house.URL+path, strings.NewReader(fmt.Sprintf(format, args...)))
		return call(t, r, err)
	}
	var first string
	for range 2 { // the second time as the same user
		start := post("/auth/login_flow", `{"client_id":%q,"redirect_uri":%q,"handler":["badge",null]}`, app, app)
		path := "/auth/login_flow/" + start["flow_id"].(string)
		wrong := post(path, `{"client_id":%q,"badge":"4321"}`, app)
		if errs, _ := wrong["errors"].(map[string]any); wrong["type"] != "form" || errs["base"] != "invalid_auth" {
			t.Errorf("a wrong badge: %v", wrong)
		}
		done := post(path, `{"client_id":%q,"badge":"1234"}`, app)
		code, _ := done["result"].(string)
		if done["type"] != "create_entry" || code == "" {
			t.Fatalf("the right badge: %v", done)
		}
		form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "client_id": {app}}
		r, err := http.NewRequest(http.MethodPost, house.URL+"/auth/token", strings.NewReader(form.Encode()))
		if err == nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		token := call(t, r, err)
		r, err = http.NewRequest(http.MethodGet, house.URL+"/door", nil)
		if err == nil {
			r.Header.Set("Authorization", "Bearer "+token["access_token"].(string))
		}
		if got := call(t, r, err)["text"]; got != "the door opens for Guest\n" {
			t.Errorf("the door says %q", got)
		}
		users, err := store.Users(t.Context(), "", 10)
		if err != nil || len(users) != 1 || users[0].IsAdmin() || users[0].GroupIDs[0] != latchkey.GroupReadOnly {
			t.Fatalf("users %+v, %v", users, err)
		}
		if first != "" && first != users[0].ID {
			t.Error("the second sign-in made another user")
		}
		first = users[0].ID
	}
}

// Without a badge nobody is made an administrator by accident.
func TestLostBadgesMakeNobody(t *testing.T) {
	b := newBadges(newStore(t), guest())
	c, err := b.Credentials(t.Context(), map[string]any{"username": "somebody else"})
	if err != nil {
		t.Fatal(err)
	}
	if meta, err := b.UserMeta(t.Context(), c); !errors.Is(err, latchkey.ErrInvalidAuth) {
		t.Errorf("%+v, %v", meta, err)
	}
}

// The program serves until it is told to end.
func TestTheProgramServesAndEnds(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended, database := make(chan error, 1), filepath.Join(t.TempDir(), "hub.db")
	go func() { ended <- run(ctx, database, listener) }()
	r, err := http.NewRequest(http.MethodGet, "http://"+listener.Addr().String()+"/auth/providers", nil)
	list, _ := call(t, r, err)["providers"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["type"] != "badge" {
		t.Errorf("providers %v", list)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
