package postgres

import (
	"context"
	"database/sql"
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
	// sweepEvery is how often what has ended is deleted.
	sweepEvery = time.Minute
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
func (s *Store) notify(ctx context.Context, began *sql.Tx, changes []latchkey.Change) error {
	if len(changes) > maxNotified {
		changes = []latchkey.Change{{Kind: latchkey.ChangesLost}}
	}
	next := message{Origin: s.origin}
	size := 0
	send := func() error {
		if len(next.Changes) == 0 {
			return nil
		}
		text, err := json.Marshal(next)
		if err != nil {
			return err
		}
		_, err = began.ExecContext(ctx, `SELECT pg_notify($1, $2)`, channel, string(text))
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

// Current reports whether everything is known that other nodes have changed until a second ago at most. While it is not,
// nothing that was read earlier may be relied on.
func (s *Store) Current() bool {
	heard := s.listener.heard.Load()
	return heard != 0 && time.Now().UnixNano()-heard < int64(trustFor)
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

// hear keeps a connection that listens. Whenever one is lost, so may be changes.
func (s *Store) hear(ctx context.Context, ready chan struct{}) {
	first := true
	for ctx.Err() == nil {
		conn, err := s.subscribe(ctx)
		if err == nil {
			if !first {
				s.watchers.Tell([]latchkey.Change{{Kind: latchkey.ChangesLost}})
			}
			s.listener.heard.Store(time.Now().UnixNano())
			if first {
				close(ready)
			}
			first = false
			err = s.beat(ctx, conn)
			s.listener.heard.Store(0)
			closing, cancel := context.WithTimeout(context.Background(), beatWithin)
			_ = conn.Close(closing)
			cancel()
			if ctx.Err() == nil {
				s.watchers.Tell([]latchkey.Change{{Kind: latchkey.ChangesLost}})
				s.log.Warn("other nodes cannot be heard, so that nothing is taken from memory", "error", err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// subscribe opens a connection that hears everything from now on.
func (s *Store) subscribe(ctx context.Context) (*pgx.Conn, error) {
	config := s.config.Copy()
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { s.received(n.Payload) }
	ctx, cancel := context.WithTimeout(ctx, s.within)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

// beat waits for notifications, and asks PostgreSQL now and then whether it is still there. Its answer comes behind all
// notifications of what was committed before the question.
func (s *Store) beat(ctx context.Context, conn *pgx.Conn) error {
	for {
		waiting, cancel := context.WithTimeout(ctx, beatEvery)
		err := conn.PgConn().WaitForNotification(waiting)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		asked := time.Now()
		asking, cancel := context.WithTimeout(ctx, beatWithin)
		_, err = conn.Exec(asking, `SELECT 1`)
		cancel()
		if err != nil {
			return err
		}
		s.listener.heard.Store(asked.UnixNano())
	}
}

// received tells the watchers what another node has changed.
func (s *Store) received(payload string) {
	var m message
	if err := json.Unmarshal([]byte(payload), &m); err != nil {
		s.watchers.Tell([]latchkey.Change{{Kind: latchkey.ChangesLost}})
		return
	}
	if m.Origin == s.origin {
		return
	}
	changes := make([]latchkey.Change, len(m.Changes))
	for i, c := range m.Changes {
		changes[i] = latchkey.Change{Kind: latchkey.ChangeKind(c[0]), ID: c[1]}
	}
	s.watchers.Tell(changes)
}

// isBroken reports whether a connection has ended.
func isBroken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		err.Error() == "conn closed" || err.Error() == "driver: bad connection"
}

// sweepLock is the number of the advisory lock under which one node at a time sweeps.
const sweepLock = 0x6c746368_73776565

// sweep deletes what has ended. Of all nodes one does it at a time.
func (s *Store) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.sweepOnce(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("what has ended cannot be deleted, and is tried again", "error", err)
		}
	}
}

func (s *Store) sweepOnce(ctx context.Context) error {
	ctx, cancel := s.limited(ctx)
	defer cancel()
	_, err := s.db.ExecContext(ctx, `WITH mine AS (SELECT pg_try_advisory_xact_lock($1) AS got)
		DELETE FROM pending USING mine WHERE mine.got AND ends < now()`, int64(sweepLock))
	return told(err)
}
