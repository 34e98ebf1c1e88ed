package config_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey/config"
)

func TestTheAddressOfADatabaseShowsNoPassword(t *testing.T) {
	for _, text := range []string{
		"postgres://house:hunter2@db/latchkey", "postgresql://house:hunter2@db:5433/latchkey?password=hunter2", "postgres://house:hunter2%zz@db",
	} {
		a, err := config.ParseStore(text)
		if err != nil {
			t.Fatal(err)
		}
		if shown := fmt.Sprint(a); strings.Contains(shown, "hunter2") {
			t.Errorf("shown as %s", shown)
		}
	}
	c := config.Default()
	if err := c.Set(config.Store, "postgres://house:hunter2@127.0.0.1:1/latchkey"); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Open(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "LATCHKEY_SEAL_KEY") {
		t.Errorf("without a key: %v", err)
	}
}
