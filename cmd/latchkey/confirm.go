package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// yesFlag lets a command destroy without a question.
type yesFlag struct {
	Yes bool `short:"y" help:"Do not ask before something is lost."`
}

// confirm asks a person whether something may be lost, and returns nil if so. Where there is nobody to ask, it is refused.
func (f yesFlag) confirm(p *program, question string) error {
	if f.Yes {
		return nil
	}
	question = printable(question)
	if _, ok := terminalOf(p.stdin); !ok || !p.stderr.isTerminal {
		return unconfirmed{question + " Nobody can be asked here, so nothing was changed: add --yes if that is meant"}
	}
	answer, err := p.ask(question + " [y/N] ")
	if errors.Is(err, io.EOF) {
		answer, err = "", nil
	}
	if err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return unconfirmed{"nothing was changed"}
}

// ask asks a question and returns the line that is typed, or [io.EOF] when there is none. The question goes to standard
// error, since standard output may be read by another program.
func (p *program) ask(question string) (string, error) {
	if _, err := fmt.Fprint(p.stderr, question); err != nil {
		return "", err
	}
	text, err := awaited(p.ctx, p.line)
	if p.ctx.Err() != nil {
		_, _ = fmt.Fprintln(p.stderr)
	}
	return text, err
}

// awaited returns what was read from where a person may type, or why the program is to end before: nothing else makes the
// reading of a terminal come to its end.
func awaited[T any](ctx context.Context, read func() (T, error)) (value T, err error) {
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		value, err := read()
		answered <- answer{value, err}
	}()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-ctx.Done():
		return value, context.Cause(ctx)
	}
}

// line reads one line of standard input and removes its ending, and nothing else. It is [io.EOF] when there is none.
func (p *program) line() (string, error) {
	var line []byte
	for {
		part, err := p.lines.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return "", fmt.Errorf("a line of more than %d bytes is too long", maxLine)
		case err == nil:
			text := strings.TrimSuffix(string(line), "\n")
			return strings.TrimSuffix(text, "\r"), nil
		case errors.Is(err, io.EOF) && len(line) > 0:
			return string(line), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		}
	}
}
