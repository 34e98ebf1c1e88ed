package ws

import (
	"sync"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// The bounds of what waits to be sent to one client (websocket.md W-7).
const (
	// crowded is how many messages, or bytes, may wait for longer than patience.
	crowded      = 1024
	crowdedBytes = 8 << 20
	patience     = 5 * time.Second
	// overflow is how many messages may wait at all.
	overflow = 4096
)

// The bounds of one frame that holds several messages.
const (
	coalesceMessages = 256
	coalesceBytes    = 64 << 10
)

// message is something to be sent: text, or a ping frame.
type message struct {
	text []byte
	ping bool
	// allowed is asked when the message is about to be sent; nil if nobody has to be asked.
	allowed func(latchkey.User) bool
}

// outbox is the queue of messages to one client. A goroutine runs only while there is something to write, so that an
// idle socket has none.
type outbox struct {
	mu      sync.Mutex
	queue   []message
	bytes   int
	writing bool // somebody calls next
	closed  bool
	leaving bool        // close when everything is sent
	crowd   *time.Timer // runs while the queue is crowded
	room    chan struct{}
}

// put appends a message, and reports whether there are too many. write is called when nobody is writing, and must not
// block; tooLong is called when the queue stays crowded.
func (o *outbox) put(m message, write, tooLong func()) (overflown bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.leaving {
		return false
	}
	o.queue = append(o.queue, m)
	o.bytes += len(m.text)
	if o.isCrowded() && o.crowd == nil {
		o.crowd = time.AfterFunc(patience, tooLong)
	}
	if !o.writing {
		o.writing = true
		write()
	}
	return len(o.queue) > overflow
}

// next takes the messages that go into the next frame: one, or several where the client takes lists. When nothing
// waits it returns none, and the caller has to stop writing; done says that this was everything there will be.
func (o *outbox) next(lists bool) (batch []message, done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(o.queue) == 0 {
		o.writing = false
		o.queue = nil
		return nil, o.leaving && !o.closed
	}
	n, size := 1, len(o.queue[0].text)
	for lists && n < min(len(o.queue), coalesceMessages) && !o.queue[0].ping && !o.queue[n].ping {
		size += len(o.queue[n].text)
		if size > coalesceBytes {
			break
		}
		n++
	}
	batch = o.queue[:n:n]
	o.queue = o.queue[n:]
	for _, m := range batch {
		o.bytes -= len(m.text)
	}
	if !o.isCrowded() {
		o.relax()
	}
	return batch, false
}

// finish lets nothing more in. It reports whether nothing is left to be sent.
func (o *outbox) finish() (empty bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.leaving = true
	return !o.writing
}

// close drops what waits.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.queue, o.bytes = nil, 0
	o.relax()
}

// waitForRoom waits while the queue is crowded: whoever sends faster than it reads has to wait for itself.
func (o *outbox) waitForRoom(done <-chan struct{}) {
	for {
		o.mu.Lock()
		if o.closed || !o.isCrowded() {
			o.mu.Unlock()
			return
		}
		if o.room == nil {
			o.room = make(chan struct{})
		}
		room := o.room
		o.mu.Unlock()
		select {
		case <-room:
		case <-done:
			return
		}
	}
}

// isCrowded reports whether too much waits. The caller holds mu, here and below.
func (o *outbox) isCrowded() bool { return len(o.queue) > crowded || o.bytes > crowdedBytes }

func (o *outbox) relax() {
	if o.crowd != nil {
		o.crowd.Stop()
		o.crowd = nil
	}
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}
