package server

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/indieauth"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
)

// message is how most endpoints say what is wrong, or that all is well (http-auth.md C-2).
type message struct {
	Message string `json:"message"`
	Code    string `json:"code,omitempty"`
}

// oauthError is how the token endpoint says what is wrong (http-auth.md C-5).
type oauthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// errorTable is one wire's table: it turns an error of the domain into an answer, and reports false for an error that
// it does not know.
type errorTable func(error) (reply, bool)

// reply returns the answer to an error. What nobody knows is a 500 that says nothing.
func (t errorTable) reply(err error) (reply, bool) {
	if t == nil {
		t = messageErrors
	}
	if own, ok := errors.AsType[*refusal](err); ok {
		return own.answer, true
	}
	if a, ok := t(err); ok {
		return a, true
	}
	if errors.Is(err, latchkey.ErrUnavailable) || errors.Is(err, latchkey.ErrConflict) {
		return unavailable(), true
	}
	return internalError(), false
}

// messageErrors is the table of the endpoints that answer with messages (http-auth.md §5 and §13, onboarding.md §3).
func messageErrors(err error) (reply, bool) {
	_, misfit := errors.AsType[*flow.InvalidData](err)
	switch {
	case misfit:
		return says(http.StatusBadRequest, "User input malformed"), true
	case errors.Is(err, indieauth.ErrInvalidClientID), errors.Is(err, latchkey.ErrClientChanged):
		return says(http.StatusBadRequest, "Invalid client id"), true
	case errors.Is(err, indieauth.ErrInvalidRedirectURI):
		return says(http.StatusForbidden, "Invalid redirect URI"), true
	case errors.Is(err, flow.ErrUnknownHandler):
		return says(http.StatusNotFound, "Invalid handler specified"), true
	case errors.Is(err, flow.ErrUnknownFlow):
		return says(http.StatusNotFound, "Invalid flow specified"), true
	case errors.Is(err, latchkey.ErrAddressChanged):
		return says(http.StatusBadRequest, "IP address changed"), true
	case errors.Is(err, latchkey.ErrInvalidCode):
		return says(http.StatusBadRequest, "Invalid code"), true
	case errors.Is(err, latchkey.ErrCredentialsLinked):
		return says(http.StatusBadRequest, "Credential already linked"), true
	case errors.Is(err, latchkey.ErrState):
		return says(http.StatusForbidden, publicText(err)), true
	case errors.Is(err, homeassistant.ErrInvalidUser), errors.Is(err, latchkey.ErrValue):
		told := message{Message: publicText(err), Code: homeassistant.RefusalCode(err)}
		return reply{status: http.StatusBadRequest, json: told}, true
	}
	return reply{}, false
}

// oauthErrors is the table of the token endpoint (http-auth.md §7).
func oauthErrors(err error) (reply, bool) {
	switch {
	case errors.Is(err, indieauth.ErrInvalidClientID):
		return oauthSays("invalid_request", "Invalid client id"), true
	case errors.Is(err, latchkey.ErrInvalidCode),
		errors.Is(err, latchkey.ErrUserNotFound), errors.Is(err, latchkey.ErrUnknownProvider): // K-9
		return oauthSays("invalid_request", "Invalid code"), true
	case errors.Is(err, latchkey.ErrDenied), errors.Is(err, latchkey.ErrState), errors.Is(err, latchkey.ErrValue):
		return reply{
			status: http.StatusForbidden,
			json:   oauthError{Error: "access_denied", Description: publicText(err)},
		}, true
	}
	return reply{}, false
}

// publicText is the text of the domain's own error, without what was wrapped around it for the log.
func publicText(err error) string {
	if own, ok := errors.AsType[*latchkey.Error](err); ok {
		return own.Text
	}
	if own, ok := errors.AsType[*homeassistant.UserError](err); ok {
		return own.Error()
	}
	return http.StatusText(http.StatusBadRequest)
}

// says is an answer in the message form.
func says(status int, text string) reply { return reply{status: status, json: message{Message: text}} }

// oauthSays is a 400 of the token endpoint.
func oauthSays(code, description string) reply {
	return reply{status: http.StatusBadRequest, json: oauthError{Error: code, Description: description}}
}

// framework is an answer in the plain text of http-auth.md §1.3.
func framework(status int) reply {
	return reply{status: status, text: fmt.Sprintf("%d: %s", status, http.StatusText(status))}
}

// unavailable asks to try again in a second. Clients of the token endpoint take a 5xx for what it is: not signed out, but
// not connected (client-js.md §7).
func unavailable() reply {
	a := framework(http.StatusServiceUnavailable)
	a.retryAfter = "1"
	return a
}

func internalError() reply { return framework(http.StatusInternalServerError) }

// refusal is an error that brings its own answer. It is for what is wrong with a request as such; errors of the domain
// get theirs from a table.
type refusal struct{ answer reply }

func (e *refusal) Error() string { return fmt.Sprintf("refused with status %d", e.answer.status) }

func refuse(a reply) error { return &refusal{a} }

// The refusals of the pipeline (http-auth.md §1.3).
var (
	errBadRequest   = refuse(framework(http.StatusBadRequest))
	errBanned       = refuse(framework(http.StatusForbidden))
	errUnauthorized = refuse(framework(http.StatusUnauthorized))
	errNoRoute      = refuse(framework(http.StatusNotFound))
	errNoMethod     = refuse(framework(http.StatusMethodNotAllowed))
	errTooLarge     = refuse(framework(http.StatusRequestEntityTooLarge))
	// errTorn is for a body that did not come to its end: whoever lost the connection has guessed nothing.
	errTorn = refuse(reply{status: http.StatusBadRequest, text: "400: Bad Request", noAttempt: true})
)

// The refusals of the endpoints.
var (
	errInvalidJSON = refuse(reply{status: http.StatusBadRequest, json: message{Message: "Invalid JSON."}, noAttempt: true})
	errNotOnboard  = refuse(reply{status: http.StatusBadRequest,
		json: message{Message: "Onboarding not finished", Code: "onboarding_required"}})
	errRemoteIP = refuse(reply{status: http.StatusBadRequest,
		json: message{Message: "Invalid remote IP", Code: "invalid_remote_ip"}})
	errChallenge = refuse(says(http.StatusBadRequest,
		"Invalid code challenge: send code_challenge of 43 to 128 characters together with code_challenge_method S256"))
	errNotOurPage = refuse(reply{status: http.StatusBadRequest, noAttempt: true,
		json: oauthError{Error: "invalid_request", Description: "This is for the server's own pages: use /auth/token"}})
	errNoExternalURL = refuse(says(http.StatusNotFound, "No URL available"))

	errGrantType    = refuse(oauthSays("unsupported_grant_type", ""))
	errTokenRequest = refuse(oauthSays("invalid_request", ""))
	errTokenGrant   = refuse(oauthSays("invalid_grant", ""))

	errSetupCodeRequired = refuse(reply{status: http.StatusForbidden,
		json: message{Message: "Setup code required", Code: "setup_code_required"}})
	errSetupCodeInvalid = refuse(reply{status: http.StatusForbidden,
		json: message{Message: "Setup code is wrong", Code: "setup_code_invalid"}})
	errUserStepDone        = refuse(says(http.StatusForbidden, "User step already done"))
	errOnboardingRedirect  = refuse(says(http.StatusBadRequest, "invalid client id or redirect uri"))
	errNoCallerCredentials = refuse(says(http.StatusForbidden, "Credentials for user not available"))
)
