package ws_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/server/ws"
)

func number(n int) string { return strconv.Itoa(n) }

const (
	badEnvelope = `"type":"result","success":false,"error":{"code":"invalid_format","message":"Message incorrectly formatted."}}`
	idReuse     = `"type":"result","success":false,"error":{"code":"id_reuse","message":"Identifier values have to increase."}}`
	unknown     = `"type":"result","success":false,"error":{"code":"unknown_command","message":"Unknown command."}}`
)

// spec: websocket.md §9, the example session
func TestExampleSession(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.dial(t, nil)
	c.want(`{"type":"auth_required","ha_version":"2024.1.0"}`)
	c.send(`{"type":"auth","access_token":"` + h.accessToken(t, h.refreshToken(t, h.anna)) + `"}`)
	c.want(`{"type":"auth_ok","ha_version":"2024.1.0"}`)
	c.send(`{"type":"supported_features","id":1,"features":{"coalesce_messages":1}}`)
	c.want(`{"id":1,"type":"result","success":true,"result":null}`)
	c.send(`{"type":"auth/current_user","id":3}`)
	if got := c.receive(); !strings.HasPrefix(got, `{"id":3,"type":"result","success":true,"result":{"id":"`+h.anna.ID+`"`) {
		t.Error(got)
	}
	c.send(`{"type":"auth/current_user","id":3}`)
	c.want(`{"id":3,"type":"result","success":false,"error":{"code":"id_reuse","message":"Identifier values have to increase."}}`)
	c.send(`{"type":"nope","id":4}`)
	c.want(`{"id":4,"type":"result","success":false,"error":{"code":"unknown_command","message":"Unknown command."}}`)
	c.send(`{"type":"ping","id":4}`)
	c.want(`{"id":4,"type":"pong"}`)
	c.send(`{"type":5}`)
	c.want(`{"id":null,"type":"result","success":false,"error":{"code":"invalid_format","message":"Message incorrectly formatted."}}`)
}

// spec: websocket.md §3, steps 1 to 4
func TestEnvelope(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.anna)
	c.ask(`{"id":5,"type":"ping"}`, `{"id":5,"type":"pong"}`)
	for _, tt := range []struct{ name, frame, answer string }{
		{"step 1: text", `"ping"`, `{"id":0,` + badEnvelope},
		{"step 1: number", `7`, `{"id":0,` + badEnvelope},
		{"step 1: null", `null`, `{"id":0,` + badEnvelope},
		{"step 1: list in a list", `[[{"id":6,"type":"ping"}]]`, `{"id":0,` + badEnvelope},
		{"step 2: no id", `{"type":"ping"}`, `{"id":null,` + badEnvelope},
		{"step 2: id 0", `{"id":0,"type":"ping"}`, `{"id":0,` + badEnvelope},
		{"step 2: id true", `{"id":true,"type":"ping"}`, `{"id":true,` + badEnvelope},
		{"step 2: id 6.0", `{"id":6.0,"type":"ping"}`, `{"id":6.0,` + badEnvelope},
		{"step 2: id 6e0", `{"id":6e0,"type":"ping"}`, `{"id":6e0,` + badEnvelope},
		{"step 2: id text", `{"id":"6","type":"ping"}`, `{"id":"6",` + badEnvelope},
		{"step 2: id null", `{"id":null,"type":"ping"}`, `{"id":null,` + badEnvelope},
		{"step 2: id object", `{"id": {"a": [1]},"type":"ping"}`, `{"id":{"a":[1]},` + badEnvelope},
		{"step 2: id 2^64", `{"id":18446744073709551616,"type":"ping"}`, `{"id":18446744073709551616,` + badEnvelope},
		{"step 2: id below -2^63", `{"id":-9223372036854775809,"type":"ping"}`, `{"id":-9223372036854775809,` + badEnvelope},
		{"step 2: no type", `{"id":6}`, `{"id":6,` + badEnvelope},
		{"step 2: empty type", `{"id":6,"type":""}`, `{"id":6,` + badEnvelope},
		{"step 2: type a number", `{"id":6,"type":5}`, `{"id":6,` + badEnvelope},
		{"step 2: type null", `{"id":6,"type":null}`, `{"id":6,` + badEnvelope},
		{"step 3: the same id", `{"id":5,"type":"ping"}`, `{"id":5,` + idReuse},
		{"step 3: a smaller id", `{"id":1,"type":"ping"}`, `{"id":1,` + idReuse},
		{"step 3: a negative id", `{"id":-1,"type":"ping"}`, `{"id":-1,` + idReuse},
		{"step 3: -2^63", `{"id":-9223372036854775808,"type":"ping"}`, `{"id":-9223372036854775808,` + idReuse},
		{"step 3 before step 4", `{"id":5,"type":"nope"}`, `{"id":5,` + idReuse},
		{"step 4", `{"id":6,"type":"nope"}`, `{"id":6,` + unknown},
		{"step 4: upper case", `{"id":6,"type":"PING"}`, `{"id":6,` + unknown},
		{"step 4: what is not served", `{"id":6,"type":"config/auth_provider/homeassistant/nope"}`, `{"id":6,` + unknown},
		{"W-16: gaps", `{"id":9000,"type":"ping"}`, `{"id":9000,"type":"pong"}`},
		{"the greatest id", `{"id":18446744073709551615,"type":"ping"}`, `{"id":18446744073709551615,"type":"pong"}`},
		{"none is greater", `{"id":18446744073709551615,"type":"ping"}`, `{"id":18446744073709551615,` + idReuse},
	} {
		t.Run(tt.name, func(t *testing.T) { client{t, c.conn}.ask(tt.frame, tt.answer) })
	}
}

// spec: websocket.md, "W-15"
func TestWhichFailuresUseUpAnID(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.person(t, "ben", latchkey.GroupUser))
	c.ask(`{"id":7}`, `{"id":7,`+badEnvelope)
	c.ask(`{"id":7,"type":"nope"}`, `{"id":7,`+unknown)
	c.refused(`{"id":7,"type":"ping","x":1}`, "invalid_format", "") // the id was still free, and is used up now
	c.ask(`{"id":7,"type":"ping"}`, `{"id":7,`+idReuse)
	c.refused(`{"id":8,"type":"config/auth/list"}`, "unauthorized", "Unauthorized")
	c.ask(`{"id":8,"type":"ping"}`, `{"id":8,`+idReuse)
	c.refused(`{"id":9,"type":"auth/delete_refresh_token","refresh_token_id":"x"}`, "invalid_token_id", "")
	c.ask(`{"id":9,"type":"ping"}`, `{"id":9,`+idReuse)
}

// spec: websocket.md, "W-17"
func TestListsOfCommands(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.anna)
	c.send(`[]`)
	c.send(` [ {"id":1,"type":"ping"}, 5, [], {"id":1,"type":"ping"}, {"id":2,"type":"nope"}, {"id":2,"type":"ping"} ] `)
	c.want(`{"id":1,"type":"pong"}`)
	c.want(`{"id":0,` + badEnvelope)
	c.want(`{"id":0,` + badEnvelope)
	c.want(`{"id":1,` + idReuse)
	c.want(`{"id":2,` + unknown)
	c.want(`{"id":2,"type":"pong"}`)
}

// A list of more commands than may wait for their answers slows its sender down, and no answer is lost.
func TestALongListIsAnsweredWhole(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.anna)
	const n = 6000
	var list []string
	for i := range n {
		list = append(list, `{"id":`+number(i+1)+`,"type":"ping"}`)
	}
	c.send("[" + strings.Join(list, ",") + "]")
	for i := range n {
		c.want(`{"id":` + number(i+1) + `,"type":"pong"}`)
	}
}

// spec: websocket.md, "W-18", and brackets nested more deeply than a parser may follow
func TestFramesThatEndTheSession(t *testing.T) {
	h := newHouse(t, houseOptions{})
	for _, tt := range []struct {
		name string
		kind websocket.MessageType
		data string
		code websocket.StatusCode
	}{
		{"not JSON", websocket.MessageText, `{"id":1,`, websocket.StatusNormalClosure},
		{"empty", websocket.MessageText, ``, websocket.StatusNormalClosure},
		{"blanks", websocket.MessageText, `  `, websocket.StatusNormalClosure},
		{"two values", websocket.MessageText, `{"id":1,"type":"ping"}{"id":2,"type":"ping"}`, websocket.StatusNormalClosure},
		{"a list with something behind", websocket.MessageText, `[{"id":1,"type":"ping"}]]`, websocket.StatusNormalClosure},
		{"NaN", websocket.MessageText, `{"id":1,"type":"ping","x":NaN}`, websocket.StatusNormalClosure},
		{"deep", websocket.MessageText, strings.Repeat("[", 1_000_000) + strings.Repeat("]", 1_000_000), websocket.StatusNormalClosure},
		{"deep within", websocket.MessageText, `{"id":1,"type":"ping","x":` + strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000) + "}", websocket.StatusNormalClosure},
		{"empty binary", websocket.MessageBinary, ``, websocket.StatusNormalClosure},
		{"not UTF-8 (RFC 6455 §8.1)", websocket.MessageText, "{\"id\":1,\"type\":\"\xff\"}", websocket.StatusInvalidFramePayloadData},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := h.connect(t, h.anna)
			c.sendFrame(tt.kind, tt.data)
			if frames := c.wantClosed(tt.code); len(frames) != 0 {
				t.Errorf("answered with %q", frames)
			}
		})
	}
}

// spec: websocket.md, "W-18": binary frames for no handler
func TestBinaryFramesForNobodyAreIgnored(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.anna)
	c.sendFrame(websocket.MessageBinary, "\x01payload")
	c.ask(`{"id":1,"type":"ping"}`, `{"id":1,"type":"pong"}`)
}

// spec: websocket.md, "W-3"
func TestTheLongestMessage(t *testing.T) {
	h := newHouse(t, houseOptions{})
	const limit = 4 << 20
	message := `{"id":1,"type":"ping"}`
	c := h.connect(t, h.anna)
	c.ask(message+strings.Repeat(" ", limit-1-len(message)), `{"id":1,"type":"pong"}`)
	c.send(message + strings.Repeat(" ", limit-len(message)))
	if frames := c.wantClosed(websocket.StatusMessageTooBig); len(frames) != 0 {
		t.Errorf("answered with %q", frames)
	}
}

// spec: websocket.md, "W-3": what counts is the size behind the compression
func TestACompressedMessageIsMeasuredUnpacked(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.dial(t, &websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover, CompressionThreshold: 512})
	c.authenticate(h.accessToken(t, h.refreshToken(t, h.anna)))
	c.send(`{"id":1,"type":"ping"}` + strings.Repeat(" ", 8<<20))
	c.wantClosed(websocket.StatusMessageTooBig)
}

// spec: websocket.md, "W-20"
func TestSchemas(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.anna)
	for i, tt := range []struct{ name, command, message string }{
		{"unknown key", `"type":"ping","x":1`, `extra keys not allowed @ data['x']. Got 1`},
		{"unknown text", `"type":"ping","x":"it's"`, `extra keys not allowed @ data['x']. Got "it's"`},
		{"unknown list", `"type":"ping","x":[null,true,{"a":1.5}]`, `extra keys not allowed @ data['x']. Got [None, True, {'a': 1.5}]`},
		{"odd key", `"type":"ping","a'\n\u0001":false`, `extra keys not allowed @ data["a'\n\x01"]. Got False`},
		{"unknown password", `"type":"ping","password":"hunter2"`, `extra keys not allowed @ data['password']. Got ***`},
		{"unknown nested token", `"type":"ping","x":{"access_token":"eyJ"}`, `extra keys not allowed @ data['x']. Got {'access_token': ***}`},
		{"key in another case", `"type":"auth/long_lived_access_token","lifespan":1,"Client_Name":"x"`,
			"extra keys not allowed @ data['Client_Name']. Got 'x'\nrequired key not provided @ data['client_name']. Got None"},
		{"missing", `"type":"config/auth/delete"`, `required key not provided @ data['user_id']. Got None`},
		{"wrong type", `"type":"config/auth/delete","user_id":5`, `expected str for dictionary value @ data['user_id']. Got 5`},
		{"null", `"type":"config/auth/delete","user_id":null`, `expected str for dictionary value @ data['user_id']. Got None`},
		{"optional but null", `"type":"config/auth/create","name":"x","local_only":null`, `expected bool for dictionary value @ data['local_only']. Got None`},
		{"bool from a number", `"type":"config/auth/create","name":"x","local_only":1`, `expected bool for dictionary value @ data['local_only']. Got 1`},
		{"int from a float", `"type":"auth/long_lived_access_token","client_name":"x","lifespan":5.0`, `expected int for dictionary value @ data['lifespan']. Got 5.0`},
		{"int from a text", `"type":"auth/long_lived_access_token","client_name":"x","lifespan":"5"`, `expected int for dictionary value @ data['lifespan']. Got '5'`},
		{"list", `"type":"config/auth/create","name":"x","group_ids":"system-admin"`, `expected a list for dictionary value @ data['group_ids']. Got 'system-admin'`},
		{"element", `"type":"config/auth/create","name":"x","group_ids":["system-admin",1]`, `expected str @ data['group_ids'][1]. Got 1`},
		{"dictionary", `"type":"supported_features","features":[]`, `expected a dictionary for dictionary value @ data['features']. Got []`},
		{"value in a dictionary", `"type":"supported_features","features":{"a":"1"}`, `expected int for dictionary value @ data['features']['a']. Got '1'`},
		{"several", `"type":"config/auth/update","name":7`, "expected str for dictionary value @ data['name']. Got 7\nrequired key not provided @ data['user_id']. Got None"},
		{"token", `"type":"auth/delete_refresh_token","refresh_token_id":["secret"]`, `expected str for dictionary value @ data['refresh_token_id']. Got ***`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client{t, c.conn}.refused(`{"id":`+number(i+1)+`,`+tt.command+`}`, "invalid_format", tt.message)
		})
	}
}

// spec: websocket.md, "W-20": cut to 500 characters
func TestLongValuesAreCut(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.anna)
	for i, value := range []string{
		`"` + strings.Repeat("ä", 100_000) + `"`,
		`[` + strings.Repeat(`"x",`, 100_000) + `1]`,
		strings.Repeat(`{"y":`, 5000) + `1` + strings.Repeat(`}`, 5000),
	} {
		r := c.call(`{"id":` + number(i+1) + `,"type":"ping","x":` + value + `}`)
		_, got, _ := strings.Cut(r.Error.Message, ". Got ")
		if n := len([]rune(got)); n != 500 || !strings.HasSuffix(got, "...") {
			t.Errorf("%d characters: %s", n, got)
		}
	}
}

// spec: websocket.md, "W-20": int fields accept booleans
func TestTruthValuesAreNumbers(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.anna)
	c.succeed(`{"id":1,"type":"supported_features","features":{"a":true,"b":18446744073709551615}}`)
	c.succeed(`{"id":2,"type":"auth/long_lived_access_token","client_name":"x","lifespan":true}`)
}

// spec: websocket.md, "W-19"
func TestSchemaComesBeforePermission(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.person(t, "ben", latchkey.GroupUser))
	c.refused(`{"id":1,"type":"config/auth/delete"}`, "invalid_format", "")
	c.refused(`{"id":2,"type":"config/auth/delete","user_id":"x"}`, "unauthorized", "Unauthorized")
}

type failure struct {
	Kind string `json:"kind"`
}

// failing is a command that fails in the way that it is told.
func failing(_ context.Context, _ *ws.Call, in failure) (any, error) {
	switch in.Kind {
	case "timeout":
		return nil, fmt.Errorf("ask: %w", context.DeadlineExceeded)
	case "denied":
		return nil, latchkey.ErrNotLocal
	case "input":
		return nil, &flow.InvalidData{Base: []string{"extra keys not allowed @ data['zz']"}}
	case "own":
		return nil, fmt.Errorf("wrapped: %w", &ws.Error{Code: ws.CodeHomeAssistant, Message: "Text <b>",
			TranslationKey: "user_not_found", TranslationDomain: "auth"})
	case "empty":
		return nil, &ws.Error{Code: ws.CodeHomeAssistant}
	case "value":
		return nil, latchkey.ErrUnknownGroup
	case "panic":
		panic("the secret of the stack")
	case "no JSON":
		return func() {}, nil
	default:
		return nil, errors.New("the secret of the house")
	}
}

// spec: websocket.md, "W-21"; security.md W7: every command gets an answer
func TestErrors(t *testing.T) {
	var log bytes.Buffer
	h := newHouse(t, houseOptions{ws: ws.Options{
		Commands: []ws.Command{ws.Define("test/fail", ws.Anyone, failing)},
		Logger:   slog.New(slog.NewTextHandler(&log, nil)),
	}})
	c := h.connect(t, h.anna)
	const plainUnknown = `{"code":"unknown_error","message":"Unknown error"}`
	for i, tt := range []struct{ kind, want string }{
		{"timeout", `{"code":"timeout","message":"Timeout"}`},
		{"denied", `{"code":"unauthorized","message":"Unauthorized"}`},
		{"input", `{"code":"invalid_format","message":"Schema validation failed: extra keys not allowed @ data['zz']"}`},
		{"own", `{"code":"home_assistant_error","message":"Text <b>","translation_key":"user_not_found","translation_placeholders":null,"translation_domain":"auth"}`},
		{"empty", plainUnknown},
		{"value", plainUnknown},
		{"panic", plainUnknown},
		{"no JSON", plainUnknown},
		{"whatever", plainUnknown},
	} {
		id := number(i + 1)
		c.ask(`{"id":`+id+`,"type":"test/fail","kind":"`+tt.kind+`"}`,
			`{"id":`+id+`,"type":"result","success":false,"error":`+tt.want+`}`)
	}
	c.ask(`{"id":100,"type":"ping"}`, `{"id":100,"type":"pong"}`)
	_ = c.conn.CloseNow()
	if err := h.handler.Shutdown(t.Context()); err != nil { // nobody writes the log any more
		t.Fatal(err)
	}
	for _, secret := range []string{"the secret of the stack", "the secret of the house"} {
		if !strings.Contains(log.String(), secret) {
			t.Errorf("%q is not in the log", secret)
		}
	}
}

// Commands that cannot work are refused when the handler is made.
func TestCommandsThatCannotWork(t *testing.T) {
	m := newManager(t, openStore(t)).Manager
	for name, c := range map[string]ws.Command{
		"taken":            ws.Define("ping", ws.Anyone, func(context.Context, *ws.Call, ws.None) (ws.None, error) { return ws.None{}, nil }),
		"zero":             {},
		"not a struct":     ws.Define("x", ws.Anyone, func(context.Context, *ws.Call, string) (ws.None, error) { return ws.None{}, nil }),
		"a member id":      ws.Define("x", ws.Anyone, func(context.Context, *ws.Call, withID) (ws.None, error) { return ws.None{}, nil }),
		"a type not known": ws.Define("x", ws.Anyone, func(context.Context, *ws.Call, withFloat) (ws.None, error) { return ws.None{}, nil }),
		"a member unnamed": ws.Define("x", ws.Anyone, func(context.Context, *ws.Call, unnamed) (ws.None, error) { return ws.None{}, nil }),
	} {
		if _, err := ws.New(m, ws.Options{Commands: []ws.Command{c}}); err == nil {
			t.Error(name, "was accepted")
		}
	}
}

type (
	withID struct {
		N int64 `json:"id"`
	}
	withFloat struct {
		N float64 `json:"n"`
	}
	unnamed struct{ N int64 }
)

// every member that a command of one's own may have
type members struct {
	S  string           `json:"s"`
	B  bool             `json:"b"`
	I  int64            `json:"i"`
	L  []string         `json:"l"`
	M  map[string]int64 `json:"m"`
	A  any              `json:"a"`
	OS *string          `json:"os,omitzero"`
	OL *[]string        `json:"ol,omitzero"`
	OA any              `json:"oa,omitzero"`
}

func TestMembersOfACommandOfOnesOwn(t *testing.T) {
	echo := ws.Define("test/echo", ws.Owner, func(_ context.Context, c *ws.Call, in members) (map[string]any, error) {
		return map[string]any{"id": c.ID, "user": c.User.ID, "in": in}, nil
	})
	h := newHouse(t, houseOptions{ws: ws.Options{Commands: []ws.Command{echo}}})
	c := h.connect(t, h.anna)
	sameJSON(t, c.succeed(`{"id":1,"type":"test/echo","s":"x","b":true,"i":-3,"l":["a"],"m":{"k":2},"a":{"deep":[1,null]}}`),
		`{"id":1,"user":"`+h.anna.ID+`","in":{"s":"x","b":true,"i":-3,"l":["a"],"m":{"k":2},"a":{"deep":[1,null]}}}`)
	sameJSON(t, c.succeed(`{"id":2,"type":"test/echo","s":"","b":false,"i":0,"l":[],"m":{},"a":null,"os":"","ol":[],"oa":5}`),
		`{"id":2,"user":"`+h.anna.ID+`","in":{"s":"","b":false,"i":0,"l":[],"m":{},"a":null,"os":"","ol":[],"oa":5}}`)
	other := h.connect(t, h.person(t, "ben", latchkey.GroupAdmin))
	other.refused(`{"id":1,"type":"test/echo","s":"x","b":true,"i":3,"l":[],"m":{},"a":1}`, "unauthorized", "Unauthorized")
}

// spec: websocket.md §4, "no system user"
func TestSystemUsersAreRefused(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.robot(t))
	c.refused(`{"id":1,"type":"auth/setup_mfa","mfa_module_id":"pin"}`, "not_system_user", "Not allowed as system user")
	c.refused(`{"id":2,"type":"auth/depose_mfa","mfa_module_id":"pin"}`, "not_system_user", "Not allowed as system user")
	c.refused(`{"id":3,"type":"auth/setup_mfa"}`, "invalid_format", "") // W-19
	var raw json.RawMessage = c.succeed(`{"id":4,"type":"auth/current_user"}`)
	if !strings.Contains(string(raw), `"credentials":[]`) {
		t.Errorf("%s", raw)
	}
}
