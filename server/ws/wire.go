package ws

import (
	"bufio"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// wire is the network connection under a WebSocket. It knows when the client was last heard of, frames within a
// message and control frames included.
type wire struct {
	net.Conn
	epoch time.Time    // not the wall clock, which may jump
	heard atomic.Int64 // time.Duration since epoch
}

func newWire(conn net.Conn) *wire { return &wire{Conn: conn, epoch: time.Now()} }

// Read implements [net.Conn].
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.touch()
	}
	return n, err
}

// touch notes that the client is alive.
func (w *wire) touch() { w.heard.Store(int64(time.Since(w.epoch))) }

// silence is how long nothing was heard.
func (w *wire) silence() time.Duration { return time.Since(w.epoch) - time.Duration(w.heard.Load()) }

// ping writes a ping frame without a payload. It is one write, so it cannot fall into another control frame; the
// caller sees to it that no message is being written (RFC 6455 §5.5.2).
func (w *wire) ping() error {
	const finAndPing = 0x89
	_, err := w.Write([]byte{finAndPing, 0})
	return err
}

// hijacker takes the connection over from the HTTP server.
type hijacker struct {
	http.ResponseWriter
	wire *wire // set by Hijack
}

// Hijack implements [http.Hijacker].
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.wire = newWire(conn)
	return h.wire, buffers, nil
}
