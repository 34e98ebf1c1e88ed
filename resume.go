package latchkey

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// useNotedEvery is how long a use of a browser's session goes unrecorded after another: a page is loaded more than once.
const useNotedEvery = time.Minute

// sessionMark is what the proof in a browser's cookie is about, beside the id of the token.
const sessionMark = "session of a browser "

// SessionSecret is what a browser keeps in a cookie for [Manager.Resume]: the token's secret, and a proof that it was given
// to a browser. A client that holds the secret alone cannot make the one of the other, since a refresh token is bound to
// its client (security.md 31). It needs the Secret, which is there just after the token was made.
func (t RefreshToken) SessionSecret() Secret {
	return t.Secret + "." + Secret(t.sessionProof())
}

func (t RefreshToken) sessionProof() string {
	mac := hmac.New(sha256.New, []byte(t.JWTKey.Reveal()))
	mac.Write([]byte(sessionMark + t.ID))
	return hex.EncodeToString(mac.Sum(nil))
}

// Resume returns the session of a browser that holds the [RefreshToken.SessionSecret] of a normal refresh token in a cookie,
// and records the use, at most once a minute. It is [ErrSessionOver] for whatever may not go on: a token that is gone, has
// ended, is of another type or another client's, a user who is gone, inactive or may not authenticate from there, a provider
// that refuses. Any other error means that the store could not be asked. It costs a look-up in the store.
func (m *Manager) Resume(ctx context.Context, secret Secret, from Origin) (Session, error) {
	ours, proof, _ := strings.Cut(secret.Reveal(), ".")
	t, err := m.RefreshTokenBySecret(ctx, Secret(ours))
	if err != nil {
		return Session{}, overIf(err, ErrNotFound)
	}
	if t.Type != TokenNormal || !hmac.Equal([]byte(proof), []byte(t.sessionProof())) {
		return Session{}, ErrSessionOver
	}
	u, err := m.User(ctx, t.UserID)
	if err != nil {
		return Session{}, overIf(err, ErrNotFound)
	}
	if u.MayAuthenticate(&from) != nil {
		return Session{}, ErrSessionOver
	}
	if err := m.validateRefreshToken(ctx, m.store, t, from.PersonAddr()); err != nil {
		return Session{}, overIf(err, ErrDenied, ErrState)
	}
	if useIsDue(t, now()) {
		if t, err = m.noteUse(ctx, t.ID, from.PersonAddr()); err != nil {
			return Session{}, overIf(err, ErrNotFound)
		}
	}
	return Session{User: u, Token: t}, nil
}

// overIf turns an error of one of these kinds, which is an answer, into [ErrSessionOver].
func overIf(err error, kinds ...error) error {
	if slices.ContainsFunc(kinds, func(kind error) bool { return errors.Is(err, kind) }) {
		return ErrSessionOver
	}
	return err
}

// useIsDue reports whether a use is to be recorded. One that lies ahead was recorded by a clock that was set back since.
func useIsDue(t RefreshToken, at time.Time) bool {
	since := at.Sub(t.LastUsedAt)
	return since >= useNotedEvery || since < 0
}

// noteUse records the use of a token, unless another page load of the same moment has done so.
func (m *Manager) noteUse(ctx context.Context, id string, remote netip.Addr) (RefreshToken, error) {
	var t RefreshToken
	err := m.store.Update(ctx, func(tx Tx) error {
		var err error
		if t, err = tx.RefreshToken(ctx, id); err != nil {
			return err
		}
		at := now()
		if t.Expired(at) {
			return ErrSessionOver
		}
		if !useIsDue(t, at) {
			return nil
		}
		t = t.used(at, remote)
		return tx.UpdateRefreshToken(ctx, t)
	})
	return t, err
}
