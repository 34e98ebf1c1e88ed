package postgres

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-6a977b3d/latchkey"
)

const (
	// channel is what changes are announced on.
	channel = "latchkey"
	// beatEvery is how often the line to PostgreSQL is tried, and beatWithin how long an answer may take.
	beatEvery  = 250 * time.Millisecond
	beatWithin = 400 * time.Millisecond
	// trustFor is how long the silence of the line is taken for a good sign.
	trustFor = 900 * time.Millisecond
	// maxPayload is how many bytes of changes go into one notification; PostgreSQL allows 8000.
	maxPayload = 7000
	// maxNotified is how many changes of a transaction are announced one by one. Of more, it is only said that there are.
	maxNotified = 2000
)

// listener hears what other nodes change.
type listener struct {
	// heard is when PostgreSQL was last known to have told everything, in Unix nanoseconds; 0 when it is not.
	heard atomic.Int64
}

// message is a notification.
type message struct {
	Origin  string      `json:"o"`
	Changes [][2]string `json:"c"`
}

// notify announces changes when the transaction is committed.
func (s *Store) notify(ctx context.Context, t *tx) error {
	changes := t.changes
	if len(changes) > maxNotified {
		changes = []latchkey.Change{{Kind: latchkey.ChangesLost}}
	}
	next := message{Origin: *s.origin.Load()}
	size := 0
	send := func() error {
		if len(next.Changes) == 0 {
			return nil
		}
		text, err := json.Marshal(next)
		if err != nil {
			return err
		}
		_, err = t.one(ctx, `SELECT pg_notify($1, $2)`, channel, string(text))
		next.Changes, size = nil, 0
		return err
	}
	for _, c := range changes {
		more := len(c.ID)*2 + len(c.Kind) + 8 // an id may have to be escaped
		if size += more; size > maxPayload {
			if err := send(); err != nil {
				return err
			}
			size = more
		}
		next.Changes = append(next.Changes, [2]string{string(c.Kind), c.ID})
	}
	return send()
}

// hearOwn takes what was announced until now for the changes of another node. When it is not known whether a commit was
// made, its notification tells.
func (s *Store) hearOwn() {
	origin := latchkey.NewID()
	s.origin.Store(&origin)
}

// Current reports whether everything is known that other nodes have changed until a second ago at most. While it is not,
// nothing that was read earlier may be relied on.
func (s *Store) Current() bool {
	age := time.Now().UnixNano() - s.listener.heard.Load()
	return age >= 0 && age < int64(trustFor) // an answer from the future is one from before the clock was set back
}

// listen begins to hear other nodes, and to sweep.
func (s *Store) listen(ctx context.Context) {
	ready := make(chan struct{})
	s.done.Go(func() { s.hear(ctx, ready) })
	s.done.Go(func() { s.sweep(ctx) })
	select {
	case <-ready: // so that nothing is missed that happens after Open
	case <-time.After(s.within):
	}
}

// hear keeps a connection that listens. Whenever there was none for a while, changes may be lost.
func (s *Store) hear(ctx context.Context, ready chan struct{}) {
	deaf := false
	for ctx.Err() == nil {
		line, err := s.subscribe(ctx)
		if err == nil {
			if deaf {
				s.tell(latchkey.Change{Kind: latchkey.ChangesLost})
				s.log.Info("other nodes are heard again")
				deaf = false
			}
			s.listener.heard.Store(time.Now().UnixNano())
			if ready != nil {
				close(ready)
				ready = nil
			}
			err = s.beat(ctx, line)
			s.listener.heard.Store(0)
			line.hangUp()
		}
		if ctx.Err() != nil {
			return
		}
		if !deaf {
			deaf = true
			s.dropIdle()
			s.tell(latchkey.Change{Kind: latchkey.ChangesLost})
			s.log.Warn("other nodes cannot be heard, so that nothing is taken from memory", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// dropIdle closes the connections that nobody uses: what cut this one off has probably ended them as well, and whoever is
// given one would find that out by failing.
func (s *Store) dropIdle() {
	s.db.SetMaxIdleConns(0)
	s.db.SetMaxIdleConns(connections)
}

// line is a connection that listens, and what was heard on it that nobody was told yet.
type line struct {
	*pgx.Conn
	payloads []string
}

// hangUp ends the connection, and does not wait long for PostgreSQL to agree.
func (l *line) hangUp() {
	ctx, cancel := context.WithTimeout(context.Background(), beatWithin)
	defer cancel()
	_ = l.Close(ctx)
}

// tell tells the watchers what others have changed, behind the changes of this Store that are being committed.
func (s *Store) tell(changes ...latchkey.Change) {
	mine := s.turns.take()
	defer mine.end()
	mine.wait()
	s.watchers.Tell(changes)
}

// subscribe opens a line that hears everything from now on.
func (s *Store) subscribe(ctx context.Context) (*line, error) {
	l := &line{}
	config := s.config.Copy()
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { l.payloads = append(l.payloads, n.Payload) }
	ctx, cancel := context.WithTimeout(ctx, s.within)
	defer cancel()
	var err error
	if l.Conn, err = pgx.ConnectConfig(ctx, config); err != nil {
		return nil, err
	}
	if _, err := l.Exec(ctx, `LISTEN `+channel); err != nil {
		l.hangUp()
		return nil, err
	}
	return l, nil
}

// beat waits for notifications, and asks PostgreSQL now and then whether it is still there. Its answer comes behind all
// notifications of what was committed before the question.
func (s *Store) beat(ctx context.Context, l *line) error {
	for {
		waiting, cancel := context.WithTimeout(ctx, beatEvery)
		err := l.PgConn().WaitForNotification(waiting)
		cancel()
		s.received(l) // at once, and not only behind the answer
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		asked := time.Now()
		asking, cancel := context.WithTimeout(ctx, beatWithin)
		_, err = l.Exec(asking, `SELECT 1`)
		cancel()
		s.received(l)
		if err != nil {
			return err
		}
		s.listener.heard.Store(asked.UnixNano())
	}
}

// received tells the watchers what was heard of other nodes.
func (s *Store) received(l *line) {
	payloads := l.payloads
	l.payloads = nil
	for _, payload := range payloads {
		var m message
		if err := json.Unmarshal([]byte(payload), &m); err != nil {
			s.tell(latchkey.Change{Kind: latchkey.ChangesLost})
			continue
		}
		if m.Origin == *s.origin.Load() {
			continue
		}
		changes := make([]latchkey.Change, len(m.Changes))
		for i, c := range m.Changes {
			changes[i] = latchkey.Change{Kind: latchkey.ChangeKind(c[0]), ID: c[1]}
		}
		s.tell(changes...)
	}
}

// isBroken reports whether a connection has ended.
func isBroken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, driver.ErrBadConn)
}
