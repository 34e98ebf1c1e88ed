package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/permission"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// Many users, many groups with long names, and somebody who is in all of them and signed in everywhere: the pages stay as
// wide as the window, and everybody is found.
func TestACrowdFits(t *testing.T) {
	installClient(t)
	p := start(t, "")
	p.createOwner()
	busy := p.crowd()
	chromium := browser(t, 1280, 800, false)
	must(t, chromium)
	for _, window := range windows[:2] {
		t.Run(window.name, func(t *testing.T) {
			ctx := watch(t, chromium, p)
			size(t, ctx, window.width, window.height, window.dark)
			v := visitor{t, ctx, p, "anna"}
			v.do(chromedp.Navigate(p.address+"/admin/users"), chromedp.WaitVisible("#store-token"), signIn("anna", password), heads("Users"), sees("and 28 more"))
			v.look("users")
			for _, last := range []string{"Person 098", "Person 148", "Person 198"} {
				v.do(press("Next page"), sees(last))
			}
			v.do(press("Next page"), sees("Person 200"), holds(`!document.querySelector("[rel=next]")`), press("First page"), sees("Anna Example"))
			v.do(typed("q", "person 17\r"), holds(`document.querySelectorAll(".list .name").length === 10`))
			for name, path := range map[string]string{
				"user": userPage(busy), "sessions": userPage(busy) + "/sessions", "user-new": "/admin/users/new", "groups": "/admin/groups",
			} {
				v.do(chromedp.Navigate(p.address+path), holds(`document.readyState === "complete"`))
				v.look(name)
			}
		})
	}
}

func userPage(u latchkey.User) string { return "/admin/users/" + u.ID }

// crowd makes two hundred users and thirty groups, and returns the one with everything.
func (p *program) crowd() latchkey.User {
	p.t.Helper()
	check := func(err error) {
		p.t.Helper()
		if err != nil {
			p.t.Fatal(err)
		}
	}
	ctx := p.t.Context()
	store, err := sqlite.Open(ctx, p.store)
	check(err)
	defer func() { _ = store.Close() }()
	m, err := latchkey.New(store, latchkey.Options{})
	check(err)
	defer m.Close()
	all := []string{latchkey.GroupUser}
	for i := range 30 {
		g, err := m.CreateGroup(ctx, strings.Repeat("Donaudampfschiff", 1+i%5*2)+fmt.Sprint(" ", i), permission.ReadOnlyPolicy())
		check(err)
		all = append(all, g.ID)
	}
	busy, err := m.CreateUser(ctx, latchkey.NewUser{Name: latchkey.Text(strings.Repeat("Wolfe", 40)), GroupIDs: all})
	check(err)
	for i := range 200 {
		_, err := m.CreateUser(ctx, latchkey.NewUser{Name: latchkey.Text(fmt.Sprintf("Person %03d", i+1)), GroupIDs: all[:1]})
		check(err)
	}
	for i := range 30 {
		client := fmt.Sprintf("https://app%d.example/%s", i, strings.Repeat("long", i))
		_, err := m.CreateRefreshToken(ctx, latchkey.NewRefreshToken{UserID: busy.ID, ClientID: latchkey.Text(client)})
		check(err)
		_, _, err = m.CreateLongLivedToken(ctx, busy.ID, fmt.Sprint(i, strings.Repeat("program", i)), "", time.Hour)
		check(err)
	}
	return busy
}
