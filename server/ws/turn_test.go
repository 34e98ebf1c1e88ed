package ws_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// Of clients that are not signed in, two at a time may fill megabytes, and nobody is held up by them: 400 sockets with a
// few compressed kilobytes each would otherwise take gigabytes.
func TestStrangersDoNotFillTheMemory(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		h, listener := pipeHouse(t, store)
		const strangers, turns, size = 6, 2, 1 << 20
		var taken atomic.Int32
		for range strangers {
			c := listener.dial(t)
			go func() {
				_, _ = c.Write(header(opText, size+1)) // and its last byte never comes
				if n, _ := c.Write(make([]byte, size)); n == size {
					taken.Add(1)
				}
			}()
		}
		synctest.Wait()
		if n := taken.Load(); n != turns {
			t.Errorf("%d large messages of strangers were taken in at once, want %d", n, turns)
		}
		listener.connect(t, h)
	})
}

// spec: websocket.md, "W-3": the size of a message is limited before the authentication as it is behind it
func TestAFirstMessageMayBeLarge(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		h, listener := pipeHouse(t, store)
		blanks := strings.Repeat(" ", 1<<20)
		for range 3 { // more than there are turns, which are given back
			c := listener.dial(t)
			c.writeFrame(opText, `{"type":"auth",`+blanks+`"access_token":"`+h.accessToken(t, h.refreshToken(t, h.anna))+`"}`)
			c.wantFrame(opText, `{"type":"auth_ok","ha_version":"2024.1.0"}`)
		}
	})
}
