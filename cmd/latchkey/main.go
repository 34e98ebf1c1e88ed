// Command latchkey is the program: the server, and what an operator does with users and tokens beside it.
//
// Each file is one family of commands, which reads its flags and calls down. Nothing here decides about users, tokens
// or requests, and nothing here touches SQL or writes HTTP.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

const epilogue = `
Every setting can stand in the YAML file of --config (listen, store, log_format,
log_level, registries, cache_entries) and in the environment (LATCHKEY_LISTEN
and so on). A flag overrules the environment, which overrules the file.
LATCHKEY_SEAL_KEY holds the key that seals the secrets in the store, where it is
not kept in a file beside it.

`

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		got := <-signals
		// First of all, so that from here on the next signal ends the program at once.
		signal.Stop(signals)
		cancel(fmt.Errorf("ended by a signal: %v", got))
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv, os.Environ()))
}

// program is what a command runs in.
type program struct {
	ctx    context.Context
	stdin  io.Reader
	lines  *bufio.Reader // of stdin
	stdout io.Writer
	stderr *screen
	env    func(name string) (value string, ok bool)
	// environ is the environment as a whole, each variable as NAME=VALUE.
	environ []string
	model   *kong.Application
}

type commands struct {
	Help helpFlag `short:"h" help:"Show help."`

	Serve      serveCommand      `cmd:"" help:"Run the server."`
	User       userCommands      `cmd:"" help:"List, add, change and delete users."`
	Group      groupCommands     `cmd:"" help:"List, make, change and delete groups, which say what their members may do."`
	Session    sessionCommands   `cmd:"" help:"List where users are signed in, and end that."`
	Token      tokenCommands     `cmd:"" help:"Make, list and remove long-lived access tokens."`
	MFA        mfaCommands       `cmd:"" name:"mfa" help:"Set up, disable and reset second factors."`
	Ban        banCommands       `cmd:"" help:"List, add and lift bans of addresses."`
	Check      checkCommand      `cmd:"" help:"Say whether a user may do something with an entity, and why."`
	Import     importCommand     `cmd:"" help:"Copy users, sessions and tokens from another store, such as that of a Home Assistant."`
	Export     exportCommand     `cmd:"" help:"Copy users, sessions and tokens into another store."`
	Config     configCommands    `cmd:"" help:"Look at the configuration."`
	Doctor     doctorCommand     `cmd:"" help:"Look at store, key, clock, network and files, and say what is wrong and how to mend it. Nothing is changed."`
	Completion completionCommand `cmd:"" help:"Print a script that completes commands and flags in a shell."`
	Bench      benchCommands     `cmd:"" hidden:"" help:"Make stores to measure with."`
	Version    versionCommand    `cmd:"" help:"Show the version of the program."`
}

// run is the program: it runs one command line and returns the exit code. The context ends when it is to wind up.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer,
	env func(string) (string, bool), environ []string,
) int {
	parser, err := newParser(stdout, stderr)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "latchkey: %s\n", oneLine(err))
		return exitFailed
	}
	command, err := parser.Parse(asMeant(args))
	if errors.Is(err, errHelpShown) {
		return exitOK
	} else if err != nil {
		_, _ = fmt.Fprintf(stderr, "latchkey: %s; see `%s --help`\n", misunderstood(err), commandPath(err))
		return exitUsage
	}
	code, say := exitOf(command.Run(&program{ctx, stdin, bufio.NewReader(stdin), stdout, newScreen(stderr), env, environ, parser.Model}))
	if say != "" {
		_, _ = fmt.Fprintf(stderr, "latchkey: %s\n", say)
	}
	return code
}

// asMeant returns a command line in our words, which may begin in those of other programs: help COMMAND, or --version.
func asMeant(args []string) []string {
	if len(args) == 0 {
		return args
	}
	switch args[0] {
	case "help":
		return append(slices.Clone(args[1:]), "--help")
	case "--version":
		return append([]string{"version"}, args[1:]...)
	}
	return args
}

// misunderstood says what is wrong with a command line. The parser speaks of its own insides where a value is missing.
func misunderstood(err error) string {
	text := oneLine(err)
	flag, about, _ := strings.Cut(text, ": ")
	if strings.HasPrefix(flag, "-") && (strings.HasSuffix(about, "(<EOL>)") || strings.HasPrefix(about, "missing value")) {
		return flag + ": the value is missing"
	}
	return text
}

// newParser returns what understands command lines.
func newParser(stdout, stderr io.Writer) (*kong.Kong, error) {
	return kong.New(&commands{},
		kong.Name("latchkey"),
		kong.Description("Users, permissions, sessions and tokens for a house, spoken as Home Assistant's clients expect."),
		kong.Writers(stdout, stderr), kong.NoDefaultHelp(), kong.Help(printHelp),
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true}),
	)
}

// helpFlag shows help and ends the parsing with errHelpShown.
type helpFlag bool

var errHelpShown = errors.New("help was shown")

// BeforeReset is called by the parser when the flag is given.
func (helpFlag) BeforeReset(command *kong.Context) error {
	if err := command.PrintUsage(false); err != nil {
		return err
	}
	return errHelpShown
}

func printHelp(options kong.HelpOptions, command *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, command); err != nil {
		return err
	}
	_, err := io.WriteString(command.Stdout, epilogue+exitHelp())
	return err
}

// commandPath returns how the command begins that was not understood.
func commandPath(err error) string {
	var wrong *kong.ParseError
	if errors.As(err, &wrong) && wrong.Context != nil {
		if selected := wrong.Context.Selected(); selected != nil {
			return selected.FullPath()
		}
	}
	return "latchkey"
}
