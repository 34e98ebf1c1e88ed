package latchkey

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"

	"github.com/seed-6a977b3d/latchkey/flow"
)

// Purpose is what an authorization code may be used for (security.md W1).
type Purpose string

const (
	// PurposeAuthorize is to sign a client in.
	PurposeAuthorize Purpose = "authorize"
	// PurposeLink is to link the credentials to a user who is signed in. No second factor is asked for.
	PurposeLink Purpose = "link_user"
)

// Login is a sign-in as a value: everything that is known about it between two steps, as plain data.
type Login struct {
	flow.State
	Provider ProviderKey `json:"provider"`
	ClientID string      `json:"client_id"`
	Purpose  Purpose     `json:"purpose"`
	// Binding is the SHA-256 of the secret that the page which started the login holds; empty if it gave none.
	Binding []byte `json:"binding,omitempty"`
	// Challenge is the client's S256 code challenge (RFC 7636); empty if it gave none.
	Challenge string `json:"challenge,omitempty"`
	// Credentials are what the person was found to hold; they count only once the login is done.
	Credentials *Credentials `json:"credentials,omitempty"`
	// Stamp is that of the provider when it accepted the person; see [Stamper].
	Stamp  string       `json:"stamp,omitempty"`
	Factor SecondFactor `json:"factor"`
}

// SecondFactor is where a login stands that a provider accepted and a second factor has yet to confirm.
type SecondFactor struct {
	UserID string `json:"user_id,omitempty"`
	// Offered are the modules that the user has set up, Chosen the one that is being asked.
	Offered   []string        `json:"offered,omitempty"`
	Chosen    string          `json:"chosen,omitempty"`
	Challenge json.RawMessage `json:"challenge,omitempty"`
	// Unasked says that the module could not ask, so that only a recovery code is an answer.
	Unasked  bool `json:"unasked,omitempty"`
	Failures int  `json:"failures,omitempty"`
}

// LoginRequest starts a login.
type LoginRequest struct {
	Provider    ProviderKey
	ClientID    string
	RedirectURI string
	Purpose     Purpose
	From        Origin
	// Binding is a secret of the page that starts the login; when given, each further step needs it (security.md 48).
	Binding Secret
	// Challenge is the S256 code challenge of RFC 7636, if the client sent one.
	Challenge string
}

// LoginInput is the answer to a login's form.
type LoginInput struct {
	ID       string
	ClientID string
	From     Origin
	Binding  Secret
	Input    flow.Input
}

// StartLogin begins a login and takes its first step. A provider that is not configured is [flow.ErrUnknownHandler].
// When the result is [flow.Done] the login is over already and its Credentials are who signed in.
func (m *Manager) StartLogin(ctx context.Context, r LoginRequest) (Login, flow.Result, error) {
	login := Login{
		State: flow.New(flow.Context{
			IPAddress: r.From.PersonAddr(), RedirectURI: r.RedirectURI, CredentialOnly: r.Purpose == PurposeLink,
		}),
		Provider: r.Provider, ClientID: r.ClientID, Purpose: r.Purpose, Challenge: r.Challenge,
	}
	if r.Binding != "" {
		hash := r.Binding.Hash()
		login.Binding = hash[:]
	}
	login, result, err := m.stepLogin(ctx, login, r.From, nil)
	if err != nil {
		return Login{}, nil, err
	}
	if _, more := result.(flow.Form); more {
		err = m.keep(ctx, addressKey(r.From), loginKey(login.ID), login)
	}
	return login, result, err
}

// ContinueLogin takes the next step of a login. Its errors are [flow.ErrUnknownFlow], [ErrClientChanged],
// [ErrAddressChanged] and [*flow.InvalidData]; the login stays as it was. When the result is [flow.Done] or
// [flow.Abort] the login is over; after [flow.Done] its Credentials are who signed in.
func (m *Manager) ContinueLogin(ctx context.Context, in LoginInput) (login Login, result flow.Result, err error) {
	err = m.step(ctx, loginKey(in.ID), func(state []byte) (any, bool, error) {
		before, err := readLogin(state, in.Binding)
		switch {
		case err != nil:
			return nil, false, err
		case before.ClientID != in.ClientID:
			return nil, false, ErrClientChanged
		case before.Context.IPAddress != in.From.PersonAddr():
			return nil, false, ErrAddressChanged
		}
		login, result, err = m.stepLogin(ctx, before, in.From, in.Input)
		_, more := result.(flow.Form)
		return login, more, err
	})
	if err != nil {
		return Login{}, nil, err
	}
	return login, result, nil
}

// AbortLogin forgets a login, or is [flow.ErrUnknownFlow].
func (m *Manager) AbortLogin(ctx context.Context, id string, binding Secret) error {
	return m.step(ctx, loginKey(id), func(state []byte) (any, bool, error) {
		_, err := readLogin(state, binding)
		return nil, false, err
	})
}

func loginKey(id string) string { return "login/" + id }

// readLogin returns a login that is in progress, if its page holds the secret that it was started with.
func readLogin(state []byte, binding Secret) (Login, error) {
	var l Login
	if err := json.Unmarshal(state, &l); err != nil {
		return Login{}, fmt.Errorf("read login: %w", err)
	}
	hash := binding.Hash()
	if len(l.Binding) > 0 && subtle.ConstantTimeCompare(hash[:], l.Binding) != 1 {
		return Login{}, flow.ErrUnknownFlow
	}
	return l, nil
}
