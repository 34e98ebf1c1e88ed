package ws_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/ws"
)

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

// sluggish is a store that takes its time to find a refresh token, whoever has given up meanwhile.
type sluggish struct {
	latchkey.Store
	takes atomic.Int64
	asked atomic.Int64
	told  func([]latchkey.Change)
}

func (s *sluggish) RefreshToken(ctx context.Context, id string) (latchkey.RefreshToken, error) {
	s.asked.Add(1)
	time.Sleep(time.Duration(s.takes.Load()))
	return s.Store.RefreshToken(context.WithoutCancel(ctx), id)
}

func (s *sluggish) Watch(fn func([]latchkey.Change)) (stop func()) {
	s.told = fn
	return s.Store.Watch(fn)
}

// A client whose token is found too late is not remembered: nobody waits for the end of the token any more.
func TestAuthenticationThatSucceedsTooLateLeavesNothing(t *testing.T) {
	store := &sluggish{Store: openStore(t)}
	synctest.Test(t, func(t *testing.T) {
		h, listener := pipeHouse(t, store)
		access := h.accessToken(t, h.refreshToken(t, h.anna))
		c := listener.dial(t)
		store.takes.Store(int64(11 * time.Second))
		c.writeFrame(opText, `{"type":"auth","access_token":"`+access+`"}`)
		c.wantFrame(opClose, string(binary.BigEndian.AppendUint16(nil, normalClosure)))
		time.Sleep(time.Minute)
		store.takes.Store(0)
		store.asked.Store(0)
		store.told([]latchkey.Change{{Kind: latchkey.ChangesLost}}) // the manager looks for the tokens that are waited for
		synctest.Wait()
		if n := store.asked.Load(); n != 0 {
			t.Errorf("%d tokens are waited for", n)
		}
	})
}
