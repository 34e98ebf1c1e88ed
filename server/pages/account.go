package pages

import (
	"errors"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

// accountRoutes are the pages for one's own account.
func (h *house) accountRoutes() routes {
	return routes{
		"GET /account":                       h.overview,
		"GET /account/name":                  h.editName,
		"POST /account/name":                 h.changeName,
		"GET /account/password":              h.editPassword,
		"POST /account/password":             h.changePassword,
		"GET /account/others":                h.offerOthers,
		"POST /account/others":               h.endOthers,
		"GET /account/sessions":              h.backToOverview,
		"POST /account/sessions":             h.endOwnSession,
		"GET /account/tokens":                h.describeToken,
		"POST /account/tokens":               h.createToken,
		"GET /account/tokens/{id}/remove":    h.askToRemoveToken,
		"POST /account/tokens/{id}/remove":   h.removeToken,
		"GET /account/factors/{module}":      fresh(h.startFactor),
		"POST /account/factors/{module}":     fresh(h.continueFactor),
		"GET /account/factors/{module}/off":  fresh(h.askToTurnOff),
		"POST /account/factors/{module}/off": fresh(h.turnOff),
		"GET /account/recovery":              fresh(h.offerCodes),
		"POST /account/recovery":             fresh(h.makeCodes),
	}
}

// overview is everything about the account at a glance.
type overview struct {
	Name, Username string
	Role           string // the key of its text
	HasPassword    bool
	Factors        []factor
	Enabled        bool // a second factor is
	Codes          codes
	Sessions       []session
	Others         bool // there are sessions beside this one
	Tokens         []session
}

func (h *house) overview(v *visit) error {
	u := v.user()
	page := overview{Name: u.Name.Text, Role: roleOf(u)}
	if login, ok := h.loginOf(u); ok {
		page.Username, page.HasPassword = login.Text("username"), true
	}
	var err error
	if page.Factors, page.Enabled, err = h.factorsOf(v, u); err != nil {
		return err
	}
	if page.Codes, err = h.codesOf(v, u.ID); err != nil {
		return err
	}
	all, err := h.Manager.RefreshTokens(v.ctx(), u.ID)
	if err != nil {
		return err
	}
	page.Sessions, page.Tokens = split(all, v.session.Token)
	page.Others = len(page.Sessions) > 1
	return v.show("account.html", web.View{Title: web.Say("account.title"), Data: page})
}

func (*house) backToOverview(v *visit) error { return v.goTo("account#sessions", "") }

// roleOf is the key of what somebody is in the house.
func roleOf(u latchkey.User) string {
	switch {
	case u.IsOwner:
		return "account.role_owner"
	case u.IsAdmin():
		return "account.role_admin"
	}
	return "account.role_user"
}

// loginOf is the first login with a password that a user has here.
func (h *house) loginOf(u latchkey.User) (latchkey.Credentials, bool) {
	if h.Local == nil {
		return latchkey.Credentials{}, false
	}
	return homeassistant.LoginOf(u)
}

func (*house) editName(v *visit) error {
	return v.show("name.html", nameView(newForm(map[string]string{"name": v.user().Name.Text})))
}

func nameView(f *form) web.View { return web.View{Title: web.Say("account.change_name"), Data: f} }

func (h *house) changeName(v *visit) error {
	f := newForm(map[string]string{"name": v.text("name")})
	if f.checkName("name"); !f.ok() {
		return v.again("name.html", nameView(f))
	}
	name := f.Values["name"]
	if _, err := h.Manager.UpdateUser(v.ctx(), v.user().ID, latchkey.UserUpdate{Name: &name}); err != nil {
		return err
	}
	return v.goTo("account", "name_changed")
}

func (h *house) editPassword(v *visit) error {
	if _, ok := h.loginOf(v.user()); !ok {
		return latchkey.ErrNotFound
	}
	return v.show("password.html", h.passwordView(v, newForm(nil), nil))
}

func (h *house) passwordView(v *visit, f *form, problem *web.Text) web.View {
	login, _ := h.loginOf(v.user())
	return web.View{
		Title: web.Say("account.change_password"), Problem: problem,
		Data: args{"Form": f, "Username": login.Text("username")},
	}
}

// args is what a simple page shows.
type args map[string]any

// changePassword sets one's own password.
func (h *house) changePassword(v *visit) error {
	login, ok := h.loginOf(v.user())
	if !ok {
		return latchkey.ErrNotFound
	}
	f := newForm(nil)
	if v.checkPasswords(f); !f.ok() {
		return v.again("password.html", h.passwordView(v, f, nil))
	}
	err := h.Local.ChangeOwnPassword(
		v.ctx(), h.Manager, login.Text("username"), v.field("current_password"), v.field("new_password"), originOf(v))
	switch {
	case errors.Is(err, latchkey.ErrInvalidAuth), errors.Is(err, latchkey.ErrTooManyAttempts):
		f.refuse("current_password", problem(err))
		return v.again("password.html", h.passwordView(v, f, nil))
	case err != nil:
		return err
	}
	return v.goTo("account/others", "password_changed")
}
