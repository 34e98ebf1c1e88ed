package latchkey_test

import (
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/storetest"
)

func TestMemoryPending(t *testing.T) {
	storetest.RunPending(t, func(*testing.T) (a, b latchkey.PendingStore) {
		p := latchkey.NewMemoryPending()
		return p, p
	})
}
