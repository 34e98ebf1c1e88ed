package latchkey_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// slow is a store whose clock is behind that of its node, by which a token has ended that it does not give away.
type slow struct {
	latchkey.Store
	sweeps atomic.Int32
}

func (s *slow) Watch(func([]latchkey.Change)) (stop func())           { return func() {} }
func (s *slow) NextExpiry(context.Context) (time.Time, error)         { return time.Now().Add(-time.Hour), nil }
func (s *slow) Update(context.Context, func(latchkey.Tx) error) error { return nil }

func (s *slow) Sweep(ctx context.Context, fn func(latchkey.Tx) error) error {
	if s.sweeps.Add(1) > 1000 { // as often as it may be asked without a pause
		<-ctx.Done()
	}
	return fn(nothingEnded{})
}

type nothingEnded struct{ latchkey.Tx }

func (nothingEnded) ExpiredRefreshTokens(context.Context, time.Time, int) ([]latchkey.RefreshToken, error) {
	return nil, nil
}

// What the store says has not ended is asked for again, and not without a pause.
func TestATokenThatHasEndedByOneClockOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{}
		m, err := latchkey.New(s, latchkey.Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		time.Sleep(time.Minute)
		if n := s.sweeps.Load(); n < 10 || n > 100 {
			t.Errorf("the store is asked %d times in a minute", n)
		}
	})
}
