package ws

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/permission"
)

// maxSubscriptions bounds how many subscriptions one socket may have, and with it what one event costs.
const maxSubscriptions = 1000

var (
	errNoSubscription = &Error{Code: CodeNotFound, Message: "Subscription not found."}
	errTooMany        = &Error{Code: CodeNotAllowed, Message: "Too many subscriptions; end some of them first."}
)

func eventCommands(bus *eventBus) []Command {
	return []Command{
		Define("subscribe_events", Anyone, bus.subscribe),
		Define("unsubscribe_events", Anyone, unsubscribe),
	}
}

// Subscribe makes the call a subscription: behind its answer, each event given to emit goes to the client under the id
// of the call, unless allowed says no to the user as it then is (websocket.md EV-4). emit does not block, may be called
// from any goroutine, and does nothing once the subscription is over. start begins to emit; the stop that it returns is
// called once, when the client ends the subscription or the socket closes. There is an error, and start is not called,
// when the client has too many subscriptions, or the call is one already. A command that fails ends its subscription.
func (c *Call) Subscribe(allowed func(latchkey.User) bool, start func(emit func(event any)) (stop func())) error {
	s := c.session
	sub := &subscription{id: c.ID, allowed: allowed, send: s.put}
	if !s.subs.add(c.ID, sub) {
		return errTooMany
	}
	stop := start(sub.emit)
	sub.setStop(stop)
	c.then(sub.open)
	return nil
}

// subscription is a stream of events to one client.
type subscription struct {
	id      uint64
	allowed func(latchkey.User) bool
	send    func(message)

	mu     sync.Mutex
	opened bool
	ended  bool
	early  []message // of before the answer
	stop   func()
}

// emit queues an event. One that is no JSON is not worth more than being dropped: whoever made it gets no answer.
func (s *subscription) emit(event any) {
	text, err := encode(eventMessage{ID: s.id, Type: "event", Event: event})
	if err != nil {
		return
	}
	m := message{text: text, allowed: s.allowed}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
	case s.opened:
		s.send(m)
	case len(s.early) < crowded:
		s.early = append(s.early, m)
	}
}

// open sends what came before the answer, and from now on whatever comes.
func (s *subscription) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = true
	if !s.ended {
		for _, m := range s.early {
			s.send(m)
		}
	}
	s.early = nil
}

func (s *subscription) setStop(stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop = stop
}

// end stops the stream. It is called by the reader of the socket, which also started it.
func (s *subscription) end() {
	s.mu.Lock()
	s.ended = true
	stop := s.stop
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// subscriptions are those of one socket. Only its reader uses them.
type subscriptions map[uint64]*subscription

func (s *subscriptions) add(id uint64, sub *subscription) bool {
	if _, taken := (*s)[id]; taken || len(*s) >= maxSubscriptions {
		return false
	}
	if *s == nil {
		*s = subscriptions{}
	}
	(*s)[id] = sub
	return true
}

// end ends the subscription of an id, if there is one.
func (s *subscriptions) end(id uint64) bool {
	sub, ok := (*s)[id]
	if ok {
		delete(*s, id)
		sub.end()
	}
	return ok
}

func (s *subscriptions) stop() {
	for _, sub := range *s {
		sub.end()
	}
}

type subscriptionID struct {
	ID int64 `json:"subscription"`
}

// unsubscribe ends a subscription of this socket (websocket.md EV-3).
func unsubscribe(_ context.Context, c *Call, in subscriptionID) (None, error) {
	if in.ID < 0 || !c.session.subs.end(uint64(in.ID)) {
		return None{}, errNoSubscription
	}
	return None{}, nil
}

// eventBus gives the events of the manager to whoever subscribed to them.
type eventBus struct {
	unwatch func()

	mu   sync.Mutex
	next int
	subs map[int]eventFilter
}

// eventFilter is one subscriber. A nil kind takes every event.
type eventFilter struct {
	kind *string
	emit func(event any)
}

// event is an event as clients read it (websocket.md EV-2).
type event struct {
	Type   string       `json:"event_type"`
	Data   eventData    `json:"data"`
	Origin string       `json:"origin"`
	Fired  timestamp    `json:"time_fired"`
	Caused eventContext `json:"context"`
}

type eventData struct {
	UserID string `json:"user_id"`
}

type eventContext struct {
	ID       string  `json:"id"`
	ParentID *string `json:"parent_id"`
	UserID   *string `json:"user_id"`
}

func newEventBus(m *latchkey.Manager) *eventBus {
	b := &eventBus{subs: map[int]eventFilter{}}
	b.unwatch = m.OnEvent(b.publish)
	return b
}

func (b *eventBus) stop() { b.unwatch() }

// publish gives an event to its subscribers. It must not block, so whether they may have it is asked when it is sent.
func (b *eventBus) publish(e latchkey.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.subs) == 0 {
		return
	}
	kind := string(e.Kind)
	text, err := encode(event{
		Type: kind, Data: eventData{UserID: e.UserID}, Origin: "LOCAL", Fired: timestamp(time.Now()),
		Caused: eventContext{ID: latchkey.NewID()},
	})
	if err != nil {
		return
	}
	for _, s := range b.subs {
		if s.kind == nil || *s.kind == kind {
			s.emit(json.RawMessage(text))
		}
	}
}

type eventType struct {
	Type *string `json:"event_type,omitzero"`
}

// subscribe subscribes to the events of a type, or to all (websocket.md EV-1).
func (b *eventBus) subscribe(_ context.Context, c *Call, in eventType) (None, error) {
	allowed := latchkey.User.IsAdmin
	if in.Type != nil && permission.MaySubscribe(*in.Type) {
		allowed = func(latchkey.User) bool { return true }
	}
	if !allowed(c.User) {
		return None{}, errUnauthorized
	}
	return None{}, c.Subscribe(allowed, func(emit func(any)) (stop func()) {
		return b.add(eventFilter{kind: in.Type, emit: emit})
	})
}

func (b *eventBus) add(f eventFilter) (remove func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	id := b.next
	b.subs[id] = f
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs, id)
	}
}
