package ws_test

import (
	"testing"

	"github.com/coder/websocket"

	"github.com/seed-6a977b3d/latchkey"
)

// deaf is a store of which others change what they like, without a word of it arriving here.
type deaf struct{ latchkey.Store }

func (deaf) Current() bool                               { return false }
func (deaf) Watch(func([]latchkey.Change)) (stop func()) { return func() {} }

// spec: security.md W2, 20: what another node has revoked is not obeyed by one that cannot hear of it, not even on a socket
// that was open before.
func TestACommandWithATokenWhoseEndWasNotHeardOf(t *testing.T) {
	store := openStore(t)
	h := newHouse(t, houseOptions{store: deaf{store}})
	refresh := h.refreshToken(t, h.anna)
	c := h.connectWith(t, h.accessToken(t, refresh))
	c.succeed(`{"id":1,"type":"auth/current_user"}`)
	err := store.Update(t.Context(), func(tx latchkey.Tx) error { return tx.DeleteRefreshToken(t.Context(), refresh.ID) })
	if err != nil {
		t.Fatal(err)
	}
	c.send(`{"id":2,"type":"auth/current_user"}`)
	if frames := c.wantClosed(websocket.StatusNormalClosure); len(frames) != 0 {
		t.Errorf("the command is answered with %q", frames)
	}
}
