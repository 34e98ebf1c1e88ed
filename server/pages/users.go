package pages

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

const (
	// usersAPage is how many users a page of the list shows.
	usersAPage = 50
	// groupsALine is how many groups of a user the list names.
	groupsALine = 3
)

// userLine is a user as the list shows it.
type userLine struct {
	Path     string // the address of the user's page, below the root
	Name     string
	Username string // empty without a login
	Groups   []*web.Text
	More     int // groups that the list does not name

	Owner, Inactive, LocalOnly, System, You bool
}

func (h *house) lineOf(v *visit, u latchkey.User, groups map[string]*web.Text) userLine {
	line := userLine{
		Path: userPath(u.ID), Name: nameOf(u), Owner: u.IsOwner, Inactive: !u.IsActive, LocalOnly: u.LocalOnly,
		System: u.SystemGenerated, You: u.ID == v.user().ID,
	}
	if login, ok := h.loginOf(u); ok {
		line.Username = login.Text("username")
	}
	for _, id := range u.GroupIDs {
		if name, ok := groups[id]; ok {
			line.Groups = append(line.Groups, name)
		}
	}
	return line
}

// userPath is the address of a user's page, below the root. Files of Home Assistant may hold any text as an id.
func userPath(id string) string { return "admin/users/" + url.PathEscape(id) }

// userList is a page of the list of users.
type userList struct {
	Text  string // what was searched for
	Users []userLine
	Later bool   // the page is not the first
	First string // the address of the first page, below the root
	Next  string // that of the next; empty on the last
}

// listUsers shows users in the order of their creation, a page at a time, and only those that a search finds if there is
// one.
func (h *house) listUsers(v *visit) error {
	asked := v.r.URL.Query()
	list := userList{Text: asked.Get("q"), Later: asked.Get("after") != ""}
	list.First = listPath(list.Text, "")
	found, err := h.Manager.FindUsers(v.ctx(), list.Text, asked.Get("after"), usersAPage+1)
	if isNotFound(err) && list.Later { // whoever stood at the end of the page before is gone: begin anew
		return v.goTo(list.First, "")
	} else if err != nil {
		return err
	}
	if len(found) > usersAPage {
		found = found[:usersAPage]
		list.Next = listPath(list.Text, found[usersAPage-1].ID)
	}
	groups, err := h.groupNames(v.ctx())
	if err != nil {
		return err
	}
	for _, u := range found {
		line := h.lineOf(v, u, groups)
		if all := len(line.Groups); all > groupsALine {
			line.Groups, line.More = line.Groups[:groupsALine], all-groupsALine
		}
		list.Users = append(list.Users, line)
	}
	return v.show("users.html", web.View{Title: web.Say("users.title"), Data: list})
}

// listPath is the address of a page of the list, below the root.
func listPath(text, after string) string {
	query := url.Values{}
	if text != "" {
		query.Set("q", text)
	}
	if after != "" {
		query.Set("after", after)
	}
	if len(query) == 0 {
		return "admin/users"
	}
	return "admin/users?" + query.Encode()
}

// groupNames are the names of all groups by id.
func (h *house) groupNames(ctx context.Context) (map[string]*web.Text, error) {
	groups, err := h.Manager.Groups(ctx)
	names := make(map[string]*web.Text, len(groups))
	for _, g := range groups {
		names[g.ID] = groupName(g)
	}
	return names, err
}

// anybody is an action on the user that the address names.
func (*house) anybody(do func(*visit, latchkey.User) error) action {
	return func(v *visit) error {
		u, err := v.Manager.User(v.ctx(), v.r.PathValue("id"))
		if err != nil {
			return err
		}
		return do(v, u)
	}
}

// person is an action that changes the user that the address names. Users that the system made for itself are looked at
// only, as on the wire (websocket.md G-2).
func (h *house) person(do func(*visit, latchkey.User) error) action {
	return h.anybody(func(v *visit, u latchkey.User) error {
		if u.SystemGenerated {
			return h.refuseUser(v, u, formOf(u), errSystemUser)
		}
		return do(v, u)
	})
}

// keys is an action that changes by what the user that the address names signs in. With the owner's keys an administrator
// would be the owner: they are the owner's to change.
func (h *house) keys(do func(*visit, latchkey.User) error) action {
	return h.person(func(v *visit, u latchkey.User) error {
		if !mayChangeKeys(v, u) {
			return h.refuseUser(v, u, formOf(u), errOwnersKeys)
		}
		return do(v, u)
	})
}

func mayChangeKeys(v *visit, u latchkey.User) bool { return !u.IsOwner || v.user().IsOwner }

// userForm is what stands in the forms about a user.
type userForm struct {
	*form
	GroupIDs  []string
	LocalOnly bool
}

func formOf(u latchkey.User) userForm {
	return userForm{newForm(map[string]string{"name": u.Name.Text}), u.GroupIDs, u.LocalOnly}
}

// groupChoice is a group that a user can be put into.
type groupChoice struct {
	ID     string
	Name   *web.Text
	Chosen bool
}

func (h *house) choices(ctx context.Context, d userForm) ([]groupChoice, error) {
	groups, err := h.Manager.Groups(ctx)
	var all []groupChoice
	for _, g := range groups {
		all = append(all, groupChoice{g.ID, groupName(g), slices.Contains(d.GroupIDs, g.ID)})
	}
	return all, err
}

// userPage is a user at a glance, with what can be changed.
type userPage struct {
	userLine
	Form     userForm
	Choices  []groupChoice
	Seen     string // the mark of what the user may do now
	Logins   []loginLine
	Ways     []*web.Text // to sign in beside those
	MayLogin bool        // usernames and passwords can be given here
	MayKeys  bool        // who is signed in may change those, and the second factors
	Factors  []factor
	Enabled  bool // a second factor is
	Codes    codes
	Sessions int
	Tokens   int
}

// loginLine is a username that a user signs in with. There is seldom more than one.
type loginLine struct{ ID, Username string }

func (h *house) userView(v *visit, u latchkey.User, d userForm) (web.View, error) {
	groups, err := h.groupNames(v.ctx())
	if err != nil {
		return web.View{}, err
	}
	page := userPage{
		userLine: h.lineOf(v, u, groups), Form: d, Seen: rightsMark(u.GroupIDs, u.LocalOnly), MayLogin: h.Local != nil, MayKeys: mayChangeKeys(v, u),
	}
	for _, c := range u.Credentials {
		if p, ok := h.Manager.Provider(c.Provider); h.isLogin(c) {
			page.Logins = append(page.Logins, loginLine{c.ID, c.Text("username")})
		} else if ok {
			page.Ways = append(page.Ways, h.templates.Named(p.Name()))
		} else {
			page.Ways = append(page.Ways, web.Plain(c.Provider.String()))
		}
	}
	if page.Choices, err = h.choices(v.ctx(), d); err != nil {
		return web.View{}, err
	}
	if page.Factors, page.Enabled, err = h.factorsOf(v, u); err != nil {
		return web.View{}, err
	}
	if page.Codes, err = h.codesOf(v, u.ID); err != nil {
		return web.View{}, err
	}
	all, err := h.Manager.RefreshTokens(v.ctx(), u.ID)
	page.Sessions, page.Tokens = count(all)
	return web.View{Title: web.Plain(label(u)), Data: page}, err
}

// count counts sessions and long-lived tokens.
func count(all []latchkey.RefreshToken) (sessions, tokens int) {
	for _, t := range all {
		switch t.Type {
		case latchkey.TokenNormal:
			sessions++
		case latchkey.TokenLongLived:
			tokens++
		}
	}
	return sessions, tokens
}

// isLogin reports whether credentials are a username with a password that can be changed here.
func (h *house) isLogin(c latchkey.Credentials) bool {
	return h.Local != nil && c.Provider.Type == homeassistant.Type
}

func (h *house) showUser(v *visit, u latchkey.User) error {
	view, err := h.userView(v, u, formOf(u))
	if err != nil {
		return err
	}
	return v.show("user.html", view)
}

func (*house) backToUser(v *visit, u latchkey.User) error { return v.goTo(userPath(u.ID), "") }

// refuseUser shows a user again, with what stands in the forms, and says what could not be done.
func (h *house) refuseUser(v *visit, u latchkey.User, d userForm, why error) error {
	told := problem(why)
	if told == nil || !isRefusal(why) {
		return why
	}
	view, err := h.userView(v, u, d)
	if err != nil {
		return errors.Join(why, err)
	}
	view.Problem = told
	return v.again("user.html", view)
}
