package config_test

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey/config"
)

func TestPoliciesLookUpDevicesInARegistry(t *testing.T) {
	path := folder(t, map[string]string{
		"latchkey.yaml":                 "registries: .storage\nstore: sqlite:latchkey.db\n",
		".storage/core.entity_registry": `{"data":{"entities":[{"entity_id":"light.hall","device_id":"lamp"}]}}`,
		"torn/core.device_registry":     `{`,
	})
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	running, err := config.Open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if device, _ := running.Lookup.DeviceOfEntity("light.hall"); device != "lamp" {
		t.Errorf("light.hall is of device %q", device)
	}
	if err := running.Close(); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"torn": "core.device_registry", "nowhere": "no such file", "latchkey.yaml": "is no folder"} {
		c.Registries = filepath.Join(filepath.Dir(path), name)
		if _, err := config.Open(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
