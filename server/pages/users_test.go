package pages_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/permission"
	"github.com/seed-6a977b3d/latchkey/server/pages"
)

// admin makes an administrator who does not own the house.
func (h *house) admin(username string) latchkey.User {
	h.t.Helper()
	return h.person(username, func(n *latchkey.NewUser) { n.GroupIDs = []string{latchkey.GroupAdmin} })
}

// system makes a user for a part of the house.
func (h *house) system(name string) latchkey.User {
	h.t.Helper()
	u, err := h.CreateSystemUser(h.t.Context(), latchkey.NewUser{Name: latchkey.Text(name), GroupIDs: []string{latchkey.GroupAdmin}})
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

// now is a user as it is now.
func (h *house) now(id string) latchkey.User {
	h.t.Helper()
	u, err := h.store.User(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

// at is the address of a page about a user.
func at(u latchkey.User, more ...string) string {
	return "/admin/users/" + url.PathEscape(u.ID) + strings.Join(more, "")
}

// change alters a user in the store, whatever the rules.
func (h *house) change(u latchkey.User) {
	h.t.Helper()
	if err := h.store.Update(h.t.Context(), func(tx latchkey.Tx) error { return tx.UpdateUser(h.t.Context(), u) }); err != nil {
		h.t.Fatal(err)
	}
}

// names are the users that a page of the list shows.
func (p *page) names() (found []string) {
	for _, a := range p.all("a") {
		if attribute(a, "class") == "name" {
			found = append(found, readable(a))
		}
	}
	return found
}

func TestUsersAreListed(t *testing.T) {
	h := open(t)
	h.person("ben", func(n *latchkey.NewUser) { n.LocalOnly, n.Name = true, latchkey.Text("Benjamin") })
	cara := h.admin("cara")
	cara.IsActive = false
	h.change(cara)
	h.system("Supervisor")
	if _, err := h.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text("Dora")}); err != nil {
		t.Fatal(err)
	}
	p := h.signIn("anna").get("/account").follow("Users").is(200,
		"anna You Owner anna · Users", "Benjamin At home only ben · Users", "cara Inactive cara · Administrators",
		"Supervisor System no user name · Administrators", "Dora no user name · no groups")
	p.lacks("First page", "Next page", "Show everybody")
	if want := []string{"anna", "Benjamin", "cara", "Supervisor", "Dora"}; !slices.Equal(p.names(), want) {
		t.Errorf("listed are %q", p.names())
	}
}

func TestUsersAreFound(t *testing.T) {
	h := open(t)
	ben := h.person("ben", func(n *latchkey.NewUser) { n.Name = latchkey.Text("Straße & Söhne") })
	h.person("cara", nil)
	b := h.signIn("anna")
	find := func(text string) *page { return b.get("/admin/users").send("Search", "q", text) }
	for text, want := range map[string][]string{
		"BEN": {"Straße & Söhne"}, "strasse": {"Straße & Söhne"}, "& s": {"Straße & Söhne"}, ben.ID: {"Straße & Söhne"}, "a": {"anna", "Straße & Söhne", "cara"},
		"  cara ": {"cara"}, "": {"anna", "Straße & Söhne", "cara"}, "%": nil, "_": nil, "\x00": nil, "<b>{text}": nil,
	} {
		if p := find(text).is(200); !slices.Equal(p.names(), want) {
			t.Errorf("for %q there are %q, want %q", text, p.names(), want)
		}
	}
	p := find("nobody & <i>").is(200, "Nobody here is called nobody & <i> .")
	if got := filled(p.all("form")[1]).Get("q"); got != "nobody & <i>" {
		t.Errorf("the field holds %q", got)
	}
	p.follow("Show everybody").at("/admin/users").is(200, "cara")
}

// many adds users quickly.
func (h *house) many(n int) {
	h.t.Helper()
	err := h.store.Update(h.t.Context(), func(tx latchkey.Tx) error {
		for i := range n {
			name := fmt.Sprintf("guest %04d", i)
			u := latchkey.User{ID: latchkey.NewID(), Name: latchkey.Text(name), IsActive: true, GroupIDs: []string{latchkey.GroupUser}}
			if err := tx.InsertUser(h.t.Context(), u); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// counting counts how many users are read at a time.
type counting struct {
	latchkey.Store
	most *int
}

func (s counting) FindUsers(ctx context.Context, text, after string, limit int) ([]latchkey.User, error) {
	*s.most = max(*s.most, limit)
	return s.Store.FindUsers(ctx, text, after, limit)
}

func (s counting) Users(ctx context.Context, after string, limit int) ([]latchkey.User, error) {
	*s.most = max(*s.most, limit)
	return s.Store.Users(ctx, after, limit)
}

func TestManyUsersAreListedPageByPage(t *testing.T) {
	most := 0
	h := openOver(t, counting{newStore(t), &most})
	h.many(4999)
	b := h.signIn("anna")
	seen := map[string]bool{}
	p := b.get("/admin/users")
	turned := 1
	for ; ; turned++ {
		for _, name := range p.is(200).names() {
			seen[name] = true
		}
		if n := len(p.names()); n != 50 {
			t.Fatalf("%s lists %d", p.url, n)
		}
		if !strings.Contains(p.text, "Next page") {
			break
		}
		if p = p.follow("Next page"); turned > 100 {
			t.Fatalf("the pages never end: %s", p.url)
		}
	}
	if len(seen) != 5000 || turned != 100 {
		t.Errorf("%d users on %d pages", len(seen), turned)
	}
	if most > 51 {
		t.Errorf("a page reads %d users", most)
	}
	p.follow("First page").at("/admin/users").is(200, "anna").lacks("First page")

	// The search goes along with the pages.
	p = b.get("/admin/users").send("Search", "q", "Guest 1").is(200)
	if p = p.follow("Next page").is(200, "guest 1050"); p.names()[0] != "guest 1050" {
		t.Errorf("the second page begins with %s", p.names()[0])
	}
	p.follow("First page").at("/admin/users?q=Guest+1").is(200, "guest 1000")

	// Who stood at the end of a page may be deleted before it is turned.
	last := b.get("/admin/users?q=guest+0049")
	u, err := h.FindUsers(t.Context(), "guest 0049", "", 1)
	if err != nil || len(u) != 1 {
		t.Fatal(err, last.text)
	}
	if err := h.RemoveUser(t.Context(), u[0].ID); err != nil {
		t.Fatal(err)
	}
	b.get("/admin/users?q=guest&after="+u[0].ID).at("/admin/users?q=guest").is(200, "guest 0000")
	b.get("/admin/users?q=guest+4998&after="+lastOf(t, h)).is(200, "There is nobody else.", "Show everybody", "First page").lacks("guest 4997")
}

// lastOf is the id of the user who was made last.
func lastOf(t *testing.T, h *house) (id string) {
	t.Helper()
	for u, err := range h.Users(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		id = u.ID
	}
	return id
}

func TestAUserAtAGlance(t *testing.T) {
	h := open(t)
	ben := h.person("ben", func(n *latchkey.NewUser) { n.Name = latchkey.Text("Benjamin") })
	if _, _, err := h.CreateLongLivedToken(t.Context(), ben.ID, "GPS", "", 1e9); err != nil {
		t.Fatal(err)
	}
	g, err := h.CreateGroup(t.Context(), "Kitchen & co", permission.UserPolicy())
	if err != nil {
		t.Fatal(err)
	}
	h.signIn("ben")
	p := h.signIn("anna").get("/admin/users").follow("Benjamin").at(at(ben)).is(200, "Benjamin (ben)", "User name: ben",
		"Authenticator app: Off", "Sessions: 1, long-lived tokens: 1", "Kitchen & co", "Deactivate", "Delete")
	p.lacks("Reset the second step", "Recovery codes", "Add a user name", "Activate")
	form, _ := p.form("Change rights")
	if got := filled(form)["group"]; !slices.Equal(got, []string{latchkey.GroupUser}) || strings.Contains(p.source, `value="`+g.ID+`" checked`) {
		t.Errorf("the groups are %q", got)
	}
	p.follow("All users").at("/admin/users")
}

func TestUsersThatAreNotThereAreNotFound(t *testing.T) {
	b := open(t).signIn("anna")
	token := formToken(t, b.get("/account"))
	for _, route := range pages.Routes() {
		if method, path := split(route); strings.HasPrefix(path, "/admin/users/0") {
			b.do(method, path, url.Values{"form_token": {token}, "name": {"x"}}).is(404, "That is not there, or not any more.")
		}
	}
	for _, odd := range []string{"%00", "%FF", "nothing", "..%2Fnew", strings.Repeat("x", 10_000)} {
		if p := b.get("/admin/users/" + odd); p.status != 404 && p.status != 400 {
			t.Errorf("%.20s: %d %s", odd, p.status, p.text)
		}
	}
}

// Users that the system made for itself are shown, and nothing about them is changed.
func TestUsersOfTheSystemAreOnlyLookedAt(t *testing.T) {
	h := open(t)
	u := h.system("Supervisor")
	b := h.signIn("anna")
	p := b.get(at(u)).is(200, "Supervisor", "The system made this user for itself.", "Administrators")
	for _, form := range p.all("form") {
		if strings.Contains(attribute(form, "action"), "admin") {
			t.Error("there is a form about it")
		}
	}
	token := formToken(t, p)
	for _, route := range pages.Routes() {
		method, path, _ := strings.Cut(route, " ")
		if !strings.HasPrefix(path, "/admin/users/{id}/") || method != http.MethodPost {
			continue
		}
		path = strings.NewReplacer("{id}", u.ID, "{token}", "0").Replace(path)
		b.do(method, path, url.Values{"form_token": {token}, "name": {"x"}}).is(422, "It cannot be changed here.")
	}
	if got := h.now(u.ID); got.Name.Text != "Supervisor" || !got.IsActive || !slices.Equal(got.GroupIDs, u.GroupIDs) {
		t.Errorf("it became %+v", got)
	}
}

// ready is everything about a user that a form could change.
type ready struct {
	user     latchkey.User
	password string
	tokens   []latchkey.RefreshToken
	factors  []string
}

func (h *house) ready(u latchkey.User) string {
	h.t.Helper()
	ctx := h.t.Context()
	all := ready{user: h.now(u.ID)}
	records, err := h.store.Passwords(ctx, "ben")
	if err != nil || len(records) != 1 {
		h.t.Fatal(records, err)
	}
	all.password = records[0].Hash
	if all.tokens, err = h.store.RefreshTokens(ctx, u.ID); err != nil {
		h.t.Fatal(err)
	}
	if all.factors, err = h.store.ModulesOf(ctx, u.ID); err != nil {
		h.t.Fatal(err)
	}
	return fmt.Sprintf("%+v", all)
}

// spec: security.md 7 (of the pages: forms of others do nothing), ASVS 3.5.1: without the token of the session's own pages,
// or from the page of another site, nothing about anybody is changed; and for who is no administrator nothing is either.
func TestOnlyFormsOfAdministratorsChangeUsers(t *testing.T) {
	h := open(t)
	ben := h.person("ben", nil)
	victim := h.signIn("ben")
	enroll(t, victim)
	program, _, err := h.CreateLongLivedToken(t.Context(), ben.ID, "GPS", "", 1e9)
	if err != nil {
		t.Fatal(err)
	}
	h.person("cara", nil)
	anna, other := h.signIn("anna"), h.signIn("cara")
	annas, others := formToken(t, anna.get("/account")), formToken(t, other.get("/account"))
	before := h.ready(ben)
	form := func(token string) url.Values {
		v := url.Values{
			"name": {"Mallory"}, "username": {"mallory"}, "new_password": {"another good one"}, "repeat_password": {"another good one"},
			"group": {latchkey.GroupAdmin}, "local_only": {"yes"}, "id": {victim.token.ID},
		}
		if token != "" {
			v.Set("form_token", token)
		}
		return v
	}
	for _, route := range pages.Routes() {
		method, path, _ := strings.Cut(route, " ")
		if method != http.MethodPost || !strings.HasPrefix(path, "/admin/users") {
			continue
		}
		path = strings.NewReplacer("{id}", ben.ID, "{token}", program.ID).Replace(path)
		for what, p := range map[string]*page{
			"without a token":                 anna.do(method, path, form("")),
			"with a token that is wrong":      anna.do(method, path, form("x")),
			"with the token of another":       anna.do(method, path, form(others)),
			"from another site":               anna.do(method, path, form(annas), "Sec-Fetch-Site", "cross-site"),
			"from who is no administrator":    other.do(method, path, form(others)),
			"from who is no administrator II": other.do(method, path, form(annas)),
		} {
			if p.status != http.StatusForbidden {
				t.Errorf("%s %s: %d %s", path, what, p.status, p.text)
			}
		}
	}
	if after := h.ready(ben); after != before {
		t.Errorf("ben became\n%s, and was\n%s", after, before)
	}
	if found, err := h.FindUsers(t.Context(), "mallory", "", 1); err != nil || len(found) != 0 {
		t.Errorf("there is somebody new: %+v %v", found, err)
	}
}

// Whatever somebody is called, the pages stay what they are.
func TestNoNameBreaksAPage(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	for i, name := range []string{
		"", " ", `<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "{{.Root}}", "{name}", strings.Repeat("W", 5000), "שלום", "\u202egnol", "a\u2069b\u2068c",
		"line\nbreak", "nul\x00nul", "\xff\xfe", "👩‍👩‍👧", "\ufdd0strong\ufdd1",
	} {
		u := h.person(fmt.Sprintf("user%d", i), func(n *latchkey.NewUser) { n.Name = latchkey.Text(name) })
		login := "?login=" + u.Credentials[0].ID
		for _, path := range []string{"", "/deactivate", "/delete", "/username" + login, "/password" + login, "/factors", "/sessions", "/sessions/all"} {
			p := b.get(at(u, path)).is(200)
			title := readable(p.all("title")[0])
			if len(p.all("script")) != 1 || len(p.all("img")) != 0 || !strings.HasSuffix(title, "· latchkey") {
				t.Errorf("%q breaks %s: %s", name, p.url, p.source)
			}
			if strings.ContainsAny(title, "\u202e") || strings.Count(title, "\u2068") != strings.Count(title, "\u2069") {
				t.Errorf("%q turns the title of %s round: %q", name, p.url, title)
			}
		}
		list := b.get("/admin/users?q=" + u.Credentials[0].Text("username")).is(200)
		if len(list.names()) == 0 || list.names()[0] == "" {
			t.Errorf("%q has no name in the list: %q", name, list.names())
		}
	}
}

// Files of Home Assistant may hold any text as an id.
func TestOddIdsHaveTheirPage(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	for _, id := range []string{"a/b", "a b?c#d", "100%", "ä+ö", "new user", "a&b=c", `"<b>`} {
		u := latchkey.User{ID: id, Name: latchkey.Text("odd " + id), IsActive: true}
		if err := h.store.Update(t.Context(), func(tx latchkey.Tx) error { return tx.InsertUser(t.Context(), u) }); err != nil {
			t.Fatal(err)
		}
		p := b.get("/admin/users?q=odd").follow("odd "+strings.Join(strings.Fields(id), " ")).is(200, "This account")
		p.send("Change name", "name", "changed").is(200, "The name is changed.", "changed")
		if got := h.now(id).Name.Text; got != "changed" {
			t.Errorf("%q is called %q", id, got)
		}
		b.get(at(u, "/sessions")).is(200).follow("changed").is(200)
		b.get(at(u)).follow("Delete").send("Delete").is(200, "The user is deleted.")
	}
}
