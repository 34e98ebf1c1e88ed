package notify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Notifier delivers messages through services that have names. Its methods are called from many goroutines.
type Notifier interface {
	// Services returns the names of the services that can be used now, in any order.
	Services(ctx context.Context) []string
	// Notify delivers a message, or returns why it could not. Nobody waits for it, but it should end with ctx. Its error is
	// logged and must not hold the text.
	Notify(ctx context.Context, service string, m Message) error
}

// Message is a text for a person.
type Message struct {
	// Text holds the code.
	Text string
	// Target says to whom the message goes, where a service has several to choose from; empty if it is not said.
	Target string
}

// ErrNoService says that there is no service of this name.
var ErrNoService = errors.New("no such notify service")

// Sender delivers messages in one way: package mail's, package webhook's, or one of your own.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// Senders is a Notifier over senders with names.
type Senders map[string]Sender

// Services implements [Notifier].
func (s Senders) Services(context.Context) []string { return slices.Sorted(maps.Keys(s)) }

// Notify implements [Notifier].
func (s Senders) Notify(ctx context.Context, service string, m Message) error {
	sender, ok := s[service]
	if !ok {
		return fmt.Errorf("%w: %q", ErrNoService, service)
	}
	return sender.Send(ctx, m)
}
