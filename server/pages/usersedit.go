package pages

import (
	"errors"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

func (h *house) renameUser(v *visit, u latchkey.User) error {
	d := formOf(u)
	d.Values["name"] = v.text("name")
	if d.checkName("name"); !d.ok() {
		return h.showAgain(v, u, d)
	}
	name := d.Values["name"]
	if _, err := h.Manager.UpdateUser(v.ctx(), u.ID, latchkey.UserUpdate{Name: &name}); err != nil {
		return h.refuseUser(v, u, d, err)
	}
	return v.goTo(userPath(u.ID), "user_renamed")
}

// showAgain shows a user with a form that was refused.
func (h *house) showAgain(v *visit, u latchkey.User, d userForm) error {
	view, err := h.userView(v, u, d)
	if err != nil {
		return err
	}
	return v.again("user.html", view)
}

// changeRights sets the groups of a user, and whether they sign in at home only.
func (h *house) changeRights(v *visit, u latchkey.User) error {
	d := formOf(u)
	d.GroupIDs, d.LocalOnly = v.r.PostForm["group"], v.field("local_only") != ""
	if overtaken(v, rightsMark(u.GroupIDs, u.LocalOnly), rightsMark(d.GroupIDs, d.LocalOnly)) {
		return h.refuseUser(v, u, formOf(u), errRightsChanged)
	}
	if keptOut(v, u, d.LocalOnly) {
		return h.refuseUser(v, u, d, errNotAtHome)
	}
	changed, err := h.Manager.UpdateUser(v.ctx(), u.ID, latchkey.UserUpdate{GroupIDs: &d.GroupIDs, LocalOnly: &d.LocalOnly})
	switch {
	case errors.Is(err, latchkey.ErrUnknownGroup), errors.Is(err, latchkey.ErrLastAdmin):
		d.refuse("group", problem(err))
		return h.showAgain(v, u, d)
	case err != nil:
		return h.refuseUser(v, u, d, err)
	case u.ID == v.user().ID && !changed.IsAdmin(): // these pages are not for them any more
		return v.goTo("account", "rights_changed")
	}
	return v.goTo(userPath(u.ID), "rights_changed")
}

// keptOut reports whether those who ask would keep themselves out of where they are. Behind a proxy nobody is ever at home, so
// that an owner who comes that way would be locked out for good.
func keptOut(v *visit, u latchkey.User, localOnly bool) bool {
	from := originOf(v)
	after := u
	after.LocalOnly = localOnly
	return u.ID == v.user().ID && after.MayAuthenticate(&from) != nil
}

func (h *house) activateUser(v *visit, u latchkey.User) error {
	active := true
	if _, err := h.Manager.UpdateUser(v.ctx(), u.ID, latchkey.UserUpdate{IsActive: &active}); err != nil {
		return h.refuseUser(v, u, formOf(u), err)
	}
	return v.goTo(userPath(u.ID), "user_activated")
}

func (h *house) askToDeactivate(v *visit, u latchkey.User) error {
	switch {
	case !u.IsActive:
		return h.backToUser(v, u)
	case u.IsOwner: // to be refused, and so nothing to be asked about
		return h.refuseUser(v, u, formOf(u), latchkey.ErrOwnerDeactivated)
	}
	text := "users.deactivate_text"
	if u.ID == v.user().ID {
		text = "users.deactivate_self_text"
	}
	return h.askAbout(v, u, "users.deactivate_title", text, "users.deactivate")
}

// askAbout asks before the sessions and tokens of a user are lost, and says how many there are.
func (h *house) askAbout(v *visit, u latchkey.User, title, text, yes string) error {
	all, err := h.Manager.RefreshTokens(v.ctx(), u.ID)
	if err != nil {
		return err
	}
	sessions, tokens := count(all)
	return v.show("confirm.html", web.View{
		Title: web.Say(title, "name", label(u)),
		Data: question{
			Text: web.Say(text, "sessions", sessions, "tokens", tokens), Yes: web.Say(yes), Back: userPath(u.ID), Danger: true,
		},
	})
}

// deactivateUser ends everything that the user had begun. Whoever deactivates themself is signed out by that.
func (h *house) deactivateUser(v *visit, u latchkey.User) error {
	active := false
	if _, err := h.Manager.UpdateUser(v.ctx(), u.ID, latchkey.UserUpdate{IsActive: &active}); err != nil {
		return h.refuseUser(v, u, formOf(u), err)
	}
	if u.ID == v.user().ID {
		return v.goTo("", "")
	}
	return v.goTo(userPath(u.ID), "user_deactivated")
}

// mayDelete holds the rules of websocket.md G-3.
func mayDelete(v *visit, u latchkey.User) error {
	switch {
	case u.ID == v.user().ID:
		return errDeleteSelf
	case u.IsOwner:
		return errDeleteOwner
	}
	return nil
}

func (h *house) askToDelete(v *visit, u latchkey.User) error {
	if err := mayDelete(v, u); err != nil {
		return h.refuseUser(v, u, formOf(u), err)
	}
	return h.askAbout(v, u, "users.delete_title", "users.delete_text", "users.delete")
}

func (h *house) deleteUser(v *visit, u latchkey.User) error {
	err := mayDelete(v, u)
	if err == nil {
		err = h.Manager.RemoveUser(v.ctx(), u.ID)
	}
	if err != nil {
		return h.refuseUser(v, u, formOf(u), err)
	}
	return v.goTo("admin/users", "user_deleted")
}
