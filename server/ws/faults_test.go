package ws_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/ws"
)

// brittle is a store that cannot be reached while it is broken.
type brittle struct {
	latchkey.Store
	broken atomic.Bool
}

var errBroken = errors.New("the disk is gone")

func (b *brittle) Update(ctx context.Context, fn func(latchkey.Tx) error) error {
	if b.broken.Load() {
		return errBroken
	}
	return b.Store.Update(ctx, fn)
}

func (b *brittle) RefreshToken(ctx context.Context, id string) (latchkey.RefreshToken, error) {
	if b.broken.Load() {
		return latchkey.RefreshToken{}, errBroken
	}
	return b.Store.RefreshToken(ctx, id)
}

func (b *brittle) RefreshTokens(ctx context.Context, userID string) ([]latchkey.RefreshToken, error) {
	if b.broken.Load() {
		return nil, errBroken
	}
	return b.Store.RefreshTokens(ctx, userID)
}

// A store that cannot answer is not the client's fault. Clients never come back after auth_invalid (client-js.md J-18,
// J-28), so it is not sent.
func TestUndecidedAuthenticationIsNoRefusal(t *testing.T) {
	store := &brittle{Store: openStore(t)}
	h := newHouse(t, houseOptions{store: store})
	access := h.accessToken(t, h.refreshToken(t, h.anna))
	store.broken.Store(true)
	c := h.dial(t, nil)
	c.want(`{"type":"auth_required","ha_version":"2024.1.0"}`)
	c.send(`{"type":"auth","access_token":"` + access + `"}`)
	if frames := c.wantClosed(websocket.StatusInternalError); len(frames) != 0 || h.failed.Load() != 0 {
		t.Errorf("answered with %q, %d failed logins", frames, h.failed.Load())
	}
	store.broken.Store(false)
	h.connectWith(t, access)
}

// spec: websocket.md, "A-9": the current token is removed even when the answer is the error
func TestDeletingAllTokensWhenAnErrorIsRaised(t *testing.T) {
	store := &brittle{Store: openStore(t)}
	h := newHouse(t, houseOptions{store: store})
	other, current := h.refreshToken(t, h.anna), h.refreshToken(t, h.anna)
	c := h.connectWith(t, h.accessToken(t, current))
	store.broken.Store(true)
	c.refused(`{"id":1,"type":"auth/delete_all_refresh_tokens"}`, "token_removing_error", "During removal, an error was raised.")
	c.refused(`{"id":2,"type":"auth/refresh_tokens"}`, "unknown_error", "Unknown error")
	c.refused(`{"id":3,"type":"auth/long_lived_access_token","lifespan":1,"client_name":"x"}`, "unknown_error", "Unknown error")
	store.broken.Store(false)
	go func() { _ = h.handler.Shutdown(context.Background()) }()
	c.wantClosed(websocket.StatusNormalClosure)
	if err := h.handler.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := h.tokens(t, h.anna); len(left) != 1 || left[0].ID != other.ID {
		t.Errorf("left are %v, want the one that could not be removed", left)
	}
}

// A client that does not read why it was refused is let go of.
func TestRefusedClientsThatDoNotRead(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		_, listener := pipeHouse(t, store)
		c := listener.dial(t)
		c.writeFrame(opText, `{"type":"auth"}`)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if _, err := c.Write([]byte{0}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%v, want a closed connection", err)
		}
	})
}

// The command that runs when the session ends is told so.
func TestRunningCommandsHearOfTheEnd(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error, 1)
	h := newHouse(t, houseOptions{ws: ws.Options{Commands: []ws.Command{
		ws.Define("test/wait", ws.Anyone, func(ctx context.Context, _ *ws.Call, _ ws.None) (ws.None, error) {
			close(began)
			<-ctx.Done()
			ended <- ctx.Err()
			return ws.None{}, ctx.Err()
		}),
	}}})
	refresh := h.refreshToken(t, h.anna)
	c := h.connectWith(t, h.accessToken(t, refresh))
	c.send(`{"id":1,"type":"test/wait"}`)
	<-began
	if err := h.RemoveRefreshToken(t.Context(), refresh.ID); err != nil {
		t.Fatal(err)
	}
	if frames := c.wantClosed(websocket.StatusNormalClosure); len(frames) != 0 {
		t.Error(frames)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
