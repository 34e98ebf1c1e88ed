package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
	"github.com/seed-6a977b3d/latchkey/store/storetest"
)

// The store passes the suite of all stores.
func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Factory{
		Shared: true,
		NewPlace: func(t testing.TB) func(context.Context) (latchkey.Store, error) {
			path := filepath.Join(t.TempDir(), "latchkey.db")
			return func(ctx context.Context) (latchkey.Store, error) {
				store, err := sqlite.Open(ctx, path)
				if err != nil {
					return nil, err // and not a Store that holds nothing
				}
				return store, nil
			}
		},
	})
}
