package server_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server"
)

const (
	unknownFlow = `{"message":"Invalid flow specified"}`
	badClient   = `{"message":"Invalid client id"}`
)

// form is the answer of the built-in provider's first step.
func form(flowID, errors string) string {
	return fmt.Sprintf(`{"type":"form","flow_id":%q,"handler":["homeassistant",null],"step_id":"init",
		"data_schema":[{"type":"string","name":"username","required":true},{"type":"string","name":"password","required":true}],
		"errors":%s,"description_placeholders":null,"last_step":null,"preview":null}`, flowID, errors)
}

// spec: http-auth.md §5.1, §5.2
func TestLoginFlowsCannotBeRead(t *testing.T) {
	w := newHouse(t, setup{})
	a := w.get("/auth/login_flow")
	a.is(t, 405, "")
	if got := a.header.Get("Content-Type"); got != "application/octet-stream" {
		t.Errorf("Content-Type %q", got)
	}
	w.get("/auth/login_flow/"+w.startFlow(nil)).is(t, 404, unknownFlow)
	w.get("/auth/login_flow/nothing").is(t, 404, unknownFlow)
}

// spec: http-auth.md §5.3, "C-6", "C-7", "C-8"
func TestStartingALogin(t *testing.T) {
	w := newHouse(t, setup{})
	start := func(change string) string {
		return `{"client_id":"` + app + `","handler":["homeassistant",null],"redirect_uri":"` + callback + `"` + change + `}`
	}
	wrong := func(detail string) string { return says("Message format incorrect: " + detail) }
	for _, tt := range []struct {
		name, body string
		status     int
		want       string // a form if empty
	}{
		{"as little as possible", start(""), 200, ""},
		{"all that is known", start(`,"type":"authorize","response_type":"code","code_challenge":null,"code_challenge_method":null`), 200, ""},
		{"any type", start(`,"type":"whatever"`), 200, ""},
		{"L-1: a strange redirect", `{"client_id":"` + app + `","handler":["homeassistant",null],"redirect_uri":"not a url"}`, 200, ""},

		{"nothing", "", 400, says("Invalid JSON.")},
		{"no JSON", "{", 400, says("Invalid JSON.")},
		{"more than JSON", start("") + "x", 400, says("Invalid JSON.")},
		{"no UTF-8", "{\"a\":\"\xff\"}", 400, says("Invalid JSON.")},
		{"nested without end", strings.Repeat("[", 50_000), 400, says("Invalid JSON.")},
		{"nested too deep", strings.Repeat("[", 100) + strings.Repeat("]", 100), 400, says("Invalid JSON.")},
		{"more values than anybody sends", start(`,"x":[` + strings.Repeat("[],", 1000) + `[]]`), 400, says("Invalid JSON.")},
		{"more keys than anybody sends", start(strings.Repeat(`,"x":1`, 1000)), 400, says("Invalid JSON.")},
		{"many commas in a text", start(`,"type":"` + strings.Repeat(`\",`, 10_000) + `"`), 200, ""},
		{"a number no machine holds", start(`,"type":1e999`), 400, wrong("expected str for dictionary value @ data['type']")},
		{"a list", "[]", 400, wrong("expected a dictionary")},
		{"null", "null", 400, wrong("expected a dictionary")},
		{"unknown key", start(`,"foo":1`), 400, wrong("extra keys not allowed @ data['foo']")},
		{"wrong type", start(`,"type":1`), 400, wrong("expected str for dictionary value @ data['type']")},
		{"missing key", `{"client_id":"` + app + `","handler":["homeassistant",null]}`, 400,
			wrong("required key not provided @ data['redirect_uri']")},
		{"in the order of the body: key first", `{"foo":1,"client_id":2}`, 400, wrong("extra keys not allowed @ data['foo']")},
		{"in the order of the body: type first", `{"client_id":2,"foo":1}`, 400, wrong("expected str for dictionary value @ data['client_id']")},
		{"the last of two values", `{"client_id":2,"foo":1,"client_id":"x"}`, 400, wrong("extra keys not allowed @ data['foo']")},
		{"null is no text", `{"client_id":null}`, 400, wrong("expected str for dictionary value @ data['client_id']")},
		{"handler of a wrong type", `{"handler":5}`, 400, wrong("expected str for dictionary value @ data['handler']")},
		{"redirect without end", `{"redirect_uri":"` + strings.Repeat("a", 5000) + `"}`, 400,
			wrong("length of value must be at most 4096 for dictionary value @ data['redirect_uri']")},

		{"client id", strings.Replace(start(""), app, "app.example", 1), 400, badClient},
		{"client id before handler", `{"client_id":"x","handler":"x","redirect_uri":""}`, 400, badClient},
		{"unknown type of provider", strings.Replace(start(""), `"homeassistant"`, `"nobody"`, 1), 404, says("Invalid handler specified")},
		{"unknown id of provider", strings.Replace(start(""), `null]`, `"x"]`, 1), 404, says("Invalid handler specified")},
		{"handler as a text", strings.Replace(start(""), `["homeassistant",null]`, `"homeassistant"`, 1), 404, says("Invalid handler specified")},
		{"handler of one", strings.Replace(start(""), `,null]`, `]`, 1), 404, says("Invalid handler specified")},
		{"handler of three", strings.Replace(start(""), `,null]`, `,null,null]`, 1), 404, says("Invalid handler specified")},
		{"handler of other things", strings.Replace(start(""), `["homeassistant",null]`, `[{},5]`, 1), 404, says("Invalid handler specified")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Browsers' login page sends this type, and none is fine as well (C-6).
			for _, kind := range []string{"text/plain;charset=UTF-8", "application/json", "application/x-www-form-urlencoded", ""} {
				header := map[string]string{}
				if kind != "" {
					header["Content-Type"] = kind
				}
				a := w.do(request{method: "POST", path: "/auth/login_flow", body: tt.body, header: header})
				want := tt.want
				if want == "" {
					want = form(a.text("flow_id"), "{}")
				}
				a.is(t, tt.status, want)
				if got := a.header.Get("Cache-Control"); got != "no-store" {
					t.Errorf("Cache-Control %q", got)
				}
			}
		})
	}
	if id := w.startFlow(nil); !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) {
		t.Errorf(`flow id %q (spec: http-auth.md, "L-3")`, id)
	}
}

// spec: security.md 7: before onboarding nothing else answers.
func TestNobodySignsInBeforeOnboarding(t *testing.T) {
	w := newWire(t, setup{manager: latchkey.Options{Providers: []latchkey.Provider{&porter{}}}})
	w.post("/auth/login_flow", map[string]any{"client_id": app, "redirect_uri": callback, "handler": []any{"porter", "1"}}).
		is(t, 400, `{"message":"Onboarding not finished","code":"onboarding_required"}`)
	// Where there is no onboarding, the first person comes from a provider.
	elsewhere := newWire(t, setup{
		manager: latchkey.Options{Providers: []latchkey.Provider{&porter{}}},
		server:  func(o *server.Options) { o.Local = nil },
	})
	a := elsewhere.post("/auth/login_flow", map[string]any{"client_id": app, "redirect_uri": callback, "handler": []any{"porter", "1"}})
	if a.text("type") != "create_entry" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := elsewhere.get("/auth/providers"); a.status != 200 {
		t.Errorf("providers: %d %s", a.status, a.body)
	}
	elsewhere.get("/api/onboarding").is(t, 404, "404: Not Found")
}

// spec: http-auth.md §5.4, §5.5, "L-3", "L-6"
func TestSigningIn(t *testing.T) {
	w := newHouse(t, setup{})
	id := w.startFlow(nil)
	w.signIn(id, "anna", "wrong").is(t, 200, form(id, `{"base":"invalid_auth"}`))
	// spec: http-auth.md, "L-11"
	w.signIn(id, "nobody", password).is(t, 200, form(id, `{"base":"invalid_auth"}`))
	a := w.signIn(id, " ANNA ", password)
	code := a.text("result")
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(code) {
		t.Errorf(`code %q (spec: http-auth.md, "K-1")`, code)
	}
	a.is(t, 200, `{"version":1,"minor_version":1,"type":"create_entry","flow_id":"`+id+`",
		"handler":["homeassistant",null],"description":null,"description_placeholders":null,"result":"`+code+`"}`)
	w.signIn(id, "anna", password).is(t, 404, unknownFlow)
}

// spec: http-auth.md §5.4, the table and "L-5"
func TestContinuingALogin(t *testing.T) {
	w := newHouse(t, setup{})
	id := w.startFlow(nil)
	path := "/auth/login_flow/" + id
	malformed := says("User input malformed")
	right := `{"client_id":"` + app + `","username":"anna","password":"` + password + `"}`
	for _, tt := range []struct {
		name, path, body string
		status           int
		want             string
	}{
		{"no JSON", path, "", 400, says("Invalid JSON.")},
		{"no client", path, `{"username":"anna"}`, 400, says("Message format incorrect: required key not provided @ data['client_id']")},
		{"client is no text", path, `{"client_id":[]}`, 400, says("Message format incorrect: expected str for dictionary value @ data['client_id']")},
		{"no dictionary", path, `"x"`, 400, says("Message format incorrect: expected a dictionary")},
		{"client id", path, `{"client_id":"javascript:alert(1)"}`, 400, badClient},
		{"client id before flow", "/auth/login_flow/x", `{"client_id":"x"}`, 400, badClient},
		{"flow", "/auth/login_flow/" + strings.Repeat("0", 32), right, 404, unknownFlow},
		{"L-8: another client", path, strings.Replace(right, app, "https://evil.example/", 1), 400, badClient},
		{"L-8: nearly the same client", path, strings.Replace(right, app, "https://app.example", 1), 400, badClient},
		{"only the client", path, `{"client_id":"` + app + `"}`, 400, malformed},
		{"missing field", path, `{"client_id":"` + app + `","username":"anna"}`, 400, malformed},
		{"extra field", path, strings.Replace(right, `{`, `{"x":1,`, 1), 400, malformed},
		{"wrong type", path, `{"client_id":"` + app + `","username":"anna","password":5}`, 400, malformed},
		{"name without end", path, strings.Replace(right, "anna", strings.Repeat("ﷺ", 1366), 1), 400, malformed},
		{"client id without end", path, `{"client_id":"http://` + strings.Repeat("ﷺ", 1366) + `/"}`, 400, badClient},
	} {
		t.Run(tt.name, func(t *testing.T) { w.post(tt.path, tt.body).is(t, tt.status, tt.want) })
	}
	w.comeFrom("192.0.2.1")
	w.post(path, right).is(t, 400, says("IP address changed"))
	w.from.Store(nil)
	if a := w.post(path, right); a.text("type") != "create_entry" {
		t.Errorf("the flow did not stay as it was: %d %s", a.status, a.body)
	}
}

// spec: http-auth.md §5.7
func TestAbortingALogin(t *testing.T) {
	w := newHouse(t, setup{})
	id := w.startFlow(nil)
	w.do(request{method: "DELETE", path: "/auth/login_flow/" + id}).is(t, 200, says("Flow aborted"))
	w.do(request{method: "DELETE", path: "/auth/login_flow/" + id}).is(t, 404, unknownFlow)
	w.signIn(id, "anna", password).is(t, 404, unknownFlow)
}

// spec: security.md 15 and 48
func TestALoginIsBoundToThePageThatStartedIt(t *testing.T) {
	w := newHouse(t, setup{})
	send := func(method, path, binding string, body map[string]any) answer {
		r := request{method: method, path: path, body: jsonText(t, body), header: map[string]string{}}
		if binding != "" {
			r.header[server.BindingHeader] = binding
		}
		return w.do(r)
	}
	start := send("POST", "/auth/login_flow", "page secret",
		map[string]any{"client_id": app, "redirect_uri": callback, "handler": []any{"homeassistant", nil}})
	path := "/auth/login_flow/" + start.text("flow_id")
	right := map[string]any{"client_id": app, "username": "anna", "password": password}
	for _, binding := range []string{"", "another"} {
		send("POST", path, binding, right).is(t, 404, unknownFlow)
		send("DELETE", path, binding, nil).is(t, 404, unknownFlow)
	}
	if a := send("POST", path, "page secret", right); a.text("type") != "create_entry" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// spec: http-auth.md §5.5 check 1, "L-7"
func TestTheRedirectIsCheckedWhenTheLoginIsDone(t *testing.T) {
	w := newHouse(t, setup{})
	for _, target := range []string{
		"https://evil.example/cb", "not a url", "", "javascript:alert(1)", "https://app.example@evil.example/", "//evil.example/",
		`/\evil.example`, "https://app.example:8443/cb", "http://app.example/cb",
	} {
		id := w.startFlow(map[string]any{"redirect_uri": target})
		w.signIn(id, "anna", password).is(t, 403, says("Invalid redirect URI"))
		w.signIn(id, "anna", password).is(t, 404, unknownFlow)
	}
	// A wrong password says nothing about the redirect.
	id := w.startFlow(map[string]any{"redirect_uri": "https://evil.example/cb"})
	w.signIn(id, "anna", "wrong").is(t, 200, form(id, `{"base":"invalid_auth"}`))
}

// spec: http-auth.md §5.5 check 2, §10.3, "L-7"
func TestLoginsOfPeopleWhoMayNotSignInAreBlocked(t *testing.T) {
	w := newHouse(t, setup{})
	gone := w.person("gone", nil)
	if err := w.DeactivateUser(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	id := w.startFlow(nil)
	w.signIn(id, "gone", password).is(t, 403, says("Login blocked: User is not active"))
	w.signIn(id, "gone", password).is(t, 404, unknownFlow)

	w.person("local", func(n *atHome) { n.LocalOnly = true })
	w.comeFrom("203.0.113.7")
	w.signIn(w.startFlow(nil), "local", password).is(t, 403, says("Login blocked: User cannot authenticate remotely"))
	o := *w.from.Load()
	o.Tunnel = true
	w.from.Store(&o)
	w.signIn(w.startFlow(nil), "local", password).is(t, 403, says("Login blocked: User is local only"))
	w.comeFrom("192.168.1.7")
	if a := w.signIn(w.startFlow(nil), "local", password); a.status != 200 {
		t.Errorf("at home: %d %s", a.status, a.body)
	}
}

// spec: http-auth.md, "L-9"
func TestALoginWithoutAFormIsDoneAtTheStart(t *testing.T) {
	w := newHouse(t, setup{manager: latchkey.Options{Providers: []latchkey.Provider{&porter{}}}})
	start := map[string]any{"client_id": app, "redirect_uri": callback, "handler": []any{"porter", "1"}}
	a := w.post("/auth/login_flow", start)
	if a.status != 200 || a.text("type") != "create_entry" || len(a.text("result")) != 32 {
		t.Errorf("%d %s", a.status, a.body)
	}
	start["redirect_uri"] = "https://evil.example/"
	w.post("/auth/login_flow", start).is(t, 403, says("Invalid redirect URI"))
}

// spec: http-auth.md §5.6, "L-13", "L-15"
func TestSecondFactors(t *testing.T) {
	m := &riddle{}
	w := newWire(t, setup{manager: latchkey.Options{Modules: []latchkey.MFAModule{m}}})
	anna := w.person("anna", nil)
	m.users.Store(anna.ID, true)
	ask := func(id, errors string) string {
		return fmt.Sprintf(`{"type":"form","flow_id":%q,"handler":["homeassistant",null],"step_id":"mfa",
			"data_schema":[{"type":"string","name":"code","required":true}],"errors":%s,
			"description_placeholders":{"mfa_module_name":"Riddle","mfa_module_id":"riddle"},"last_step":null,"preview":null}`, id, errors)
	}
	reply := func(id string, code any) answer {
		return w.post("/auth/login_flow/"+id, map[string]any{"client_id": app, "code": code})
	}
	id := w.startFlow(nil)
	w.signIn(id, "anna", password).is(t, 200, ask(id, "{}"))
	reply(id, 42).is(t, 400, says("User input malformed")) // spec: http-auth.md, "L-6"
	reply(id, "41").is(t, 200, ask(id, `{"base":"invalid_code"}`))
	reply(id, "41").is(t, 200, `{"type":"abort","flow_id":"`+id+`","handler":["homeassistant",null],
		"reason":"too_many_retry","description_placeholders":null}`)
	reply(id, "42").is(t, 404, unknownFlow)

	id = w.startFlow(nil)
	w.signIn(id, "anna", password)
	if a := reply(id, "42"); a.text("type") != "create_entry" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// spec: http-auth.md, "L-16"
func TestASecondFactorThatCannotAsk(t *testing.T) {
	m := &riddle{}
	w := newWire(t, setup{manager: latchkey.Options{Modules: []latchkey.MFAModule{m}}})
	m.users.Store(w.person("anna", nil).ID, true)
	m.broken.Store(true)
	id := w.startFlow(nil)
	w.signIn(id, "anna", password).is(t, 200, `{"type":"abort","flow_id":"`+id+`","handler":["homeassistant",null],
		"reason":"unknown_error","description_placeholders":null}`)
	w.signIn(id, "anna", password).is(t, 404, unknownFlow)
}

// spec: http-auth.md, "L-17": a second factor is asked for when the provider takes one and the user has one
func TestWhoIsAskedForASecondFactor(t *testing.T) {
	m, p := &riddle{}, &porter{}
	w := newHouse(t, setup{manager: latchkey.Options{Modules: []latchkey.MFAModule{m}, Providers: []latchkey.Provider{p}}})
	access, _ := w.tokens("anna")
	anna, err := w.ValidateAccessToken(t.Context(), access)
	if err != nil {
		t.Fatal(err)
	}
	knock := map[string]any{"client_id": app, "redirect_uri": callback, "handler": []any{"porter", "1"}}
	for _, tt := range []struct {
		name  string
		setUp bool
		want  string
		do    func() answer
	}{
		{"nobody set one up", false, "create_entry", func() answer { return w.signIn(w.startFlow(nil), "anna", password) }},
		{"it is set up", true, "form", func() answer { return w.signIn(w.startFlow(nil), "anna", password) }},
		{"a provider without", true, "create_entry", func() answer {
			c := latchkey.NewCredentials(p.Key(), map[string]any{"username": "guest"})
			if err := w.LinkUser(t.Context(), anna.User.ID, c); err != nil {
				t.Fatal(err)
			}
			return w.post("/auth/login_flow", knock)
		}},
	} {
		if tt.setUp {
			m.users.Store(anna.User.ID, true)
		}
		if a := tt.do(); a.status != 200 || a.text("type") != tt.want {
			t.Errorf("%s: %d %s", tt.name, a.status, a.body)
		}
	}
}
