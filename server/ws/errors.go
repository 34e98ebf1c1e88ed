package ws

import (
	"context"
	"errors"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
)

// The codes in general use (websocket.md §3). Commands have codes of their own beside them.
const (
	CodeIDReuse        = "id_reuse"
	CodeInvalidFormat  = "invalid_format"
	CodeNotAllowed     = "not_allowed"
	CodeNotFound       = "not_found"
	CodeHomeAssistant  = "home_assistant_error"
	CodeUnknownCommand = "unknown_command"
	CodeUnknown        = "unknown_error"
	CodeUnauthorized   = "unauthorized"
	CodeTimeout        = "timeout"
)

// Error is the refusal of a command as the client is told. The translation is left out when it has no key.
type Error struct {
	Code    string
	Message string
	// TranslationKey names a text that clients have in their own language; Domain is where, and Placeholders fill it.
	TranslationKey          string
	TranslationPlaceholders map[string]string
	TranslationDomain       string
}

// Error returns the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// MarshalJSON writes the error member of a message. The translation comes whole or not at all, its placeholders as null
// when there are none.
func (e *Error) MarshalJSON() ([]byte, error) {
	type plain struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	type translated struct {
		plain
		Key          string            `json:"translation_key"`
		Placeholders map[string]string `json:"translation_placeholders"`
		Domain       string            `json:"translation_domain"`
	}
	p := plain{e.Code, e.Message}
	if e.TranslationKey == "" {
		return encode(p)
	}
	return encode(translated{p, e.TranslationKey, e.TranslationPlaceholders, e.TranslationDomain})
}

// The refusals that need no words of their own (websocket.md W-21 and §4).
var (
	errUnknown      = &Error{Code: CodeUnknown, Message: "Unknown error"}
	errUnauthorized = &Error{Code: CodeUnauthorized, Message: "Unauthorized"}
	errTimeout      = &Error{Code: CodeTimeout, Message: "Timeout"}
	errSystemUser   = &Error{Code: "not_system_user", Message: "Not allowed as system user"}
)

// invalidFormat says that a message does not fit its command.
func invalidFormat(text string) error { return &Error{Code: CodeInvalidFormat, Message: text} }

// errorFor is the table of websocket.md W-21: what the domain returns, and what the client is told.
func errorFor(err error) *Error {
	var told *Error
	var invalid *flow.InvalidData
	var refused *latchkey.Error
	switch {
	case errors.As(err, &told):
		if told.Message == "" {
			return errUnknown
		}
		return told
	case errors.As(err, &invalid):
		return &Error{Code: CodeInvalidFormat, Message: invalid.Error()}
	case errors.Is(err, latchkey.ErrUnavailable):
		return &Error{Code: CodeHomeAssistant, Message: "The database cannot be reached just now. Try again."}
	case errors.Is(err, context.DeadlineExceeded):
		return errTimeout
	case errors.As(err, &refused) && errors.Is(refused, latchkey.ErrState):
		return &Error{Code: CodeHomeAssistant, Message: refused.Text}
	case errors.Is(err, latchkey.ErrLastAdmin), errors.Is(err, latchkey.ErrLastLogin):
		return &Error{Code: CodeNotAllowed, Message: refused.Text}
	case errors.Is(err, latchkey.ErrDenied):
		return errUnauthorized
	default:
		return errUnknown
	}
}
