package pages

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

// session is a refresh token as a person sees it: where somebody is signed in, or a program's token.
type session struct {
	ID      string
	Client  string // what it is for
	Address string // the last one that it was used from
	Created time.Time
	Used    time.Time // zero if it never was
	Ends    time.Time // zero if it never does
	Current bool
}

// split tells sessions from the long-lived tokens of programs. The current session comes first, then the latest.
func split(all []latchkey.RefreshToken, current latchkey.RefreshToken) (sessions, tokens []session) {
	for _, t := range all {
		one := session{
			ID: t.ID, Client: clientOf(t), Address: t.LastUsedIP, Created: t.CreatedAt, Used: t.LastUsedAt, Ends: t.ExpireAt,
			Current: t.ID == current.ID,
		}
		switch t.Type {
		case latchkey.TokenNormal:
			sessions = append(sessions, one)
		case latchkey.TokenLongLived:
			one.Ends = t.CreatedAt.Add(t.AccessTokenExpiration)
			tokens = append(tokens, one)
		}
	}
	for _, list := range [][]session{sessions, tokens} {
		slices.SortStableFunc(list, func(a, b session) int {
			if a.Current != b.Current {
				return map[bool]int{true: -1, false: 1}[a.Current]
			}
			return cmp.Compare(b.latest().UnixNano(), a.latest().UnixNano())
		})
	}
	return sessions, tokens
}

func (s session) latest() time.Time {
	if s.Used.IsZero() {
		return s.Created
	}
	return s.Used
}

// clientOf names what a token is for: a program by its name, an app or a page by its address.
func clientOf(t latchkey.RefreshToken) string {
	if t.ClientName != "" {
		return t.ClientName
	}
	switch t.ClientID.Text {
	case "https://home-assistant.io/iOS":
		return "Home Assistant for iOS"
	case "https://home-assistant.io/android":
		return "Home Assistant for Android"
	}
	if u, err := url.Parse(t.ClientID.Text); err == nil && u.Host != "" {
		return strings.TrimSuffix(u.Host+u.Path, "/")
	}
	return t.ClientID.Text
}

// endOwnSession ends one of one's own sessions.
func (h *house) endOwnSession(v *visit) error {
	t, err := h.tokenOf(v, v.user().ID, latchkey.TokenNormal, v.field("id"))
	if isNotFound(err) {
		return v.goTo("account#sessions", "session_ended") // that is what was wanted
	} else if err != nil {
		return err
	}
	if err := h.Manager.RemoveRefreshToken(v.ctx(), t.ID); err != nil {
		return err
	}
	return v.goTo("account#sessions", "session_ended")
}

// tokenOf returns a refresh token of a user. One of another user or of another type is not found.
func (h *house) tokenOf(v *visit, userID string, kind latchkey.TokenType, id string) (latchkey.RefreshToken, error) {
	t, err := h.Manager.RefreshToken(v.ctx(), id)
	if err == nil && (t.UserID != userID || t.Type != kind) {
		err = latchkey.ErrNotFound
	}
	return t, err
}

// offerOthers follows each change of how the account is protected: whoever is signed in elsewhere may be somebody else
// (security.md 22). Without other sessions there is nothing to offer.
func (h *house) offerOthers(v *visit) error {
	all, err := h.Manager.RefreshTokens(v.ctx(), v.user().ID)
	if err != nil {
		return err
	}
	sessions, _ := split(all, v.session.Token)
	others := slices.DeleteFunc(sessions, func(s session) bool { return s.Current })
	if len(others) == 0 {
		return v.goTo("account", v.r.URL.Query().Get("done"))
	}
	return v.show("others.html", web.View{Title: web.Say("others.title"), Data: others})
}

// endOthers ends all sessions but this one. Long-lived tokens stay.
func (h *house) endOthers(v *visit) error {
	if _, err := h.endSessions(v, v.user().ID); err != nil {
		return err
	}
	return v.goTo("account#sessions", "others_ended")
}

// endSessions ends the sessions of a user, but not the one that asks, and returns how many there were.
func (h *house) endSessions(v *visit, userID string) (ended int, err error) {
	return h.Manager.RemoveRefreshTokens(v.ctx(), userID, func(t latchkey.RefreshToken) bool {
		return t.Type == latchkey.TokenNormal && t.ID != v.session.Token.ID
	})
}

// originOf is where the request came from.
func originOf(v *visit) latchkey.Origin {
	from, _ := server.OriginFrom(v.ctx())
	return from
}
