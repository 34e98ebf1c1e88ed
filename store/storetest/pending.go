package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// RunPending runs the suite that every [latchkey.PendingStore] has to pass. open returns two that share what they keep: of
// two nodes, or the same one twice.
func RunPending(t *testing.T, open func(t *testing.T) (a, b latchkey.PendingStore)) {
	t.Run("keep a value for a while", func(t *testing.T) { pendingKept(t, open) })
	t.Run("are replaced by who saw them last", func(t *testing.T) { pendingReplaced(t, open) })
	t.Run("are taken once", func(t *testing.T) { pendingTaken(t, open) })
}

type openPending = func(t *testing.T) (a, b latchkey.PendingStore)

func pendingKept(t *testing.T, open openPending) {
	a, b := open(t)
	ctx := t.Context()
	if _, _, err := a.Get(ctx, "k"); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	if err := a.Put(ctx, "k", []byte("one"), time.Hour); err != nil {
		t.Fatal(err)
	}
	value, revision, err := b.Get(ctx, "k")
	if string(value) != "one" || revision != 0 || err != nil {
		t.Errorf("got %q, %d, %v", value, revision, err)
	}
	if err := b.Put(ctx, "k", []byte("two"), time.Hour); !errors.Is(err, latchkey.ErrExists) {
		t.Errorf("put twice: %v", err)
	}
	if err := a.Put(ctx, "short", []byte("x"), time.Microsecond); err != nil {
		t.Fatal(err)
	}
	never := time.After(time.Minute)
	for err = nil; !errors.Is(err, latchkey.ErrNotFound); {
		select {
		case <-never:
			t.Fatalf("a value does not end: %v", err)
		case <-time.After(time.Millisecond):
			_, _, err = b.Get(ctx, "short")
		}
	}
	if _, err := b.Take(ctx, "short"); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("taken after its end: %v", err)
	}
	if err := b.Put(ctx, "short", []byte("again"), time.Hour); err != nil {
		t.Errorf("put after the end of another: %v", err)
	}
}

func pendingReplaced(t *testing.T, open openPending) {
	a, b := open(t)
	ctx := t.Context()
	if err := a.Put(ctx, "k", []byte("one"), time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, lifetime := range []time.Duration{0, time.Hour} {
		_, revision, err := a.Get(ctx, "k")
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Replace(ctx, "k", revision, []byte("two"), lifetime); err != nil {
			t.Fatal(err)
		}
		if err := b.Replace(ctx, "k", revision, []byte("three"), lifetime); !errors.Is(err, latchkey.ErrConflict) {
			t.Errorf("replaced what somebody else changed: %v", err)
		}
		if err := b.Remove(ctx, "k", revision); !errors.Is(err, latchkey.ErrConflict) {
			t.Errorf("removed what somebody else changed: %v", err)
		}
	}
	value, revision, err := b.Get(ctx, "k")
	if string(value) != "two" || err != nil {
		t.Errorf("got %q, %v", value, err)
	}
	if err := b.Remove(ctx, "k", revision); err != nil {
		t.Error(err)
	}
	if err := a.Replace(ctx, "k", revision, nil, 0); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("replaced what is gone: %v", err)
	}
	if err := a.Remove(ctx, "k", revision); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("removed what is gone: %v", err)
	}
}

func pendingTaken(t *testing.T, open openPending) {
	a, b := open(t)
	ctx := t.Context()
	for range 20 {
		if err := a.Put(ctx, "k", []byte("one"), time.Hour); err != nil {
			t.Fatal(err)
		}
		var taken atomic.Int32
		var all sync.WaitGroup
		for _, p := range []latchkey.PendingStore{a, b, a, b} {
			all.Go(func() {
				value, err := p.Take(ctx, "k")
				switch {
				case err == nil && string(value) == "one":
					taken.Add(1)
				case !errors.Is(err, latchkey.ErrNotFound):
					t.Errorf("%q, %v", value, err)
				}
			})
		}
		all.Wait()
		if taken.Load() != 1 {
			t.Fatalf("taken %d times", taken.Load())
		}
	}
}
