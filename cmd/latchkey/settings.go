package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/store/hassfile"
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
	if path, ok := f.file(p); ok {
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
			return config.Config{}, misuse{fmt.Errorf("%s: %w", o.flag, err)}
		}
		c.Note(o.key, o.flag)
	}
	return c, nil
}

// file returns the path of the configuration file, if there is to be one.
func (f storeFlags) file(p *program) (path string, ok bool) {
	if f.Config != nil {
		return *f.Config, true
	}
	path, ok = p.env(config.ConfigVariable)
	return path, ok && path != ""
}

// open opens the store beside a server that may be running over it. Unless make is set, there must be one.
func (f storeFlags) open(p *program, make bool) (*config.Running, error) {
	c, err := f.load(p)
	if err != nil {
		return nil, err
	}
	c.MustExist = !make
	return openBeside(p, c)
}

// read opens the store only to read it, also where a server has it for itself. There must be one.
func (f storeFlags) read(p *program) (*config.Running, error) {
	c, err := f.load(p)
	if err != nil {
		return nil, err
	}
	c.MustExist = true
	c.ReadOnly = !c.Store.Follow // what is followed may be opened any number of times, and has sessions beside it
	return openBeside(p, c)
}

func openBeside(p *program, c config.Config) (*config.Running, error) {
	w := p.stderr.begin("opening "+c.Store.String(), "", noEndKnown)
	defer w.end()
	running, err := config.Open(p.ctx, c, newLogger(c, p.stderr))
	return running, adviseLocked(err)
}

// openStore opens a store without anything over it.
func openStore(p *program, c config.Config) (latchkey.Store, error) {
	w := p.stderr.begin("opening "+c.Store.String(), "", noEndKnown)
	defer w.end()
	c.Logger = newLogger(c, p.stderr)
	store, err := config.OpenStore(p.ctx, c)
	return store, adviseLocked(err)
}

// adviseLocked adds what else can be done about a store that a server has for itself.
func adviseLocked(err error) error {
	if errors.Is(err, hassfile.ErrLocked) {
		return fmt.Errorf("%w; the pages of the server that runs do the same", err)
	}
	return err
}

// newLogger returns the log of a program that is configured so.
func newLogger(c config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == config.LogJSON {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// warnOfStrays tells of variables in the environment that seem to be meant for this program, and set nothing.
func (p *program) warnOfStrays(logger *slog.Logger) {
	for _, s := range config.Strays(p.environ) {
		logger.Warn(s.String(), "advice", s.Advice())
	}
}

// closeAfter closes what a command has opened and keeps its first error.
func closeAfter(r *config.Running, err *error) {
	if closeErr := r.Close(); *err == nil && closeErr != nil {
		*err = fmt.Errorf("close the store: %w", closeErr)
	}
}
