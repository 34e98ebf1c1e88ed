package pages_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server"
	"github.com/seed-6a977b3d/latchkey/server/pages"
)

func TestAUserIsAdded(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	p := b.get("/admin/users").follow("Add a user").is(200)
	form, _ := p.form("Add a user")
	if got := filled(form); !slices.Equal(got["group"], []string{latchkey.GroupUser}) || got.Get("login") != "password" {
		t.Errorf("the empty form holds %v", got)
	}
	made := p.send("Add a user", "name", " Benjamin ", "username", " BEN ", "new_password", "another good one", "repeat_password", "another good one",
		"group", latchkey.GroupUser, "group", latchkey.GroupReadOnly, "local_only", "yes").
		is(200, "The user is added.", "Benjamin (ben)", "At home only")
	u := h.now(strings.TrimPrefix(made.url.Path, "/admin/users/"))
	if u.IsOwner || !u.IsActive || !u.LocalOnly || !slices.Equal(u.GroupIDs, []string{latchkey.GroupUser, latchkey.GroupReadOnly}) || u.Name.Text != "Benjamin" {
		t.Errorf("it is %+v", u)
	}
	if err := h.local.ValidateLogin(t.Context(), "ben", "another good one"); err != nil {
		t.Error(err)
	}
	p.follow("Cancel").at("/admin/users")
}

func TestAUserIsAddedWithoutALogin(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	p := b.get("/admin/users/new").send("Add a user", "name", "Ben", "login", "none", "group", "no such group").refused("group", "does not exist")
	if form, _ := p.form("Add a user"); filled(form).Get("login") != "none" {
		t.Error("what was chosen is forgotten")
	}
	made := p.send("Add a user", "username", "left over", "new_password", "x", "group", latchkey.GroupUser).is(200, "The user is added.", "No user name and password")
	if u := h.now(strings.TrimPrefix(made.url.Path, "/admin/users/")); len(u.Credentials) != 0 {
		t.Errorf("it is %+v", u)
	}
}

// spec: security.md 1, 5, W4: a form that is refused says why at each field, and nobody is made.
func TestAUserWhoCannotBeIsRefused(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	good := map[string]string{"name": "Ben", "username": "ben", "new_password": "another good one", "repeat_password": "another good one"}
	for _, row := range []struct{ field, value, wrong, why string }{
		{"name", "", "name", "Please fill this in."},
		{"name", strings.Repeat("x", 201), "name", "at most 200"},
		{"username", " ", "username", "Please fill this in."},
		{"username", " Anna", "username", "This user name is taken."},
		{"username", "a\x00b", "username", "cannot be used"},
		{"username", strings.Repeat("x", 2000), "username", "cannot be used"},
		{"new_password", "short", "new_password", "at least 8"},
		{"new_password", "", "new_password", "at least 8"},
		{"new_password", "password1", "new_password", "most common"},
		{"repeat_password", "another good two", "repeat_password", "The two passwords differ."},
	} {
		var fields []string
		for name, value := range good {
			if name == row.field {
				value = row.value
			}
			fields = append(fields, name, value)
		}
		p := b.get("/admin/users/new").send("Add a user", fields...).refused(row.wrong, row.why)
		if strings.Contains(p.source, "another good") {
			t.Errorf("%s: a password stands in the page", row.why)
		}
		if form, _ := p.form("Add a user"); row.field != "name" && filled(form).Get("name") != "Ben" {
			t.Errorf("%s: the name is forgotten", row.why)
		}
	}
	b.get("/admin/users/new").send("Add a user", "name", "", "username", "", "new_password", "x").refused("name", "fill").refused("username", "fill").refused("new_password", "8")
	if all, err := h.FindUsers(t.Context(), "", "", 10); err != nil || len(all) != 1 {
		t.Errorf("there are %+v, %v", all, err)
	}
}

// A house may have no usernames and passwords of its own.
func TestWithoutPasswordsNoneAreOffered(t *testing.T) {
	h := open(t, func(_ *server.Options, p *pages.Options) { p.Local = nil })
	ben := h.person("ben", nil)
	b := h.signIn("anna")
	b.get("/admin/users/new").is(200).lacks("User name", "Password").send("Add a user", "name", "Cara").is(200, "The user is added.").lacks("Add a user name")
	p := b.get(at(ben)).is(200, "Signs in by Home Assistant Local").lacks("Set a new password", "Change user name", "Add a user name")
	for _, path := range []string{"/username", "/password", "/login"} {
		b.get(at(ben, path)).is(404)
		b.do(http.MethodPost, at(ben, path), url.Values{"form_token": {formToken(t, p)}}).is(404)
	}
}

func TestAUsernameIsChanged(t *testing.T) {
	h := open(t)
	ben := h.person("ben", nil)
	h.person("cara", nil)
	bens, b := h.signIn("ben"), h.signIn("anna")
	p := b.get(at(ben)).follow("Change user name").is(200, "Change the user name of ben", "nobody is signed out")
	p.follow("Cancel").at(at(ben))
	p.send("Change user name", "username", "CARA").refused("username", "This user name is taken.")
	p.send("Change user name", "username", " ").refused("username", "Please choose a user name.")
	p.send("Change user name", "username", "x\x00").refused("username", "cannot be used")
	p.send("Change user name", "username", "Ben ").at(at(ben)).is(200).lacks("is changed") // that is what it is
	p.send("Change user name", "username", " Benjamin ").is(200, "The user name is changed.", "User name: benjamin")
	if err := h.local.ValidateLogin(t.Context(), "benjamin", password); err != nil {
		t.Error(err)
	}
	bens.get("/account").is(200, "benjamin")
	// The login that the page was about is gone.
	b.get(at(ben, "/username?login=0")).is(404)
}

func TestALoginIsAdded(t *testing.T) {
	h := open(t)
	u, err := h.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text("Dora")})
	if err != nil {
		t.Fatal(err)
	}
	b := h.signIn("anna")
	p := b.get(at(u)).follow("Add a user name and password").is(200, "User name and password for Dora")
	p.send("Add a user name", "username", "", "new_password", "short").refused("username", "fill").refused("new_password", "8")
	p.send("Add a user name", "username", "anna", "new_password", "another good one", "repeat_password", "another good one").refused("username", "taken")
	p.send("Add a user name", "username", "Dora", "new_password", "another good one", "repeat_password", "another good one").
		is(200, "This user can sign in with a user name and a password now.", "User name: dora")
	if err := h.local.ValidateLogin(t.Context(), "dora", "another good one"); err != nil {
		t.Error(err)
	}
	// Nobody gets a second one.
	p.send("Add a user name", "username", "dora2", "new_password", "another good one", "repeat_password", "another good one").is(422, "has a user name and a password already")
	b.get(at(u, "/login")).is(422, "has a user name and a password already")
	if u := h.now(u.ID); len(u.Credentials) != 1 {
		t.Errorf("it is %+v", u)
	}
}

// spec: security.md 11: a reset by an administrator ends the sessions and leaves the second factor on
func TestAPasswordIsReset(t *testing.T) {
	h := open(t)
	ben := h.person("ben", nil)
	bens, b := h.signIn("ben"), h.signIn("anna")
	h.signIn("ben")
	enroll(t, bens)
	if _, _, err := h.CreateLongLivedToken(t.Context(), ben.ID, "GPS", "", time.Hour); err != nil {
		t.Fatal(err)
	}
	p := b.get(at(ben)).follow("Set a new password").is(200, "Set a new password for ben", "All sessions of this user end")
	set := func(next, again string) *page {
		t.Helper()
		return p.send("Set a new password", "new_password", next, "repeat_password", again)
	}
	set("short", "short").refused("new_password", "at least 8 characters")
	set("another good one", "another good two").refused("repeat_password", "The two passwords differ.")
	bens.get("/account").is(200)
	set("another good one", "another good one").is(200, "The password is changed. Sessions ended: 2. Long-lived tokens that stay: 1.", "Authenticator app: On")
	bens.get("/account").is(http.StatusUnauthorized)
	if err := h.local.ValidateLogin(t.Context(), "ben", "another good one"); err != nil {
		t.Error(err)
	}
	if tokens, err := h.RefreshTokens(t.Context(), ben.ID); err != nil || len(tokens) != 1 {
		t.Errorf("there are %d tokens, %v", len(tokens), err)
	}
	b.get(at(ben, "/password?login=0")).is(404)
}

func TestWhoResetsTheirOwnPasswordStaysSignedIn(t *testing.T) {
	h := open(t)
	b, elsewhere := h.signIn("anna"), h.signIn("anna")
	anna, err := h.Owner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.get(at(anna)).follow("Set a new password").is(200, "All your sessions end but this one").
		send("Set a new password", "new_password", "another good one", "repeat_password", "another good one").is(200, "Sessions ended: 1.")
	elsewhere.get("/account").is(http.StatusUnauthorized)
}

// A password may be missing in the files of another program.
func TestALoginWithoutAPasswordIsToldOf(t *testing.T) {
	h := open(t)
	ben := h.person("ben", nil)
	if err := h.local.RemoveLogin(t.Context(), "ben"); err != nil {
		t.Fatal(err)
	}
	b := h.signIn("anna")
	const told = "There is no password for this user name any more."
	b.get(at(ben)).follow("Set a new password").send("Set a new password", "new_password", "another good one", "repeat_password", "another good one").is(422, told)
	b.get(at(ben)).follow("Change user name").send("Change user name", "username", "benjamin").is(422, told)
}

// Somebody may have come by two usernames. Each is changed by itself.
func TestEachOfSeveralLoginsIsChanged(t *testing.T) {
	h := open(t)
	ben := h.person("ben", nil)
	if err := h.local.AddLogin(t.Context(), ben.ID, "second", password); err != nil {
		t.Fatal(err)
	}
	login := h.now(ben.ID).Credentials[1]
	b := h.signIn("anna")
	b.get(at(ben)).is(200, "User name: ben", "User name: second")
	b.get(at(ben, "/password?login="+login.ID)).send("Set a new password", "new_password", "another good one", "repeat_password", "another good one").is(200, "The password is changed.")
	if err := h.local.ValidateLogin(t.Context(), "second", "another good one"); err != nil {
		t.Error(err)
	}
	if err := h.local.ValidateLogin(t.Context(), "ben", password); err != nil {
		t.Error(err)
	}
	b.get(at(ben, "/username?login="+login.ID)).send("Change user name", "username", "other").is(200, "User name: ben", "User name: other")
}

// spec: security.md 16: how an account is protected is changed only after a recent sign-in, by administrators, too
func TestAdministratorsSignInAgainToChangeHowAnAccountIsProtected(t *testing.T) {
	h := open(t)
	ben := h.person("ben", nil)
	u, err := h.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text("Dora")})
	if err != nil {
		t.Fatal(err)
	}
	enroll(t, h.signIn("ben"))
	b := h.signIn("anna")
	b.age(20 * time.Minute)
	form := url.Values{
		"form_token": {formToken(t, b.get("/account"))},
		"username":   {"dora"}, "new_password": {"another good one"}, "repeat_password": {"another good one"},
	}
	for _, path := range []string{at(ben, "/password"), at(ben, "/factors"), at(u, "/login")} {
		b.get(path).is(http.StatusForbidden, "Is it you?", "Sign in again")
		b.do(http.MethodPost, path, form).is(http.StatusForbidden, "Is it you?")
	}
	if err := h.local.ValidateLogin(t.Context(), "ben", password); err != nil {
		t.Errorf("the password was changed: %v", err)
	}
	if enabled, err := h.EnabledModules(t.Context(), ben.ID); err != nil || len(enabled) != 1 || len(h.now(u.ID).Credentials) != 0 {
		t.Errorf("something was changed: %v %v", enabled, err)
	}
	b.get(at(ben)).send("Change name", "name", "Benjamin").is(200, "The name is changed.") // everything else goes on
}

// Whoever has the owner's keys is the owner, and so no other administrator gets at them.
func TestTheKeysOfTheOwnerAreTheOwners(t *testing.T) {
	h := open(t)
	dora := h.admin("dora")
	h.admin("cara")
	anna, err := h.Owner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	enroll(t, h.signIn("anna"))
	b := h.signIn("cara")
	const told = "Only the owner can change how the owner signs in."
	p := b.get(at(anna)).is(200, told, "User name: anna", "Authenticator app: On").lacks("Set a new password", "Change user name", "Reset the second step")
	form := url.Values{
		"form_token": {formToken(t, p)}, "username": {"mine"}, "new_password": {"another good one"}, "repeat_password": {"another good one"},
	}
	for _, path := range []string{"/username", "/login", "/password", "/factors"} {
		b.get(at(anna, path)).is(422, told)
		b.do(http.MethodPost, at(anna, path), form).is(422, told)
	}
	if err := h.local.ValidateLogin(t.Context(), "anna", password); err != nil {
		t.Error(err)
	}
	if enabled, err := h.EnabledModules(t.Context(), anna.ID); err != nil || len(enabled) != 1 {
		t.Errorf("the second factors are %v, %v", enabled, err)
	}
	// Those of other administrators are not the owner's.
	b.get(at(dora)).lacks(told).follow("Set a new password").is(200)
	h.signIn("anna").get(at(anna)).lacks(told).follow("Set a new password").is(200)
}
