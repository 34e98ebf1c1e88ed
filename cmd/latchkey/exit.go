package main

import (
	"errors"
	"fmt"
	"strings"
)

// The exit codes.
const (
	exitOK = iota
	exitFailed
	exitUsage
	exitNo
	exitFound
	exitUnconfirmed
)

// exitMeaning says what an exit code stands for, as the help and docs/cli.md show it.
type exitMeaning struct {
	code    int
	meaning string
}

func exitMeanings() []exitMeaning {
	return []exitMeaning{
		{exitOK, "done"},
		{exitFailed, "failed; standard error says why"},
		{exitUsage, "the command line is wrong"},
		{exitNo, "the answer is no (check)"},
		{exitFound, "something is wrong (doctor, config check)"},
		{exitUnconfirmed, "not confirmed, so nothing was changed; --yes answers yes"},
	}
}

// The ends of a command that are no failures. What there is to say was said already.
var (
	// errNo says that the answer is no.
	errNo = errors.New("the answer is no")
	// errFound says that something was found to be wrong.
	errFound = errors.New("something is wrong")
)

// found says what was found to be wrong.
type found struct{ error }

// misuse says what is wrong with a value on the command line that only the command itself can judge.
type misuse struct{ error }

// unconfirmed says that nobody agreed to what would have been lost.
type unconfirmed struct{ why string }

func (e unconfirmed) Error() string { return e.why }

// exitOf returns what a command that returned err ends with, and what is still to be said.
func exitOf(err error) (code int, say string) {
	var not unconfirmed
	var wrong found
	var misused misuse
	switch {
	case err == nil:
		return exitOK, ""
	case errors.Is(err, errNo):
		return exitNo, ""
	case errors.Is(err, errFound):
		return exitFound, ""
	case errors.As(err, &wrong):
		return exitFound, oneLine(err)
	case errors.As(err, &misused):
		return exitUsage, oneLine(err)
	case errors.As(err, &not):
		return exitUnconfirmed, oneLine(err)
	}
	return exitFailed, oneLine(err)
}

// oneLine returns the text of an error that may be made of several. What it quotes may be anybody's, and must not play
// tricks with a terminal.
func oneLine(err error) string {
	var b strings.Builder
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			continue
		case b.Len() == 0:
		case strings.HasSuffix(b.String(), ":"): // what follows is indented below
			b.WriteString(" ")
		default:
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return printable(b.String())
}

// exitHelp is the table of the exit codes as lines of text.
func exitHelp() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, e := range exitMeanings() {
		fmt.Fprintf(&b, "  %d  %s\n", e.code, e.meaning)
	}
	return b.String()
}
