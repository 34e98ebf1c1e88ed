package ws_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/server/ws"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

const newPassword = "a wholly different phrase"

// login is a message of the family, without its braces and id.
func login(command string, pairs ...string) string {
	text := `"type":"config/auth_provider/homeassistant/` + command + `"`
	for i := 0; i < len(pairs); i += 2 {
		text += `,"` + pairs[i] + `":"` + pairs[i+1] + `"`
	}
	return text
}

// translated is the answer to a refused message, whole.
func translated(id, text, key, placeholders string) string {
	return `{"id":` + id + `,"type":"result","success":false,"error":{"code":"home_assistant_error","message":"` + text +
		`","translation_key":"` + key + `","translation_placeholders":` + placeholders + `,"translation_domain":"auth"}}`
}

// done is the answer to a command of the family that succeeded.
func done(id string) string { return `{"id":` + id + `,"type":"result","success":true,"result":null}` }

// signsIn reports whether the username and the password are good.
func (h house) signsIn(t testing.TB, username, password string) bool {
	t.Helper()
	err := h.local.ValidateLogin(t.Context(), username, password)
	if err != nil && !errors.Is(err, latchkey.ErrInvalidAuth) {
		t.Fatal(err)
	}
	return err == nil
}

// spec: websocket.md §7, "who"; without the provider there is nothing to manage.
func TestLoginCommandsNeedTheProvider(t *testing.T) {
	c := func() client { h := newHouse(t, houseOptions{}); return h.connect(t, h.anna) }()
	for _, command := range []string{"create", "delete", "change_password", "admin_change_password", "admin_change_username"} {
		c.refused(`{"id":1,`+login(command)+`}`, "unknown_command", "Unknown command.")
	}
}

// A provider that nobody can sign in with is a mistake in the set-up.
func TestTheProviderOfLoginsMustBeTheManagers(t *testing.T) {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "latchkey.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	m, err := latchkey.New(store, latchkey.Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	local, err := homeassistant.New(store, homeassistant.Options{Cost: 4})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ws.New(m, ws.Options{Local: local}); err == nil || !strings.Contains(err.Error(), "Local") {
		t.Errorf("got %v", err)
	}
}

// spec: websocket.md §7, "who" and "fields", W-19
func TestWhoMayUseLoginCommands(t *testing.T) {
	h := newHouse(t, houseOptions{logins: true})
	ben, carl := h.person(t, "ben", latchkey.GroupUser), h.person(t, "carl", latchkey.GroupAdmin)
	b, c, id := h.connect(t, ben), h.connect(t, carl), 0
	message := func(command string, pairs ...string) string {
		id++
		return `{"id":` + number(id) + `,` + login(command, pairs...) + `}`
	}
	adminOnly := [][]string{
		{"create", "user_id", ben.ID, "username", "benno", "password", newPassword}, {"delete", "username", "anna"},
	}
	ownerOnly := [][]string{
		{"admin_change_password", "user_id", h.anna.ID, "password", newPassword},
		{"admin_change_username", "user_id", h.anna.ID, "username", "annie"},
	}
	for _, m := range slices.Concat(adminOnly, ownerOnly) {
		b.refused(message(m[0], m[1:]...), "unauthorized", "Unauthorized")
		b.refused(message(m[0]), "invalid_format", "")
	}
	for _, m := range ownerOnly { // an admin who is not the owner
		c.refused(message(m[0], m[1:]...), "unauthorized", "Unauthorized")
		c.refused(message(m[0], "user_id", "nope", m[3], "x"), "unauthorized", "Unauthorized")
	}
	if !h.signsIn(t, "anna", password) || h.signsIn(t, "benno", newPassword) {
		t.Error("changed by what was refused")
	}
	c.succeed(message("create", "user_id", ben.ID, "username", "benno", "password", newPassword))
	c.succeed(message("delete", "username", "benno"))
	// An owner who left every group stays admin and owner (websocket.md §4).
	if _, err := h.UpdateUser(t.Context(), h.anna.ID, latchkey.UserUpdate{GroupIDs: &[]string{}}); err != nil {
		t.Fatal(err)
	}
	h.connect(t, h.anna).succeed(message("admin_change_password", "user_id", ben.ID, "password", newPassword))
}

// An administrator who could give the owner a login would be the owner with it, and one who could take the owner's away
// would lock the owner out.
func TestTheLoginsOfTheOwnerAreTheOwners(t *testing.T) {
	h := newHouse(t, houseOptions{logins: true})
	carl, dora := h.person(t, "carl", latchkey.GroupAdmin), h.person(t, "dora", latchkey.GroupAdmin)
	c := h.connect(t, carl)
	c.refused(`{"id":1,`+login("create", "user_id", h.anna.ID, "username", "annie", "password", newPassword)+`}`, "unauthorized", "Unauthorized")
	c.refused(`{"id":2,`+login("delete", "username", "anna")+`}`, "unauthorized", "Unauthorized")
	if h.signsIn(t, "annie", newPassword) || !h.signsIn(t, "anna", password) {
		t.Error("changed by what was refused")
	}
	c.succeed(`{"id":3,` + login("create", "user_id", dora.ID, "username", "dolly", "password", newPassword) + `}`)
	c.succeed(`{"id":4,` + login("delete", "username", "dora") + `}`)
	owner := h.connect(t, h.anna)
	owner.succeed(`{"id":1,` + login("create", "user_id", h.anna.ID, "username", "annie", "password", newPassword) + `}`)
	owner.succeed(`{"id":2,` + login("delete", "username", "annie") + `}`)
}

// spec: websocket.md §7, "create"
func TestCreateLogins(t *testing.T) {
	h := newHouse(t, houseOptions{logins: true})
	ben, robot := h.person(t, "ben", latchkey.GroupUser), h.robot(t)
	c, id := h.connect(t, h.anna), 0
	create := func(user, name, pass string) (message, at string) {
		id++
		return `{"id":` + number(id) + `,` + login("create", "user_id", user, "username", name, "password", pass) + `}`, number(id)
	}
	// Whose login it is to be is looked at before the login itself.
	m, _ := create("nope", "ben", "")
	c.refused(m, "not_found", "User not found")
	m, _ = create(robot.ID, "ben", "")
	c.refused(m, "system_generated", "Cannot add credentials to a system generated user.")
	m, at := create(ben.ID, "anna", newPassword)
	c.ask(m, translated(at, `Username \"anna\" already exists`, "username_already_exists", `{"username":"anna"}`))
	for _, odd := range []string{" benno", "Benno", "benno "} {
		m, at = create(ben.ID, odd, newPassword)
		c.ask(m, translated(at, `Username \"`+odd+`\" is not normalized: write it in lower case, without white space before or after it`,
			"username_not_normalized", `{"new_username":"`+odd+`"}`))
	}
	m, _ = create(ben.ID, "", newPassword) // spec: security.md W4
	c.refused(m, "home_assistant_error", "Username must not be empty")
	if u, err := h.User(t.Context(), ben.ID); err != nil || len(u.Credentials) != 1 {
		t.Errorf("changed by what was refused: %+v, %v", u, err)
	}
	// A user may get several logins.
	m, at = create(ben.ID, "benno", newPassword)
	c.ask(m, done(at))
	if u, err := h.User(t.Context(), ben.ID); err != nil || len(u.Credentials) != 2 {
		t.Errorf("%+v, %v", u, err)
	}
	if !h.signsIn(t, "benno", newPassword) || !h.signsIn(t, "ben", password) {
		t.Error("not both logins are good")
	}
}

// spec: security.md 1, 5, W4: what cannot be a password cannot be set by any command, and is not repeated.
func TestPasswordsThatAreRefused(t *testing.T) {
	h := newHouse(t, houseOptions{logins: true})
	c, id := h.connect(t, h.anna), 0
	for pass, text := range map[string]string{
		"":                                    homeassistant.ErrPasswordTooShort.Text,
		"sevench":                             homeassistant.ErrPasswordTooShort.Text,
		"password1":                           homeassistant.ErrPasswordCommon.Text,
		`nul\u0000nul\u0000`:                  homeassistant.ErrPasswordUnusable.Text,
		strings.Repeat("long", 1025):          homeassistant.ErrPasswordTooLong.Text,
		strings.Repeat("\\u00e9", 2048) + "x": homeassistant.ErrPasswordTooLong.Text,
	} {
		for _, message := range []string{
			login("create", "user_id", h.anna.ID, "username", "annie", "password", pass),
			login("change_password", "current_password", password, "new_password", pass),
			login("admin_change_password", "user_id", h.anna.ID, "password", pass),
		} {
			id++
			c.ask(`{"id":`+number(id)+`,`+message+`}`, `{"id":`+number(id)+
				`,"type":"result","success":false,"error":{"code":"home_assistant_error","message":"`+text+`"}}`)
		}
	}
	if !h.signsIn(t, "anna", password) {
		t.Error("the password was changed")
	}
}

// spec: websocket.md, "W-20": never echo passwords
func TestPasswordsAreNotRepeated(t *testing.T) {
	h := newHouse(t, houseOptions{logins: true})
	c := h.connect(t, h.anna)
	for i, fields := range []string{
		`"type":"config/auth_provider/homeassistant/create","user_id":5,"username":5,"password":["` + newPassword + `"]`,
		`"type":"config/auth_provider/homeassistant/create","user_id":"x","username":"x","passwort":"` + newPassword + `"`,
		`"type":"config/auth_provider/homeassistant/change_password","current_password":["` + newPassword + `"],"new_password":{"a":"` + newPassword + `"}`,
		`"type":"config/auth_provider/homeassistant/change_password","current":"` + newPassword + `","new_password":"x"`,
		`"type":"config/auth_provider/homeassistant/admin_change_password","user_id":"x","password":{"` + newPassword + `":1}`,
	} {
		c.send(`{"id":` + number(i+1) + `,` + fields + `}`)
		if got := c.receive(); !strings.Contains(got, `"invalid_format"`) || strings.Contains(got, newPassword) {
			t.Error(got)
		}
	}
}

// spec: websocket.md §7, "delete"
func TestDeleteLogins(t *testing.T) {
	h := newHouse(t, houseOptions{logins: true})
	ben := h.person(t, "ben", latchkey.GroupUser)
	session := h.refreshToken(t, ben)
	c := h.connect(t, h.anna)
	c.ask(`{"id":1,`+login("delete", "username", "nobody")+`}`, translated("1", "User not found", "user_not_found", "null"))
	c.ask(`{"id":2,`+login("delete", "username", "ben")+`}`, done("2"))
	if u, err := h.User(t.Context(), ben.ID); err != nil || len(u.Credentials) != 0 {
		t.Errorf("the user should stay without the credentials: %+v, %v", u, err)
	}
	if h.signsIn(t, "ben", password) {
		t.Error("the password is still good")
	}
	// spec: security.md W8: a refresh token dies with the credentials that it was made with.
	if _, err := h.RefreshToken(t.Context(), session.ID); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("the session lives on: %v", err)
	}
	c.ask(`{"id":3,`+login("delete", "username", "ben")+`}`, translated("3", "User not found", "user_not_found", "null"))

	// A password that is linked to nobody goes, too.
	orphan, err := h.local.NewLogin(t.Context(), "orphan", password)
	if err != nil {
		t.Fatal(err)
	}
	temp, err := h.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text("temp")}, orphan.GiveTo)
	if err != nil {
		t.Fatal(err)
	}
	err = h.store.Update(t.Context(), func(tx latchkey.Tx) error {
		return tx.DeleteCredentials(t.Context(), temp.Credentials[0].ID)
	})
	if err != nil || !h.signsIn(t, "orphan", password) {
		t.Fatal("no orphan:", err)
	}
	c.ask(`{"id":4,`+login("delete", "username", "orphan")+`}`, done("4"))
	if h.signsIn(t, "orphan", password) {
		t.Error("the orphan's password is still good")
	}
}

// Whoever deletes the login of their own session is answered before the socket closes (websocket.md A-7).
func TestDeleteTheLoginOfTheOwnSession(t *testing.T) {
	h := newHouse(t, houseOptions{logins: true})
	h.person(t, "ben", latchkey.GroupAdmin) // who can look after the house
	c := h.connect(t, h.anna)
	c.send(`{"id":1,` + login("delete", "username", "anna") + `}`)
	if got := c.wantClosed(websocket.StatusNormalClosure); !slices.Equal(got, []string{done("1")}) {
		t.Errorf("before the end came %q", got)
	}
}

// spec: websocket.md §7, "change_password"; security.md 6
func TestChangeOwnPassword(t *testing.T) {
	h := newHouse(t, houseOptions{logins: true})
	ben := h.person(t, "ben", latchkey.GroupReadOnly)
	c := h.connect(t, ben)
	change := func(id, current, pass string) string {
		return `{"id":` + id + `,` + login("change_password", "current_password", current, "new_password", pass) + `}`
	}
	c.refused(change("1", "wrong", newPassword), "invalid_current_password", "Invalid current password")
	c.refused(change("2", "wrong", ""), "invalid_current_password", "Invalid current password")
	c.refused(change("3", "", newPassword), "invalid_current_password", "Invalid current password")
	if h.failed.Load() != 0 {
		t.Error("a wrong current password was counted as a failed login")
	}
	other := h.connect(t, ben)
	c.ask(change("4", password, newPassword), done("4"))
	if h.signsIn(t, "ben", password) || !h.signsIn(t, "ben", newPassword) || !h.signsIn(t, "anna", password) {
		t.Error("it is not ben's password that was changed")
	}
	// Tokens and sockets are unaffected.
	c.succeed(`{"id":5,"type":"auth/current_user"}`)
	other.succeed(`{"id":5,"type":"auth/current_user"}`)

	robot := h.connect(t, h.robot(t))
	robot.refused(change("1", password, newPassword), "credentials_not_found", "Credentials not found")
}

// spec: websocket.md §7, "admin_change_password"; security.md 11
func TestOwnersSetPasswords(t *testing.T) {
	module := newPin("pin", "PIN")
	h := newHouse(t, houseOptions{logins: true, modules: []latchkey.MFAModule{module}})
	ben := h.person(t, "ben", latchkey.GroupAdmin)
	bare, err := h.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text("bare")})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.EnableMFA(t.Context(), ben.ID, "pin", nil); err != nil {
		t.Fatal(err)
	}
	program, err := h.CreateRefreshToken(t.Context(), latchkey.NewRefreshToken{
		UserID: ben.ID, Type: latchkey.TokenLongLived, ClientName: latchkey.Text("program")})
	if err != nil {
		t.Fatal(err)
	}
	c, b := h.connect(t, h.anna), h.connect(t, ben)
	reset := func(id, user, pass string) string {
		return `{"id":` + id + `,` + login("admin_change_password", "user_id", user, "password", pass) + `}`
	}
	c.refused(reset("1", "nope", ""), "user_not_found", "User not found")
	c.refused(reset("2", bare.ID, ""), "credentials_not_found", "Credentials not found")
	c.refused(reset("3", ben.ID, ""), "home_assistant_error", homeassistant.ErrPasswordTooShort.Text)
	b.succeed(`{"id":1,"type":"auth/current_user"}`) // what was refused ends no session

	c.ask(reset("4", ben.ID, newPassword), done("4"))
	if h.signsIn(t, "ben", password) || !h.signsIn(t, "ben", newPassword) {
		t.Error("the password was not changed")
	}
	b.wantClosed(websocket.StatusNormalClosure)
	left, err := h.RefreshTokens(t.Context(), ben.ID)
	if err != nil || len(left) != 1 || left[0].ID != program.ID {
		t.Errorf("the tokens left are %+v, %v", left, err)
	}
	if enabled, err := h.EnabledModules(t.Context(), ben.ID); err != nil || len(enabled) != 1 {
		t.Errorf("the second factor went: %v, %v", enabled, err)
	}
}

// The session that asks stays when the owner's own password is set; the owner's others end (security.md 11).
func TestOwnersSetTheirOwnPassword(t *testing.T) {
	h := newHouse(t, houseOptions{logins: true})
	c, other := h.connect(t, h.anna), h.connect(t, h.anna)
	c.ask(`{"id":1,`+login("admin_change_password", "user_id", h.anna.ID, "password", newPassword)+`}`, done("1"))
	other.wantClosed(websocket.StatusNormalClosure)
	c.succeed(`{"id":2,"type":"auth/current_user"}`)
}

// spec: websocket.md §7, "admin_change_username"
func TestOwnersSetUsernames(t *testing.T) {
	h := newHouse(t, houseOptions{logins: true})
	ben := h.person(t, "ben", latchkey.GroupUser)
	c, b, id := h.connect(t, h.anna), h.connect(t, ben), 0
	rename := func(user, name string) (message, at string) {
		id++
		return `{"id":` + number(id) + `,` + login("admin_change_username", "user_id", user, "username", name) + `}`, number(id)
	}
	m, _ := rename("nope", " Anna")
	c.refused(m, "user_not_found", "User not found")
	m, _ = rename(h.robot(t).ID, " Anna")
	c.refused(m, "credentials_not_found", "Credentials not found")
	m, at := rename(ben.ID, " Anna")
	c.ask(m, translated(at, `Username \" Anna\" is not normalized: write it in lower case, without white space before or after it`,
		"username_not_normalized", `{"new_username":" Anna"}`))
	m, at = rename(ben.ID, "anna")
	c.ask(m, translated(at, `Username \"anna\" already exists`, "username_already_exists", `{"username":"anna"}`))
	m, _ = rename(ben.ID, "")
	c.refused(m, "home_assistant_error", "Username must not be empty")

	m, at = rename(ben.ID, "benno")
	c.ask(m, done(at))
	if h.signsIn(t, "ben", password) || !h.signsIn(t, "benno", password) {
		t.Error("the password should be good for the new name alone")
	}
	if u, err := h.User(t.Context(), ben.ID); err != nil || u.Credentials[0].Text("username") != "benno" {
		t.Errorf("the credentials keep the old name: %+v, %v", u, err)
	}
	b.succeed(`{"id":1,"type":"auth/current_user"}`) // the sessions stay

	// A login whose password record is gone cannot be renamed.
	if err := h.local.RemoveLogin(t.Context(), "benno"); err != nil {
		t.Fatal(err)
	}
	m, at = rename(ben.ID, "ben")
	c.ask(m, translated(at, "User not found", "user_not_found", "null"))
}

// Nobody removes the last login with which anybody can manage the house, not even their own.
func TestTheLastLoginOfTheLastAdminStays(t *testing.T) {
	h := newHouse(t, houseOptions{logins: true})
	h.person(t, "ben", latchkey.GroupUser)
	c := h.connect(t, h.anna)
	c.refused(`{"id":1,`+login("delete", "username", "anna")+`}`, "not_allowed", "Unable to remove the last login of the last administrator")
	if !h.signsIn(t, "anna", password) {
		t.Error("the password is gone")
	}
	c.succeed(`{"id":2,` + login("create", "user_id", h.anna.ID, "username", "annie", "password", newPassword) + `}`)
	c.succeed(`{"id":3,` + login("delete", "username", "anna") + `}`)
	anna, err := h.User(t.Context(), h.anna.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.connect(t, anna).refused(`{"id":1,`+login("delete", "username", "annie")+`}`, "not_allowed", "")
}
