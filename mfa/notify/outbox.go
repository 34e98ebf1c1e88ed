package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// How long one message may take, and how many may be under way at a time.
const (
	SendTimeout = 30 * time.Second
	maxSending  = 64
)

// errBusy says that too many messages are under way already, which is what a service that hangs leads to.
var errBusy = errors.New("too many messages are under way: is the notify service slow?")

// outbox sends messages without anybody waiting for them.
type outbox struct {
	notifier Notifier
	log      *slog.Logger
	slots    chan struct{} // one for each message that may be under way

	life   context.Context // ends with close
	cancel context.CancelFunc
	mu     sync.Mutex // held to add to sending as long as life has not ended
	done   sync.WaitGroup
}

func newOutbox(n Notifier, log *slog.Logger) *outbox {
	o := &outbox{notifier: n, log: log, slots: make(chan struct{}, maxSending)}
	o.life, o.cancel = context.WithCancel(context.Background())
	return o
}

// send begins to send a message. A service that does not exist is an error at once; what fails later is logged.
func (o *outbox) send(ctx context.Context, userID, service string, m Message) error {
	if !slices.Contains(o.notifier.Services(ctx), service) {
		return fmt.Errorf("%w: %q", ErrNoService, service)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.life.Err() != nil {
		return errors.New("the notify module is closed")
	}
	select {
	case o.slots <- struct{}{}:
	default:
		return errBusy
	}
	o.done.Go(func() {
		defer func() { <-o.slots }()
		ctx, cancel := context.WithTimeout(o.life, SendTimeout)
		defer cancel()
		if err := o.notifier.Notify(ctx, service, m); err != nil {
			o.log.Error("a login code could not be delivered", "service", service, "user_id", userID, "error", err)
		}
	})
	return nil
}

func (o *outbox) close() {
	o.mu.Lock()
	o.cancel()
	o.mu.Unlock()
	o.done.Wait()
}
