package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// Users from the list to the end of one, on every window, by an administrator whose session is looked after as well.
func TestTheUsers(t *testing.T) {
	installClient(t)
	p := start(t, "")
	p.createOwner()
	p.run("some good words 1\n", "user", "add", "trouble", "--name", `<b onclick="alert(1)">`+strings.Repeat("Wolfe", 35), "--local-only", "--password-stdin")
	p.run("some good words 1\n", "user", "add", "shalom", "--name", "שלום עולם", "--password-stdin")
	chromium := browser(t, 1280, 800, false)
	must(t, chromium)
	for i, window := range windows {
		guest := fmt.Sprint("guest", i)
		t.Run(window.name, func(t *testing.T) {
			ctx := watch(t, chromium, p)
			size(t, ctx, window.width, window.height, window.dark)
			v := visitor{t, ctx, p, "anna"}
			v.do(chromedp.Navigate(p.address+"/admin/users"), chromedp.WaitVisible("#store-token"), signIn("anna", password), heads("Users"))
			v.look("users")
			v.findsUsers()
			v.addsUser(guest)
			v.changesUser(guest)
			v.resetsPassword(guest)
			v.endsSessions(guest)
			v.deletesUser(guest)
		})
	}
}

func (v visitor) findsUsers() {
	v.do(typed("q", "nobody\r"), sees("Nobody here is called nobody."))
	v.look("users-none")
	v.do(press("Show everybody"), sees("שלום עולם"), typed("q", "trouble"), press("Search"), holds(`document.querySelectorAll(".list .name").length === 1`),
		chromedp.Click(".list .name"), sees("At home only"))
	v.look("user-odd")
	v.do(press("Delete"), sees("That cannot be undone."))
	v.look("user-odd-delete")
	v.do(press("Cancel"), sees("At home only"), press("All users"), heads("Users"))
}

func (v visitor) addsUser(username string) {
	v.do(press("Add a user"), heads("Add a user"), holds(`document.activeElement.name === "name"`))
	v.look("user-new")
	v.do(chromedp.Click(`[value="none"]`), holds(`document.querySelector("[name=username]").offsetParent === null`),
		chromedp.Click(`[value="password"]`), typed("username", "Anna"), typed("new_password", "short"), press("Add a user"),
		sees("Please fill this in."), sees("Please use at least 8 characters."), holds(`document.activeElement.name === "name"`))
	v.look("user-new-wrong")
	v.do(typed("name", "Ida B. Wells"), typed("username", username), typed("new_password", "some good words 1"), typed("repeat_password", "some good words 1\r"),
		heads("Ida B. Wells ("+username+")"), sees("The user is added."))
	v.look("user")
}

func (v visitor) changesUser(username string) {
	v.do(typed("name", " "), press("Change name"), sees("Please fill this in."), holds(`document.activeElement.name === "name"`))
	v.look("user-name-wrong")
	v.do(typed("name", "Ida"), press("Change name"), heads("Ida ("+username+")"), sees("The name is changed."))
	v.do(chromedp.Click(`[value="system-read-only"]`), chromedp.Click(`[name="local_only"]`), press("Change rights"), sees("The rights are changed."),
		holds(`document.querySelector("[value=system-read-only]").checked`), sees("At home only"))
	v.do(press("Change user name"), heads("Change the user name of Ida ("+username+")"), typed("username", "anna\r"), sees("This user name is taken."))
	v.look("user-username-wrong")
	v.do(press("Cancel"), heads("Ida ("+username+")"))
	v.do(press("Deactivate"), heads("Deactivate Ida ("+username+")?"))
	v.look("user-deactivate")
	v.do(press("Deactivate"), sees("The user is inactive, and signed out everywhere."))
	v.look("user-inactive")
	v.do(press("Activate"), sees("The user is active again."))
}

func (v visitor) resetsPassword(username string) {
	v.do(press("Set a new password"), heads("Set a new password for Ida ("+username+")"), holds(`document.activeElement.name === "new_password"`),
		typed("new_password", "some good words 2"), typed("repeat_password", "some good words 3\r"), sees("The two passwords differ."))
	v.look("user-password-wrong")
	v.do(typed("new_password", "some good words 2"), typed("repeat_password", "some good words 2\r"), sees("The password is changed. Sessions ended: 0."))
	v.do(holds(`location.search === ""`), chromedp.Reload(), heads("Ida ("+username+")"), holds(`!document.body.innerText.includes("The password is changed.")`))
}

// endsSessions looks at the sessions of somebody with one, and a token.
func (v visitor) endsSessions(username string) {
	v.p.run("", "token", "create", "--user", username, "--name", "GPS logger")
	other := watch(v.t, v.ctx, v.p)
	must(v.t, other, chromedp.Navigate(v.p.address+"/account"), chromedp.WaitVisible("#store-token"), signIn(username, "some good words 2"), heads("Your account"))
	v.do(press("Show sessions"), heads("Sessions of Ida ("+username+")"), sees("GPS logger"), sees("Last used"))
	v.look("user-sessions")
	v.do(press("End all sessions"), heads("End all sessions of Ida ("+username+")?"))
	v.look("user-sessions-end")
	v.do(press("End all sessions"), sees("Sessions ended: 1."), press("Remove"), heads("Remove GPS logger?"), press("Remove"), sees("The token is removed."))
	must(v.t, other, chromedp.Reload(), chromedp.WaitVisible("#store-token"))
	v.do(press("Ida"), heads("Ida ("+username+")"))
}

func (v visitor) deletesUser(username string) {
	v.do(press("Delete"), heads("Delete Ida ("+username+")?"))
	v.look("user-delete")
	v.do(press("Cancel"), heads("Ida ("+username+")"), press("Delete"), heads("Delete Ida ("+username+")?"), press("Delete"),
		heads("Users"), sees("The user is deleted."), holds(fmt.Sprintf(`!document.body.innerText.includes(%q)`, username)))
}
