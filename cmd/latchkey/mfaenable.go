package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/flow"
)

type mfaEnable struct {
	storeFlags
	moduleFlag
	yesFlag
	userArg
}

// Run takes the dialogue in which the second factor is set up to its end. A script answers it on standard input.
func (c *mfaEnable) Run(p *program) error {
	return c.withPerson(c.storeFlags, p, func(r *config.Running, u latchkey.User) error {
		module, err := c.choose(r, r.Manager.Modules(), "no second factor is configured: name one in auth_mfa_modules of the configuration")
		if err != nil {
			return err
		}
		again, err := module.IsSetUp(p.ctx, u.ID)
		if err != nil {
			return err
		}
		if again {
			question := fmt.Sprintf("Set up %s of %s anew? What they have for it now becomes void.", printable(module.Name()), fullName(u))
			if err := c.confirm(p, question); err != nil {
				return err
			}
		}
		if err := setUp(p, r.Manager, u, module.ID()); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(p.stdout, "%s has set up %s\n", label(u), printable(module.Name())); err != nil {
			return err
		}
		if _, made, err := r.Manager.RecoveryCodesLeft(p.ctx, u.ID); err != nil || made {
			return err
		}
		_, err = fmt.Fprintf(p.stderr, "Recovery codes help whoever loses the device: `latchkey mfa recovery-codes %s` makes some.\n", label(u))
		return err
	})
}

// setUp asks for what each form of a set-up wants, until it is done.
func setUp(p *program, m *latchkey.Manager, u latchkey.User, moduleID string) error {
	setup, result, err := m.StartSetup(p.ctx, u.ID, moduleID)
	shown := ""
	for {
		if err != nil {
			return err
		}
		form, ok := result.(flow.Form)
		if !ok {
			break
		}
		if secret := form.Placeholders["code"]; secret != shown {
			shown = secret
			if err := showSecret(p, secret, form.Placeholders["url"]); err != nil {
				return err
			}
		}
		for _, key := range form.Errors {
			_, _ = fmt.Fprintln(p.stderr, setupWords(key))
		}
		var in flow.Input
		if in, err = fillIn(p, form.Schema); err != nil {
			return err
		}
		next, then, stepErr := m.ContinueSetup(p.ctx, u.ID, setup.ID, in)
		var wrong *flow.InvalidData
		if errors.As(stepErr, &wrong) {
			_, _ = fmt.Fprintln(p.stderr, printable(wrong.Error()))
			continue
		}
		setup, result, err = next, then, stepErr
	}
	if abort, ok := result.(flow.Abort); ok {
		return errors.New(setupWords(abort.Reason))
	}
	return nil
}

// setupWords are what is said about the key of an error, or of the end of a set-up without success.
func setupWords(key string) string {
	switch key {
	case "invalid_code":
		return "That is not the right code. Is the clock of the device right? Try the next one."
	case "no_available_service":
		return "there is no service to send codes by: name one in the section notify of the configuration"
	case "notify_service_not_exist":
		return "the service is not there any more: choose another one"
	}
	return "not accepted: " + printable(key)
}

// fillIn asks for the fields of a form. What may be left out and is, stays out.
func fillIn(p *program, schema flow.Schema) (flow.Input, error) {
	in := flow.Input{}
	for _, field := range schema {
		question := fieldWords(field.Name)
		if field.Kind == flow.Select {
			var options []string
			for _, o := range field.Options {
				options = append(options, o.Value)
			}
			question += " (" + strings.Join(options, ", ") + ")"
		}
		answer, err := p.ask(printable(question) + ": ")
		if errors.Is(err, io.EOF) {
			return nil, errors.New("there was no answer: nothing was set up")
		} else if err != nil {
			return nil, err
		}
		if answer = strings.TrimSpace(answer); answer == "" && field.Presence != flow.Required {
			continue
		}
		in[field.Name] = answer
	}
	return in, nil
}

func fieldWords(name string) string {
	switch name {
	case "code":
		return "Code"
	case "notify_service":
		return "Send codes by"
	case "target":
		return "To whom there (may be empty)"
	}
	return name
}

// showSecret shows what an authenticator app has to learn: to a person as a QR code too.
func showSecret(p *program, secret, address string) error {
	if _, ok := terminalOf(p.stdout); ok && address != "" {
		if err := printQR(p.stdout, address); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(p.stdout, "Secret:  %s\nAddress: %s\n", printable(secret), printable(address))
	return err
}
