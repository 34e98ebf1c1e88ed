package latchkey

import (
	"net/netip"
	"time"
)

// Lifetimes (models.md §1).
const (
	// AccessTokenExpiration is the lifetime of an access token unless its refresh token says otherwise.
	AccessTokenExpiration = 30 * time.Minute
	// RefreshTokenExpiration is how long after its last use a normal refresh token ends.
	RefreshTokenExpiration = 90 * 24 * time.Hour
	// MFASessionExpiration is how long after the start of a login a second factor is accepted.
	MFASessionExpiration = 5 * time.Minute
)

// TokenType says what a refresh token is for (models.md §6.1).
type TokenType string

// The three types of refresh tokens.
const (
	TokenNormal    TokenType = "normal"
	TokenSystem    TokenType = "system"
	TokenLongLived TokenType = "long_lived_access_token"
)

// Valid reports whether t is one of the three types.
func (t TokenType) Valid() bool { return t == TokenNormal || t == TokenSystem || t == TokenLongLived }

// RefreshToken lets a client make access tokens for a user. It is a snapshot.
type RefreshToken struct {
	ID     string
	UserID string
	// ClientID is the client that the token is bound to; null for system and long-lived tokens.
	ClientID NullString
	// AccessTokenExpiration is the lifetime of the access tokens made with it.
	AccessTokenExpiration time.Duration
	// ClientName and ClientIcon are for people; empty when there are none.
	ClientName string
	ClientIcon string
	Type       TokenType
	CreatedAt  time.Time
	// Secret is what the client holds: 128 hexadecimal digits. Stores that keep only its hash give it back once, from
	// the operation that made the token, and leave it empty afterwards.
	Secret Secret
	// JWTKey signs the access tokens: its 128 characters themselves are the key, not the bytes that they stand for.
	JWTKey Secret
	// LastUsedAt is when an access token was last made with it, or a session resumed; zero if never. LastUsedIP goes with it and is empty
	// when the address was unknown.
	LastUsedAt time.Time
	LastUsedIP string
	// ExpireAt is when the token ends by itself; zero if never.
	ExpireAt time.Time
	// CredentialID is the credentials that the client signed in with; empty if none.
	CredentialID string
	// Version is the version of the program that made the token; empty if unknown.
	Version string
}

// Expired reports whether the token has ended by itself at time t.
func (t RefreshToken) Expired(at time.Time) bool {
	return !t.ExpireAt.IsZero() && !t.ExpireAt.After(at)
}

// used returns the token after a use, which puts off its end if it has one (manager.md §7). An invalid address stands for
// an unknown one.
func (t RefreshToken) used(at time.Time, remote netip.Addr) RefreshToken {
	t.LastUsedAt, t.LastUsedIP = at, ""
	if remote.IsValid() {
		t.LastUsedIP = remote.String()
	}
	if !t.ExpireAt.IsZero() {
		t.ExpireAt = at.Add(RefreshTokenExpiration)
	}
	return t
}

// Session is the refresh token of a valid access token, or of a browser's cookie, and the user it stands for.
type Session struct {
	User  User
	Token RefreshToken
}
