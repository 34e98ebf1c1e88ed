package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6a977b3d/latchkey/config"
)

// file writes a configuration file and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "latchkey.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// environment is a lookup over a few variables.
func environment(variables map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}
}

func TestAFileOverrulesTheDefaults(t *testing.T) {
	for name, test := range map[string]struct {
		text   string
		change func(*config.Config, string)
	}{
		"no file text":       {"", func(*config.Config, string) {}},
		"comments only":      {"# nothing\n", func(*config.Config, string) {}},
		"an empty document":  {"---\n", func(*config.Config, string) {}},
		"an empty mapping":   {"{}\n", func(*config.Config, string) {}},
		"an IPv6 address":    {"listen: '[::1]:0'\n", func(c *config.Config, _ string) { c.Listen = "[::1]:0" }},
		"all addresses":      {"listen: ':8123'\n", func(c *config.Config, _ string) { c.Listen = ":8123" }},
		"an absolute path":   {"store: sqlite:/var/lib/l.db\n", func(c *config.Config, _ string) { c.Store.Path = "/var/lib/l.db" }},
		"a path with colons": {"store: sqlite:/a:b.db\n", func(c *config.Config, _ string) { c.Store.Path = "/a:b.db" }},
		"a relative path, which is taken from the file's folder": {"store: sqlite:data/l.db\n", func(c *config.Config, dir string) {
			c.Store.Path = filepath.Join(dir, "data/l.db")
		}},
		"the log": {"log_format: json\nlog_level: warn\n", func(c *config.Config, _ string) {
			c.LogFormat, c.LogLevel = config.LogJSON, slog.LevelWarn
		}},
		"an anchor": {"log_format: &f json\nlog_level: error\nlisten: \"h:1\"\n", func(c *config.Config, _ string) {
			c.LogFormat, c.LogLevel, c.Listen = config.LogJSON, slog.LevelError, "h:1"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t, test.text)
			got, err := config.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			want := config.Default()
			test.change(&want, filepath.Dir(path))
			if diff := cmp.Diff(want, got, apartFromFolder); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsWrongInAFileIsToldWithItsPlace(t *testing.T) {
	for _, test := range []struct {
		text string
		line int
		key  string
		says string
	}{
		{"listen: ':1'\nlissen: ':2'\n", 2, "lissen", "unknown key; the keys are listen, store, log_format, log_level, registries, cache_entries"},
		{"lissen:\n\n  a: b\n", 1, "lissen", "unknown key"},
		{"listen: ':1'\nstore: sqlite:a\nlisten: ':2'\n", 3, "listen", "given twice; the first is in line 1"},
		{"\nlog_level: loud\n", 2, "log_level", `"loud" is not a level`},
		{"log_level: INFO\n", 1, "log_level", "use debug, info, warn or error"},
		{"cache_entries: 'none'\n", 1, "cache_entries", "is not a number of entries"},
		{"cache_entries: '0'\n", 1, "cache_entries", "is not a number of entries"},
		{"log_format: xml\n", 1, "log_format", "use text or json"},
		{"listen: 8123\n", 1, "listen", "must be a text: put it in quotation marks"},
		{"listen: localhost\n", 1, "listen", "is not an address"},
		{"listen: 'localhost:http'\n", 1, "listen", "is not a port"},
		{"listen: 'localhost:65536'\n", 1, "listen", "is not a port"},
		{"listen:\n", 1, "listen", "has no value"},
		{"listen: [a, b]\n", 1, "listen", "must be a single text"},
		{"store: !secret house\n", 1, "store", "!secret is not understood here"},
		{"store: 'sqlite:'\n", 1, "store", "the path of the store is missing"},
		{"store: 'sqlite::memory:'\n", 1, "store", "would forget everything"},
		{"store: &a sqlite:/l.db\nlisten: *a\n", 2, "listen", "\"/l.db\" is not a port"},
		{"store: mysql:x\n", 1, "store", "unknown kind of store"},
		{"a: b\n c: d\n", 2, "", "not valid YAML: mapping values are not allowed"},
		{"listen: [a\n", 2, "", "not valid YAML: did not find expected"},
		{"listen: *nobody\n", 1, "", "not valid YAML: unknown anchor"},
		{"listen: ':1'\n---\nlisten: ':2'\n", 0, "", "more than one document"},
		{"- listen\n", 1, "", "must be keys with values"},
		{"just text\n", 1, "", "must be keys with values"},
		{"[a]: b\n", 1, "", "the key must be a plain word"},
		{"<<: {listen: ':1'}\n", 1, "<<", "unknown key"},
		{"listen: \"\xff\"\n", 0, "", "not valid YAML"},
	} {
		t.Run(test.text, func(t *testing.T) {
			path := file(t, test.text)
			_, err := config.Load(path)
			var wrong *config.FileError
			if !errors.As(err, &wrong) {
				t.Fatalf("got %v", err)
			}
			if wrong.File != path || wrong.Line != test.line || wrong.Key != test.key {
				t.Errorf("it is said to be in line %d, key %q: %v", wrong.Line, wrong.Key, err)
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %q, want %q in it", err, test.says)
			}
			if place := fmt.Sprintf("%s:%d:", path, test.line); test.line > 0 && !strings.HasPrefix(err.Error(), place) {
				t.Errorf("got %q, want it to begin with %q", err, place)
			}
		})
	}
}

func TestAFileThatIsMissingIsAnError(t *testing.T) {
	if _, err := config.Load(filepath.Join(t.TempDir(), "no.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{"", "listen: ':1'\n", "store: &a [*a]\n", "? [a]\n: b\n", "a: *a", "%YAML 1.1\n---\n", "\xef\xbb\xbflisten: x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := config.Load(file(t, text))
		if err == nil && (c.Listen == "" || c.Store.Path == "" || c.LogFormat == "") {
			t.Errorf("%q left something unset: %+v", text, c)
		}
	})
}

func TestTheEnvironmentOverrulesTheFile(t *testing.T) {
	c, err := config.Load(file(t, "listen: ':1'\nlog_level: debug\nstore: sqlite:/file.db\n"))
	if err != nil {
		t.Fatal(err)
	}
	err = c.Environment(environment(map[string]string{
		"LATCHKEY_LISTEN": ":2", "LATCHKEY_STORE": "sqlite:env.db", "LATCHKEY_LOG_LEVEL": "", "LATCHKEY_OTHER": "x",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Listen, want.Store.Path, want.LogLevel = ":2", "env.db", slog.LevelDebug
	if diff := cmp.Diff(want, c, apartFromFolder); diff != "" {
		t.Error(diff)
	}
}

func TestSetOverrulesEverything(t *testing.T) {
	c := config.Default()
	if err := c.Set(config.Listen, "[::]:99"); err != nil || c.Listen != "[::]:99" {
		t.Errorf("%q, %v", c.Listen, err)
	}
	if err := c.Set("colour", "red"); err == nil || !strings.Contains(err.Error(), "unknown setting") {
		t.Errorf("got %v", err)
	}
}

func TestTheErrorOfAStoreShowsNoPassword(t *testing.T) {
	for _, address := range []string{"mysql://house:hunter2@db/", "hunter2"} {
		_, err := config.ParseStore(address)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestSealKeys(t *testing.T) {
	const (
		hexadecimal = "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0"
		base64      = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA="
		base64url   = "__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA"
	)
	var key strings.Builder
	for i := range 32 {
		key.WriteByte(byte(255 - i))
	}
	for _, text := range []string{
		hexadecimal, strings.ToUpper(hexadecimal), base64, strings.TrimRight(base64, "="), base64url, base64url + "=",
		"\n" + base64 + "\n",
	} {
		c := config.Default()
		if err := c.Environment(environment(map[string]string{"LATCHKEY_SEAL_KEY": text})); err != nil {
			t.Errorf("%s: %v", text, err)
		} else if c.SealKey.Reveal() != key.String() {
			t.Errorf("%s gave the key %x", text, c.SealKey.Reveal())
		}
		if shown := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(shown, key.String()) {
			t.Error("a printed configuration shows the key")
		}
	}
	for name, text := range map[string]string{
		"an empty variable": "", "blanks": "  ", "too short": hexadecimal[2:], "too long": hexadecimal + "00",
		"31 bytes in base64": "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4Q==", "neither": "not a key at all",
	} {
		t.Run(name, func(t *testing.T) {
			c := config.Default()
			err := c.Environment(environment(map[string]string{"LATCHKEY_SEAL_KEY": text}))
			if err == nil || !strings.HasPrefix(err.Error(), "environment variable LATCHKEY_SEAL_KEY: ") {
				t.Fatalf("got %v", err)
			}
			if word := strings.TrimSpace(text); word != "" && strings.Contains(err.Error(), word) {
				t.Errorf("the error shows the text: %v", err)
			}
			if c.SealKey != "" {
				t.Error("a key was taken nevertheless")
			}
		})
	}
}

// apartFromFolder compares configurations from files in different folders.
var apartFromFolder = cmpopts.IgnoreFields(config.Config{}, "Folder", "Origins")
