package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/term"
)

// maxLine is how much is read as one line of standard input: more than any password may have.
const maxLine = 64 << 10

// passwordFlag lets a script give the password.
type passwordFlag struct {
	PasswordStdin bool `help:"Read the password as one line from standard input instead of asking for it."`
}

// password reads the new password of somebody: a line of standard input, or what is typed twice on the terminal. A person
// is asked whatever the flag says: a line that is just read would stand there for everybody to see.
func (f passwordFlag) password(p *program, username string) (string, error) {
	terminal, ok := terminalOf(p.stdin)
	switch {
	case !ok && f.PasswordStdin:
		return passwordLine(p)
	case !ok:
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

// passwordLine reads a password as one line: white space may be part of it.
func passwordLine(p *program) (string, error) {
	line, err := awaited(p.ctx, p.line)
	switch {
	case errors.Is(err, io.EOF):
		return "", errors.New("standard input holds no password: give it as one line")
	case p.ctx.Err() != nil:
		return "", err
	case err != nil:
		return "", fmt.Errorf("read the password from standard input: %w", err)
	}
	return line, nil
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
	var answers []string
	for _, question := range questions {
		text, err := awaited(p.ctx, func() (string, error) { return lines.ReadPassword(question) })
		switch {
		case errors.Is(err, io.EOF): // Ctrl-C, which is no signal now, or Ctrl-D
			return nil, errors.New("no password was given: nothing was changed")
		case p.ctx.Err() != nil:
			return nil, err
		case err != nil:
			return nil, fmt.Errorf("read the password from the terminal: %w", err)
		case utf8.RuneCountInString(text) >= maxTyped:
			return nil, errors.New("the password is too long to be typed: use --password-stdin")
		}
		answers = append(answers, text)
	}
	return answers, nil
}
