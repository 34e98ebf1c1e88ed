// Package seal keeps small secrets unreadable where they are stored: it seals them with AES-256-GCM under a key that
// lives somewhere else. It knows keys and bytes, and nothing of what the secrets are for.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

// KeySize is the size of a key in bytes.
const KeySize = 32

// version is the first byte of everything sealed, so that another way of sealing can come to stand beside this one.
const version = 1

// ErrWrongKey says that something was not sealed with this key, or not for this place, or was changed since.
var ErrWrongKey = errors.New("cannot be opened with this key")

// Box seals and opens. It may be used from many goroutines.
type Box struct{ aead cipher.AEAD }

// New returns a Box with a key of [KeySize] bytes.
func New(key []byte) (*Box, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("a seal key has %d bytes, not %d", KeySize, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Box{aead: aead}, nil
}

// NewKey returns a key from the cryptographic random source.
func NewKey() []byte {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // crypto/rand.Read never fails: it ends the program instead
	return key
}

// Seal returns the secret sealed for a place: a text that says where it is stored. It opens nowhere else, so that what
// is stored for one thing cannot be put in the place of another.
func (b *Box) Seal(secret []byte, place string) ([]byte, error) {
	return b.aead.Seal([]byte{version}, nil, secret, []byte(place)), nil
}

// Open returns what was sealed for the place, or [ErrWrongKey].
func (b *Box) Open(sealed []byte, place string) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != version {
		return nil, fmt.Errorf("%s: %w", place, ErrWrongKey)
	}
	secret, err := b.aead.Open(nil, nil, sealed[1:], []byte(place))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", place, ErrWrongKey)
	}
	return secret, nil
}
