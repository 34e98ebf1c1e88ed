package config_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey/config"
)

func TestAddressesOfHomeAssistant(t *testing.T) {
	for text, want := range map[string]config.StoreAddress{
		"hass:/config/.storage":                             {Scheme: "hass", Path: "/config/.storage"},
		"hass:.storage?mode=follow":                         {Scheme: "hass", Path: ".storage", Follow: true},
		"hass:/c/.storage?mode=follow&sessions=/var/own.db": {Scheme: "hass", Path: "/c/.storage", Follow: true, Sessions: "/var/own.db"},
	} {
		got, err := config.ParseStore(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"hass:":                                   "is missing",
		"hass:?mode=follow":                       "is missing",
		"hass:/c?mode=lead":                       "is not understood",
		"hass:/c?sessions=/x":                     "for mode=follow only",
		"hass:/c?mode=follow&sessions=":           "is not understood",
		"hass:/c?mode=follow&secret=swordfish%zz": "is not understood",
	} {
		if _, err := config.ParseStore(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error that says %q", text, err, want)
		}
	}
}

func TestAHomeAssistantIsFollowedWithSessionsBesideTheConfiguration(t *testing.T) {
	path := folder(t, map[string]string{"latchkey.yaml": "store: hass:.storage?mode=follow\n"})
	if err := os.CopyFS(filepath.Join(filepath.Dir(path), ".storage"), os.DirFS("../store/hassfile/testdata/2025")); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	running, err := config.Open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	owner, err := running.Manager.Owner(t.Context())
	if err != nil || owner.Name.Text != "Ada" || running.Lookup == nil {
		t.Errorf("%+v, %v", owner, err)
	}
	if err := running.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), config.SessionsFile)); err != nil {
		t.Error(err)
	}
}
