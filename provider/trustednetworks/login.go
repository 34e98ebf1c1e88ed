package trustednetworks

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
)

const (
	// fieldUser is the form's field, and the member of a finished login's data, that holds the user's id.
	fieldUser = "user"
	// dataUser is the member of the credentials' data that holds it.
	dataUser = "user_id"

	pageSize = 200 // users read at a time
)

// memory is what a login remembers between its steps: who could be chosen when it began.
type memory struct {
	Offered flow.Schema `json:"offered"`
}

// Step implements [latchkey.Provider]: the one form lets the person choose among the users who are offered to the
// address. They are those of the time at which the login began (providers.md §5.4).
func (p *Provider) Step(ctx context.Context, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
	if !p.Available(s.Context.IPAddress) {
		return s, flow.Abort{Reason: "not_allowed"}, nil
	}
	var mem memory
	if err := s.Recall(&mem); err != nil {
		return s, nil, fmt.Errorf("read login: %w", err)
	}
	if mem.Offered == nil {
		options, err := p.offered(ctx, s.Context)
		if err != nil {
			return s, nil, err
		}
		mem.Offered = flow.Schema{{Name: fieldUser, Kind: flow.Select, Presence: flow.Required, Options: options}}
		if s, err = s.Remember(mem); err != nil {
			return s, nil, err
		}
	}
	if in != nil {
		chosen, err := mem.Offered.Validate(in)
		if err != nil {
			return s, nil, err
		}
		return s, flow.Done{Data: map[string]any{fieldUser: chosen.Text(fieldUser)}}, nil
	}
	if options := mem.Offered[0].Options; p.bypass && len(options) == 1 {
		return s, flow.Done{Data: map[string]any{fieldUser: options[0].Value}}, nil
	}
	return s, flow.Form{StepID: flow.InitStep, Schema: mem.Offered}, nil
}

// offered returns the users who may be chosen, in the order of their creation: all active people, unless a rule holds
// for the address (providers.md §5.3).
func (p *Provider) offered(ctx context.Context, c flow.Context) ([]flow.Option, error) {
	allows := mayChoose
	for _, rule := range p.rules {
		if rule.Network.Contains(c.IPAddress.WithZone("")) {
			allows = func(u latchkey.User) bool { return mayChoose(u) && rule.allows(u) }
			break
		}
	}
	options, after := []flow.Option{}, ""
	for {
		page, err := p.store.Users(ctx, after, pageSize)
		if err != nil {
			return nil, fmt.Errorf("list the users to choose from: %w", err)
		}
		for _, u := range page {
			after = u.ID
			if allows(u) {
				options = append(options, option(u))
			}
		}
		if len(page) < pageSize {
			return options, nil
		}
	}
}

// mayChoose reports whether anybody may be this user without a password.
func mayChoose(u latchkey.User) bool { return u.IsActive && !u.SystemGenerated }

func option(u latchkey.User) flow.Option {
	if !u.Name.Valid {
		return flow.Option{Value: u.ID}
	}
	return flow.Choice(u.ID, u.Name.Text)
}

// Credentials implements [latchkey.Provider]. They are linked to the user at once. Somebody who has gone or was
// deactivated since the form was shown is a [*flow.InvalidData], and the login goes on (http-auth.md L-19).
func (p *Provider) Credentials(ctx context.Context, data map[string]any) (latchkey.Credentials, error) {
	id, _ := data[fieldUser].(string)
	u, err := p.store.User(ctx, id)
	if err := chosen(u, err); err != nil {
		return latchkey.Credentials{}, err
	}
	if c, ok := p.linked(u); ok {
		return c, nil
	}
	return p.link(ctx, id)
}

// link gives the user new credentials, unless another login was faster.
func (p *Provider) link(ctx context.Context, userID string) (c latchkey.Credentials, err error) {
	err = p.store.Update(ctx, func(tx latchkey.Tx) error {
		u, err := tx.User(ctx, userID)
		if err := chosen(u, err); err != nil {
			return err
		}
		var ok bool
		if c, ok = p.linked(u); ok {
			return nil
		}
		c = latchkey.NewCredentials(p.key, map[string]any{dataUser: u.ID})
		c.UserID = u.ID
		return tx.InsertCredentials(ctx, c)
	})
	if err != nil {
		return latchkey.Credentials{}, err
	}
	return c, nil
}

// chosen turns what came of looking a user up into what it means for the login.
func chosen(u latchkey.User, err error) error {
	if errors.Is(err, latchkey.ErrNotFound) || err == nil && !mayChoose(u) {
		return &flow.InvalidData{Fields: map[string]string{fieldUser: "this user cannot be chosen any more"}}
	}
	return err
}

// linked returns the first credentials of this provider that the user holds.
func (p *Provider) linked(u latchkey.User) (latchkey.Credentials, bool) {
	for _, c := range u.Credentials {
		if c.Provider == p.key && c.Text(dataUser) == u.ID {
			return c, true
		}
	}
	return latchkey.Credentials{}, false
}

// UserMeta implements [latchkey.Provider]. Nobody becomes a user here: it is an error of kind [latchkey.ErrState].
func (p *Provider) UserMeta(context.Context, latchkey.Credentials) (latchkey.UserMeta, error) {
	return latchkey.UserMeta{}, &latchkey.Error{Kind: latchkey.ErrState, Text: "Trusted networks only know users who exist already"}
}
