package ws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	"github.com/seed-6a977b3d/latchkey"
)

const (
	// messageLimit is the size of a message that is too long (websocket.md W-3).
	messageLimit = 4 << 20
	// compressFrom is the size from which a message is compressed for a client that takes it. Only long lists gain.
	compressFrom = 2 << 10
	// closeLimit is how long a client may take to answer the close frame.
	closeLimit = 10 * time.Second
	// farewellLimit is how long a client may take to read what it is told last.
	farewellLimit = 5 * time.Second
)

// session is one socket, from the upgrade to its end. One goroutine reads and carries out commands, in order; another
// writes while there is something to write.
type session struct {
	handler *Handler
	conn    *websocket.Conn
	wire    *wire
	origin  latchkey.Origin
	out     outbox
	ctx     context.Context // ends with the session
	cancel  context.CancelFunc
	ending  sync.Once
	tasks   sync.WaitGroup // goroutines beside the reader

	userID    string // from here on set by the handshake
	token     latchkey.RefreshToken
	lastID    uint64
	lists     atomic.Bool // the client takes several messages in a frame
	heartbeat heartbeat
	subs      subscriptions
	revocable revocation
}

func newSession(h *Handler, conn *websocket.Conn, w *wire, origin latchkey.Origin) *session {
	conn.SetReadLimit(-1) // read has its own, which lets the client finish before it is told
	s := &session{handler: h, conn: conn, wire: w, origin: origin}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// serve runs the session. When it returns the socket is closed or being closed.
func (s *session) serve(r *http.Request) {
	defer s.end(websocket.StatusNormalClosure)
	defer s.revocable.stop() // however far the authentication comes
	if !s.authenticate(r) {
		return
	}
	defer s.subs.stop()
	s.heartbeat.start(s)
	defer s.heartbeat.stop()
	for {
		kind, data, err := s.read()
		if err != nil {
			return
		}
		if !s.receive(kind, data) {
			return
		}
	}
}

// read returns the next message. It ends the session with the code of what is wrong.
func (s *session) read() (websocket.MessageType, []byte, error) {
	return s.readBy(func(r io.Reader) io.Reader { return r })
}

// readBy is read through another reader.
func (s *session) readBy(through func(io.Reader) io.Reader) (websocket.MessageType, []byte, error) {
	kind, r, err := s.conn.Reader(context.Background()) // end unblocks it
	if err != nil {
		return 0, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(through(r), messageLimit))
	if err != nil {
		return 0, nil, err
	}
	if len(data) == messageLimit {
		s.end(websocket.StatusMessageTooBig)
		return 0, nil, websocket.ErrMessageTooBig
	}
	if kind == websocket.MessageText && !utf8.Valid(data) {
		s.end(websocket.StatusInvalidFramePayloadData) // RFC 6455 §8.1
		return 0, nil, errors.New("text that is not UTF-8")
	}
	return kind, data, nil
}

// receive handles one message of the command phase. It is false when the session is over (websocket.md W-17, W-18).
func (s *session) receive(kind websocket.MessageType, data []byte) bool {
	if kind == websocket.MessageBinary {
		if len(data) == 0 {
			return false
		}
		s.handler.log.Debug("binary message for no handler ignored", "handler", data[0])
		return true
	}
	if !json.Valid(data) {
		return false
	}
	if !isList(data) {
		return s.handle(data)
	}
	elements := json.NewDecoder(bytes.NewReader(data)) // one at a time: there may be a million
	if _, err := elements.Token(); err != nil {
		return false
	}
	for elements.More() {
		var element json.RawMessage
		if err := elements.Decode(&element); err != nil || !s.handle(element) {
			return false
		}
	}
	return true
}

// handle answers one value. It is false when the session is over.
func (s *session) handle(value json.RawMessage) bool {
	s.out.waitForRoom(s.ctx.Done())
	if s.ctx.Err() != nil {
		return false
	}
	s.execute(value)
	s.wire.touch() // the client could not be heard meanwhile
	return s.ctx.Err() == nil
}

// send queues a message for the client. What cannot be written as JSON is the fault of a command, and reported.
func (s *session) send(v any) error {
	text, err := encode(v)
	if err != nil {
		return err
	}
	s.put(message{text: text})
	return nil
}

func (s *session) put(m message) {
	overflown := s.out.put(m, func() { s.tasks.Go(s.write) }, s.drop)
	if overflown {
		s.handler.log.Warn("client does not read what it is sent; connection dropped", "remote", s.origin.Addr)
		s.drop()
	}
}

// write sends what waits, and returns when nothing does.
func (s *session) write() {
	for {
		batch, done := s.out.next(s.lists.Load())
		if done {
			s.end(websocket.StatusNormalClosure)
		}
		if batch == nil {
			return
		}
		if err := s.writeFrame(batch); err != nil {
			s.drop()
			return
		}
	}
}

func (s *session) writeFrame(batch []message) error {
	if batch[0].ping {
		return s.wire.ping()
	}
	var frame []byte
	count := 0
	for _, m := range batch {
		if m.allowed != nil && !s.allows(m.allowed) {
			continue
		}
		switch count++; count {
		case 1:
			frame = m.text
		case 2:
			frame = append(append(append([]byte{'['}, frame...), ','), m.text...)
		default:
			frame = append(append(frame, ','), m.text...)
		}
	}
	if count == 0 {
		return nil
	}
	if count > 1 {
		frame = append(frame, ']')
	}
	return s.conn.Write(context.Background(), websocket.MessageText, frame) // end and drop unblock it
}

// allows asks with the user as it is now.
func (s *session) allows(allowed func(latchkey.User) bool) bool {
	u, err := s.handler.manager.User(s.ctx, s.userID)
	return err == nil && u.MayAuthenticate(&s.origin) == nil && allowed(u)
}

// end closes the socket with a close frame, dropping what waits to be sent. It does not wait.
func (s *session) end(code websocket.StatusCode) {
	s.ending.Do(func() {
		s.out.close() // first: a command that is cut short has nothing to say any more
		s.cancel()
		// For a client that announces a frame and does not send it. It fails only on a connection that is closed.
		_ = s.wire.SetReadDeadline(time.Now().Add(closeLimit))
		s.tasks.Go(func() { _ = s.conn.Close(code, "") })
	})
}

// farewell closes the socket when everything that waits is sent.
func (s *session) farewell() {
	if s.out.finish() {
		s.end(websocket.StatusNormalClosure)
		return
	}
	slow := time.AfterFunc(farewellLimit, func() { s.end(websocket.StatusNormalClosure) })
	context.AfterFunc(s.ctx, func() { slow.Stop() })
}

// drop ends the connection without a close frame (websocket.md W-4, W-7).
func (s *session) drop() {
	s.ending.Do(func() {
		s.out.close()
		s.cancel()
		s.tasks.Go(func() { _ = s.conn.CloseNow() })
	})
}
