package ws_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/ws"
)

// pipes is a listener in memory, so that time can be made to pass.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// pipeHouse opens a house over pipes. It must be called within a bubble.
func pipeHouse(t *testing.T, store latchkey.Store, commands ...ws.Command) (house, pipes) {
	t.Helper()
	h := newManager(t, store)
	listener := pipes{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{}
	t.Cleanup(func() { _ = server.Close() })
	h = h.withSockets(t, ws.Options{Commands: commands})
	server.Handler = h.handler
	go func() { _ = server.Serve(listener) }()
	return h, listener
}

// The opcodes of RFC 6455 §5.2.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// bare is a client that does nothing by itself: it reads and writes single frames.
type bare struct {
	testing.TB
	net.Conn
	in *bufio.Reader
}

func (p pipes) dial(t *testing.T) bare {
	t.Helper()
	here, there := net.Pipe()
	p.conns <- there
	t.Cleanup(func() { _ = here.Close() })
	c := bare{t, here, bufio.NewReader(here)}
	_, err := io.WriteString(here, "GET /api/websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(answer, err)
	}
	c.wantFrame(opText, `{"type":"auth_required","ha_version":"2024.1.0"}`)
	return c
}

// connect dials and authenticates as Anna.
func (p pipes) connect(t *testing.T, h house) bare {
	t.Helper()
	c := p.dial(t)
	c.writeFrame(opText, `{"type":"auth","access_token":"`+h.accessToken(t, h.refreshToken(t, h.anna))+`"}`)
	c.wantFrame(opText, `{"type":"auth_ok","ha_version":"2024.1.0"}`)
	return c
}

func header(opcode byte, length int) []byte {
	const fin, masked = 0x80, 0x80
	b := []byte{fin | opcode, masked | 127}
	b = binary.BigEndian.AppendUint64(b, uint64(length))
	if length < 126 {
		b = []byte{fin | opcode, masked | byte(length)}
	}
	return append(b, 0, 0, 0, 0) // a mask of zeros changes nothing
}

func (c bare) writeFrame(opcode byte, payload string) {
	c.Helper()
	if _, err := c.Write(append(header(opcode, len(payload)), payload...)); err != nil {
		c.Fatal(err)
	}
}

func (c bare) readFrame() (opcode byte, payload string, err error) {
	var head [2]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return 0, "", err
	}
	length := int(head[1])
	if length == 126 {
		var long [2]byte
		if _, err := io.ReadFull(c.in, long[:]); err != nil {
			return 0, "", err
		}
		length = int(binary.BigEndian.Uint16(long[:]))
	}
	b := make([]byte, length)
	_, err = io.ReadFull(c.in, b)
	return head[0] & 0x0f, string(b), err
}

func (c bare) wantFrame(opcode byte, payload string) {
	c.Helper()
	op, got, err := c.readFrame()
	if err != nil || op != opcode || got != payload {
		c.Fatalf("frame %d %q, %v, want %d %q", op, got, err, opcode, payload)
	}
}

// wantClose expects a close frame of this code, and answers it.
func (c bare) wantClose(code uint16) {
	c.Helper()
	payload := string(binary.BigEndian.AppendUint16(nil, code))
	c.wantFrame(opClose, payload)
	c.writeFrame(opClose, payload)
	c.wantDropped()
}

// wantDropped expects the end of the connection, without a frame before it.
func (c bare) wantDropped() {
	c.Helper()
	if op, payload, err := c.readFrame(); !errors.Is(err, io.EOF) {
		c.Fatalf("frame %d %q, %v, want the end", op, payload, err)
	}
}

// after checks how long something took.
func after(t testing.TB, start time.Time, want time.Duration) {
	t.Helper()
	if took := time.Since(start); took != want {
		t.Errorf("after %v, want %v", took, want)
	}
}
