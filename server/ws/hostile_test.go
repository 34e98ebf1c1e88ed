package ws_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// A client that floods the server without reading is dropped; others do not notice (websocket.md W-7).
func TestAFloodOfMessagesDrownsItsSenderOnly(t *testing.T) {
	h := newHouse(t, houseOptions{})
	good := h.connect(t, h.anna)
	flooding := h.connect(t, h.anna)
	ctx, cancel := context.WithTimeout(t.Context(), rescue)
	defer cancel()
	var list strings.Builder
	id := 0
	for dropped := false; !dropped; {
		list.Reset()
		for range 1000 { // a list of commands in a frame, each of which is answered (W-17)
			id++
			fmt.Fprintf(&list, `,{"id":%d,"type":"auth/current_user"}`, id)
		}
		text := "[" + list.String()[1:] + "]"
		dropped = flooding.conn.Write(ctx, websocket.MessageText, []byte(text)) != nil
		if ctx.Err() != nil {
			t.Fatal("whoever reads nothing is served for ever")
		}
	}
	good.ask(`{"id":1,"type":"ping"}`, `{"id":1,"type":"pong"}`)
}

// Connections that are left half open hold up nobody.
func TestHalfOpenConnectionsHoldUpNobody(t *testing.T) {
	h := newHouse(t, houseOptions{})
	address := strings.TrimPrefix(strings.TrimPrefix(h.url, "ws://"), "http://")
	address, _, _ = strings.Cut(address, "/")
	var open sync.WaitGroup
	for i := range 100 {
		open.Go(func() {
			var d net.Dialer
			conn, err := d.DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			upgrade := "GET /api/websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
			half := upgrade + "\x81\xfe\x10\x00" // the head of a message that never comes
			if i%2 == 0 {
				half = upgrade[:len(upgrade)/2]
			}
			if _, err := conn.Write([]byte(half)); err != nil {
				t.Error(err)
			}
		})
	}
	open.Wait()
	h.connect(t, h.anna).ask(`{"id":1,"type":"ping"}`, `{"id":1,"type":"pong"}`)
}

// A frame of 16 MiB is refused without being kept (websocket.md W-3), and so is a nest of brackets that has no end.
func TestMessagesThatAreTooMuch(t *testing.T) {
	h := newHouse(t, houseOptions{})
	for _, tt := range map[string]struct {
		text string
		code websocket.StatusCode
	}{
		"16 MiB":            {`{"id":1,"type":"` + strings.Repeat("x", 16<<20) + `"}`, websocket.StatusMessageTooBig},
		"unclosed brackets": {strings.Repeat("[", 100_000), websocket.StatusNormalClosure},
	} {
		c := h.connect(t, h.anna)
		_ = c.conn.Write(t.Context(), websocket.MessageText, []byte(tt.text)) // it may be cut off before the end
		c.wantClosed(tt.code)
	}
	c := h.connect(t, h.anna)
	c.ask(strings.Repeat("[", 1000)+strings.Repeat("]", 1000),
		`{"id":0,"type":"result","success":false,"error":{"code":"invalid_format","message":"Message incorrectly formatted."}}`)
	c.ask(`{"id":1,"type":"ping"}`, `{"id":1,"type":"pong"}`)
}
