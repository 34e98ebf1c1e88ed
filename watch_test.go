package latchkey_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// lossy is a store of which nothing is known for a while.
type lossy struct {
	latchkey.Store
	answer func(id string) error // to whether a token exists
	asked  atomic.Int32
	tell   func([]latchkey.Change)
}

func (s *lossy) RefreshToken(_ context.Context, id string) (latchkey.RefreshToken, error) {
	s.asked.Add(1)
	return latchkey.RefreshToken{ID: id}, s.answer(id)
}

func (s *lossy) Watch(fn func([]latchkey.Change)) (stop func()) {
	s.tell = fn
	return func() {}
}

func (s *lossy) Update(context.Context, func(latchkey.Tx) error) error { return nil }
func (s *lossy) NextExpiry(context.Context) (time.Time, error)         { return time.Time{}, nil }
func (s *lossy) lose()                                                 { s.tell([]latchkey.Change{{Kind: latchkey.ChangesLost}}) }

// spec: security.md 20, 21: whoever waits for the end of a token is told of one that could not be heard of, also when the
// store is out of reach at first
func TestAnEndThatWasNotHeardOf(t *testing.T) {
	for name, failure := range map[string]error{
		"the store answers":             nil,
		"the store is out of reach":     fmt.Errorf("no line: %w", latchkey.ErrUnavailable),
		"one token cannot be looked at": fmt.Errorf("a wrong key"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var failing atomic.Bool
				failing.Store(failure != nil)
				s := &lossy{answer: func(id string) error {
					switch {
					case failing.Load() && (id == "odd" || errors.Is(failure, latchkey.ErrUnavailable)):
						return failure
					case id == "gone":
						return latchkey.ErrNotFound
					}
					return nil
				}}
				m, err := latchkey.New(s, latchkey.Options{Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				ended := map[string]*atomic.Int32{"gone": {}, "odd": {}, "there": {}}
				for id, count := range ended {
					m.OnRevoke(id, func() { count.Add(1) })
				}
				s.lose()
				s.lose() // as often as one likes
				time.Sleep(10 * time.Second)
				failing.Store(false)
				time.Sleep(10 * time.Second)
				if ended["gone"].Load() != 1 || ended["odd"].Load() != 0 || ended["there"].Load() != 0 {
					t.Errorf("told: %d of the one that is gone, %d and %d of those that are there",
						ended["gone"].Load(), ended["odd"].Load(), ended["there"].Load())
				}
				before := s.asked.Load()
				time.Sleep(time.Hour)
				if s.asked.Load() != before {
					t.Error("it goes on asking when everything is known")
				}
				s.lose()
				synctest.Wait()
				if s.asked.Load() != before+2 {
					t.Error("when changes are lost again it does not ask")
				}
			})
		})
	}
}
