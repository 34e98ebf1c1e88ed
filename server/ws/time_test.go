package ws_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
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

const normalClosure, tooBig = 1000, 1009

// spec: websocket.md §2, "none within 10 s"
func TestAuthenticationTakesTenSeconds(t *testing.T) {
	for name, begin := range map[string]func(bare){
		"nothing":                 func(bare) {},
		"pings only (W-4)":        func(c bare) { c.writeFrame(opPong, "x") },
		"a frame that stays open": func(c bare) { _, _ = c.Write(header(opText, 100)) },
	} {
		t.Run(name, func(t *testing.T) {
			store := openStore(t)
			synctest.Test(t, func(t *testing.T) {
				h, listener := pipeHouse(t, store)
				c := listener.dial(t)
				start := time.Now()
				begin(c)
				c.wantFrame(opClose, string(binary.BigEndian.AppendUint16(nil, normalClosure)))
				after(t, start, 10*time.Second)
				if h.failed.Load() != 0 {
					t.Error("counted as a failed login")
				}
			})
		})
	}
}

// spec: websocket.md, "W-4"
func TestSilentClientsArePinged(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		h, listener := pipeHouse(t, store)
		c := listener.connect(t, h)
		start := time.Now()
		c.wantFrame(opPing, "")
		after(t, start, 55*time.Second)
		time.Sleep(27 * time.Second)
		c.writeFrame(opPong, "")
		start = time.Now()
		c.wantFrame(opPing, "") // 55 s after the client was heard
		after(t, start, 55*time.Second)
		c.writeFrame(opPong, "")

		time.Sleep(50 * time.Second)
		c.writeFrame(opText, `{"id":1,"type":"ping"}`)
		c.wantFrame(opText, `{"id":1,"type":"pong"}`)
		start = time.Now()
		c.wantFrame(opPing, "")
		after(t, start, 55*time.Second)
		start = time.Now()
		c.wantDropped() // no pong
		after(t, start, 27500*time.Millisecond)
	})
}

// spec: websocket.md, "W-11": a session outlives its access token
func TestSocketsOutliveTheirAccessToken(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		h, listener := pipeHouse(t, store)
		access := h.accessToken(t, h.refreshToken(t, h.anna))
		c := listener.dial(t)
		c.writeFrame(opText, `{"type":"auth","access_token":"`+access+`"}`)
		c.wantFrame(opText, `{"type":"auth_ok","ha_version":"2024.1.0"}`)
		for start := time.Now(); time.Since(start) < time.Hour; {
			c.wantFrame(opPing, "")
			c.writeFrame(opPong, "")
		}
		if _, err := h.ValidateAccessToken(t.Context(), access); !errors.Is(err, latchkey.ErrInvalidAccessToken) {
			t.Error("the access token still works:", err)
		}
		c.writeFrame(opText, `{"id":1,"type":"ping"}`)
		c.wantFrame(opText, `{"id":1,"type":"pong"}`)
	})
}

// spec: websocket.md §8: refresh tokens that end by themselves close their sockets
func TestSocketsEndWithTheirRefreshToken(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		h, listener := pipeHouse(t, store)
		c := listener.connect(t, h)
		start := time.Now()
		// Another node shortens the token's life; whoever removes what has ended looks for that once an hour.
		err := h.store.Update(t.Context(), func(tx latchkey.Tx) error {
			r := h.tokens(t, h.anna)[0]
			r.ExpireAt = start.Add(20 * time.Second)
			return tx.UpdateRefreshToken(t.Context(), r)
		})
		if err != nil {
			t.Fatal(err)
		}
		for {
			op, payload, err := c.readFrame()
			if err != nil {
				t.Fatal(err)
			}
			if op == opClose {
				if payload != string(binary.BigEndian.AppendUint16(nil, normalClosure)) {
					t.Errorf("closed with %q", payload)
				}
				break
			}
			c.writeFrame(opPong, "")
		}
		if took := time.Since(start); took > time.Hour {
			t.Errorf("closed after %v", took)
		}
	})
}

// spec: websocket.md, "A-8": two seconds after the answer
func TestTheCurrentTokenGoesTwoSecondsLater(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		h, listener := pipeHouse(t, store)
		c := listener.connect(t, h)
		c.writeFrame(opText, `{"id":1,"type":"auth/delete_all_refresh_tokens"}`)
		c.wantFrame(opText, `{"id":1,"type":"result","success":true,"result":{}}`)
		start := time.Now()
		c.wantClose(normalClosure)
		after(t, start, 2*time.Second)
	})
}

// The current token also goes when the client does not wait for it.
func TestTheCurrentTokenGoesWithoutTheSocket(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		h, listener := pipeHouse(t, store)
		c := listener.connect(t, h)
		c.writeFrame(opText, `{"id":1,"type":"auth/delete_all_refresh_tokens"}`)
		c.wantFrame(opText, `{"id":1,"type":"result","success":true,"result":{}}`)
		_ = c.Close()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if left := h.tokens(t, h.anna); len(left) != 0 {
			t.Errorf("%d tokens are left", len(left))
		}
	})
}

// spec: websocket.md, "W-7": more than 1024 messages for 5 s
func TestClientsThatDoNotReadAreDropped(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		h, listener := pipeHouse(t, store)
		c := listener.connect(t, h)
		start := time.Now()
		list := strings.Repeat(`{"id":0},`, 3000)
		c.writeFrame(opText, "["+list[:len(list)-1]+"]")
		synctest.Wait()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if _, err := c.Write([]byte{0}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%v after %v, want a closed connection", err, time.Since(start))
		}
	})
}

type tap struct{ emit func(any) }

// source is a command with which a test sends events.
func (s *tap) source() ws.Command {
	return ws.Define("test/subscribe", ws.Anyone, func(_ context.Context, c *ws.Call, _ ws.None) (ws.None, error) {
		return ws.None{}, c.Subscribe(func(latchkey.User) bool { return true }, func(emit func(any)) func() {
			s.emit = emit
			emit("early")
			return func() { s.emit = nil }
		})
	})
}

// spec: websocket.md, "W-7": more than 4096 messages
func TestTooManyEventsDropTheClient(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		var s tap
		h, listener := pipeHouse(t, store, s.source())
		c := listener.connect(t, h)
		c.writeFrame(opText, `{"id":7,"type":"test/subscribe"}`)
		c.wantFrame(opText, `{"id":7,"type":"result","success":true,"result":null}`)
		c.wantFrame(opText, `{"id":7,"type":"event","event":"early"}`) // behind the answer
		emit := s.emit
		start := time.Now()
		for range 4096 {
			emit("more")
		}
		synctest.Wait()
		c.wantFrame(opText, `{"id":7,"type":"event","event":"more"}`) // still there
		for range 100 {
			emit("more")
		}
		synctest.Wait()
		if _, err := c.Write([]byte{0}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%v, want a closed connection", err)
		}
		after(t, start, 0)
		emit("late") // does nothing
	})
}

// The stop of a subscription is called when the client ends it, and when the socket closes.
func TestSubscriptionsAreStopped(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		var s tap
		h, listener := pipeHouse(t, store, s.source())
		c := listener.connect(t, h)
		for id := 1; id < 4; id += 2 {
			c.writeFrame(opText, `{"id":`+number(id)+`,"type":"test/subscribe"}`)
			c.wantFrame(opText, `{"id":`+number(id)+`,"type":"result","success":true,"result":null}`)
			c.wantFrame(opText, `{"id":`+number(id)+`,"type":"event","event":"early"}`)
			if id == 1 {
				c.writeFrame(opText, `{"id":2,"type":"unsubscribe_events","subscription":1}`)
				c.wantFrame(opText, `{"id":2,"type":"result","success":true,"result":null}`)
			} else {
				_ = c.Close()
			}
			synctest.Wait()
			if s.emit != nil {
				t.Error("not stopped after subscription", id)
			}
		}
	})
}

// spec: websocket.md, "W-21", "timeout": no command keeps its client waiting for ever
func TestCommandsEndInTime(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		wait := ws.Define("test/wait", ws.Anyone, func(ctx context.Context, _ *ws.Call, _ ws.None) (ws.None, error) {
			<-ctx.Done()
			return ws.None{}, ctx.Err()
		})
		h, listener := pipeHouse(t, store, wait)
		c := listener.connect(t, h)
		c.writeFrame(opText, `{"id":1,"type":"test/wait"}`)
		start := time.Now()
		c.wantFrame(opText, `{"id":1,"type":"result","success":false,"error":{"code":"timeout","message":"Timeout"}}`)
		after(t, start, 30*time.Second)
	})
}

// A client that announces a frame and keeps it back cannot keep its socket.
func TestRevokedClientsCannotStall(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		h, listener := pipeHouse(t, store)
		c := listener.connect(t, h)
		if _, err := c.Write(append(header(opText, 1<<20), '{')); err != nil {
			t.Fatal(err)
		}
		for _, r := range h.tokens(t, h.anna) {
			if err := h.RemoveRefreshToken(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
		}
		c.wantFrame(opClose, string(binary.BigEndian.AppendUint16(nil, normalClosure)))
		start := time.Now()
		c.wantDropped()
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("dropped after %v", took)
		}
	})
}

// spec: websocket.md, "W-3": the code reaches a client that is still sending
func TestMessageThatIsTooLong(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		h, listener := pipeHouse(t, store)
		c := listener.connect(t, h)
		go func() { _, _ = c.Write(append(header(opText, 4<<20), make([]byte, 4<<20)...)) }()
		c.wantFrame(opClose, string(binary.BigEndian.AppendUint16(nil, tooBig)))
	})
}
