package ws_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/seed-6a977b3d/latchkey"
)

// spec: websocket.md §8, the table of effects on open sockets; security.md W2, 20, 21
func TestWhatClosesOpenSockets(t *testing.T) {
	name, inactive, local, groups := "Benno", false, true, []string{latchkey.GroupReadOnly}
	for _, tt := range []struct {
		name   string
		do     func(t *testing.T, h house, ben latchkey.User, r latchkey.RefreshToken) error
		closes bool
	}{
		{"refresh token removed", func(t *testing.T, h house, _ latchkey.User, r latchkey.RefreshToken) error {
			return h.RemoveRefreshToken(t.Context(), r.ID)
		}, true},
		{"another refresh token removed", func(t *testing.T, h house, ben latchkey.User, _ latchkey.RefreshToken) error {
			return h.RemoveRefreshToken(t.Context(), h.refreshToken(t, ben).ID)
		}, false},
		{"user deactivated", func(t *testing.T, h house, ben latchkey.User, _ latchkey.RefreshToken) error {
			_, err := h.UpdateUser(t.Context(), ben.ID, latchkey.UserUpdate{IsActive: &inactive})
			return err
		}, true},
		{"user deleted", func(t *testing.T, h house, ben latchkey.User, _ latchkey.RefreshToken) error {
			return h.RemoveUser(t.Context(), ben.ID)
		}, true},
		{"credentials removed (security.md W8)", func(t *testing.T, h house, ben latchkey.User, _ latchkey.RefreshToken) error {
			return h.RemoveCredentials(t.Context(), ben.Credentials[0])
		}, true},
		{"name, groups and local_only changed", func(t *testing.T, h house, ben latchkey.User, _ latchkey.RefreshToken) error {
			_, err := h.UpdateUser(t.Context(), ben.ID, latchkey.UserUpdate{Name: &name, GroupIDs: &groups, LocalOnly: &local})
			return err
		}, false},
		{"somebody else deleted", func(t *testing.T, h house, _ latchkey.User, _ latchkey.RefreshToken) error {
			return h.RemoveUser(t.Context(), h.person(t, "cleo").ID)
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, houseOptions{})
			ben := h.person(t, "ben", latchkey.GroupUser)
			refresh := h.refreshToken(t, ben)
			access := h.accessToken(t, refresh)
			sockets := []client{h.connectWith(t, access), h.connectWith(t, access), h.connectWith(t, h.accessToken(t, refresh))}
			if err := tt.do(t, h, ben, refresh); err != nil {
				t.Fatal(err)
			}
			for _, c := range sockets {
				if !tt.closes {
					c.ask(`{"id":1,"type":"ping"}`, `{"id":1,"type":"pong"}`)
				} else if frames := c.wantClosed(websocket.StatusNormalClosure); len(frames) != 0 {
					t.Error(frames)
				}
			}
			if tt.closes { // spec: client-js.md, "J-29": whoever comes back has to be told
				c := h.dial(t, nil)
				c.want(`{"type":"auth_required","ha_version":"2024.1.0"}`)
				c.ask(`{"type":"auth","access_token":"`+access+`"}`, invalid)
				c.wantClosed(websocket.StatusNormalClosure)
			}
		})
	}
}

// spec: websocket.md §8: a token that is removed while a socket authenticates with it leaves no socket open
func TestRevocationDuringAuthentication(t *testing.T) {
	h := newHouse(t, houseOptions{})
	for range 50 {
		refresh := h.refreshToken(t, h.anna)
		access := h.accessToken(t, refresh)
		c := h.dial(t, nil)
		var racing sync.WaitGroup
		racing.Go(func() {
			if err := h.RemoveRefreshToken(context.Background(), refresh.ID); err != nil {
				t.Error(err)
			}
		})
		c.send(`{"type":"auth","access_token":"` + access + `"}`)
		c.wantClosed(websocket.StatusNormalClosure)
		racing.Wait()
	}
}

// spec: websocket.md, "W-6"
func TestShutdown(t *testing.T) {
	h := newHouse(t, houseOptions{})
	open, waiting := h.connect(t, h.anna), h.dial(t, nil)
	waiting.want(`{"type":"auth_required","ha_version":"2024.1.0"}`)
	var shutdown sync.WaitGroup
	shutdown.Go(func() {
		if err := h.handler.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	open.wantClosed(websocket.StatusNormalClosure)
	waiting.wantClosed(websocket.StatusNormalClosure)
	shutdown.Wait()
	_, answer, err := websocket.Dial(t.Context(), h.url, nil)
	if err == nil || answer == nil || answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new socket after the shutdown: %v, %v", answer, err)
	}
	if err := h.handler.Shutdown(t.Context()); err != nil {
		t.Error("a second time:", err)
	}
}

// Clients that do not take part in closing do not keep the server from ending.
func TestShutdownWithoutPatience(t *testing.T) {
	h := newHouse(t, houseOptions{})
	h.connect(t, h.anna) // and never reads again
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.handler.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
