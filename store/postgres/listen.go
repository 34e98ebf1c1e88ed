package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
)

const (
	// channel is what changes are announced on. In one database may be several houses, each in a schema of its own.
	channel = `'latchkey ' || hashtext(current_schema())`
	// beatEvery is how often the line to PostgreSQL is tried, and beatWithin how long an answer may take.
	beatEvery  = 250 * time.Millisecond
	beatWithin = 400 * time.Millisecond
	// trustFor is how long the silence of the line is taken for a good sign.
	trustFor = 900 * time.Millisecond
	// lostEvery is how often it is told, while nothing is heard, that changes may be lost.
	lostEvery = time.Second
	// maxPayload is how many bytes of changes go into one notification; and longest how many PostgreSQL allows.
	maxPayload = 7000
	longest    = 7999
	// maxNotified is how many changes of a transaction are announced one by one. Of more, it is only said that there are.
	maxNotified = 2000
)

// message is a notification. One with a test changes nothing: somebody wants to hear whether it arrives.
type message struct {
	Origin  string      `json:"o"`
	Changes [][2]string `json:"c,omitempty"`
	Test    string      `json:"t,omitempty"`
}

// notify announces changes when the transaction is committed.
func (s *Store) notify(ctx context.Context, t *tables.Tx) error {
	changes := t.Changes()
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
		if err == nil && len(text) > longest { // an id of a kind that is nobody's
			text, err = json.Marshal(message{Origin: next.Origin, Changes: [][2]string{{string(latchkey.ChangesLost)}}})
		}
		if err != nil {
			return err
		}
		_, err = t.Exec(ctx, `SELECT pg_notify(`+channel+`, $1)`, string(text))
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
func (s *Store) Current() bool { return s.ear.Current(trustFor) }

// listen begins to hear other nodes, and to sweep.
func (s *Store) listen(ctx context.Context) {
	ready := make(chan struct{})
	s.done.Go(func() { s.hear(ctx, ready) })
	s.done.Go(func() { s.sweep(ctx) })
	select {
	case <-ready: // so that nothing is missed that happens after Open
	case <-time.After(s.limit.within):
	}
}

// hear keeps a connection that listens. Whenever there was none for a while, changes may be lost.
func (s *Store) hear(ctx context.Context, ready chan struct{}) {
	deaf := false
	var told time.Time // that changes may be lost
	for ctx.Err() == nil {
		line, err := s.subscribe(ctx)
		if err == nil {
			heard := s.ear.Now()
			if deaf {
				s.tell(latchkey.Change{Kind: latchkey.ChangesLost})
				s.log.Info("other nodes are heard again")
				deaf, told = false, time.Time{}
			}
			s.ear.Heard(heard)
			if ready != nil {
				close(ready)
				ready = nil
			}
			err = s.beat(ctx, line)
			s.ear.Deaf()
			line.hangUp()
		}
		if ctx.Err() != nil {
			return
		}
		if !deaf {
			deaf = true
			s.dropIdle()
			s.log.Warn("other nodes cannot be heard, so that nothing is taken from memory", "error", cause(err))
		}
		if time.Since(told) > lostEvery {
			s.tell(latchkey.Change{Kind: latchkey.ChangesLost})
			told = time.Now()
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
	ctx, cancel := context.WithTimeout(ctx, s.limit.within)
	defer cancel()
	var err error
	if l.Conn, err = pgx.ConnectConfig(ctx, config); err != nil {
		return nil, err
	}
	var name string
	if err = l.QueryRow(ctx, `SELECT `+channel).Scan(&name); err == nil {
		_, err = l.Exec(ctx, `LISTEN `+pgx.Identifier{name}.Sanitize())
	}
	if err == nil {
		err = s.try(ctx, l)
	}
	if err != nil {
		l.hangUp()
		return nil, err
	}
	return l, nil
}

// errUnheard says that a line answers, and yet nobody is heard on it.
var errUnheard = errors.New("PostgreSQL answers, but what nodes announce does not arrive: connect them to it directly, " +
	"or let what stands between pool sessions and not transactions")

// try reports whether a line hears what is announced on another connection. Between the two may be something that answers
// for PostgreSQL and passes no notifications on.
func (s *Store) try(ctx context.Context, l *line) error {
	test := latchkey.NewID()
	text, err := json.Marshal(message{Origin: *s.origin.Load(), Test: test})
	if err != nil {
		return err
	}
	if _, err := s.db.ExecContext(ctx, `SELECT pg_notify(`+channel+`, $1)`, string(text)); err != nil {
		return err
	}
	for !l.heard(test) {
		if err := l.PgConn().WaitForNotification(ctx); errors.Is(err, context.DeadlineExceeded) {
			return errUnheard
		} else if err != nil {
			return err
		}
	}
	return nil
}

// heard reports whether a test has arrived.
func (l *line) heard(test string) bool {
	return slices.ContainsFunc(l.payloads, func(payload string) bool {
		var m message
		return json.Unmarshal([]byte(payload), &m) == nil && m.Test == test
	})
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
		asked := s.ear.Now()
		asking, cancel := context.WithTimeout(ctx, beatWithin)
		_, err = l.Exec(asking, `SELECT 1`)
		cancel()
		s.received(l)
		if err != nil {
			return err
		}
		s.ear.Heard(asked)
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
		if m.Origin == *s.origin.Load() || m.Test != "" {
			continue
		}
		changes := make([]latchkey.Change, len(m.Changes))
		for i, c := range m.Changes {
			changes[i] = latchkey.Change{Kind: latchkey.ChangeKind(c[0]), ID: c[1]}
		}
		s.tell(changes...)
	}
}
