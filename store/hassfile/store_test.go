package hassfile

import (
	"context"
	"log/slog"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/storetest"
)

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

func quiet() Option { return WithLogger(quietLog()) }

func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Factory{
		NewPlace: func(t testing.TB) func(context.Context) (latchkey.Store, error) {
			dir := t.TempDir()
			return func(ctx context.Context) (latchkey.Store, error) { return Open(ctx, dir, quiet()) }
		},
		KeepsSecrets: true,
	})
}
