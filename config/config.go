package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/ban"
)

// LogFormat is the form of the lines in the log.
type LogFormat string

// The forms of log lines.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// Config is everything that an operator can set. Make one with [Default] or [Load]; then the environment, then the
// flags of the command line, overrule it.
type Config struct {
	// Listen is the address to serve on, host:port. An empty host stands for all addresses of the machine.
	Listen string
	// Store is where the data is kept.
	Store StoreAddress
	// ReadOnly opens the store for reading only, where a store can be opened so beside others that have it open.
	ReadOnly bool
	// MustExist refuses a store that does not exist yet; otherwise it is made.
	MustExist bool
	// MakeFolder lets a store that is a folder be made where there is no folder, for what is copied there. Otherwise the
	// folder must be there, though it may be empty, so that a mistake in its name does not become an empty house.
	MakeFolder bool
	// LogFormat and LogLevel say how, and how much, is logged.
	LogFormat LogFormat
	LogLevel  slog.Level
	// SealKey holds the 32 bytes that seal the secrets in the store; empty for the key file beside the store.
	SealKey latchkey.Secret
	// AuthProviders are the ways to sign in, and MFAModules the second factors, in the order in which people may choose.
	// None means none: the defaults of manager.md §1 are in what [Default] returns.
	AuthProviders []ProviderConfig
	MFAModules    []ModuleConfig
	// HTTP is how requests are taken.
	HTTP HTTP
	// URLs are the addresses under which people reach this server, such as https://house.example.
	URLs []string
	// Registries is a .storage folder of Home Assistant in which policies look up devices and areas; empty for that of the
	// store, if it is one.
	Registries string
	// CacheEntries bounds how many users, and how many refresh tokens, are kept in memory; zero for the manager's own bound.
	CacheEntries int
	// Folder is that of the file that this was loaded from; empty if there was none.
	Folder string
	// Logger gets what is noteworthy while the store is opened; nil for slog.Default.
	Logger *slog.Logger
	// Origins says where settings come from, by their keys; what is missing is a default. See [Config.Note].
	Origins map[string]string
	// Notify are the services by which the module notify sends its codes.
	Notify []NotifyService
}

// The names of the settings, as the file writes them. The variables of the environment are the same in capitals,
// behind [EnvironmentPrefix].
const (
	Listen       = "listen"
	Store        = "store"
	LogFormatKey = "log_format"
	LogLevelKey  = "log_level"
	Registries   = "registries"
	CacheEntries = "cache_entries"

	// sealKey stands for the key, which no file holds.
	sealKey = "seal key"
)

// Default returns the configuration of an operator who sets nothing.
func Default() Config {
	return Config{
		Listen:    "127.0.0.1:8123",
		Store:     StoreAddress{Scheme: schemeSQLite, Path: "./latchkey.db"},
		LogFormat: LogText,
		LogLevel:  slog.LevelInfo,
		HTTP:      HTTP{LoginAttemptsThreshold: ban.Never},

		AuthProviders: []ProviderConfig{HomeAssistant{}},
		MFAModules:    []ModuleConfig{TOTP{Name: "Authenticator app"}},
	}
}

// Load returns the defaults overruled by the YAML file. What is wrong with the file is a [*FileError]: unknown keys,
// keys given twice, values that are not understood. A relative path in the file is taken from the file's folder, so
// that it means the same whatever folder the program is started in.
func Load(path string) (Config, error) {
	c := Default()
	c.Folder = filepath.Dir(path)
	root, err := readYAML(path)
	if err != nil {
		return Config{}, adviseFile(path, err)
	}
	entries, err := root.entries()
	if err != nil {
		return Config{}, err
	}
	for _, e := range entries {
		c.note("", e)
		if read := sectionReader(e.key); read != nil {
			if err := read(&c, e); err != nil {
				return Config{}, err
			}
			continue
		}
		set := setter(e.key)
		if set == nil {
			return Config{}, e.errorf("unknown key; the keys are %s", strings.Join(append(keys(), sectionKeys()...), ", "))
		}
		value, err := e.text()
		if err != nil {
			return Config{}, err
		}
		if err := set(&c, value, filepath.Dir(path)); err != nil {
			return Config{}, e.wrap(err)
		}
	}
	return c, nil
}

// adviseFile adds what to do about a configuration file that cannot be opened.
func adviseFile(path string, err error) error {
	switch {
	case errors.Is(err, errFolder):
		return fmt.Errorf("%s %w: name the file itself, such as %s", path, errFolder, filepath.Join(path, likelyFile(path)))
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: check the path of the configuration file", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: let this program's user read the configuration file", err)
	}
	return err
}

// likelyFile returns the name of the configuration file that seems to be meant where its folder is named.
func likelyFile(folder string) string {
	const usual = "latchkey.yaml"
	for _, name := range []string{usual, "latchkey.yml", "configuration.yaml"} {
		if info, err := os.Stat(filepath.Join(folder, name)); err == nil && !info.IsDir() {
			return name
		}
	}
	return usual
}

// Set changes one setting by its name in the file.
func (c *Config) Set(key, value string) error {
	set := setter(key)
	if set == nil {
		return fmt.Errorf("unknown setting %q; the settings are %s", key, strings.Join(keys(), ", "))
	}
	return set(c, value, "")
}

// setting is one thing to set. Relative paths in its value are taken from dir.
type setting struct {
	key string
	set func(c *Config, value, dir string) error
}

func settings() []setting {
	return []setting{
		{Listen, setListen},
		{Store, setStore},
		{LogFormatKey, setLogFormat},
		{LogLevelKey, setLogLevel},
		{Registries, setRegistries},
		{CacheEntries, setCacheEntries},
	}
}

func setter(key string) func(c *Config, value, dir string) error {
	for _, s := range settings() {
		if s.key == key {
			return s.set
		}
	}
	return nil
}

func keys() []string {
	var names []string
	for _, s := range settings() {
		names = append(names, s.key)
	}
	return names
}

func setListen(c *Config, value, _ string) error {
	_, port, err := net.SplitHostPort(value)
	if err != nil {
		return fmt.Errorf("%q is not an address: write host:port, such as 127.0.0.1:8123, or :8123 for all addresses of "+
			"this machine", value)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q is not a port: use a number from 1 to 65535, or 0 for any free one", port)
	}
	c.Listen = value
	return nil
}

func setStore(c *Config, value, dir string) error {
	address, err := ParseStore(value)
	if err != nil {
		return err
	}
	if !filepath.IsAbs(address.Path) && !strings.HasPrefix(address.Scheme, "postgres") {
		address.Path = filepath.Join(dir, address.Path)
	}
	if address.Sessions != "" && !filepath.IsAbs(address.Sessions) {
		address.Sessions = filepath.Join(dir, address.Sessions)
	}
	c.Store = address
	return nil
}

func setCacheEntries(c *Config, value, _ string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is not a number of entries: write 1 or more, such as 100000", value)
	}
	c.CacheEntries = n
	return nil
}

func setRegistries(c *Config, value, dir string) error {
	if value == "" {
		return errors.New("is empty: name the .storage folder of Home Assistant, or leave it out")
	}
	if !filepath.IsAbs(value) {
		value = filepath.Join(dir, value)
	}
	c.Registries = value
	return nil
}

func setLogFormat(c *Config, value, _ string) error {
	switch f := LogFormat(value); f {
	case LogText, LogJSON:
		c.LogFormat = f
		return nil
	}
	return fmt.Errorf("%q is not a form of logs: use text or json", value)
}

func setLogLevel(c *Config, value, _ string) error {
	switch value {
	case "debug", "info", "warn", "error":
		return c.LogLevel.UnmarshalText([]byte(value))
	}
	return fmt.Errorf("%q is not a level of logs: use debug, info, warn or error", value)
}
