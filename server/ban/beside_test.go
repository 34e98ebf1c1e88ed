package ban_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/ban"
)

// Beside a Home Assistant its bans count, and its list is not touched.
func TestTheBansOfAnotherListCount(t *testing.T) {
	ctx := t.Context()
	const written = "203.0.113.9:\n  banned_at: null\n"
	theirs, path, _ := file(t, written)
	own := filepath.Join(t.TempDir(), "own.yaml")
	list := ban.Beside(ban.NewFile(own, nil), theirs)
	for range 2 {
		if err := errors.Join(list.Ban(ctx, stranger, since), list.Ban(ctx, another, since)); err != nil {
			t.Fatal(err)
		}
	}
	if got := addresses(t, list); !slices.Equal(got, []string{stranger.String(), another.String()}) {
		t.Errorf("banned are %v", got)
	}
	if got := addresses(t, ban.NewFile(own, nil)); !slices.Equal(got, []string{another.String()}) {
		t.Errorf("of our own there are %v", got)
	}
	if err := list.Lift(ctx, another); err != nil {
		t.Error(err)
	}
	if err := list.Lift(ctx, another); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("lifted twice: %v", err)
	}
	if err := list.Lift(ctx, stranger); !errors.Is(err, ban.ErrTheirs) {
		t.Errorf("the ban of another list: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != written {
		t.Errorf("the other list holds %q, %v", text, err)
	}
}
