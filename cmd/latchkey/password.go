package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// maxLine is how much of standard input is read: more than any password may have.
const maxLine = 64 << 10

// passwordFlag lets a script give the password.
type passwordFlag struct {
	PasswordStdin bool `help:"Read the password as one line from standard input instead of asking for it."`
}

// password reads the new password of somebody: a line of standard input, or what is typed twice on the terminal.
func (f passwordFlag) password(p *program, username string) (string, error) {
	if f.PasswordStdin {
		return readLine(p.stdin)
	}
	terminal, ok := p.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return "", errors.New("standard input is not a terminal to ask for the password: use --password-stdin")
	}
	answers, err := askUnseen(p, terminal, fmt.Sprintf("New password for %s: ", printable(username)), "The same again: ")
	if err != nil {
		return "", err
	}
	if answers[0] != answers[1] {
		return "", errors.New("the two passwords differ: nothing was changed, try again")
	}
	return answers[0], nil
}

// readLine reads one line and removes its ending, and nothing else: white space may be part of a password.
func readLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxLine)).ReadString('\n')
	if errors.Is(err, io.EOF) && line == "" {
		return "", errors.New("standard input holds no password: give it as one line")
	} else if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password from standard input: %w", err)
	}
	line = strings.TrimSuffix(line, "\n")
	return strings.TrimSuffix(line, "\r"), nil
}

// maxTyped is how many characters a terminal takes of a line; what is typed behind them would be lost unseen.
const maxTyped = 4096

// askUnseen asks questions on the terminal without showing the answers. The terminal shows nothing from before the
// first question on. The questions go to standard error, since standard output may be read by another program.
func askUnseen(p *program, terminal *os.File, questions ...string) ([]string, error) {
	before, err := term.MakeRaw(int(terminal.Fd()))
	if err != nil {
		return nil, fmt.Errorf("ask for the password: %w", err)
	}
	defer func() { _ = term.Restore(int(terminal.Fd()), before) }()
	lines := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{terminal, p.stderr}, "")
	type answer struct {
		text string
		err  error
	}
	var answers []string
	for _, question := range questions {
		answered := make(chan answer, 1)
		go func() {
			text, err := lines.ReadPassword(question)
			answered <- answer{text, err}
		}()
		select {
		case a := <-answered:
			switch {
			case errors.Is(a.err, io.EOF): // Ctrl-C, which is no signal now, or Ctrl-D
				return nil, errors.New("no password was given: nothing was changed")
			case a.err != nil:
				return nil, fmt.Errorf("read the password from the terminal: %w", a.err)
			case utf8.RuneCountInString(a.text) >= maxTyped:
				return nil, errors.New("the password is too long to be typed: use --password-stdin")
			}
			answers = append(answers, a.text)
		case <-p.ctx.Done():
			return nil, context.Cause(p.ctx)
		}
	}
	return answers, nil
}
