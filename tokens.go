package latchkey

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// NewRefreshToken describes a refresh token to be made.
type NewRefreshToken struct {
	UserID   string
	ClientID NullString
	// ClientName may be null; an empty one counts as given but is stored as null.
	ClientName NullString
	ClientIcon string
	// Type is chosen by the kind of user when it is empty.
	Type TokenType
	// AccessTokenExpiration is the lifetime of the access tokens; [AccessTokenExpiration] if zero.
	AccessTokenExpiration time.Duration
	// Credentials are what the client signed in with; nil if nothing.
	Credentials *Credentials
}

// CreateRefreshToken makes a refresh token. Only the token that is returned here holds the secret in every store. The
// errors are of kind [ErrValue] and checked in the order of manager.md §6.
func (m *Manager) CreateRefreshToken(ctx context.Context, n NewRefreshToken) (RefreshToken, error) {
	var made RefreshToken
	err := m.store.Update(ctx, func(tx Tx) error {
		u, err := tx.User(ctx, n.UserID)
		if err != nil {
			return err
		}
		made, err = newToken(u, n)
		if err != nil {
			return err
		}
		if made.Type == TokenLongLived && made.ClientName != "" {
			_, err := tx.LongLivedToken(ctx, u.ID, made.ClientName)
			if err == nil {
				return refuse(ErrValue, "%s already exists", made.ClientName)
			} else if !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		return tx.InsertRefreshToken(ctx, made)
	})
	if err != nil {
		return RefreshToken{}, err
	}
	return made, nil
}

// CreateLongLivedToken makes a long-lived refresh token for a program, and the one access token that the program is given
// (websocket.md §5.2): both or neither. Lifetime is that of the access token; zero stands for [AccessTokenExpiration],
// half an hour. The errors are those of [Manager.CreateRefreshToken].
func (m *Manager) CreateLongLivedToken(
	ctx context.Context, userID, name, icon string, lifetime time.Duration,
) (refresh RefreshToken, access string, err error) {
	refresh, err = m.CreateRefreshToken(ctx, NewRefreshToken{
		UserID: userID, Type: TokenLongLived, ClientName: Text(name), ClientIcon: icon, AccessTokenExpiration: lifetime,
	})
	if err != nil {
		return RefreshToken{}, "", err
	}
	access, err = m.CreateAccessToken(ctx, refresh.ID, netip.Addr{})
	if err != nil {
		// Nobody will ever hold it, and it would keep its name taken.
		return RefreshToken{}, "", errors.Join(err, m.RemoveRefreshToken(context.WithoutCancel(ctx), refresh.ID))
	}
	return refresh, access, nil
}

// maxClientName is how many bytes a client name may have: stores find long-lived tokens by it, and an index holds no more
// than two or three thousand. The name of an icon is no longer: everybody may make tokens, and they are read again and again.
const maxClientName = 1024

// newToken checks the rules of manager.md §6 that need nothing but the user.
func newToken(u User, n NewRefreshToken) (RefreshToken, error) {
	if !u.IsActive {
		return RefreshToken{}, ErrUserInactive
	}
	if u.SystemGenerated && n.ClientID.Valid {
		return RefreshToken{}, refuse(ErrValue, "System generated users cannot have refresh tokens connected to a client.")
	}
	if n.Type == "" {
		n.Type = TokenNormal
		if u.SystemGenerated {
			n.Type = TokenSystem
		}
	}
	if u.SystemGenerated != (n.Type == TokenSystem) {
		return RefreshToken{}, refuse(ErrValue, "System generated users can only have system type refresh tokens")
	}
	if n.Type == TokenNormal && !n.ClientID.Valid {
		return RefreshToken{}, refuse(ErrValue, "Client is required to generate a refresh token.")
	}
	if n.Type == TokenLongLived && !n.ClientName.Valid {
		return RefreshToken{}, refuse(ErrValue, "Client_name is required for long-lived access token")
	}
	if len(n.ClientName.Text) > maxClientName {
		return RefreshToken{}, refuse(ErrValue, "Client_name is too long: use at most %d bytes", maxClientName)
	}
	if len(n.ClientIcon) > maxClientName {
		return RefreshToken{}, refuse(ErrValue, "Client_icon is too long: use at most %d bytes", maxClientName)
	}
	if !n.Type.Valid() {
		return RefreshToken{}, refuse(ErrValue, "%q is not a type of refresh token", string(n.Type))
	}
	if n.AccessTokenExpiration == 0 {
		n.AccessTokenExpiration = AccessTokenExpiration
	}
	if n.AccessTokenExpiration < 0 {
		return RefreshToken{}, refuse(ErrValue, "access token lifetime %v is negative", n.AccessTokenExpiration)
	}
	t := RefreshToken{
		ID: NewID(), UserID: u.ID, ClientID: n.ClientID, AccessTokenExpiration: n.AccessTokenExpiration,
		ClientName: n.ClientName.Text, ClientIcon: n.ClientIcon, Type: n.Type,
		CreatedAt: now(), Secret: NewSecret(), JWTKey: NewSecret(), Version: Version,
	}
	if n.Credentials != nil {
		t.CredentialID = n.Credentials.ID
	}
	if t.Type == TokenNormal {
		t.ExpireAt = t.CreatedAt.Add(RefreshTokenExpiration)
	}
	return t, nil
}

// now is the current time as stores keep it: in UTC, without what is finer than a microsecond.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// RefreshToken returns the refresh token with this id, or [ErrNotFound].
func (m *Manager) RefreshToken(ctx context.Context, id string) (RefreshToken, error) {
	t, err := m.tokens.get(ctx, id, m.loadToken)
	if err != nil {
		return RefreshToken{}, err
	}
	return t.RefreshToken, nil
}

// signingToken is a refresh token that is ready to check what was signed with it.
type signingToken struct {
	RefreshToken
	mac macKey
}

func (m *Manager) loadToken(ctx context.Context, id string) (signingToken, error) {
	t, err := m.store.RefreshToken(ctx, id)
	if err != nil {
		return signingToken{}, err
	}
	return signingToken{RefreshToken: t, mac: newMACKey(t.JWTKey)}, nil
}

// RefreshTokenBySecret returns the refresh token that a client holds, or [ErrNotFound]. The store finds it by a hash of
// the secret, so the time that takes says nothing about secrets that exist. A token that has ended is not found.
func (m *Manager) RefreshTokenBySecret(ctx context.Context, secret Secret) (RefreshToken, error) {
	t, err := m.store.RefreshTokenBySecret(ctx, secret)
	if err == nil && t.Expired(time.Now()) {
		return RefreshToken{}, ErrNotFound
	}
	return t, err
}

// RefreshTokens returns the refresh tokens of a user in the order of their creation.
func (m *Manager) RefreshTokens(ctx context.Context, userID string) ([]RefreshToken, error) {
	return m.store.RefreshTokens(ctx, userID)
}

// CreateAccessToken makes an access token with a refresh token and records the use (manager.md §7). An invalid remote
// address stands for an unknown one. The errors are [ErrNotFound] for a refresh token that is gone, and those of kind
// [ErrDenied] or [ErrState] of the provider that the client signed in with. Whether the user is active is not looked at.
func (m *Manager) CreateAccessToken(ctx context.Context, tokenID string, remote netip.Addr) (string, error) {
	var token string
	err := m.store.Update(ctx, func(tx Tx) error {
		t, err := tx.RefreshToken(ctx, tokenID)
		if err != nil {
			return err
		}
		if err := m.validateRefreshToken(ctx, tx, t, remote); err != nil {
			return err
		}
		t = t.used(now(), remote)
		iat := t.LastUsedAt.Unix()
		token = signJWT(t.JWTKey, t.ID, iat, iat+int64(t.AccessTokenExpiration/time.Second))
		return tx.UpdateRefreshToken(ctx, t)
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// validateRefreshToken asks the provider that the client signed in with (manager.md §7).
func (m *Manager) validateRefreshToken(ctx context.Context, r Reader, t RefreshToken, remote netip.Addr) error {
	if t.CredentialID == "" {
		return nil
	}
	u, err := r.UserByCredentials(ctx, t.CredentialID)
	if errors.Is(err, ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	for _, c := range u.Credentials {
		if c.ID != t.CredentialID {
			continue
		}
		p, ok := m.Provider(c.Provider)
		if !ok {
			id := "None"
			if c.Provider.ID.Valid {
				id = c.Provider.ID.Text
			}
			return refuse(ErrState, "Auth provider %s, %s not available", c.Provider.Type, id)
		}
		if v, ok := p.(RefreshTokenValidator); ok {
			return v.ValidateRefreshToken(ctx, t, remote)
		}
	}
	return nil
}

// absentKey is used for tokens of refresh tokens that do not exist, so that refusing them takes the same work. No
// token is valid under it.
const absentKey Secret = "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"

// ValidateAccessToken returns the session of an access token, or [ErrInvalidAccessToken] for whatever is wrong with it
// (manager.md §8); any other error means that the store could not be asked. It does not count as a use of the refresh
// token. Once the token and its user are in memory it costs one HMAC and two look-ups, however many there are.
func (m *Manager) ValidateAccessToken(ctx context.Context, token string) (Session, error) {
	parsed, ok := parseJWT(token)
	if !ok {
		return Session{}, ErrInvalidAccessToken
	}
	refresh, err := m.tokens.get(ctx, parsed.issuer, m.loadToken)
	if errors.Is(err, ErrNotFound) {
		parsed.verify(newMACKey(absentKey), parsed.issuer, time.Now())
		return Session{}, ErrInvalidAccessToken
	} else if err != nil {
		return Session{}, err
	}
	if refresh.JWTKey == "" || !parsed.verify(refresh.mac, refresh.ID, time.Now()) {
		return Session{}, ErrInvalidAccessToken
	}
	user, err := m.users.get(ctx, refresh.UserID, m.store.User)
	if errors.Is(err, ErrNotFound) {
		return Session{}, ErrInvalidAccessToken
	} else if err != nil {
		return Session{}, err
	}
	if !user.IsActive {
		return Session{}, ErrInvalidAccessToken
	}
	return Session{User: *user, Token: refresh.RefreshToken}, nil
}

// RemoveRefreshToken removes a refresh token, which ends its access tokens and everything that [Manager.OnRevoke] waits
// with. An id that does not exist is no error.
func (m *Manager) RemoveRefreshToken(ctx context.Context, id string) error {
	err := m.store.Update(ctx, func(tx Tx) error { return tx.DeleteRefreshToken(ctx, id) })
	if errors.Is(err, ErrNotFound) {
		for _, fn := range m.watchers.takeRevoked(id) { // callbacks run even if the token was not there
			fn()
		}
		return nil
	}
	return err
}

// SetExpiry lets a refresh token end 90 days after its last use, or never (manager.md §9). An end that is set already
// stays. It is [ErrNotFound] for a token that does not exist.
func (m *Manager) SetExpiry(ctx context.Context, tokenID string, expires bool) error {
	return m.store.Update(ctx, func(tx Tx) error {
		t, err := tx.RefreshToken(ctx, tokenID)
		if err != nil {
			return err
		}
		switch {
		case expires == !t.ExpireAt.IsZero():
			return nil
		case !expires:
			t.ExpireAt = time.Time{}
		case t.LastUsedAt.IsZero():
			t.ExpireAt = now().Add(RefreshTokenExpiration)
		default:
			t.ExpireAt = t.LastUsedAt.Add(RefreshTokenExpiration)
		}
		return tx.UpdateRefreshToken(ctx, t)
	})
}

// RemoveRefreshTokens removes those refresh tokens of a user that match, all in one transaction, and returns how many
// there were.
func (m *Manager) RemoveRefreshTokens(ctx context.Context, userID string, match func(RefreshToken) bool) (int, error) {
	removed := 0
	err := m.store.Update(ctx, func(tx Tx) error {
		removed = 0
		tokens, err := tx.RefreshTokens(ctx, userID)
		if err != nil {
			return err
		}
		for _, t := range tokens {
			if !match(t) {
				continue
			}
			if err := tx.DeleteRefreshToken(ctx, t.ID); err != nil {
				return err
			}
			removed++
		}
		return nil
	})
	return removed, err
}
