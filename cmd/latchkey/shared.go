package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// How long secrets that nodes share are kept. A path is never signed for longer than its refresh token lives.
const (
	setupCodeLasts = 30 * 24 * time.Hour
	signerLasts    = 10 * 365 * 24 * time.Hour
)

// shared returns a secret that all nodes have, or the fresh one where there is only this node: whichever node asks first
// puts its own where the others find it.
func shared(
	ctx context.Context, p latchkey.PendingStore, name string, fresh latchkey.Secret, lasts time.Duration,
) (latchkey.Secret, error) {
	if p == nil {
		return fresh, nil
	}
	for {
		err := p.Put(ctx, "secret/"+name, []byte(fresh.Reveal()), lasts)
		if err == nil {
			return fresh, nil
		}
		if !errors.Is(err, latchkey.ErrExists) {
			return "", fmt.Errorf("share the secret %s with other nodes: %w", name, err)
		}
		value, _, err := p.Get(ctx, "secret/"+name)
		if err == nil {
			return latchkey.Secret(value), nil
		}
		if !errors.Is(err, latchkey.ErrNotFound) { // else it ended just now
			return "", fmt.Errorf("read the secret %s of all nodes: %w", name, err)
		}
	}
}
