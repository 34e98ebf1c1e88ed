package permission

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// ErrTrailing says that something stands behind the end of a policy.
var ErrTrailing = errors.New("something follows after the end of the value")

// SyntaxError says where a text is no JSON, for people who write policies in an editor.
type SyntaxError struct {
	// Line and Column are the place of the first character that is wrong, or the end of the text. Both count from 1,
	// Column in characters.
	Line, Column int
	// Cause is [io.ErrUnexpectedEOF] when the text ends too early, [ErrTrailing], or an error of encoding/json.
	Cause error
}

// Error names the line and the cause.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("policy is not JSON: line %d: %v", e.Line, e.Cause)
}

// Unwrap returns the cause.
func (e *SyntaxError) Unwrap() error { return e.Cause }

// syntaxError finds the place of an error in a text.
func syntaxError(data []byte, err error) *SyntaxError {
	at := len(data)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		at = min(at, max(int(syntax.Offset)-1, 0)) // it counts the character that is wrong
	} else if errors.Is(err, ErrTrailing) {
		at = endOfValue(data)
	} else {
		err = io.ErrUnexpectedEOF
	}
	before := data[:at]
	lastLine := before[bytes.LastIndexByte(before, '\n')+1:]
	return &SyntaxError{
		Line: 1 + bytes.Count(before, []byte("\n")), Column: 1 + utf8.RuneCount(lastLine), Cause: err,
	}
}

// endOfValue is where something follows after the first value of a text.
func endOfValue(data []byte) int {
	decoder := json.NewDecoder(bytes.NewReader(data))
	var value json.RawMessage
	if err := decoder.Decode(&value); err != nil {
		return len(data) // it was read before
	}
	rest := data[decoder.InputOffset():]
	return len(data) - len(bytes.TrimLeft(rest, " \t\r\n"))
}
