package ws_test

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
)

// spec: websocket.md §3.1
func TestPing(t *testing.T) {
	h := newHouse(t, houseOptions{})
	h.connect(t, h.anna).ask(`{"id":1,"type":"ping"}`, `{"id":1,"type":"pong"}`)
}

// spec: websocket.md §3.2
func TestCoalescing(t *testing.T) {
	h := newHouse(t, houseOptions{})
	const n = 2000
	for _, tt := range []struct {
		name, features string
		lists          bool
	}{
		{"never asked for", ``, false},
		{"asked for", `{"coalesce_messages":1}`, true},
		{"whatever its number", `{"coalesce_messages":0}`, true},
		{"another feature", `{"other":1}`, false},
		{"taken back", `{}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := h.connect(t, h.anna)
			if tt.name == "taken back" {
				c.ask(`{"id":1,"type":"supported_features","features":{"coalesce_messages":1}}`, `{"id":1,"type":"result","success":true,"result":null}`)
			}
			if tt.features != "" {
				c.ask(`{"id":2,"type":"supported_features","features":`+tt.features+`}`, `{"id":2,"type":"result","success":true,"result":null}`)
			}
			var list []string
			for i := range n {
				list = append(list, `{"id":`+number(i+3)+`,"type":"ping"}`)
			}
			c.send("[" + strings.Join(list, ",") + "]")
			frames := 0
			for i := 0; i < n; frames++ {
				text := c.receive()
				messages := []json.RawMessage{json.RawMessage(text)}
				if strings.HasPrefix(text, "[") {
					if messages = decode[[]json.RawMessage](t, messages[0]); len(messages) < 2 {
						t.Fatal("a list of one message:", text)
					}
				}
				for _, m := range messages {
					if want := `{"id":` + number(i+3) + `,"type":"pong"}`; string(m) != want {
						t.Fatalf("got %s, want %s", m, want)
					}
					i++
				}
			}
			if !tt.lists && frames != n {
				t.Errorf("%d messages in %d frames", n, frames)
			}
		})
	}
}

// spec: websocket.md §5.1
func TestCurrentUser(t *testing.T) {
	pin := newPin("pin", "PIN")
	h := newHouse(t, houseOptions{modules: []latchkey.MFAModule{pin, newPin("other", "Other")}})
	if err := h.EnableMFA(t.Context(), h.anna.ID, "other", nil); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, h.connect(t, h.anna).succeed(`{"id":1,"type":"auth/current_user"}`), `{
		"id":"`+h.anna.ID+`","name":"anna","is_owner":true,"is_admin":true,
		"credentials":[{"auth_provider_type":"homeassistant","auth_provider_id":null}],
		"mfa_modules":[{"id":"pin","name":"PIN","enabled":false},{"id":"other","name":"Other","enabled":true}]}`)
	ben := h.person(t, "ben")
	sameJSON(t, h.connect(t, ben).succeed(`{"id":1,"type":"auth/current_user"}`), `{
		"id":"`+ben.ID+`","name":"ben","is_owner":false,"is_admin":false,
		"credentials":[{"auth_provider_type":"homeassistant","auth_provider_id":null}],
		"mfa_modules":[{"id":"pin","name":"PIN","enabled":false},{"id":"other","name":"Other","enabled":false}]}`)
}

// spec: websocket.md §5.2, "A-1", "A-5"
func TestLongLivedAccessToken(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.anna)
	access := decode[string](t, c.succeed(`{"id":1,"type":"auth/long_lived_access_token","lifespan":3650,"client_name":"Script","client_icon":"mdi:x"}`))
	session, err := h.ValidateAccessToken(t.Context(), access)
	if err != nil {
		t.Fatal(err)
	}
	r := session.Token
	if r.Type != latchkey.TokenLongLived || r.ClientID.Valid || r.CredentialID != "" || r.ClientName != "Script" ||
		r.ClientIcon != "mdi:x" || r.AccessTokenExpiration != 3650*24*time.Hour || r.UserID != h.anna.ID {
		t.Errorf("%+v", r)
	}
	if r.LastUsedAt.IsZero() || r.LastUsedIP != "" || !r.ExpireAt.IsZero() {
		t.Errorf("used at %v from %q, ends at %v", r.LastUsedAt, r.LastUsedIP, r.ExpireAt)
	}
}

// spec: websocket.md, "A-2", "A-3", "A-4"
func TestLongLivedAccessTokensThatAreRefused(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c, other, robot := h.connect(t, h.anna), h.connect(t, h.person(t, "ben")), h.connect(t, h.robot(t))
	const create = `"type":"auth/long_lived_access_token"`
	c.succeed(`{"id":1,` + create + `,"lifespan":1,"client_name":"Script"}`)
	c.refused(`{"id":2,`+create+`,"lifespan":1,"client_name":"Script"}`, "unknown_error", "Unknown error")
	c.succeed(`{"id":3,` + create + `,"lifespan":1,"client_name":"script"}`)
	c.succeed(`{"id":4,` + create + `,"lifespan":1,"client_name":""}`)
	other.succeed(`{"id":1,` + create + `,"lifespan":1,"client_name":"Script"}`)
	robot.refused(`{"id":1,`+create+`,"lifespan":1,"client_name":"Script"}`, "unknown_error", "Unknown error")
	before := h.tokens(t, h.anna)
	c.refused(`{"id":5,`+create+`,"lifespan":0,"client_name":"a"}`, "invalid_format",
		"value must be at least 1 for dictionary value @ data['lifespan']. Got 0")
	c.refused(`{"id":6,`+create+`,"lifespan":-1,"client_name":"a"}`, "invalid_format", "")
	c.refused(`{"id":7,`+create+`,"lifespan":1000000000,"client_name":"a"}`, "unknown_error", "Unknown error")
	c.refused(`{"id":8,`+create+`,"lifespan":9223372036854775807,"client_name":"a"}`, "unknown_error", "Unknown error")
	c.refused(`{"id":9,`+create+`,"lifespan":18446744073709551615,"client_name":"a"}`, "unknown_error", "Unknown error")
	if after := h.tokens(t, h.anna); len(after) != len(before) {
		t.Errorf("%d tokens were made by what was refused", len(after)-len(before))
	}
}

func (h house) tokens(t testing.TB, u latchkey.User) []latchkey.RefreshToken {
	t.Helper()
	tokens, err := h.RefreshTokens(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// spec: websocket.md §5.3
func TestRefreshTokens(t *testing.T) {
	h := newHouse(t, houseOptions{})
	h.refreshToken(t, h.person(t, "ben")) // nobody else's are listed
	refresh := h.refreshToken(t, h.anna)
	c := h.connectWith(t, h.accessToken(t, refresh))
	c.succeed(`{"id":1,"type":"auth/long_lived_access_token","lifespan":1,"client_name":"Script","client_icon":"mdi:x"}`)
	unused := h.refreshToken(t, h.anna)
	raw := c.succeed(`{"id":2,"type":"auth/refresh_tokens"}`)
	tokens := h.tokens(t, h.anna)
	at := func(when time.Time) string { return `"` + when.UTC().Format("2006-01-02T15:04:05.000000") + `+00:00"` }
	sameJSON(t, raw, `[
		{"id":"`+refresh.ID+`","client_id":"https://app.example/","client_name":null,"client_icon":null,"type":"normal",
		 "created_at":`+at(refresh.CreatedAt)+`,"is_current":true,"last_used_at":`+at(tokens[0].LastUsedAt)+`,
		 "last_used_ip":"192.168.1.20","auth_provider_type":"homeassistant","expire_at":`+at(tokens[0].ExpireAt)+`},
		{"id":"`+tokens[1].ID+`","client_id":null,"client_name":"Script","client_icon":"mdi:x","type":"long_lived_access_token",
		 "created_at":`+at(tokens[1].CreatedAt)+`,"is_current":false,"last_used_at":`+at(tokens[1].LastUsedAt)+`,
		 "last_used_ip":null,"auth_provider_type":null,"expire_at":null},
		{"id":"`+unused.ID+`","client_id":"https://app.example/","client_name":null,"client_icon":null,"type":"normal",
		 "created_at":`+at(unused.CreatedAt)+`,"is_current":false,"last_used_at":null,"last_used_ip":null,
		 "auth_provider_type":"homeassistant","expire_at":`+at(unused.ExpireAt)+`}]`)
	if strings.Contains(string(raw), refresh.Secret.Reveal()) {
		t.Error("the secret was told")
	}
}

// spec: websocket.md §5.4
func TestDeleteRefreshToken(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.anna)
	foreign, own := h.refreshToken(t, h.person(t, "ben")), h.refreshToken(t, h.anna)
	const remove = `"type":"auth/delete_refresh_token","refresh_token_id":"`
	c.refused(`{"id":1,`+remove+foreign.ID+`"}`, "invalid_token_id", "Received invalid token")
	c.refused(`{"id":2,`+remove+`nope"}`, "invalid_token_id", "Received invalid token")
	c.ask(`{"id":3,`+remove+own.ID+`"}`, `{"id":3,"type":"result","success":true,"result":{}}`)
	c.refused(`{"id":4,`+remove+own.ID+`"}`, "invalid_token_id", "Received invalid token")
	if _, err := h.RefreshToken(t.Context(), foreign.ID); err != nil {
		t.Error("somebody else's token is gone:", err)
	}
}

// spec: websocket.md, "A-7": the answer comes first, then the socket closes
func TestDeletingTheCurrentToken(t *testing.T) {
	h := newHouse(t, houseOptions{})
	refresh := h.refreshToken(t, h.anna)
	c, twin := h.connectWith(t, h.accessToken(t, refresh)), h.connectWith(t, h.accessToken(t, refresh))
	c.send(`[{"id":1,"type":"auth/delete_refresh_token","refresh_token_id":"` + refresh.ID + `"},{"id":2,"type":"ping"}]`)
	frames := c.wantClosed(websocket.StatusNormalClosure)
	if len(frames) != 1 || frames[0] != `{"id":1,"type":"result","success":true,"result":{}}` {
		t.Error(frames)
	}
	if frames := twin.wantClosed(websocket.StatusNormalClosure); len(frames) != 0 {
		t.Error(frames)
	}
}

// spec: websocket.md §5.5, "A-8", "A-10", "A-11"
func TestDeleteAllRefreshTokens(t *testing.T) {
	for _, tt := range []struct {
		name, fields         string
		normal, long, socket bool // what is left
	}{
		{"everything", ``, false, false, false},
		{"everything but this", `,"delete_current_token":false`, false, false, true},
		{"log out everywhere else", `,"token_type":"normal","delete_current_token":false`, false, true, true},
		{"normal ones", `,"token_type":"normal","delete_current_token":true`, false, true, false},
		{"long-lived ones", `,"token_type":"long_lived_access_token"`, true, false, true},
		{"none", `,"token_type":"nope"`, true, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, houseOptions{})
			ben := h.person(t, "ben")
			foreign := h.refreshToken(t, ben)
			current := h.refreshToken(t, h.anna)
			c := h.connectWith(t, h.accessToken(t, current))
			c.succeed(`{"id":1,"type":"auth/long_lived_access_token","lifespan":1,"client_name":"Script"}`)
			normal := h.refreshToken(t, h.anna)
			c.ask(`{"id":2,"type":"auth/delete_all_refresh_tokens"`+tt.fields+`}`, `{"id":2,"type":"result","success":true,"result":{}}`)
			c.ask(`{"id":3,"type":"ping"}`, `{"id":3,"type":"pong"}`) // the current token goes later
			left := map[string]bool{}
			long := false
			for _, r := range h.tokens(t, h.anna) {
				left[r.ID] = true
				long = long || r.Type == latchkey.TokenLongLived
			}
			if left[normal.ID] != tt.normal || long != tt.long || !left[current.ID] {
				t.Errorf("normal left: %t, long-lived left: %t, current left: %t", left[normal.ID], long, left[current.ID])
			}
			if len(h.tokens(t, ben)) != 1 {
				t.Error("somebody else's token is gone:", foreign.ID)
			}
			// It also happens when the server shuts down meanwhile, which is when this test stops waiting.
			go func() { _ = h.handler.Shutdown(context.Background()) }()
			c.wantClosed(websocket.StatusNormalClosure)
			if err := h.handler.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := h.RefreshToken(t.Context(), current.ID); (err == nil) != tt.socket {
				t.Errorf("the current token afterwards: %v", err)
			}
		})
	}
}

// spec: websocket.md §5.6
func TestRefreshTokenSetExpiry(t *testing.T) {
	h := newHouse(t, houseOptions{})
	refresh := h.refreshToken(t, h.anna)
	c := h.connectWith(t, h.accessToken(t, refresh))
	set := func(id int, token string, enable string) string {
		return `{"id":` + number(id) + `,"type":"auth/refresh_token_set_expiry","refresh_token_id":"` + token + `","enable_expiry":` + enable + `}`
	}
	ends := func() time.Time {
		r, err := h.RefreshToken(t.Context(), refresh.ID)
		if err != nil {
			t.Fatal(err)
		}
		return r.ExpireAt
	}
	c.ask(set(1, refresh.ID, "false"), `{"id":1,"type":"result","success":true,"result":{}}`)
	if at := ends(); !at.IsZero() {
		t.Errorf("ends at %v", at)
	}
	c.succeed(set(2, refresh.ID, "true"))
	if at := ends(); at.IsZero() {
		t.Error("never ends")
	}
	c.refused(set(3, h.refreshToken(t, h.person(t, "ben")).ID, "false"), "invalid_token_id", "Received invalid token")
	c.refused(set(4, "nope", "true"), "invalid_token_id", "Received invalid token")
	c.refused(set(5, refresh.ID, "1"), "invalid_format", "expected bool for dictionary value @ data['enable_expiry']. Got 1")
}

// pin is a second factor in memory: whoever knows 1234 sets it up.
type pin struct {
	id, name string
	mu       sync.Mutex
	has      map[string]bool
}

func newPin(id, name string) *pin { return &pin{id: id, name: name, has: map[string]bool{}} }

func (p *pin) ID() string          { return p.id }
func (p *pin) Name() string        { return p.name }
func (p *pin) MaxRetries() int     { return 3 }
func (p *pin) Schema() flow.Schema { return p.form(nil).Schema }

func (p *pin) form(errors map[string]string) flow.Form {
	return flow.Form{StepID: flow.InitStep, Errors: errors,
		Schema: flow.Schema{{Name: "code", Kind: flow.String, Presence: flow.Required}}}
}

func (p *pin) IsSetUp(_ context.Context, userID string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.has[userID], nil
}

func (p *pin) SetUp(_ context.Context, userID string, _ map[string]any) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.has[userID] = true
	return nil, nil
}

func (p *pin) Depose(_ context.Context, userID string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.has, userID)
	return nil
}

func (p *pin) SetUpStep(ctx context.Context, u latchkey.User, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
	switch {
	case in == nil:
		return s, p.form(flow.NoErrors()), nil
	case in.Text("code") == "0000":
		return s, flow.Abort{Reason: "gave_up"}, nil
	case in.Text("code") != "1234":
		return s, p.form(flow.BaseError("invalid_code")), nil
	}
	_, err := p.SetUp(ctx, u.ID, nil)
	return s, flow.Done{Data: map[string]any{"result": nil}}, err
}

func (p *pin) Challenge(context.Context, string) (json.RawMessage, error) { return nil, nil }

func (p *pin) Verify(_ context.Context, _ string, _ json.RawMessage, in flow.Input) (bool, error) {
	return in.Text("code") == "1234", nil
}

// spec: websocket.md §5.8, "A-14", "A-15", "A-17", "A-18", "A-19"
func TestSetUpMFA(t *testing.T) {
	h := newHouse(t, houseOptions{modules: []latchkey.MFAModule{newPin("pin", "PIN")}})
	c, other := h.connect(t, h.anna), h.connect(t, h.person(t, "ben"))
	id := 0
	message := func(fields string) string {
		id++
		return `{"id":` + number(id) + `,"type":"auth/setup_mfa"` + fields + `}`
	}
	c.refused(message(``), "invalid_format", "")
	c.refused(message(`,"mfa_module_id":"pin","flow_id":"x"`), "invalid_format", "")
	c.refused(message(`,"mfa_module_id":"nope"`), "no_module", "MFA module nope is not found")
	c.refused(message(`,"flow_id":"nope"`), "unknown_error", "Unknown error")

	form := func(flowID, errors string) string {
		return `{"type":"form","flow_id":"` + flowID + `","handler":"pin","step_id":"init",
			"data_schema":[{"type":"string","name":"code","required":true}],"errors":` + errors + `,
			"description_placeholders":null,"last_step":null,"preview":null}`
	}
	begin := func() string {
		raw := c.succeed(message(`,"mfa_module_id":"pin"`))
		flowID := decode[struct {
			FlowID string `json:"flow_id"`
		}](t, raw).FlowID
		sameJSON(t, raw, form(flowID, `{}`))
		return flowID
	}
	flowID := begin()
	step := func(input string) string { return message(`,"flow_id":"` + flowID + `","user_input":` + input) }
	sameJSON(t, c.succeed(step(`{"code":"9"}`)), form(flowID, `{"base":"invalid_code"}`))
	sameJSON(t, c.succeed(step(`null`)), form(flowID, `{}`))
	sameJSON(t, c.succeed(message(`,"flow_id":"`+flowID+`"`)), form(flowID, `{}`))
	for _, bad := range []string{`{}`, `{"code":1}`, `{"code":"1","x":1}`, `5`, `[]`, `"1234"`} {
		c.refused(step(bad), "invalid_format", "") // and the flow stays as it was
	}
	other.refused(`{"id":1,"type":"auth/setup_mfa","flow_id":"`+flowID+`","user_input":{"code":"1234"}}`, "unknown_error", "Unknown error")
	sameJSON(t, c.succeed(step(`{"code":"1234"}`)), `{"type":"create_entry","flow_id":"`+flowID+`","handler":"pin","version":1,
		"minor_version":1,"data":{"result":null},"description":null,"description_placeholders":null,"context":{}}`)
	c.refused(step(`{"code":"1234"}`), "unknown_error", "Unknown error")
	if raw := c.succeed(message(``)[:len(`{"id":`)+len(number(id))] + `,"type":"auth/current_user"}`); !strings.Contains(string(raw), `"enabled":true`) {
		t.Errorf("%s", raw)
	}
	flowID = begin()
	sameJSON(t, c.succeed(step(`{"code":"0000"}`)),
		`{"type":"abort","flow_id":"`+flowID+`","handler":"pin","reason":"gave_up","description_placeholders":null}`)
}

// spec: websocket.md §5.9
func TestDeposeMFA(t *testing.T) {
	h := newHouse(t, houseOptions{modules: []latchkey.MFAModule{newPin("pin", "PIN")}})
	c := h.connect(t, h.anna)
	if err := h.EnableMFA(t.Context(), h.anna.ID, "pin", nil); err != nil {
		t.Fatal(err)
	}
	for id := range 2 { // also when it was not set up
		sameJSON(t, c.succeed(`{"id":`+number(id+1)+`,"type":"auth/depose_mfa","mfa_module_id":"pin"}`), `"done"`)
		if enabled, err := h.EnabledModules(t.Context(), h.anna.ID); err != nil || len(enabled) != 0 {
			t.Error(enabled, err)
		}
	}
	c.refused(`{"id":3,"type":"auth/depose_mfa","mfa_module_id":"nope"}`, "disable_failed",
		"Cannot disable MFA Module nope: Unable find multi-factor auth module: nope")
}

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

// spec: websocket.md, "EV-1", "EV-2", "EV-3", "G-5"
func TestEvents(t *testing.T) {
	h := newHouse(t, houseOptions{})
	all, added, updated := h.connect(t, h.anna), h.connect(t, h.anna), h.connect(t, h.anna)
	all.ask(`{"id":1,"type":"subscribe_events"}`, `{"id":1,"type":"result","success":true,"result":null}`)
	added.succeed(`{"id":5,"type":"subscribe_events","event_type":"user_added"}`)
	added.succeed(`{"id":6,"type":"subscribe_events","event_type":""}`) // no event is called that
	updated.succeed(`{"id":1,"type":"subscribe_events","event_type":"user_updated"}`)

	ben := h.person(t, "ben")
	name := "Benno"
	if _, err := h.UpdateUser(t.Context(), ben.ID, latchkey.UserUpdate{Name: &name}); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveUser(t.Context(), ben.ID); err != nil {
		t.Fatal(err)
	}
	check := func(c client, id, kind string) {
		t.Helper()
		raw := []byte(c.receive())
		var e struct {
			Event struct {
				Time    time.Time `json:"time_fired"`
				Context struct{ ID string }
			}
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		if e.Event.Context.ID == "" || !strings.HasSuffix(e.Event.Time.Format(time.RFC3339), "Z") {
			t.Errorf("%s", raw)
		}
		fired := regexp.MustCompile(`"time_fired":"([^"]*\+00:00)"`).FindSubmatch(raw)
		if fired == nil {
			t.Fatalf("no time in UTC in %s", raw)
		}
		sameJSON(t, raw, `{"id":`+id+`,"type":"event","event":{"event_type":"`+kind+`","data":{"user_id":"`+ben.ID+`"},
			"origin":"LOCAL","time_fired":"`+string(fired[1])+`","context":{"id":"`+e.Event.Context.ID+`","parent_id":null,"user_id":null}}}`)
	}
	check(all, "1", "user_added")
	check(all, "1", "user_updated")
	check(all, "1", "user_removed")
	check(added, "5", "user_added")
	check(updated, "1", "user_updated")

	all.ask(`{"id":2,"type":"unsubscribe_events","subscription":1}`, `{"id":2,"type":"result","success":true,"result":null}`)
	for i, none := range []string{"1", "7", "-1", "0"} {
		all.refused(`{"id":`+number(i+3)+`,"type":"unsubscribe_events","subscription":`+none+`}`, "not_found", "Subscription not found.")
	}
	added.refused(`{"id":7,"type":"unsubscribe_events","subscription":1}`, "not_found", "") // that of another socket
	h.person(t, "cleo")
	check2 := added.receive()
	if !strings.HasPrefix(check2, `{"id":5,"type":"event","event":{"event_type":"user_added"`) {
		t.Error(check2)
	}
	all.ask(`{"id":9,"type":"ping"}`, `{"id":9,"type":"pong"}`) // without an event before it
	updated.ask(`{"id":9,"type":"ping"}`, `{"id":9,"type":"pong"}`)
}

// spec: websocket.md, "EV-1": what people who are no admins may subscribe to
func TestSubscriptionsOfOthers(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.person(t, "ben", latchkey.GroupUser))
	for i, kind := range []string{`state_changed`, `themes_updated`, `component_loaded`} {
		c.succeed(`{"id":` + number(i+1) + `,"type":"subscribe_events","event_type":"` + kind + `"}`)
	}
	c.refused(`{"id":10,"type":"subscribe_events"}`, "unauthorized", "Unauthorized")
	c.refused(`{"id":11,"type":"subscribe_events","event_type":"user_added"}`, "unauthorized", "Unauthorized")
	c.refused(`{"id":12,"type":"subscribe_events","event_type":""}`, "unauthorized", "Unauthorized")
	c.refused(`{"id":13,"type":"subscribe_events","event_type":null}`, "invalid_format", "")
	c.refused(`{"id":14,"type":"unsubscribe_events","subscription":10}`, "not_found", "")
}

// spec: websocket.md, "EV-4"
func TestEventsEndWithTheRightToThem(t *testing.T) {
	h := newHouse(t, houseOptions{})
	ben := h.person(t, "ben", latchkey.GroupAdmin)
	c := h.connect(t, ben)
	c.succeed(`{"id":1,"type":"subscribe_events"}`)
	groups := []string{latchkey.GroupUser}
	if _, err := h.UpdateUser(t.Context(), ben.ID, latchkey.UserUpdate{GroupIDs: &groups}); err != nil {
		t.Fatal(err)
	}
	h.person(t, "cleo")
	c.ask(`{"id":2,"type":"ping"}`, `{"id":2,"type":"pong"}`)
}

// A client cannot make the server do more and more for each event.
func TestSubscriptionsAreBounded(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.anna)
	for i := range 1000 {
		c.succeed(`{"id":` + number(i+1) + `,"type":"subscribe_events"}`)
	}
	c.refused(`{"id":1001,"type":"subscribe_events"}`, "not_allowed", "")
	c.succeed(`{"id":1002,"type":"unsubscribe_events","subscription":500}`)
	c.succeed(`{"id":1003,"type":"subscribe_events"}`)
}
