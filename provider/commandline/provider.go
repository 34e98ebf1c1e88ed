// Package commandline is the provider that asks a program of the operator's whether a username and a password are right
// (providers.md §4). It owns how the program is run and what it may say, and knows nothing of what it checks.
package commandline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/provider/internal/userpass"
)

// Type is the provider's type in configurations and credentials.
const Type = "command_line"

// DefaultName is what the provider is called unless it is configured otherwise.
const DefaultName = "Command Line Authentication"

// DefaultTimeout is how long the program may take unless it is configured otherwise.
const DefaultTimeout = 30 * time.Second

// ErrMetaLost says that what the program told about somebody new is not known here any more. It is of kind
// [latchkey.ErrState].
var ErrMetaLost = &latchkey.Error{Kind: latchkey.ErrState,
	Text: "What the command told about this user has been forgotten: sign in again"}

// Store is what the provider needs of a [latchkey.Store].
type Store interface {
	CredentialsBySubject(ctx context.Context, p latchkey.ProviderKey, subject string) ([]latchkey.Credentials, error)
}

// Config sets the provider up.
type Config struct {
	// ID is the provider's id, null if there is one of its kind.
	ID latchkey.NullString
	// Name is shown to people; [DefaultName] if empty.
	Name string
	// Command is the program, best by its absolute path. A name without a slash is looked for in /bin and /usr/bin, and a
	// relative path is taken from the working directory.
	Command string
	// Args are its arguments. No shell reads them.
	Args []string
	// Meta says that the program's output describes new users; without it the output is thrown away.
	Meta bool
	// Timeout is how long the program may take, after which it is killed; [DefaultTimeout] if zero.
	Timeout time.Duration
	// Logger gets why people are refused, and what the program writes to its standard error; nil for slog.Default.
	Logger *slog.Logger
}

// Provider signs people in of whom a program says that their password is right.
type Provider struct {
	store   Store
	key     latchkey.ProviderKey
	name    string
	program program
	meta    *memory // nil when the output does not count
	log     *slog.Logger
}

var _ latchkey.Provider = (*Provider)(nil)

// New returns the provider over the store. Whether there is such a program is seen when it is run.
func New(store Store, cfg Config) (*Provider, error) {
	switch {
	case store == nil:
		return nil, errors.New("command_line: no store: give the one that the manager uses")
	case cfg.Command == "":
		return nil, errors.New("command_line: no command: write the absolute path of a program")
	case slices.ContainsFunc(append([]string{cfg.Command}, cfg.Args...), hasNUL):
		return nil, errors.New("command_line: the command or an argument holds a NUL character, which no program can be given")
	case cfg.Timeout < 0:
		return nil, fmt.Errorf("command_line: timeout %v: write a duration such as 30s", cfg.Timeout)
	}
	p := &Provider{
		store: store, key: latchkey.ProviderKey{Type: Type, ID: cfg.ID}, name: cmp.Or(cfg.Name, DefaultName),
		log: cmp.Or(cfg.Logger, slog.Default()),
		program: program{
			command: filepath.Clean(cfg.Command), args: slices.Clone(cfg.Args), output: cfg.Meta,
			timeout: cmp.Or(cfg.Timeout, DefaultTimeout), slots: make(chan struct{}, maxRunning),
		},
	}
	if cfg.Meta {
		p.meta = newMemory()
	}
	return p, nil
}

func hasNUL(s string) bool { return strings.Contains(s, "\x00") }

// Key implements [latchkey.Provider].
func (p *Provider) Key() latchkey.ProviderKey { return p.key }

// Name implements [latchkey.Provider].
func (p *Provider) Name() string { return p.name }

// SupportsMFA implements [latchkey.Provider].
func (p *Provider) SupportsMFA() bool { return true }

// Step implements [latchkey.Provider]: the one form asks for username and password. White space around the username is
// stripped, and nothing else is changed (providers.md §4.4).
func (p *Provider) Step(ctx context.Context, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
	form := flow.Form{StepID: flow.InitStep, Schema: userpass.Schema(), Errors: flow.NoErrors()}
	if in == nil {
		return s, form, nil
	}
	username := trim(in.Text(userpass.Username))
	err := p.ValidateLogin(ctx, username, in.Text(userpass.Password))
	switch {
	case errors.Is(err, latchkey.ErrInvalidAuth):
		form.Errors = flow.BaseError("invalid_auth")
		return s, form, nil
	case err != nil:
		return s, nil, err
	}
	return s, flow.Done{Data: map[string]any{userpass.Username: username}}, nil
}

// ValidateLogin runs the program. Whatever it says but yes is [latchkey.ErrInvalidAuth], and so is that it cannot be run;
// the reason is logged. Another error is that of ctx.
func (p *Provider) ValidateLogin(ctx context.Context, username, password string) error {
	output, err := p.program.run(ctx, username, password)
	if logged := output.complaint(password); logged != "" {
		p.log.Warn("the authentication command wrote to its standard error", "output", logged)
	}
	var refused *exitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &refused):
		p.log.Error(fmt.Sprintf("User %s failed to authenticate, command exited with code %d", quote(username), refused.code))
		return latchkey.ErrInvalidAuth
	case err != nil:
		p.log.Error(fmt.Sprintf("Error while authenticating %s: %v", quote(username), err))
		return latchkey.ErrInvalidAuth
	}
	if p.meta != nil {
		p.meta.put(username, parseMeta(output.stdout))
	}
	return nil
}

// Credentials implements [latchkey.Provider]. Usernames are compared as they are.
func (p *Provider) Credentials(ctx context.Context, data map[string]any) (latchkey.Credentials, error) {
	username, _ := data[userpass.Username].(string)
	return userpass.Credentials(ctx, p.store, p.key, username)
}

// UserMeta implements [latchkey.Provider]: it tells what the program told. When that has been forgotten, in a restart say,
// it is [ErrMetaLost]; without it the user would be made an administrator, whatever group the program had named.
func (p *Provider) UserMeta(_ context.Context, c latchkey.Credentials) (latchkey.UserMeta, error) {
	if p.meta == nil {
		return latchkey.UserMeta{IsActive: true}, nil
	}
	told, ok := p.meta.get(c.Text(userpass.Username))
	if !ok {
		return latchkey.UserMeta{}, ErrMetaLost
	}
	return latchkey.UserMeta{
		Name: told.name, Group: told.group, IsActive: true, LocalOnly: told.localOnly == latchkey.Text("true"),
	}, nil
}

// trim strips white space as usernames are stripped (providers.md §3.1).
func trim(s string) string { return strings.TrimFunc(s, isSpace) }

func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
