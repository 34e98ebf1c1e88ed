package latchkey

import "encoding/json"

// NullString is a text or nothing at all, where the two differ: a user without a name is not a user with an empty
// one. The zero value is null. NullStrings are compared with ==.
type NullString struct {
	// Text is the text; empty when Valid is false.
	Text string
	// Valid is false for null.
	Valid bool
}

// Text returns a NullString that holds s.
func Text(s string) NullString { return NullString{Text: s, Valid: true} }

// String returns the text, and the empty text for null.
func (s NullString) String() string { return s.Text }

// MarshalJSON writes null or the text.
func (s NullString) MarshalJSON() ([]byte, error) {
	if !s.Valid {
		return []byte("null"), nil
	}
	return json.Marshal(s.Text)
}

// UnmarshalJSON reads null or a text.
func (s *NullString) UnmarshalJSON(b []byte) error {
	var p *string
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*s = NullString{}
	if p != nil {
		*s = Text(*p)
	}
	return nil
}
