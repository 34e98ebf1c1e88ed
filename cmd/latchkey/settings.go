package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/seed-6a977b3d/latchkey/config"
)

// storeFlags are the flags of every command that opens the store.
type storeFlags struct {
	Config *string `placeholder:"FILE" help:"YAML file with settings ($LATCHKEY_CONFIG)."`
	Store  *string `placeholder:"ADDRESS" help:"Where the data is kept; sqlite:./latchkey.db unless set ($LATCHKEY_STORE)."`
}

// override is a flag that overrules a setting; value is nil when the flag was not given.
type override struct {
	key   string
	flag  string
	value *string
}

// load returns the configuration: the defaults, overruled by the file, by the environment and by the flags.
func (f storeFlags) load(p *program, more ...override) (config.Config, error) {
	c := config.Default()
	path, ok := p.env(config.EnvironmentPrefix + "CONFIG")
	if f.Config != nil {
		path, ok = *f.Config, true
	}
	if ok && (path != "" || f.Config != nil) {
		var err error
		if c, err = config.Load(path); err != nil {
			return config.Config{}, err
		}
	}
	if err := c.Environment(p.env); err != nil {
		return config.Config{}, err
	}
	for _, o := range append(more, override{config.Store, "--store", f.Store}) {
		if o.value == nil {
			continue
		}
		if err := c.Set(o.key, *o.value); err != nil {
			return config.Config{}, fmt.Errorf("%s: %w", o.flag, err)
		}
	}
	return c, nil
}

// open opens the store beside a server that may be running over it. Unless make is set, there must be one.
func (f storeFlags) open(p *program, make bool) (*config.Running, error) {
	c, err := f.load(p)
	if err != nil {
		return nil, err
	}
	c.MustExist = !make
	return config.Open(p.ctx, c, newLogger(c, p.stderr))
}

// newLogger returns the log of a program that is configured so.
func newLogger(c config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == config.LogJSON {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
