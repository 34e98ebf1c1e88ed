package ws

import (
	"sync"
	"time"
)

// The times of websocket.md W-4.
const (
	pingAfter   = 55 * time.Second
	pongWithin  = 27500 * time.Millisecond
	authWithin  = 10 * time.Second
	commandTime = 30 * time.Second // no command takes longer than a client is given to be silent
)

// heartbeat finds out whether a silent client is still there. Whatever is heard of it counts as an answer.
type heartbeat struct {
	mu      sync.Mutex
	timer   *time.Timer
	pinged  bool  // and the answer is waited for
	before  int64 // when the client was heard last when the ping was sent
	stopped bool
}

func (h *heartbeat) start(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = time.AfterFunc(pingAfter, func() { h.beat(s) })
}

func (h *heartbeat) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	h.timer.Stop()
}

func (h *heartbeat) beat(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	silence, heard := s.wire.silence(), s.wire.heard.Load()
	switch {
	case h.stopped:
	case h.pinged && heard == h.before:
		s.drop()
	case silence < pingAfter:
		h.pinged = false
		h.timer.Reset(pingAfter - silence)
	default:
		h.pinged, h.before = true, heard
		s.put(message{ping: true})
		h.timer.Reset(pongWithin)
	}
}
