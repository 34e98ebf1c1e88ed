package ws_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/seed-6a977b3d/latchkey"
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
