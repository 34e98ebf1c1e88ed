package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
)

// cable is the line between a node and its database, at which a test can pull.
type cable struct {
	target   string
	listener net.Listener

	flow  sync.RWMutex // held by who freezes the line
	mu    sync.Mutex
	down  bool
	ends  map[net.Conn]struct{}
	tasks sync.WaitGroup
}

// lay puts a line to an address.
func lay(t *testing.T, target string) *cable {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{target: target, listener: listener, ends: map[net.Conn]struct{}{}}
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
		c.tasks.Go(func() { c.carry(near, far) })
		c.tasks.Go(func() { c.carry(far, near) })
	}
}

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

// carry passes bytes on while the line is not frozen.
func (c *cable) carry(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		c.flow.RLock()
		if n > 0 {
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

// mend lets connections through again.
func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = false
}

// freeze lets nothing through any more, and nobody know; thaw ends that.
func (c *cable) freeze() { c.flow.Lock() }
func (c *cable) thaw()   { c.flow.Unlock() }
