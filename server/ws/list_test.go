package ws_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/seed-6a977b3d/latchkey/bench"
)

// What it takes to tell a client of all users, who are one answer. The heap is that of server and client together, above
// what it was before; the client lets go of what it has read.
func BenchmarkListOfUsers(b *testing.B) {
	for _, users := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(users), func(b *testing.B) {
			store := openStore(b)
			h := newHouse(b, houseOptions{store: store})
			if err := bench.Seed(b.Context(), store, bench.Size{Users: users}, nil); err != nil {
				b.Fatal(err)
			}
			c := h.connect(b, h.anna)
			before := inUse()
			peak, stop := watchHeap()
			b.ResetTimer()
			for i := range b.N {
				c.send(fmt.Sprintf(`{"id":%d,"type":"config/auth/list"}`, i+1))
				b.SetBytes(c.skip())
			}
			b.StopTimer()
			stop()
			b.ReportMetric(float64(peak.Load()-int64(before))/(1<<20), "MiB-peak")
		})
	}
}

// skip reads the next frame without keeping it, and returns its length.
func (c client) skip() (length int64) {
	c.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rescue)
	defer cancel()
	kind, r, err := c.conn.Reader(ctx)
	if err != nil || kind != websocket.MessageText {
		c.Fatal("receive:", kind, err)
	}
	part := make([]byte, 32<<10)
	for {
		n, err := r.Read(part)
		length += int64(n)
		if err != nil {
			return length
		}
	}
}

// watchHeap looks at how much of the heap is in use until stop is called.
func watchHeap() (peak *atomic.Int64, stop func()) {
	peak = new(atomic.Int64)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), int64(m.HeapInuse+m.StackInuse)))
			select {
			case <-end:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return peak, func() { close(end); <-ended }
}
