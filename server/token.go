package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/indieauth"
)

// tokens is what the token endpoint gives (http-auth.md §7).
type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	RefreshToken string `json:"refresh_token,omitempty"`
	ExpiresIn    int64  `json:"expires_in"`
	Provider     string `json:"ha_auth_provider,omitempty"`
}

// token is POST /auth/token (http-auth.md §7).
func (s *Server) token(r *http.Request) (reply, error) {
	in, err := readForm(r)
	if err != nil {
		return reply{}, err
	}
	if in["action"] == "revoke" {
		return s.revokeToken(r, in)
	}
	switch in["grant_type"] {
	case "authorization_code":
		return s.exchangeCode(r, in)
	case "refresh_token":
		return s.refresh(r, in)
	}
	return reply{}, errGrantType
}

// exchangeCode makes the first tokens of a sign-in (http-auth.md §7.1).
func (s *Server) exchangeCode(r *http.Request, in form) (reply, error) {
	g, err := s.redeem(r, in)
	if err != nil {
		return reply{}, err
	}
	return reply{json: tokens{
		AccessToken: g.access, TokenType: "Bearer", RefreshToken: g.refresh.Secret.Reveal(),
		ExpiresIn: seconds(g.refresh.AccessTokenExpiration), Provider: g.provider,
	}}, nil
}

// grant is what an authorization code is worth: a refresh token, a first access token made with it, and the type of the
// provider that knew the person.
type grant struct {
	refresh          latchkey.RefreshToken
	access, provider string
}

// redeem takes the authorization code of a form.
func (s *Server) redeem(r *http.Request, in form) (grant, error) {
	ctx, from, clientID := r.Context(), originOf(r), in["client_id"]
	if err := indieauth.CheckClientID(clientID); err != nil {
		return grant{}, err
	}
	code, err := s.manager.TakeCode(ctx, clientID, latchkey.Secret(in["code"]), latchkey.PurposeAuthorize)
	if err != nil {
		return grant{}, err
	}
	if verifier := in["code_verifier"]; !code.MeetsChallenge(verifier) {
		if verifier == "" {
			return grant{}, errTokenRequest
		}
		return grant{}, errTokenGrant
	}
	user, err := s.manager.GetOrCreateUser(ctx, code.Credentials)
	if err != nil {
		return grant{}, err
	}
	if err := user.MayAuthenticate(&from); err != nil {
		return grant{}, err
	}
	refresh, err := s.manager.CreateRefreshToken(ctx, latchkey.NewRefreshToken{
		UserID: user.ID, ClientID: latchkey.Text(clientID), Credentials: &code.Credentials,
	})
	if err != nil {
		return grant{}, goneAsCode(err)
	}
	access, err := s.manager.CreateAccessToken(ctx, refresh.ID, from.PersonAddr())
	if err != nil {
		// Nobody will ever learn this refresh token (T-3). It goes even when the client hung up.
		gone := s.manager.RemoveRefreshToken(context.WithoutCancel(ctx), refresh.ID)
		return grant{}, errors.Join(goneAsCode(err), gone)
	}
	return grant{refresh, access, code.Credentials.Provider.Type}, nil
}

// refresh makes another access token. The refresh token stays the same (http-auth.md §7.2, T-4).
func (s *Server) refresh(r *http.Request, in form) (reply, error) {
	ctx, from := r.Context(), originOf(r)
	var clientID latchkey.NullString
	if id, given := in["client_id"]; given {
		if err := indieauth.CheckClientID(id); err != nil {
			return reply{}, err
		}
		clientID = latchkey.Text(id)
	}
	secret, given := in["refresh_token"]
	if !given {
		return reply{}, errTokenRequest
	}
	refresh, err := s.manager.RefreshTokenBySecret(ctx, latchkey.Secret(secret))
	if err != nil {
		return reply{}, goneAsGrant(err)
	}
	if refresh.ClientID != clientID {
		return reply{}, errTokenRequest
	}
	user, err := s.manager.User(ctx, refresh.UserID)
	if err != nil {
		return reply{}, goneAsGrant(err)
	}
	if err := user.MayAuthenticate(&from); err != nil {
		return reply{}, err
	}
	access, err := s.manager.CreateAccessToken(ctx, refresh.ID, from.PersonAddr())
	if err != nil {
		return reply{}, goneAsGrant(err)
	}
	return reply{json: tokens{
		AccessToken: access, TokenType: "Bearer", ExpiresIn: seconds(refresh.AccessTokenExpiration),
	}}, nil
}

// goneAsCode makes an invalid code of a user or a token that goes away at this very moment (K-9).
func goneAsCode(err error) error {
	if errors.Is(err, latchkey.ErrNotFound) {
		return latchkey.ErrInvalidCode
	}
	return err
}

// goneAsGrant makes an invalid grant of a refresh token that does not exist, or that goes away at this very moment.
func goneAsGrant(err error) error {
	if errors.Is(err, latchkey.ErrNotFound) {
		return errTokenGrant
	}
	return err
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
