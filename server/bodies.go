package server

import (
	"errors"
	"io"
	"net/http"
)

const (
	// maxBody is how many bytes a request body may have (http-auth.md C-12).
	maxBody = 16<<20 - 1
	// smallBody is how many any request may send at once with all others. No client that means well sends more.
	smallBody = 64 << 10
	// bigBodies is how many larger ones are taken in at a time: whoever is not signed in yet must not fill the memory.
	bigBodies = 2
)

// bodies bounds the size of request bodies, and how many large ones there are at a time.
type bodies struct{ big chan struct{} }

func newBodies() bodies { return bodies{make(chan struct{}, bigBodies)} }

// bound returns the body of a request with its bounds. The caller calls done when it needs no more of it.
func (b bodies) bound(w http.ResponseWriter, r *http.Request) *boundBody {
	return &boundBody{ReadCloser: http.MaxBytesReader(w, r.Body, maxBody), big: b.big, gone: r.Context().Done()}
}

type boundBody struct {
	io.ReadCloser
	big  chan struct{}
	gone <-chan struct{}
	read int
	held bool
}

var errHungUp = errors.New("the client hung up while it waited for its turn to send a large body")

// Read waits for a turn when the body turns out to be large.
func (b *boundBody) Read(p []byte) (int, error) {
	if b.read >= smallBody && !b.held {
		select {
		case b.big <- struct{}{}:
			b.held = true
		case <-b.gone:
			return 0, errHungUp
		}
	}
	n, err := b.ReadCloser.Read(p)
	b.read += n
	return n, err
}

// done gives the turn back.
func (b *boundBody) done() {
	if b.held {
		b.held = false
		<-b.big
	}
}
