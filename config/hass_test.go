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

// A mistake in the name of the folder must not become an empty house, nor leave anything behind.
func TestAFolderThatIsNotThereIsNotMade(t *testing.T) {
	dir := t.TempDir()
	for address, want := range map[string]string{
		"hass:" + filepath.Join(dir, "typo"):                  "mkdir " + filepath.Join(dir, "typo"),
		"hass:" + filepath.Join(dir, "typo") + "?mode=follow": "name the .storage folder",
	} {
		c := config.Default()
		c.Folder = dir
		var err error
		if c.Store, err = config.ParseStore(address); err != nil {
			t.Fatal(err)
		}
		store, err := config.OpenStore(t.Context(), c)
		if err == nil {
			_ = store.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error that says %q", address, err, want)
		}
	}
	if made, err := os.ReadDir(dir); err != nil || len(made) > 0 {
		t.Errorf("there are %v, %v", made, err)
	}
}

func TestANewHouseBeginsInAnEmptyFolder(t *testing.T) {
	for name, prepare := range map[string]func(*config.Config) error{
		"that is there":   func(c *config.Config) error { return os.Mkdir(c.Store.Path, 0o700) },
		"that is made so": func(c *config.Config) error { c.MakeFolder = true; return nil },
	} {
		c := config.Default()
		c.Store = config.StoreAddress{Scheme: "hass", Path: filepath.Join(t.TempDir(), "new")}
		if err := prepare(&c); err != nil {
			t.Fatal(err)
		}
		store, err := config.OpenStore(t.Context(), c)
		if err != nil {
			t.Errorf("in one %s: %v", name, err)
		} else if err := store.Close(); err != nil {
			t.Error(err)
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

// A second factor that people have set up in Home Assistant, and that is not configured here, is not silently left out.
func TestSecondFactorsThatNobodyIsAskedFor(t *testing.T) {
	for modules, want := range map[string]string{
		"":                               "type=notify people=1\n",
		"[{type: notify}]":               "type=totp people=1\n",
		"[{type: notify}, {type: totp}]": "",
	} {
		for _, mode := range []string{"", "?mode=follow"} {
			text := "store: hass:.storage" + mode + "\n"
			if modules != "" {
				text += "homeassistant: {auth_mfa_modules: " + modules + "}\n"
			}
			path := folder(t, map[string]string{"latchkey.yaml": text})
			if err := os.CopyFS(filepath.Join(filepath.Dir(path), ".storage"), os.DirFS("../store/hassfile/testdata/2025")); err != nil {
				t.Fatal(err)
			}
			c, err := config.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			running, err := config.Open(t.Context(), c, slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			if err := running.Close(); err != nil {
				t.Error(err)
			}
			if got := log.String(); strings.Count(got, "second factor") != min(len(want), 1) || !strings.Contains(got, want) {
				t.Errorf("%q%s: log %q, want one line with %q", modules, mode, got, want)
			}
		}
	}
}

// The list of bans stands beside the .storage folder, also for who names that from within.
func TestTheBanFileOfAHomeAssistantThatIsHere(t *testing.T) {
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	storage := filepath.Join(home, ".storage")
	if err := os.Mkdir(storage, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(storage)
	want := filepath.Join(home, "ip_bans.yaml")
	for _, address := range []string{"hass:.", "hass:./", "hass:../.storage", "hass:.?mode=follow"} {
		c := config.Default()
		if c.Store, err = config.ParseStore(address); err != nil {
			t.Fatal(err)
		}
		if paths := c.BanFiles(); paths[len(paths)-1] != want {
			t.Errorf("%s: %q, want %s", address, paths, want)
		}
	}
}

// Nothing is ever written into a folder that is followed, our own sessions neither.
func TestSessionsAreNotKeptInAFolderThatIsFollowed(t *testing.T) {
	home := t.TempDir()
	storage := filepath.Join(home, ".storage")
	if err := os.CopyFS(storage, os.DirFS("../store/hassfile/testdata/2025")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(storage, filepath.Join(home, "other")); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadDir(storage)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(storage)
	for _, address := range []string{
		"hass:.?mode=follow",
		"hass:" + storage + "?mode=follow",
		"hass:" + storage + "?mode=follow&sessions=own.db",
		"hass:.?mode=follow&sessions=" + filepath.Join(home, "own.db"), // and bans?
		"hass:" + storage + "?mode=follow&sessions=" + filepath.Join(home, "other", "own.db"),
		"hass:" + filepath.Join(home, "other") + "?mode=follow&sessions=" + filepath.Join(storage, "own.db"),
	} {
		c := config.Default()
		if c.Store, err = config.ParseStore(address); err != nil {
			t.Fatal(err)
		}
		store, err := config.OpenStore(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), "nothing is ever written there") {
			t.Errorf("%s: %v", address, err)
		}
		if err == nil {
			_ = store.Close()
		}
	}
	if after, err := os.ReadDir(storage); err != nil || len(after) != len(before) {
		t.Errorf("the folder holds %v, %v", after, err)
	}
}
