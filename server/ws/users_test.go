package ws_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/coder/websocket"

	"github.com/seed-6a977b3d/latchkey"
)

// spec: websocket.md §6, "admin"; security.md: a table of who may do what
func TestAdminCommandsNeedAnAdmin(t *testing.T) {
	h := newHouse(t, houseOptions{})
	ben := h.person(t, "ben", latchkey.GroupUser)
	c := h.connect(t, ben)
	id := 0
	commands := []string{
		`"type":"config/auth/list"`, `"type":"config/auth/create","name":"x"`,
		`"type":"config/auth/update","user_id":"` + ben.ID + `","group_ids":["system-admin"]`,
		`"type":"config/auth/delete","user_id":"` + h.anna.ID + `"`,
	}
	for _, command := range commands {
		id++
		c.refused(`{"id":`+number(id)+`,`+command+`}`, "unauthorized", "Unauthorized")
	}
	// spec: websocket.md §8: changed groups take effect on the next command
	groups := []string{latchkey.GroupAdmin}
	if _, err := h.UpdateUser(t.Context(), ben.ID, latchkey.UserUpdate{GroupIDs: &groups}); err != nil {
		t.Fatal(err)
	}
	id++
	c.succeed(`{"id":` + number(id) + `,"type":"config/auth/list"}`)
	groups = []string{latchkey.GroupReadOnly}
	if _, err := h.UpdateUser(t.Context(), ben.ID, latchkey.UserUpdate{GroupIDs: &groups}); err != nil {
		t.Fatal(err)
	}
	id++
	c.refused(`{"id":`+number(id)+`,"type":"config/auth/list"}`, "unauthorized", "Unauthorized")
}

// spec: websocket.md §6, "config/auth/list"
func TestListUsers(t *testing.T) {
	h := newHouse(t, houseOptions{})
	ben, robot := h.person(t, "ben", latchkey.GroupUser), h.robot(t)
	if err := h.DeactivateUser(t.Context(), ben.ID); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, h.connect(t, h.anna).succeed(`{"id":1,"type":"config/auth/list"}`), `[
		{"id":"`+h.anna.ID+`","username":"anna","name":"anna","is_owner":true,"is_active":true,"local_only":false,
		 "system_generated":false,"group_ids":["system-admin"],"credentials":[{"type":"homeassistant"}]},
		{"id":"`+ben.ID+`","username":"ben","name":"ben","is_owner":false,"is_active":false,"local_only":false,
		 "system_generated":false,"group_ids":["system-users"],"credentials":[{"type":"homeassistant"}]},
		{"id":"`+robot.ID+`","username":null,"name":"Robot","is_owner":false,"is_active":true,"local_only":false,
		 "system_generated":true,"group_ids":[],"credentials":[]}]`)
}

// spec: websocket.md, "G-1"
func TestCreateUsers(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.anna)
	for i, tt := range []struct{ fields, want string }{
		{`"name":"Ben"`, `"name":"Ben","local_only":false,"group_ids":[]`},
		{`"name":"Ben","group_ids":["system-users"],"local_only":true`, `"name":"Ben","local_only":true,"group_ids":["system-users"]`},
		{`"name":"","group_ids":[]`, `"name":"","local_only":false,"group_ids":[]`},
	} {
		raw := c.succeed(`{"id":` + number(i+1) + `,"type":"config/auth/create",` + tt.fields + `}`)
		id := decode[struct{ User struct{ ID string } }](t, raw).User.ID
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) {
			t.Errorf("id %q", id)
		}
		sameJSON(t, raw, `{"user":{"id":"`+id+`","username":null,`+tt.want+`,"is_owner":false,"is_active":true,
			"system_generated":false,"credentials":[]}}`)
	}
	before := h.count(t)
	c.refused(`{"id":10,"type":"config/auth/create","name":"x","group_ids":["system-users","nope"]}`, "unknown_error", "Unknown error")
	if h.count(t) != before {
		t.Error("a user was made")
	}
}

func (h house) count(t testing.TB) int {
	t.Helper()
	n := 0
	for _, err := range h.Users(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// spec: websocket.md, "G-2"
func TestUpdateUsers(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.anna)
	ben, robot := h.person(t, "ben", latchkey.GroupUser), h.robot(t)
	id := 0
	update := func(u, fields string) string {
		id++
		return `{"id":` + number(id) + `,"type":"config/auth/update","user_id":"` + u + `"` + fields + `}`
	}
	c.refused(update("nope", `,"name":"x"`), "not_found", "User not found")
	c.refused(update(robot.ID, `,"name":"x"`), "cannot_modify_system_generated", "Unable to update system generated users.")
	c.refused(update(h.anna.ID, `,"is_active":false,"group_ids":["nope"]`), "cannot_deactivate_owner", "Unable to deactivate owner.")
	c.refused(update(ben.ID, `,"name":"x","group_ids":["system-users","nope"]`), "unknown_error", "Unknown error")
	c.refused(update(ben.ID, `,"name":null`), "invalid_format", "")
	if u, err := h.User(t.Context(), ben.ID); err != nil || u.Name.Text != "ben" || !slices.Equal(u.GroupIDs, []string{latchkey.GroupUser}) {
		t.Errorf("changed by what was refused: %+v, %v", u, err)
	}
	want := func(fields string) string {
		return `{"user":{"id":"` + ben.ID + `","username":"ben","is_owner":false,"system_generated":false,
			"credentials":[{"type":"homeassistant"}],` + fields + `}}`
	}
	sameJSON(t, c.succeed(update(ben.ID, ``)), want(`"name":"ben","is_active":true,"local_only":false,"group_ids":["system-users"]`))
	sameJSON(t, c.succeed(update(ben.ID, `,"name":"Benno"`)), want(`"name":"Benno","is_active":true,"local_only":false,"group_ids":["system-users"]`))
	sameJSON(t, c.succeed(update(ben.ID, `,"group_ids":["system-admin","system-users","system-admin"],"local_only":true`)),
		want(`"name":"Benno","is_active":true,"local_only":true,"group_ids":["system-admin","system-users"]`))
	sameJSON(t, c.succeed(update(ben.ID, `,"is_active":false,"group_ids":[]`)),
		want(`"name":"Benno","is_active":false,"local_only":true,"group_ids":[]`))
	sameJSON(t, c.succeed(update(ben.ID, `,"is_active":true`)),
		want(`"name":"Benno","is_active":true,"local_only":true,"group_ids":[]`))
}

// The owner's groups may change, and the owner stays admin (websocket.md G-2).
func TestTheOwnerStaysAdmin(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.anna)
	c.succeed(`{"id":1,"type":"config/auth/update","user_id":"` + h.anna.ID + `","group_ids":[]}`)
	c.succeed(`{"id":2,"type":"config/auth/list"}`)
}

// The last admin stays one, and hears why.
func TestTheLastAdminStays(t *testing.T) {
	h := newHouse(t, houseOptions{})
	ben := h.person(t, "ben", latchkey.GroupAdmin)
	c := h.connect(t, ben)
	if err := h.RemoveUser(t.Context(), h.anna.ID); err != nil { // a house may be without an owner
		t.Fatal(err)
	}
	for i, change := range []string{`"group_ids":["system-users"]`, `"is_active":false`} {
		c.refused(`{"id":`+number(i+1)+`,"type":"config/auth/update","user_id":"`+ben.ID+`",`+change+`}`,
			"not_allowed", "Unable to remove the last administrator")
	}
	c.succeed(`{"id":3,"type":"config/auth/list"}`)
}

// Whoever deactivates themself hears that it is done before the socket closes (security.md W2, W7).
func TestAnAdminDeactivatesThemself(t *testing.T) {
	h := newHouse(t, houseOptions{})
	ben := h.person(t, "ben", latchkey.GroupAdmin)
	c := h.connect(t, ben)
	c.send(`[{"id":1,"type":"config/auth/update","user_id":"` + ben.ID + `","is_active":false},{"id":2,"type":"config/auth/list"}]`)
	if frames := c.wantClosed(websocket.StatusNormalClosure); len(frames) != 1 || !c.parse(frames[0]).Success {
		t.Error(frames)
	}
}

// spec: websocket.md, "G-3"
func TestDeleteUsers(t *testing.T) {
	h := newHouse(t, houseOptions{})
	ben, robot := h.person(t, "ben", latchkey.GroupAdmin), h.robot(t)
	c, his := h.connect(t, h.anna), h.connect(t, ben)
	remove := func(id int, u string) string {
		return `{"id":` + number(id) + `,"type":"config/auth/delete","user_id":"` + u + `"}`
	}
	c.refused(remove(1, h.anna.ID), "no_delete_self", "Unable to delete your own account")
	c.refused(remove(2, "nope"), "not_found", "User not found")
	his.refused(remove(1, h.anna.ID), "not_allowed", "Unable to delete the owner")
	c.ask(remove(3, robot.ID), `{"id":3,"type":"result","success":true,"result":null}`)
	c.ask(remove(4, ben.ID), `{"id":4,"type":"result","success":true,"result":null}`)
	his.wantClosed(websocket.StatusNormalClosure)
	c.refused(remove(5, ben.ID), "not_found", "User not found")
	if _, err := h.local.NewLogin(t.Context(), "ben", password); err != nil {
		t.Fatal(err)
	}
	h.person(t, "ben") // the login went with the user, so its name is free again
}
