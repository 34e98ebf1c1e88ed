package ws_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// exchange sends a text frame and returns what comes until the socket closes, or until a message has the id.
func exchange(t *testing.T, c client, frame, lastID string) (answers []json.RawMessage, code websocket.StatusCode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rescue)
	defer cancel()
	if err := c.conn.Write(ctx, websocket.MessageText, []byte(frame)); err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		// The socket may be closed by now, which is an answer, too.
		_ = c.conn.Write(ctx, websocket.MessageText, []byte(`{"type":"ping","id":`+lastID+`}`))
	}
	for {
		_, data, err := c.conn.Read(ctx)
		if err != nil {
			if ctx.Err() != nil {
				t.Fatalf("no end after %q", frame)
			}
			return answers, websocket.CloseStatus(err)
		}
		var list []json.RawMessage
		if json.Unmarshal(data, &list) != nil {
			list = []json.RawMessage{data}
		}
		for _, m := range list {
			var head struct{ ID json.RawMessage }
			if err := json.Unmarshal(m, &head); err != nil {
				t.Fatalf("%v in %q, the answer to %q", err, m, frame)
			}
			if lastID != "" && string(head.ID) == lastID {
				return answers, 0
			}
			answers = append(answers, m)
		}
	}
}

// Whatever comes first, the answer is nothing or auth_invalid with a text, and then a proper end (websocket.md §2).
func FuzzFirstMessage(f *testing.F) {
	h := newHouse(f, houseOptions{})
	for _, seed := range []string{
		``, `null`, `[]`, `{}`, `"auth"`, `{"type":"auth"}`, `{"type":"auth","access_token":null}`, `{"type":"auth","access_token":""}`,
		`{"type":"auth","access_token":"a.b.c"}`, `{"type":"auth","access_token":"eyJhbGciOiJub25lIn0.e30."}`,
		`{"type":"auth","api_password":"x"}`, `{"type":"auth","api_password":"x","access_token":"y"}`, `{"type":"auth","id":1}`,
		`[{"type":"auth"}]`, strings.Repeat(`[`, 20_000), `{"type":"auth","access_token":"\ud800"}`, "\xff", `{"type":"auth"}{}`, `1e999`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, frame string) {
		c := h.dial(t, nil)
		c.want(`{"type":"auth_required","ha_version":"2024.1.0"}`)
		answers, code := exchange(t, c, frame, "")
		if utf8.ValidString(frame) && code != websocket.StatusNormalClosure && len(frame) < 4<<20 {
			t.Errorf("closed with %d", code)
		}
		if len(answers) > 1 {
			t.Fatalf("answered with %q", answers)
		}
		for _, a := range answers {
			m := decode[struct{ Type, Message string }](t, a)
			if m.Type != "auth_invalid" || m.Message == "" {
				t.Errorf("answered with %s", a)
			}
		}
		if json.Valid([]byte(frame)) && utf8.ValidString(frame) && len(answers) == 0 {
			t.Error("JSON was not answered")
		}
	})
}

// Whatever is asked, every command gets an answer and the session goes on, unless the frame was no JSON
// (websocket.md §3, security.md W7).
func FuzzCommand(f *testing.F) {
	h := newHouse(f, houseOptions{logins: true})
	for _, seed := range []string{
		``, `null`, `[]`, `{}`, `5`, `[1,[],{}]`, `{"id":1,"type":"ping"}`, `{"id":-1,"type":"ping"}`, `{"id":1.5,"type":"ping"}`,
		`{"id":18446744073709551615,"type":"ping"}`, `{"id":1,"type":"ping","x":{"password":["a",null,1e400]}}`,
		`[{"id":1,"type":"supported_features","features":{"coalesce_messages":1}},{"id":2,"type":"ping"},{"id":3,"type":"ping"}]`,
		`{"id":1,"type":"auth/long_lived_access_token","lifespan":1,"client_name":"x","client_icon":null}`,
		`{"id":1,"type":"auth/long_lived_access_token","lifespan":true,"client_name":"\u0000"}`,
		`{"id":1,"type":"auth/delete_all_refresh_tokens","token_type":"nope"}`, `{"id":1,"type":"auth/current_user"}`,
		`{"id":1,"type":"auth/setup_mfa","flow_id":"x","user_input":[[]]}`, `{"id":1,"type":"auth/depose_mfa","mfa_module_id":"x"}`,
		`{"id":1,"type":"config/auth/create","name":"","group_ids":[]}`, `{"id":1,"type":"config/auth/update","user_id":""}`,
		`{"id":1,"type":"config/auth/list"}`, `{"id":1,"type":"subscribe_events","event_type":"state_changed"}`,
		`{"id":1,"type":"unsubscribe_events","subscription":9223372036854775808}`, `{"id":1,"type":"auth/refresh_tokens","id":2}`,
		`{"id":1,"type":"config/auth_provider/homeassistant/change_password","current_password":"\u0000","new_password":""}`,
		`{"id":1,"type":"config/auth_provider/homeassistant/create","user_id":"","username":"","password":[""]}`,
		strings.Repeat(`[`, 20_000), "\xff", `{"id":1,"type":"ping","\ud800":"'\""}`,
	} {
		f.Add(seed)
	}
	ben := h.person(f, "ben")
	f.Fuzz(func(t *testing.T, frame string) {
		c := h.connect(t, ben)
		const lastID = "18446744073709551615"
		answers, code := exchange(t, c, frame, lastID)
		valid := json.Valid([]byte(frame)) && utf8.ValidString(frame) && len(frame) < 4<<20
		leaves := strings.Contains(frame, "delete") || strings.Contains(frame, lastID) || strings.ContainsRune(frame, '\\')
		switch {
		case valid && code != 0 && !leaves:
			t.Errorf("%q ended the session with %d", frame, code)
		case !valid && code == 0:
			t.Errorf("%q did not end the session", frame)
		case valid && !leaves && strings.HasPrefix(strings.TrimSpace(frame), "{") && len(answers) == 0:
			t.Errorf("%q was not answered", frame)
		}
	})
}
