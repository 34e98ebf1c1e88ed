package ws

import (
	"errors"
	"io"
)

const (
	// smallFirst is how many bytes of a first message are read from all clients at once. None that means well sends more.
	smallFirst = 64 << 10
	// bigFirsts is how many larger ones are read at a time: a few kilobytes of compressed ones would fill megabytes, and
	// whoever is not signed in yet must not fill the memory.
	bigFirsts = 2
)

// turn lets a client that is not signed in send a large message when others do not.
type turn struct {
	io.Reader
	big  chan struct{}
	gone <-chan struct{}
	read int
	held bool
}

var errGone = errors.New("the socket ended while it waited for its turn to send a large message")

// bound returns what the message is read through.
func (t *turn) bound(r io.Reader) io.Reader {
	t.Reader = r
	return t
}

// Read waits for a turn when the message turns out to be large.
func (t *turn) Read(p []byte) (int, error) {
	if !t.held && t.read >= smallFirst {
		select {
		case t.big <- struct{}{}:
			t.held = true
		case <-t.gone:
			return 0, errGone
		}
	}
	if !t.held {
		p = p[:min(len(p), smallFirst-t.read)]
	}
	n, err := t.Reader.Read(p)
	t.read += n
	return n, err
}

// giveBack ends the turn.
func (t *turn) giveBack() {
	if t.held {
		t.held = false
		<-t.big
	}
}
