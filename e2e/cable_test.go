package e2e

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// cable is the line between a node and its database, at which a test can pull.
type cable struct {
	target   string
	listener net.Listener

	flow  sync.RWMutex // held by who freezes the line
	slow  atomic.Int64 // how much later everything arrives, as a duration
	meek  atomic.Bool  // nobody is asked to give up what is under way
	mu    sync.Mutex
	down  bool
	ends  map[net.Conn]struct{}
	ears  map[net.Conn]struct{} // of which those on which the node listens
	deaf  bool                  // there may be none of them
	tasks sync.WaitGroup
}

// lay puts a line to an address.
func lay(t *testing.T, target string) *cable {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{target: target, listener: listener, ends: map[net.Conn]struct{}{}, ears: map[net.Conn]struct{}{}}
	c.tasks.Go(c.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		c.cut()
		c.tasks.Wait()
	})
	return c
}

func (c *cable) address() string { return c.listener.Addr().String() }

func (c *cable) accept() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", c.target)
		if err != nil || !c.hold(near, far) {
			_ = near.Close()
			if far != nil {
				_ = far.Close()
			}
			continue
		}
		c.tasks.Go(func() { c.carry(near, far, func([]byte) bool { return true }) })
		c.tasks.Go(func() {
			c.carry(far, near, func(b []byte) bool {
				return !(c.meek.Load() && bytes.HasPrefix(b, cancelRequest)) &&
					(!bytes.Contains(b, []byte(`LISTEN "latchkey`)) || c.listens(near))
			})
		})
	}
}

// cancelRequest is how a message begins that asks PostgreSQL to give up what is under way on another connection.
var cancelRequest = []byte{0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e}

// hold remembers both ends of a connection, unless the line is cut.
func (c *cable) hold(ends ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return false
	}
	for _, e := range ends {
		c.ends[e] = struct{}{}
	}
	return true
}

// listens remembers that the node listens on a connection, unless it may not.
func (c *cable) listens(near net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ears[near] = struct{}{}
	return !c.deaf
}

// carry passes bytes on while the line is not frozen, until pass says that it breaks here.
func (c *cable) carry(to, from net.Conn, pass func([]byte) bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		c.flow.RLock()
		if late := time.Duration(c.slow.Load()); late > 0 {
			<-time.After(late)
		}
		switch {
		case n == 0:
		case !pass(buffer[:n]):
			err = io.EOF
		default:
			if _, failed := to.Write(buffer[:n]); failed != nil {
				err = failed
			}
		}
		c.flow.RUnlock()
		if err != nil {
			break
		}
	}
	for _, e := range []io.Closer{to, from} {
		_ = e.Close()
	}
}

// cut ends all connections and refuses new ones.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = true
	for e := range c.ends {
		_ = e.Close()
	}
	clear(c.ends)
}

// sever ends the connection on which the node listens and lets it have no other. All else goes on.
func (c *cable) sever() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deaf = true
	for e := range c.ears {
		_ = e.Close()
	}
	clear(c.ears)
}

// mend lets connections through again.
func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down, c.deaf = false, false
}

// freeze lets nothing through any more, and nobody know; thaw ends that.
func (c *cable) freeze() { c.flow.Lock() }
func (c *cable) thaw()   { c.flow.Unlock() }
