package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// authenticate returns who sent a request: the session of its access token, else that of its signed path (http-auth.md
// M-5), else errUnauthorized.
func (s *Server) authenticate(r *http.Request) (latchkey.Session, error) {
	session, err := sessionBy(r, s.bearerSession)
	if errors.Is(err, errUnauthorized) {
		session, err = sessionBy(r, s.signedSession)
	}
	return session, err
}

// sessionBy returns the session that is found in a request, unless its user may not authenticate from there (http-auth.md
// §10.3, S-4).
func sessionBy(r *http.Request, find func(*http.Request) (latchkey.Session, error)) (latchkey.Session, error) {
	session, err := find(r)
	if err != nil {
		return latchkey.Session{}, err
	}
	from := originOf(r)
	if session.User.MayAuthenticate(&from) != nil {
		return latchkey.Session{}, errUnauthorized
	}
	return session, nil
}

// bearerSession returns the session of the request's access token (http-auth.md §10.1), or errUnauthorized.
func (s *Server) bearerSession(r *http.Request) (latchkey.Session, error) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || scheme != "Bearer" {
		return latchkey.Session{}, errUnauthorized
	}
	session, err := s.manager.ValidateAccessToken(r.Context(), token)
	if errors.Is(err, latchkey.ErrInvalidAccessToken) {
		return latchkey.Session{}, errUnauthorized
	}
	return session, err
}

// signedSession returns the session on whose behalf the request's path was signed (http-auth.md §10.2), or
// errUnauthorized.
func (s *Server) signedSession(r *http.Request) (latchkey.Session, error) {
	if s.signer == nil || r.Method != http.MethodGet {
		return latchkey.Session{}, errUnauthorized
	}
	now := time.Now()
	id, ok := s.signer.check(r.URL, now)
	if !ok {
		return latchkey.Session{}, errUnauthorized
	}
	var session latchkey.Session
	token, err := s.manager.RefreshToken(r.Context(), id)
	if err == nil && token.Expired(now) {
		err = latchkey.ErrNotFound
	}
	if err == nil {
		session.Token = token
		session.User, err = s.manager.User(r.Context(), token.UserID)
	}
	if errors.Is(err, latchkey.ErrNotFound) {
		return latchkey.Session{}, errUnauthorized
	}
	return session, err
}

type sessionKey struct{}

func withSession(ctx context.Context, session latchkey.Session) context.Context {
	return context.WithValue(ctx, sessionKey{}, session)
}

// SessionFrom returns who sent the request with this context. It reports false where no access token was asked for.
func SessionFrom(ctx context.Context) (latchkey.Session, bool) {
	session, ok := ctx.Value(sessionKey{}).(latchkey.Session)
	return session, ok
}

// sessionOf returns the session that the pipeline found; only routes that need one may ask.
func sessionOf(r *http.Request) latchkey.Session {
	session, _ := SessionFrom(r.Context())
	return session
}
