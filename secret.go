package latchkey

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
)

// Secret is a text that must not be shown. Printing, logging or marshalling one gives a fixed mark; only [Secret.Reveal]
// gives the text itself.
type Secret string

const redacted = "[secret]"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Hash returns the SHA-256 of the secret: enough to recognise one of 128 random bits or more, and of no use to whoever
// reads it.
func (s Secret) Hash() [sha256.Size]byte { return sha256.Sum256([]byte(s)) }

// String hides the secret.
func (Secret) String() string { return redacted }

// Format hides the secret from every verb of package fmt.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the secret from package slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the secret from JSON and other encodings.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// NewID returns a random version-4 UUID as 32 lower-case hexadecimal digits (models.md §2, RFC 9562).
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails: it ends the program instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return hex.EncodeToString(b[:])
}

// NewSecret returns 64 bytes from the cryptographic random source as 128 lower-case hexadecimal digits (models.md §2).
func NewSecret() Secret {
	var b [64]byte
	_, _ = rand.Read(b[:])
	return Secret(hex.EncodeToString(b[:]))
}
