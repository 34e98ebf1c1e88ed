package pages

import (
	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

// noLogin is what the form for a new user says of somebody who gets no username and password.
const noLogin = "none"

// newUserPage is the form for a new user.
type newUserPage struct {
	Form     userForm
	Choices  []groupChoice
	MayLogin bool
	Login    bool // with username and password
}

func (h *house) newUserView(v *visit, d userForm, told *web.Text) (web.View, error) {
	page := newUserPage{Form: d, MayLogin: h.Local != nil, Login: d.Values["login"] != noLogin}
	var err error
	page.Choices, err = h.choices(v.ctx(), d)
	return web.View{Title: web.Say("users.create"), Problem: told, Data: page}, err
}

func (h *house) describeUser(v *visit) error {
	view, err := h.newUserView(v, userForm{form: newForm(nil), GroupIDs: []string{latchkey.GroupUser}}, nil)
	if err != nil {
		return err
	}
	return v.show("user_new.html", view)
}

// createUser makes a user and its login, both or neither.
func (h *house) createUser(v *visit) error {
	d := userForm{
		newForm(map[string]string{"name": v.text("name"), "username": v.text("username"), "login": v.field("login")}),
		v.r.PostForm["group"], v.field("local_only") != "",
	}
	with := h.Local != nil && d.Values["login"] != noLogin
	if d.checkName("name"); with {
		v.checkLogin(d.form)
	}
	if err := h.checkGroups(v, d); err != nil {
		return err
	}
	if !d.ok() {
		return h.newUserAgain(v, d, nil)
	}
	u, err := h.makeUser(v, d, with)
	if err != nil {
		return h.newUserAgain(v, d, err)
	}
	return v.goTo(userPath(u.ID), "user_created")
}

// checkGroups notes a group that was removed since the form was shown.
func (h *house) checkGroups(v *visit, d userForm) error {
	known, err := h.groupNames(v.ctx())
	for _, id := range d.GroupIDs {
		if _, ok := known[id]; !ok {
			d.refuse("group", problem(latchkey.ErrUnknownGroup))
		}
	}
	return err
}

func (h *house) makeUser(v *visit, d userForm, withLogin bool) (latchkey.User, error) {
	n := latchkey.NewUser{Name: latchkey.Text(d.Values["name"]), GroupIDs: d.GroupIDs, LocalOnly: d.LocalOnly}
	if !withLogin {
		return h.Manager.CreateUser(v.ctx(), n)
	}
	login, err := h.Local.NewLogin(v.ctx(), latchkey.NormalizeUsername(d.Values["username"]), v.field("new_password"))
	if err != nil {
		return latchkey.User{}, err
	}
	return h.Manager.CreateUser(v.ctx(), n, login.GiveTo)
}

// newUserAgain shows the form for a new user with what is wrong: at a field, or else above.
func (h *house) newUserAgain(v *visit, d userForm, why error) error {
	var told *web.Text
	if why != nil && !d.takes(why) {
		if told = problem(why); told == nil || !isRefusal(why) {
			return why
		}
	}
	view, err := h.newUserView(v, d, told)
	if err != nil {
		return err
	}
	return v.again("user_new.html", view)
}

// checkLogin notes what is wrong with a username and a new password.
func (v *visit) checkLogin(f *form) {
	if f.Values["username"] == "" {
		f.refuse("username", web.Say("problem.required"))
	}
	v.checkPasswords(f)
}

// loginAsked returns the login of a user that the address names, or the first if it names none.
func (h *house) loginAsked(v *visit, u latchkey.User) (latchkey.Credentials, error) {
	id := v.r.URL.Query().Get("login")
	for _, c := range u.Credentials {
		if h.isLogin(c) && (id == "" || c.ID == id) {
			return c, nil
		}
	}
	return latchkey.Credentials{}, latchkey.ErrNotFound
}

// loginPage is a form about a login of a user.
type loginPage struct {
	*form
	Username string // as it is now
	Own      bool   // it is that of who is signed in
	Back     string
}

// loginForm shows a form about a login, again if it was refused. What nobody here knows is returned.
func loginForm(v *visit, name, title string, u latchkey.User, page loginPage, why error) error {
	page.Back, page.Own = userPath(u.ID), u.ID == v.user().ID
	view := web.View{Title: web.Say(title, "name", label(u)), Data: page}
	if why != nil && !page.takes(why) {
		if view.Problem = problem(why); view.Problem == nil || !isRefusal(why) {
			return why
		}
	}
	if why != nil || !page.ok() {
		return v.again(name, view)
	}
	return v.show(name, view)
}

func (h *house) editUsername(v *visit, u latchkey.User) error {
	login, err := h.loginAsked(v, u)
	if err != nil {
		return err
	}
	page := loginPage{form: newForm(map[string]string{"username": login.Text("username")})}
	return loginForm(v, "user_username.html", "users.username_title", u, page, nil)
}

// changeUsername changes what somebody types to sign in. Password and sessions stay.
func (h *house) changeUsername(v *visit, u latchkey.User) error {
	login, err := h.loginAsked(v, u)
	if err != nil {
		return err
	}
	page := loginPage{form: newForm(map[string]string{"username": v.text("username")})}
	username := latchkey.NormalizeUsername(page.Values["username"])
	if username == login.Text("username") {
		return h.backToUser(v, u)
	}
	if err := h.Local.ChangeUsername(v.ctx(), login, username); err != nil {
		return loginForm(v, "user_username.html", "users.username_title", u, page, err)
	}
	return v.goTo(userPath(u.ID), "username_changed")
}

// mayGetLogin is nil for somebody who has no login yet.
func (h *house) mayGetLogin(u latchkey.User) error {
	if h.Local == nil {
		return latchkey.ErrNotFound
	}
	if _, ok := h.loginOf(u); ok {
		return errHasLogin
	}
	return nil
}

func (h *house) describeLogin(v *visit, u latchkey.User) error {
	if err := h.mayGetLogin(u); err != nil {
		return h.refuseUser(v, u, formOf(u), err)
	}
	return loginForm(v, "user_login.html", "users.login_title", u, loginPage{form: newForm(nil)}, nil)
}

// addLogin lets somebody who has no password sign in with one.
func (h *house) addLogin(v *visit, u latchkey.User) error {
	if err := h.mayGetLogin(u); err != nil {
		return h.refuseUser(v, u, formOf(u), err)
	}
	page := loginPage{form: newForm(map[string]string{"username": v.text("username")})}
	var err error
	if v.checkLogin(page.form); page.ok() {
		username := latchkey.NormalizeUsername(page.Values["username"])
		if err = h.Local.AddLogin(v.ctx(), u.ID, username, v.field("new_password")); err == nil {
			return v.goTo(userPath(u.ID), "login_added")
		}
	}
	return loginForm(v, "user_login.html", "users.login_title", u, page, err)
}

func (h *house) describePassword(v *visit, u latchkey.User) error {
	login, err := h.loginAsked(v, u)
	if err != nil {
		return err
	}
	page := loginPage{form: newForm(nil), Username: login.Text("username")}
	return loginForm(v, "user_password.html", "users.password_title", u, page, nil)
}

// resetPassword gives somebody another password and ends their sessions, but not the one that asks (security.md 11).
func (h *house) resetPassword(v *visit, u latchkey.User) error {
	login, err := h.loginAsked(v, u)
	if err != nil {
		return err
	}
	page := loginPage{form: newForm(nil), Username: login.Text("username")}
	if v.checkPasswords(page.form); page.ok() {
		reset, err := h.Local.ResetPassword(v.ctx(), page.Username, v.field("new_password"), v.session.Token.ID)
		if err == nil {
			return v.goTo(userPath(u.ID), "password_reset", "ended", reset.SessionsEnded, "kept", reset.TokensKept)
		}
		return loginForm(v, "user_password.html", "users.password_title", u, page, err)
	}
	return loginForm(v, "user_password.html", "users.password_title", u, page, nil)
}
