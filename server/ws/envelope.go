package ws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"

	"github.com/coder/websocket"
	"github.com/seed-6a977b3d/latchkey"
)

// The refusals of the envelope itself (websocket.md §3, steps 1 to 4).
var (
	errEnvelope       = &Error{Code: CodeInvalidFormat, Message: "Message incorrectly formatted."}
	errIDReuse        = &Error{Code: CodeIDReuse, Message: "Identifier values have to increase."}
	errUnknownCommand = &Error{Code: CodeUnknownCommand, Message: "Unknown command."}
)

// The answers to a command. The id comes first, as clients are used to see it.
type (
	resultMessage struct {
		ID      json.RawMessage `json:"id"`
		Type    string          `json:"type"`
		Success bool            `json:"success"`
		Result  any             `json:"result"`
	}
	errorMessage struct {
		ID      json.RawMessage `json:"id"`
		Type    string          `json:"type"`
		Success bool            `json:"success"`
		Error   *Error          `json:"error"`
	}
	pongMessage struct {
		ID   uint64 `json:"id"`
		Type string `json:"type"`
	}
	eventMessage struct {
		ID    uint64 `json:"id"`
		Type  string `json:"type"`
		Event any    `json:"event"`
	}
)

// execute answers one value of the command phase, in the order of websocket.md §3.
func (s *session) execute(value json.RawMessage) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(value, &fields); err != nil || fields == nil {
		s.answerError(json.RawMessage("0"), errEnvelope)
		return
	}
	rawID := fields["id"]
	id, ok := parseID(rawID)
	name, named := parseText(fields["type"])
	if !ok || !named || name == "" {
		s.answerError(rawID, errEnvelope)
		return
	}
	if id <= s.lastID {
		s.answerError(rawID, errIDReuse)
		return
	}
	command, ok := s.handler.commands[name]
	if !ok {
		s.answerError(rawID, errUnknownCommand)
		return
	}
	s.lastID = id // from here on the id is used up, also when the command fails (websocket.md W-15)
	call := &Call{ID: id, Token: s.token, Origin: s.origin, session: s}
	if err := s.run(call, command, fields); err != nil {
		s.subs.end(id)
		s.answerError(rawID, s.wireError(name, err))
	}
	for _, do := range call.answered {
		do()
	}
	if call.leaving {
		s.farewell()
		<-s.ctx.Done()
	}
}

// run checks and carries out a command, and answers it unless it fails.
func (s *session) run(call *Call, command Command, fields map[string]json.RawMessage) (err error) {
	ctx, cancel := context.WithTimeout(s.ctx, commandTime)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			s.handler.log.Error("command panicked", "command", command.name, "panic", p, "stack", string(debug.Stack()))
			err = errUnknown
		}
	}()
	in, err := command.schema.decode(fields)
	if err != nil {
		return err
	}
	// A node that does not hear of others asks for the token, whose end it may not have been told of.
	if _, err = s.handler.manager.RefreshToken(ctx, s.token.ID); err == nil {
		call.User, err = s.handler.manager.User(ctx, s.userID)
	}
	if errors.Is(err, latchkey.ErrNotFound) || err == nil && !call.User.IsActive {
		s.end(websocket.StatusNormalClosure) // security.md W2; the answer goes nowhere
		return errUnknown
	} else if err != nil {
		return err
	}
	if call.User.MayAuthenticate(&s.origin) != nil {
		return errUnauthorized // at home only, since a while: the socket stays (websocket.md §8)
	}
	if err := command.guard(call.User); err != nil {
		return err
	}
	out, err := command.run(ctx, call, in)
	if err != nil || call.replied {
		return err
	}
	return call.answer(out)
}

// wireError is what a client is told of an error; the log gets what it is not told.
func (s *session) wireError(command string, err error) *Error {
	told := errorFor(err)
	if told == errUnknown && err != errUnknown {
		s.handler.log.Error("command failed", "command", command, "error", err)
	}
	return told
}

func (s *session) answerError(id json.RawMessage, e *Error) {
	if id == nil {
		id = json.RawMessage("null")
	}
	if err := s.send(errorMessage{ID: id, Type: "result", Error: e}); err != nil {
		s.handler.log.Error("error message cannot be written as JSON", "code", e.Code, "error", err)
		_ = s.send(errorMessage{ID: id, Type: "result", Error: errUnknown})
	}
}

// parseID reads the id of a message: an integer between -2⁶³ and 2⁶⁴-1 but not 0. A negative one is never greater than
// an id before it, and comes back as 0.
func parseID(raw json.RawMessage) (id uint64, ok bool) {
	text := string(raw)
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n, n != 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return 0, err == nil && n != 0
}

// parseText reads a JSON string; null is none.
func parseText(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var text string
	err := json.Unmarshal(raw, &text)
	return text, err == nil
}

// isList reports whether a JSON document is a list.
func isList(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	return len(data) > 0 && data[0] == '['
}

// encode writes compact JSON without the escapes that only matter within HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write message as JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
