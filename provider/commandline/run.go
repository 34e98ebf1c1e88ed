package commandline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// maxRunning is how many programs may run at the same time; further logins wait.
	maxRunning = 16
	// maxOutput is how many bytes of standard output are read. A program that writes more is killed.
	maxOutput = 64 << 10
	// maxComplaint is how many bytes of standard error are logged. The rest is read and thrown away.
	maxComplaint = 4 << 10
	// grace is how long the pipes of a program that has ended stay open for what it left behind.
	grace = time.Second
)

var (
	errFlood   = fmt.Errorf("the command wrote more than %d bytes and was stopped", maxOutput)
	errTimeout = errors.New("the command took too long and was stopped")
	errUnable  = errors.New("the username or the password holds a NUL character, which no program can be given")
)

// exitError says that a program ended with a status other than zero. Death by signal n is the code -n.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("command exited with code %d", e.code) }

// program is what is run, each time anew.
type program struct {
	command string
	args    []string
	output  bool // whether standard output is read
	timeout time.Duration
	slots   chan struct{} // one for each that may run at the same time
}

// output is what a program wrote.
type output struct {
	stdout []byte
	stderr []byte
}

// run runs the program and returns nil if it ended with status zero, an [*exitError] if with another, and any other error
// if it could not be run to its end. It is given an environment of two variables and no shell; its standard input is
// empty, so that it cannot take away what is meant for the server (providers.md §4.2).
func (p program) run(ctx context.Context, username, password string) (output, error) {
	if hasNUL(username) || hasNUL(password) {
		return output{}, errUnable
	}
	path, err := find(p.command)
	if err != nil {
		return output{}, err
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return output{}, ctx.Err()
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ctx, cancel := context.WithTimeoutCause(ctx, p.timeout, errTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, p.args...)
	cmd.Args[0] = p.command
	cmd.Env = []string{"username=" + username, "password=" + password}
	cmd.WaitDelay = grace
	asGroup(cmd)
	stdout := &capped{most: maxOutput, exceeded: func() { stop(errFlood) }}
	stderr := &capped{most: maxComplaint, exceeded: func() {}}
	if p.output {
		cmd.Stdout = stdout
	}
	cmd.Stderr = stderr
	err = cmd.Run()
	out := output{stdout.buffer.Bytes(), stderr.buffer.Bytes()}
	switch cause := context.Cause(ctx); {
	case cause != nil: // also when the program did not wait to be killed: what it wrote is not whole
		return out, cause
	case errors.Is(err, exec.ErrWaitDelay): // it left something behind that holds the pipes
		return out, nil
	case cmd.ProcessState != nil && !cmd.ProcessState.Success():
		return out, &exitError{exitCode(cmd.ProcessState)}
	}
	return out, err
}

// find returns the path of a command (providers.md §4.2).
func find(command string) (string, error) {
	if strings.Contains(command, "/") || os.PathSeparator != '/' && strings.ContainsRune(command, os.PathSeparator) {
		return command, nil
	}
	for _, folder := range []string{"/bin/", "/usr/bin/"} {
		if path, err := exec.LookPath(folder + command); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no program %s in /bin and /usr/bin: write its absolute path", command)
}

// capped keeps what is written first, and says when that is not all.
type capped struct {
	buffer   bytes.Buffer
	most     int
	exceeded func()
}

func (c *capped) Write(b []byte) (int, error) {
	if room := c.most - c.buffer.Len(); len(b) > room {
		c.buffer.Write(b[:room])
		c.exceeded()
		return len(b), nil
	}
	return c.buffer.Write(b)
}

// complaint returns what the program wrote to its standard error, without the password that it was given: a shell that
// traces its commands would tell it. Of a text that was cut the last line, which may hold a part of it, is left out.
func (o output) complaint(password string) string {
	text := o.stderr
	if len(text) >= maxComplaint {
		text = text[:max(bytes.LastIndexByte(text, '\n'), 0)]
	}
	s := strings.ToValidUTF8(string(text), string(utf8.RuneError))
	if password != "" {
		s = strings.ReplaceAll(s, password, "[password]")
	}
	return strings.TrimSpace(s)
}
