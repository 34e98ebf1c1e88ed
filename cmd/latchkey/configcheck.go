package main

import (
	"errors"

	"github.com/seed-6a977b3d/latchkey/config"
)

type configCommands struct {
	Check configCheck `cmd:"" help:"Read the configuration as serve does, and show what is in force or what is wrong. Nothing is opened or changed."`
}

type configCheck struct {
	serverFlags
	jsonFlag
}

// checkedConfig is what a script gets to know: the settings, or what is wrong.
type checkedConfig struct {
	Valid    bool             `json:"valid"`
	Problem  *configProblem   `json:"problem,omitempty"`
	Settings []config.Setting `json:"settings,omitempty"`
}

// configProblem has a place if it is one of a file.
type configProblem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Key     string `json:"key,omitempty"`
	Message string `json:"message"`
}

// Run makes everything that serve does, short of the store and the address.
func (c *configCheck) Run(p *program) error {
	settings, err := c.check(p)
	if err != nil {
		return c.refuse(p, err)
	}
	if c.JSON {
		return printJSON(p.stdout, checkedConfig{Valid: true, Settings: settings})
	}
	headings := []string{"SETTING", "VALUE", "FROM"}
	return printRows(p.stdout, false, headings, each(settings), func(s config.Setting) []string {
		return []string{s.Key, s.Value, s.From}
	})
}

func (c *configCheck) check(p *program) (summary []config.Setting, err error) {
	settings, err := c.load(p)
	logger := newLogger(settings, p.stderr)
	p.warnOfStrays(logger)
	if err != nil {
		return nil, err
	}
	running, err := config.Build(settings, logger)
	if err != nil {
		return nil, err
	}
	defer closeAfter(running, &err)
	guard := newGuard(settings, running, logger)
	defer guard.Close()
	if _, err := newWire(p.ctx, settings, running, guard, "", logger); err != nil {
		return nil, err
	}
	return config.Summary(settings, running), nil
}

// refuse says what is wrong.
func (c *configCheck) refuse(p *program, err error) error {
	if !c.JSON {
		return found{err}
	}
	problem := configProblem{Message: err.Error()}
	var at *config.FileError
	if errors.As(err, &at) {
		problem = configProblem{at.File, at.Line, at.Key, at.Err.Error()}
	}
	return errors.Join(errFound, printJSON(p.stdout, checkedConfig{Problem: &problem}))
}
