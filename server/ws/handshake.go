package ws

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/seed-6a977b3d/latchkey"
)

// invalidAuth is the text for whatever is wrong with a token (websocket.md §2).
const invalidAuth = "Invalid access token or password"

// authMessage is one of the three messages of the server in this phase. They have no id (websocket.md W-13).
type authMessage struct {
	Type      string `json:"type"`
	HAVersion string `json:"ha_version,omitempty"`
	Message   string `json:"message,omitempty"`
}

// errRefused says that authentication failed, and that the client was told.
var errRefused = errors.New("authentication refused")

// authenticate is the authentication phase: one attempt, within ten seconds (websocket.md §2). It is false when the
// session is over.
func (s *session) authenticate(r *http.Request) bool {
	late := time.AfterFunc(authWithin, func() { s.end(websocket.StatusNormalClosure) })
	defer late.Stop()
	if err := s.greet(); err != nil {
		return false
	}
	first := turn{big: s.handler.bigFirst, gone: s.ctx.Done()}
	defer first.giveBack()
	kind, data, err := s.readBy(first.bound)
	if err != nil || kind != websocket.MessageText || !json.Valid(data) {
		return false
	}
	if err := s.attempt(r, data); err != nil {
		if !errors.Is(err, errRefused) {
			s.handler.log.Error("authentication could not be decided", "error", err)
			s.end(websocket.StatusInternalError) // not auth_invalid, after which clients never come back
		}
		return false
	}
	if !late.Stop() {
		return false
	}
	if s.handler.options.AuthOK != nil {
		s.handler.options.AuthOK(r)
	}
	_ = s.send(authMessage{Type: "auth_ok", HAVersion: s.handler.options.HAVersion})
	return true
}

// greet sends the first message. It waits for that, so that what a hasty client sends cannot overtake it.
func (s *session) greet() error {
	text, err := encode(authMessage{Type: "auth_required", HAVersion: s.handler.options.HAVersion})
	if err != nil {
		return err
	}
	return s.conn.Write(context.Background(), websocket.MessageText, text) // end unblocks it
}

// attempt judges the first message.
func (s *session) attempt(r *http.Request, data []byte) error {
	token, problem := parseAuth(data)
	if problem != "" {
		return s.refuse("Auth message incorrectly formatted: " + problem)
	}
	session, err := s.handler.manager.ValidateAccessToken(s.ctx, token)
	if err == nil {
		err = s.bind(session)
	}
	var reason *latchkey.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, latchkey.ErrInvalidAccessToken):
		return s.fail(r, invalidAuth)
	case errors.As(err, &reason):
		return s.fail(r, reason.Text)
	default:
		return err
	}
}

// bind makes the session one of the access token's user. It lasts until the refresh token is removed: that is waited
// for first and looked for afterwards, so that no removal falls between.
func (s *session) bind(session latchkey.Session) error {
	if err := session.User.MayAuthenticate(&s.origin); err != nil {
		return err
	}
	m := s.handler.manager
	s.revocable.watch(
		func(fn func()) (stop func()) { return m.OnRevoke(session.Token.ID, fn) },
		func() { s.end(websocket.StatusNormalClosure) },
	)
	if _, err := m.RefreshToken(s.ctx, session.Token.ID); err != nil {
		if errors.Is(err, latchkey.ErrNotFound) || s.ctx.Err() != nil {
			return latchkey.ErrInvalidAccessToken
		}
		return err
	}
	s.userID, s.token = session.User.ID, session.Token
	return nil
}

// fail refuses an attempt that counts as a failed login (websocket.md W-10).
func (s *session) fail(r *http.Request, text string) error {
	if s.handler.options.AuthFailed != nil {
		s.handler.options.AuthFailed(r)
	}
	return s.refuse(text)
}

// refuse tells the client, and closes when that is sent (websocket.md W-9).
func (s *session) refuse(text string) error {
	_ = s.send(authMessage{Type: "auth_invalid", Message: text})
	s.farewell()
	<-s.ctx.Done()
	return errRefused
}

// parseAuth returns the access token of the first message, or what is wrong with the message. What the client sent is
// not repeated: it may be a secret in the wrong place (websocket.md W-8).
func parseAuth(data []byte) (token, problem string) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		return "", "expected a dictionary"
	}
	texts := map[string]string{}
	for key, raw := range fields {
		var text *string
		switch {
		case key != "type" && key != "access_token" && key != "api_password":
			return "", "extra keys not allowed"
		case json.Unmarshal(raw, &text) != nil || text == nil:
			return "", "expected str for dictionary value @ data['" + key + "']"
		}
		texts[key] = *text
	}
	kind, ok := texts["type"]
	_, hasToken := texts["access_token"]
	_, hasPassword := texts["api_password"]
	switch {
	case !ok:
		return "", "required key not provided @ data['type']"
	case kind != "auth":
		return "", "not a valid value for dictionary value @ data['type']"
	case hasToken && hasPassword:
		return "", "two or more values in the same group of exclusion @ data['access_token']"
	}
	return texts["access_token"], ""
}
