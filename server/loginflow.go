package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/indieauth"
)

// BindingHeader carries a secret of the page that starts a login. When it came with the start, every further request
// needs it: whoever learns the id of the login cannot go on with it (security.md 48).
const BindingHeader = "X-Latchkey-Binding"

// showLogin is GET /auth/login_flow/{id}, which never tells anything (http-auth.md §5.2).
func (s *Server) showLogin(*http.Request) (reply, error) { return reply{}, flow.ErrUnknownFlow }

// startLogin is POST /auth/login_flow (http-auth.md §5.3).
func (s *Server) startLogin(r *http.Request) (reply, error) {
	in, err := readJSON(r, schema{keys: []key{
		{name: "client_id", check: isShortText},
		{name: "handler", check: isTextOrList},
		{name: "redirect_uri", check: isShortText},
		{name: "type", optional: true, check: isText},
		{name: "response_type", optional: true, check: isTextOrNull},
		{name: "code_challenge", optional: true, check: isTextOrNull},
		{name: "code_challenge_method", optional: true, check: isTextOrNull},
	}})
	if err != nil {
		return reply{}, err
	}
	if err := indieauth.CheckClientID(in.text("client_id")); err != nil {
		return reply{}, err
	}
	if err := s.requireOnboarded(r.Context()); err != nil {
		return reply{}, err
	}
	if err := checkChallenge(in.text("code_challenge"), in.text("code_challenge_method")); err != nil {
		return reply{}, err
	}
	provider, ok := providerKey(in["handler"])
	if !ok {
		return reply{}, flow.ErrUnknownHandler
	}
	purpose := latchkey.PurposeAuthorize
	if in.text("type") == string(latchkey.PurposeLink) {
		purpose = latchkey.PurposeLink
	}
	login, result, err := s.manager.StartLogin(r.Context(), latchkey.LoginRequest{
		Provider: provider, ClientID: in.text("client_id"), RedirectURI: in.text("redirect_uri"), Purpose: purpose,
		From: originOf(r), Binding: binding(r), Challenge: in.text("code_challenge"),
	})
	if err != nil {
		return reply{}, err
	}
	return s.show(r, login, result)
}

// continueLogin is POST /auth/login_flow/{id} (http-auth.md §5.4).
func (s *Server) continueLogin(r *http.Request) (reply, error) {
	in, err := readJSON(r, schema{keys: []key{{name: "client_id", check: isText}}, extra: true})
	if err != nil {
		return reply{}, err
	}
	clientID := in.text("client_id")
	if err := indieauth.CheckClientID(clientID); err != nil {
		return reply{}, err
	}
	delete(in, "client_id")
	login, result, err := s.manager.ContinueLogin(r.Context(), latchkey.LoginInput{
		ID: r.PathValue("id"), ClientID: clientID, From: originOf(r), Binding: binding(r), Input: flow.Input(in),
	})
	if err != nil {
		return reply{}, err
	}
	return s.show(r, login, result)
}

// abortLogin is DELETE /auth/login_flow/{id} (http-auth.md §5.7).
func (s *Server) abortLogin(r *http.Request) (reply, error) {
	if err := s.manager.AbortLogin(r.Context(), r.PathValue("id"), binding(r)); err != nil {
		return reply{}, err
	}
	return reply{json: message{Message: "Flow aborted"}}, nil
}

// show puts what a step came to on the wire (http-auth.md §5.5).
func (s *Server) show(r *http.Request, login latchkey.Login, result flow.Result) (reply, error) {
	if _, done := result.(flow.Done); done {
		code, err := s.finishLogin(r, login)
		if err != nil {
			return reply{}, err
		}
		s.countStep(r, login, result)
		shown := map[string]any{"result": code.Reveal()}
		if issuer, known := s.prefix(r); known {
			shown["iss"] = issuer // for the page to hand on beside the code (RFC 9207)
		}
		result = flow.Done{Data: shown}
	} else {
		s.countStep(r, login, result)
	}
	b, err := flow.Encode(login.ID, login.Provider, result)
	if err != nil {
		return reply{}, err
	}
	return reply{json: json.RawMessage(b)}, nil
}

// finishLogin makes the code of somebody whom the provider accepted, unless the client or the user may not have it.
func (s *Server) finishLogin(r *http.Request, login latchkey.Login) (latchkey.Secret, error) {
	ctx, from := r.Context(), originOf(r)
	if err := s.redirects.Check(ctx, login.ClientID, login.Context.RedirectURI, fetchesFor(from)); err != nil {
		s.log.Warn("login refused: the redirect URI is not the client's", "client_id", login.ClientID,
			"redirect_uri", login.Context.RedirectURI, "error", err)
		return "", indieauth.ErrInvalidRedirectURI
	}
	user, err := s.manager.UserByCredentials(ctx, *login.Credentials)
	switch {
	case errors.Is(err, latchkey.ErrNotFound): // nobody's yet, or nobody's any more: the exchange will tell
	case err != nil:
		return "", err
	default:
		if err := user.MayAuthenticate(&from); err != nil {
			return "", refuse(says(http.StatusForbidden, "Login blocked: "+err.Error()))
		}
	}
	return s.manager.CreateCode(ctx, login.Code())
}

func binding(r *http.Request) latchkey.Secret { return latchkey.Secret(r.Header.Get(BindingHeader)) }

// providerKey reads the pair of a provider's type and id. Everything else names no provider (http-auth.md §5.3).
func providerKey(handler any) (latchkey.ProviderKey, bool) {
	pair, _ := handler.([]any)
	if len(pair) != 2 {
		return latchkey.ProviderKey{}, false
	}
	kind, ok := pair[0].(string)
	k := latchkey.ProviderKey{Type: kind}
	if pair[1] == nil {
		return k, ok
	}
	id, isText := pair[1].(string)
	k.ID = latchkey.Text(id)
	return k, ok && isText
}

// checkChallenge allows a proper S256 challenge, or none at all. The method plain, also where it is only implied,
// protects nothing (RFC 7636 §4.2 and §4.3, security.md 32).
func checkChallenge(challenge, method string) error {
	if challenge == "" && method == "" {
		return nil
	}
	unreserved := func(c rune) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-._~", c)
	}
	if method != "S256" || len(challenge) < 43 || len(challenge) > 128 ||
		strings.ContainsFunc(challenge, func(c rune) bool { return !unreserved(c) }) {
		return errChallenge
	}
	return nil
}
