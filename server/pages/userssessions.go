package pages

import (
	"slices"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

func (h *house) askToResetFactors(v *visit, u latchkey.User) error {
	return v.show("confirm.html", web.View{
		Title: web.Say("users.factors_title", "name", label(u)),
		Data: question{
			Text: web.Say("users.factors_text"), Yes: web.Say("users.factors_reset"), Back: userPath(u.ID), Danger: true,
		},
	})
}

// resetFactors ends the second factors of somebody who has lost them.
func (h *house) resetFactors(v *visit, u latchkey.User) error {
	if err := h.Manager.ResetMFA(v.ctx(), u.ID); err != nil {
		return h.refuseUser(v, u, formOf(u), err)
	}
	return v.goTo(userPath(u.ID), "factors_reset")
}

// sessionsPage is where a user is signed in, and the tokens of their programs.
type sessionsPage struct {
	userLine
	Sessions, Tokens []session
	More             bool // there are sessions beside the one that asks
}

func (h *house) sessionsView(v *visit, u latchkey.User) (web.View, error) {
	all, err := h.Manager.RefreshTokens(v.ctx(), u.ID)
	if err != nil {
		return web.View{}, err
	}
	page := sessionsPage{userLine: h.lineOf(v, u, nil)}
	page.Sessions, page.Tokens = split(all, v.session.Token)
	page.More = slices.ContainsFunc(page.Sessions, func(s session) bool { return !s.Current })
	return web.View{Title: web.Say("users.sessions_title", "name", label(u)), Data: page}, nil
}

func (h *house) listSessions(v *visit, u latchkey.User) error {
	view, err := h.sessionsView(v, u)
	if err != nil {
		return err
	}
	return v.show("user_sessions.html", view)
}

func sessionsPath(u latchkey.User) string { return userPath(u.ID) + "/sessions" }

// refuseSessions shows the sessions of a user again and says what could not be done.
func (h *house) refuseSessions(v *visit, u latchkey.User, why error) error {
	if !isRefusal(why) {
		return why
	}
	view, err := h.sessionsView(v, u)
	if err != nil {
		return err
	}
	view.Problem = problem(why)
	return v.again("user_sessions.html", view)
}

// endSessionOf ends one session of a user, but not the one that asks. One that is gone already is what was wanted.
func (h *house) endSessionOf(v *visit, u latchkey.User) error {
	t, err := h.tokenOf(v, u.ID, latchkey.TokenNormal, v.field("id"))
	if err == nil && t.ID == v.session.Token.ID {
		err = errOwnSession
	}
	if err == nil {
		err = h.Manager.RemoveRefreshToken(v.ctx(), t.ID)
	}
	if err != nil && !isNotFound(err) {
		return h.refuseSessions(v, u, err)
	}
	return v.goTo(sessionsPath(u), "session_ended")
}

func (h *house) askToEndSessions(v *visit, u latchkey.User) error {
	text := "users.end_all_text"
	if u.ID == v.user().ID {
		text = "users.end_all_own_text"
	}
	return v.show("confirm.html", web.View{
		Title: web.Say("users.end_all_title", "name", label(u)),
		Data:  question{Text: web.Say(text), Yes: web.Say("users.end_all"), Back: sessionsPath(u), Danger: true},
	})
}

func (h *house) endSessionsOf(v *visit, u latchkey.User) error {
	ended, err := h.endSessions(v, u.ID)
	if err != nil {
		return h.refuseSessions(v, u, err)
	}
	return v.goTo(sessionsPath(u), "sessions_ended", "ended", ended)
}

func (h *house) askToRemoveTokenOf(v *visit, u latchkey.User) error {
	t, err := h.tokenOf(v, u.ID, latchkey.TokenLongLived, v.r.PathValue("token"))
	if err != nil {
		return err
	}
	return v.show("confirm.html", web.View{
		Title: web.Say("tokens.remove_title", "name", isolated(t.ClientName)),
		Data: question{
			Text: web.Say("tokens.remove_text"), Yes: web.Say("tokens.remove"), Back: sessionsPath(u) + "#tokens", Danger: true,
		},
	})
}

func (h *house) removeTokenOf(v *visit, u latchkey.User) error {
	t, err := h.tokenOf(v, u.ID, latchkey.TokenLongLived, v.r.PathValue("token"))
	if err != nil {
		return err
	}
	if err := h.Manager.RemoveRefreshToken(v.ctx(), t.ID); err != nil {
		return h.refuseSessions(v, u, err)
	}
	return v.goTo(sessionsPath(u)+"#tokens", "token_removed")
}
