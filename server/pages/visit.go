package pages

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/server"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

// house is what all pages are made with.
type house struct {
	Options
	templates *web.Templates
}

// visit is one request of somebody who is signed in.
type visit struct {
	*house
	w       http.ResponseWriter
	r       *http.Request
	session latchkey.Session
}

// action answers a visit. Its error becomes a page that says what went wrong.
type action func(*visit) error

// routes are actions by method and path, as [http.ServeMux] reads them.
type routes map[string]action

// mux serves routes to those whom the guard lets in.
func (h *house) mux(table routes, guard func(action) action) http.Handler {
	mux := http.NewServeMux()
	for pattern, do := range table {
		mux.Handle(pattern, h.handler(guard(do)))
	}
	nothing := h.handler(guard(func(*visit) error { return latchkey.ErrNotFound }))
	mux.Handle("/", nothing)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if untidy(r.URL.EscapedPath()) {
			nothing.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// untidy reports whether [http.ServeMux] would lead on from a path to what it takes for the right one. That begins at the
// host, and so leaves what a proxy has put the server below.
func untidy(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/")[1:], func(segment string) bool { return segment == "" || segment == "." || segment == ".." })
}

func (h *house) handler(do action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := server.SessionFrom(r.Context())
		v := &visit{h, w, r, session}
		if err := do(v); err != nil {
			v.fail(err)
		}
	})
}

func (*house) anyone(do action) action { return do }

// adminOnly lets administrators in, the owner among them.
func (*house) adminOnly(do action) action {
	return func(v *visit) error {
		if !v.session.User.IsAdmin() {
			return errAdminsOnly
		}
		return do(v)
	}
}

// ctx is the context of the request.
func (v *visit) ctx() context.Context { return v.r.Context() }

// user is who is signed in.
func (v *visit) user() latchkey.User { return v.session.User }

// field is what was typed into a field of the form.
func (v *visit) field(name string) string { return v.r.PostFormValue(name) }

// text is what was typed into a field, without white space around it.
func (v *visit) text(name string) string { return strings.TrimSpace(v.field(name)) }

// show answers with a page.
func (v *visit) show(name string, view web.View) error { return v.answer(http.StatusOK, name, view) }

// again answers with the page of a form that was refused.
func (v *visit) again(name string, view web.View) error {
	return v.answer(http.StatusUnprocessableEntity, name, view)
}

func (v *visit) answer(status int, name string, view web.View) error {
	view.Person, view.PersonID, view.Admin = nameOf(v.user()), v.user().ID, v.user().IsAdmin()
	view.FormToken = server.FormToken(v.ctx())
	if view.Done == nil {
		view.Done = v.done()
	}
	return v.templates.Show(v.w, v.r, status, name, view)
}

// done is what the address says was just done, with the numbers that belong to it, as in "sessions_ended ended=2". Only
// texts that are made for that are shown.
func (v *visit) done() *web.Text {
	key, numbers, _ := strings.Cut(v.r.URL.Query().Get("done"), " ")
	if key == "" || !v.templates.Has("done."+key) {
		return nil
	}
	var filled []any
	for number := range strings.FieldsSeq(numbers) {
		name, value, _ := strings.Cut(number, "=")
		if n, err := strconv.Atoi(value); err == nil {
			filled = append(filled, name, n)
		}
	}
	return web.Say("done."+key, filled...)
}

// goTo leads on to a page below the server's root, which says that something was done if that has a name. numbers are
// pairs of a name and a number that the text mentions.
func (v *visit) goTo(path, done string, numbers ...any) error {
	for i := 0; i < len(numbers); i += 2 {
		done += fmt.Sprintf(" %v=%v", numbers[i], numbers[i+1])
	}
	if done != "" {
		before, mark, marked := strings.Cut(path, "#")
		separator := "?"
		if strings.Contains(before, "?") {
			separator = "&"
		}
		path = before + separator + "done=" + url.QueryEscape(done)
		if marked {
			path += "#" + mark
		}
	}
	v.w.Header().Set("Location", web.Root(v.r)+path)
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// freshFor is how long after a sign-in it may be changed how an account is protected (security.md 16).
const freshFor = 15 * time.Minute

// fresh is an action that needs a recent sign-in. Without one the page says so, and leads through a sign-in and back.
func fresh(do action) action {
	return func(v *visit) error {
		if age := time.Since(v.session.Token.CreatedAt); age > freshFor || age < -time.Minute {
			return v.answer(http.StatusForbidden, "again.html", web.View{
				Title: web.Say("again.title"), Scripts: []string{"again.js"}, Unsent: true,
			})
		}
		return do(v)
	}
}

// nameOf is what a person is called.
func nameOf(u latchkey.User) string {
	if strings.TrimSpace(u.Name.Text) != "" {
		return u.Name.Text
	}
	for _, c := range u.Credentials {
		if c.Subject() != "" {
			return c.Subject()
		}
	}
	return u.ID
}

// label names a user so that nobody is taken for another, in the middle of a text.
func label(u latchkey.User) string {
	name := nameOf(u)
	login, ok := homeassistant.LoginOf(u)
	if username := login.Text("username"); ok && username != name {
		return isolated(name) + " (" + isolated(username) + ")"
	}
	return isolated(name)
}

// isolated keeps what somebody is called from turning round the text that it stands in: marks of direction are taken out,
// and what may be written from right to left is set off.
func isolated(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return -1
		}
		return r
	}, name)
	if strings.ContainsFunc(name, func(r rune) bool { return r >= '\u0590' }) {
		return "\u2068" + name + "\u2069"
	}
	return name
}

// isNotFound is a shorthand for the plainest of errors.
func isNotFound(err error) bool { return errors.Is(err, latchkey.ErrNotFound) }
