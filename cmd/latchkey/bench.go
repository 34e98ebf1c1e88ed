package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed-6a977b3d/latchkey/bench"
)

type benchCommands struct {
	Seed benchSeed `cmd:"" help:"Fill an empty store with users who exist only to be counted."`
}

type benchSeed struct {
	storeFlags
	Users  int `default:"1000" help:"How many users; ${default} unless set."`
	Tokens int `default:"5" help:"How many refresh tokens each has; ${default} unless set."`
}

// AfterApply is called by the parser, once nothing is missing.
func (c *benchSeed) AfterApply() error {
	if c.Users < 1 || c.Tokens < 0 {
		return errors.New("--users must be 1 or more, and --tokens 0 or more")
	}
	return nil
}

// Run fills the store.
func (c *benchSeed) Run(p *program) (err error) {
	settings, err := c.load(p)
	if err != nil {
		return err
	}
	settings.MakeFolder = true
	store, err := openStore(p, settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	people, err := store.HasPeople(p.ctx)
	if err != nil {
		return err
	}
	if people {
		return errors.New("there are users in the store already: name an empty one with --store")
	}
	began := time.Now()
	w := p.stderr.begin("making users", "users", c.Users)
	defer w.end()
	err = bench.Seed(p.ctx, store, bench.Size{Users: c.Users, TokensEach: c.Tokens}, func(users int) { w.done.Store(int64(users)) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%d users with %d refresh tokens each, in %v\n", c.Users, c.Tokens, time.Since(began).Round(time.Millisecond))
	return err
}
