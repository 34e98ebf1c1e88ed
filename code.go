package latchkey

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// CodeLifetime is how long an authorization code can be used (http-auth.md K-4).
const CodeLifetime = 10 * time.Minute

// AuthorizationCode is what an authorization code stands for: credentials that were just verified. It works once, for
// one client and one purpose.
type AuthorizationCode struct {
	ClientID    string      `json:"client_id"`
	Purpose     Purpose     `json:"purpose"`
	Credentials Credentials `json:"credentials"`
	// Challenge is the S256 code challenge that the exchange has to meet; empty if the client sent none.
	Challenge string `json:"challenge,omitempty"`
	// Stamp is that of the credentials' provider when the person signed in; empty if it gives none, or for now.
	Stamp string `json:"stamp,omitempty"`
}

// Code returns what the authorization code of a login that is done stands for.
func (l Login) Code() AuthorizationCode {
	c := AuthorizationCode{ClientID: l.ClientID, Purpose: l.Purpose, Challenge: l.Challenge, Stamp: l.Stamp}
	if l.Credentials != nil {
		c.Credentials = *l.Credentials
	}
	return c
}

// CreateCode returns a new authorization code, 32 hexadecimal digits, for a login that is done or for credentials that
// were made just now.
func (m *Manager) CreateCode(ctx context.Context, c AuthorizationCode) (Secret, error) {
	if c.Stamp == "" {
		var err error
		if c.Stamp, err = m.stamp(ctx, c.Credentials); err != nil {
			return "", err
		}
	}
	code := Secret(NewID())
	return code, m.codes.put(ctx, codeKey(c.ClientID, c.Purpose, code), c, CodeLifetime)
}

// TakeCode returns what an authorization code stands for and uses it up. It is [ErrInvalidCode] for a code that does
// not exist, was used, is too old, or is of another client or purpose; in the last two cases it stays usable
// (http-auth.md K-5 and K-6, L-10). It is void, too, when the person was given another password since.
func (m *Manager) TakeCode(ctx context.Context, clientID string, code Secret, p Purpose) (AuthorizationCode, error) {
	value, err := m.codes.Take(ctx, codeKey(clientID, p, code))
	if errors.Is(err, ErrNotFound) {
		return AuthorizationCode{}, ErrInvalidCode
	} else if err != nil {
		return AuthorizationCode{}, err
	}
	var c AuthorizationCode
	if err := json.Unmarshal(value, &c); err != nil {
		return AuthorizationCode{}, fmt.Errorf("read authorization code: %w", err)
	}
	stamp, err := m.stamp(ctx, c.Credentials)
	if err == nil && stamp != c.Stamp {
		err = ErrInvalidCode
	}
	if err != nil {
		return AuthorizationCode{}, err
	}
	return c, nil
}

// stamp asks the provider of credentials, if it has one to give.
func (m *Manager) stamp(ctx context.Context, c Credentials) (string, error) {
	if p, ok := m.Provider(c.Provider); ok {
		if stamper, ok := p.(Stamper); ok {
			return stamper.Stamp(ctx, c)
		}
	}
	return "", nil
}

// codeKey finds a code only together with its client and purpose, and by a hash, so that the time of a look-up tells
// nothing about codes that exist.
func codeKey(clientID string, p Purpose, code Secret) string {
	sum := sha256.Sum256([]byte(string(p) + "\x00" + code.Reveal() + "\x00" + clientID))
	return "code/" + hex.EncodeToString(sum[:])
}

// MeetsChallenge reports whether the verifier is the one that the client made its challenge from (RFC 7636 §4.6). A
// verifier for a code without a challenge does not meet it, nor does a missing one for a code with a challenge.
func (c AuthorizationCode) MeetsChallenge(verifier string) bool {
	if c.Challenge == "" || verifier == "" {
		return c.Challenge == verifier
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(b64.EncodeToString(sum[:])), []byte(c.Challenge)) == 1
}
