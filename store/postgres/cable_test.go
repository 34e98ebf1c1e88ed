package postgres_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// cable is the line between a store and its database, at which a test can pull.
type cable struct {
	target  string
	address string // of the database, along the cable

	flow sync.RWMutex // held by who freezes the line
	// swallow is how many answers to a commit are lost from now on, with their connections.
	swallow atomic.Int32
	// late, unless nil, is closed when such a commit may arrive; the connection is lost before.
	late chan struct{}
	// delay is how many answers to a commit are held back from now on, until delayed is closed.
	delay   atomic.Int32
	delayed chan struct{}
	// mute lets no notification through, as what pools transactions does not.
	mute  atomic.Bool
	tasks sync.WaitGroup
	mu    sync.Mutex
	ends  []net.Conn
}

// lay puts a line to a database.
func lay(t *testing.T, address string) *cable {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{target: u.Host}
	u.Host = listener.Addr().String()
	c.address = u.String()
	c.tasks.Go(func() { c.accept(listener) })
	t.Cleanup(func() {
		_ = listener.Close()
		c.mu.Lock()
		for _, e := range c.ends {
			_ = e.Close()
		}
		c.mu.Unlock()
		c.tasks.Wait()
	})
	return c
}

func (c *cable) accept(listener net.Listener) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", c.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		c.mu.Lock()
		c.ends = append(c.ends, near, far)
		c.mu.Unlock()
		committing, waiting := &atomic.Bool{}, &atomic.Bool{}
		c.tasks.Go(func() {
			c.carry(far, near, func(b []byte) bool {
				if !bytes.Contains(b, []byte("commit\x00")) {
					return true
				}
				waiting.Store(c.delay.Add(-1) >= 0)
				if c.swallow.Add(-1) >= 0 {
					committing.Store(true)
					if c.late != nil {
						_ = near.Close()
						<-c.late
					}
				}
				return true
			})
		})
		c.tasks.Go(func() {
			c.carry(&muffler{Conn: near, mute: &c.mute}, far, func([]byte) bool {
				if waiting.Load() {
					<-c.delayed
				}
				return !committing.Load()
			})
		})
	}
}

// carry passes bytes on while the line is not frozen, until pass says that it breaks here.
func (c *cable) carry(to, from net.Conn, pass func([]byte) bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		c.flow.RLock()
		if n > 0 && err == nil {
			if !pass(buffer[:n]) {
				err = io.EOF
			} else {
				_, err = to.Write(buffer[:n])
			}
		}
		c.flow.RUnlock()
		if err != nil {
			break
		}
	}
	_ = to.Close()
	_ = from.Close()
}

// freeze lets nothing through any more, and nobody know; what it returns ends that.
func (c *cable) freeze() (thaw func()) {
	c.flow.Lock()
	return sync.OnceFunc(c.flow.Unlock)
}

// muffler writes what PostgreSQL says, without the notifications when it is to be mute.
type muffler struct {
	net.Conn
	mute *atomic.Bool
	rest []byte // of a message that has not arrived as a whole
}

func (m *muffler) Write(b []byte) (int, error) {
	m.rest = append(m.rest, b...)
	for len(m.rest) >= 5 { // a letter, and the length of all that follows
		n := 1 + int(binary.BigEndian.Uint32(m.rest[1:]))
		if len(m.rest) < n {
			break
		}
		if m.rest[0] != 'A' || !m.mute.Load() {
			if _, err := m.Conn.Write(m.rest[:n]); err != nil {
				return 0, err
			}
		}
		m.rest = m.rest[n:]
	}
	return len(b), nil
}
