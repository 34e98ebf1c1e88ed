// Package flow is the data-entry flow as a value: a dialogue of forms whose whole memory is plain data that a step
// function takes and returns. It knows nothing about users, stores or wires; whoever runs a flow decides where its
// state is kept between two steps.
package flow

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/netip"
	"time"
)

// The errors of flows (flows.md §4). Input that does not fit a form is an [*InvalidData].
var (
	// ErrUnknownFlow says that no flow with this id is in progress: it never was, is finished, or has expired.
	ErrUnknownFlow = errors.New("no such flow")
	// ErrUnknownHandler says that nothing handles flows of this kind.
	ErrUnknownHandler = errors.New("no such flow handler")
	// ErrUnknownStep says that the handler does not have the step that the flow stands in.
	ErrUnknownStep = errors.New("no such step")
)

// InitStep is the step in which every flow begins.
const InitStep = "init"

// Input is what a person sent for the form shown last, by field name. A nil Input asks for the form itself.
type Input map[string]any

// Text returns the text of a field, or the empty text when the field is missing or is no text.
func (in Input) Text(field string) string {
	s, _ := in[field].(string)
	return s
}

// Context is what is known about a flow from outside of its forms.
type Context struct {
	// IPAddress is the address from which the flow was started; the zero Addr when unknown.
	IPAddress netip.Addr `json:"ip_address"`
	// CredentialOnly asks for the bare credential: no second factor, no user (a login to be linked).
	CredentialOnly bool `json:"credential_only,omitempty"`
	// RedirectURI is where the browser will be sent when the flow succeeds.
	RedirectURI string `json:"redirect_uri,omitempty"`
}

// State is all that a flow remembers between two steps. It is plain data: it can be kept in memory or in a database,
// survive a restart, and be handed to another node.
type State struct {
	// ID is 128 random bits as 32 lower-case hexadecimal digits.
	ID string `json:"id"`
	// Step is the step that the next input goes to.
	Step string `json:"step"`
	// Form is the form shown last, which the next input answers; nil before the first step.
	Form *Form `json:"form,omitempty"`
	// Context came with the start of the flow and never changes.
	Context Context `json:"context"`
	// Memory is what the handler gathered. Only the handler reads it.
	Memory json.RawMessage `json:"memory,omitempty"`
	// Created is when the flow was started.
	Created time.Time `json:"created"`
}

// New returns the state of a flow that has not taken its first step.
func New(c Context) State {
	return State{ID: NewID(), Step: InitStep, Context: c, Created: time.Now()}
}

// NewID returns 128 bits from the cryptographic random source as 32 lower-case hexadecimal digits.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails: it ends the program instead
	return hex.EncodeToString(b[:])
}

// Remember returns the state with v as the handler's memory.
func (s State) Remember(v any) (State, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return s, err
	}
	s.Memory = b
	return s, nil
}

// Recall reads the handler's memory into v, which stays as it is when there is none.
func (s State) Recall(v any) error {
	if len(s.Memory) == 0 {
		return nil
	}
	return json.Unmarshal(s.Memory, v)
}

// Result is what a step comes to: a [Form] to fill in, [Done], or [Abort].
type Result interface{ result() }

// Form asks the person for input.
type Form struct {
	StepID string `json:"step_id"`
	Schema Schema `json:"schema"`
	// Errors maps a field to the key of what is wrong with it; the field "base" stands for the whole form.
	// Nil and empty differ on the wire only (null and {}).
	Errors map[string]string `json:"errors"`
	// Placeholders fill the description that a page shows for this step; nil when there are none.
	Placeholders map[string]string `json:"placeholders"`
}

// Done ends a flow with success. Data is what the handler made of the dialogue.
type Done struct {
	Data map[string]any
}

// Abort ends a flow without success, for the reason that the key Reason names.
type Abort struct {
	Reason       string
	Placeholders map[string]string
}

func (Form) result()  {}
func (Done) result()  {}
func (Abort) result() {}

// BaseError is the errors map of a form that is wrong as a whole.
func BaseError(key string) map[string]string { return map[string]string{"base": key} }

// NoErrors is the errors map of a form that nothing is wrong with.
func NoErrors() map[string]string { return map[string]string{} }

// Step is one step of a handler: it takes the state and the input, and returns the next state and what it came to.
// The state that it got is a value; when it returns an error, the caller keeps the old one.
type Step func(ctx context.Context, s State, in Input) (State, Result, error)

// Advance takes one step. Input is checked against the form shown last, and reaches the step converted and with
// defaults filled in; when it does not fit, the error is an [*InvalidData] and the flow stays as it is (flows.md §3).
// A nil input runs the step again for a fresh form.
func Advance(ctx context.Context, s State, in Input, step Step) (State, Result, error) {
	if s.Form != nil && in != nil {
		valid, err := s.Form.Schema.Validate(in)
		if err != nil {
			return s, nil, err
		}
		in = valid
	}
	next, result, err := step(ctx, s, in)
	if err != nil {
		return s, nil, err
	}
	return next.Showing(result), result, nil
}

// Showing returns the state of a flow whose last step came to result.
func (s State) Showing(result Result) State {
	s.Form = nil
	if form, ok := result.(Form); ok {
		s.Form, s.Step = &form, form.StepID
	}
	return s
}
