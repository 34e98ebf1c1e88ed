package server_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server"
)

// owner is a proper request for the first account, with changes. A nil value leaves a key out.
func owner(changes map[string]any) map[string]any {
	body := map[string]any{
		"client_id": app, "name": "Anna Example", "username": " Anna ", "password": password, "language": "en",
	}
	maps.Copy(body, changes)
	maps.DeleteFunc(body, func(_ string, v any) bool { return v == nil })
	return body
}

// status is the answer of GET /api/onboarding.
func status(user, core, analytics, integration bool) string {
	return fmt.Sprintf(`[{"step":"user","done":%v},{"step":"core_config","done":%v},{"step":"analytics","done":%v},
		{"step":"integration","done":%v}]`, user, core, analytics, integration)
}

const userStepDone = `{"message":"User step already done"}`

// spec: onboarding.md §4 as a whole, "S-1", "S-4", "S-5", "S-6", "U-5"; "U-7": system users do not count
func TestOnboardingFromBeginToEnd(t *testing.T) {
	w := newWire(t, setup{})
	if _, err := w.CreateSystemUser(t.Context(), latchkey.NewUser{Name: latchkey.Text("Home Assistant Content")}); err != nil {
		t.Fatal(err)
	}
	w.get("/auth/providers").is(t, 400, `{"message":"Onboarding not finished","code":"onboarding_required"}`)
	w.get("/api/onboarding").is(t, 200, status(false, false, false, false))
	w.get("/api/onboarding/installation_type").is(t, 200, `{"installation_type":"Unknown"}`)

	a := w.post("/api/onboarding/users", owner(nil))
	code := a.text("auth_code")
	a.is(t, 200, fmt.Sprintf(`{"auth_code":%q}`, code))
	notStored(t, a)
	w.get("/api/onboarding").is(t, 200, status(true, false, false, false))
	w.get("/api/onboarding/installation_type").is(t, 401, "401: Unauthorized")
	if a := w.get("/auth/providers"); a.status != 200 {
		t.Errorf("providers: %d", a.status)
	}

	a = w.form("/auth/token", "grant_type", "authorization_code", "client_id", app, "code", code)
	access := a.text("access_token")
	if a.status != 200 || a.text("ha_auth_provider") != "homeassistant" {
		t.Fatalf("exchange: %d %s", a.status, a.body)
	}
	session, err := w.ValidateAccessToken(t.Context(), access)
	if err != nil {
		t.Fatal(err)
	}
	u := session.User
	if !u.IsOwner || !u.IsActive || u.Name.Text != "Anna Example" || len(u.GroupIDs) != 1 || u.GroupIDs[0] != latchkey.GroupAdmin {
		t.Errorf(`the owner is %+v (spec: onboarding.md §3.3)`, u)
	}
	if name := u.Credentials[0].Text("username"); name != "anna" {
		t.Errorf(`the username is %q (spec: onboarding.md, "U-3")`, name)
	}

	step := func(path, body string) answer {
		return w.as(access, request{method: "POST", path: "/api/onboarding/" + path, body: body})
	}
	step("core_config", "not JSON").is(t, 200, `{}`)
	step("core_config", "").is(t, 403, says("Core config step already done"))
	w.get("/api/onboarding").is(t, 200, status(true, true, false, false))
	step("analytics", "").is(t, 200, `{}`)
	step("analytics", "").is(t, 403, says("Analytics config step already done"))

	ios := `{"client_id":"https://home-assistant.io/iOS","redirect_uri":"homeassistant://auth-callback"}`
	a = step("integration", ios)
	second := a.text("auth_code")
	a.is(t, 200, fmt.Sprintf(`{"auth_code":%q}`, second))
	step("integration", ios).is(t, 403, says("Integration step already done"))
	a = w.form("/auth/token", "grant_type", "authorization_code", "client_id", "https://home-assistant.io/iOS", "code", second)
	if a.status != 200 {
		t.Errorf("second code: %d %s", a.status, a.body)
	}
	// The endpoints stay until the next start.
	w.get("/api/onboarding").is(t, 200, status(true, true, true, true))
	w.post("/api/onboarding/users", owner(nil)).is(t, 403, userStepDone)

	w.serve(setup{})
	for _, r := range []request{
		{method: "GET", path: "/api/onboarding"}, {method: "GET", path: "/api/onboarding/installation_type"},
		{method: "POST", path: "/api/onboarding/users", body: jsonText(t, owner(nil))},
		{method: "POST", path: "/api/onboarding/core_config"}, {method: "POST", path: "/api/onboarding/analytics"},
		{method: "POST", path: "/api/onboarding/integration"},
	} {
		w.as(access, r).is(t, 404, "404: Not Found")
	}
	if a := w.get("/auth/providers"); a.status != 200 {
		t.Errorf("providers after all: %d", a.status)
	}
}

// spec: onboarding.md §3.3 steps 1 and 2, "U-2", "U-3", "U-6"; security.md 1, 5 and W4
func TestRefusedFirstAccounts(t *testing.T) {
	w := newWire(t, setup{})
	misfit := func(detail string) string { return says("Message format incorrect: " + detail) }
	for _, tt := range []struct {
		name string
		body any
		want string // the beginning of the message
	}{
		{"no JSON", "", says("Invalid JSON.")},
		{"no client", owner(map[string]any{"client_id": nil}), misfit("required key not provided @ data['client_id']")},
		{"no language", owner(map[string]any{"language": nil}), misfit("required key not provided @ data['language']")},
		{"name is no text", owner(map[string]any{"name": 5}), misfit("expected str for dictionary value @ data['name']")},
		{"username is no text", owner(map[string]any{"username": []any{}}), misfit("expected str for dictionary value @ data['username']")},
		{"unknown key", owner(map[string]any{"admin": true}), misfit("extra keys not allowed @ data['admin']")},
		{"empty username", owner(map[string]any{"username": ""}), misfit("length of value must be at least 1 for dictionary value @ data['username']")},
		{"blank username", owner(map[string]any{"username": " \t"}), misfit("length of value must be at least 1 for dictionary value @ data['username']")},
		{"username without end", owner(map[string]any{"username": strings.Repeat("ﷺ", 1366)}), misfit("length of value must be at most 4096 for dictionary value @ data['username']")},
		{"empty password", owner(map[string]any{"password": ""}), misfit("length of value must be at least 1 for dictionary value @ data['password']")},
		{"client id", owner(map[string]any{"client_id": "ftp://a"}), says("Invalid client id")},
		{"short password", owner(map[string]any{"password": "short"}), `{"message":"Password is too short: use at least 8 characters","code":"password_too_short"}`},
		{"common password", owner(map[string]any{"password": "password1"}),
			`{"message":"Password is one of the most common ones, which are tried first: choose another","code":"password_common"}`},
		{"NUL in the password", owner(map[string]any{"password": "long enough\x00but"}),
			`{"message":"Password holds a NUL character or is not valid UTF-8: choose another","code":"password_unusable"}`},
	} {
		t.Run(tt.name, func(t *testing.T) { w.post("/api/onboarding/users", tt.body).is(t, 400, tt.want) })
	}
	// Nothing was made on the way.
	w.get("/api/onboarding").is(t, 200, status(false, false, false, false))
	if a := w.post("/api/onboarding/users", owner(nil)); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.post("/api/onboarding/users", "").is(t, 400, says("Invalid JSON."))
	w.post("/api/onboarding/users", owner(map[string]any{"client_id": "ftp://a"})).is(t, 403, userStepDone)
}

// spec: onboarding.md, "U-4": a username that has a password already is refused, and nothing is made.
func TestAFirstAccountWithATakenUsernameIsNotMade(t *testing.T) {
	w := newWire(t, setup{})
	left := latchkey.Password{Username: "anna", Hash: "$2b$04$CiuFGszHx9eNHxPuQcwBWez4CwDTOcLTX5CbOpV6gef2nYuXkY7BO"}
	err := w.store.Update(t.Context(), func(tx latchkey.Tx) error { return tx.InsertPassword(t.Context(), left) })
	if err != nil {
		t.Fatal(err)
	}
	a := w.post("/api/onboarding/users", owner(nil))
	if a.status != 400 || !strings.Contains(a.text("message"), "already exists") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if people, err := w.store.HasPeople(t.Context()); people || err != nil {
		t.Errorf("people %v, error %v", people, err)
	}
	w.get("/api/onboarding").is(t, 200, status(false, false, false, false))
	w.post("/api/onboarding/users", owner(map[string]any{"username": "bob"}))
	if u, err := w.Owner(t.Context()); err != nil || u.Credentials[0].Text("username") != "bob" {
		t.Errorf("owner %+v, error %v", u, err)
	}
}

// spec: onboarding.md, "U-1"
func TestOfConcurrentFirstAccountsOneIsMade(t *testing.T) {
	w := newWire(t, setup{})
	const tries = 8
	answers := make([]answer, tries)
	var all sync.WaitGroup
	for i := range tries {
		all.Go(func() {
			answers[i] = w.post("/api/onboarding/users", owner(map[string]any{"username": fmt.Sprint("user", i%2)}))
		})
	}
	all.Wait()
	made := 0
	for _, a := range answers {
		if a.status == http.StatusOK {
			made++
			continue
		}
		a.is(t, 403, userStepDone)
	}
	if made != 1 {
		t.Errorf("%d accounts were made", made)
	}
}

// spec: onboarding.md, "S-3" and §5: whoever was made elsewhere closes the way to the first account, at once.
func TestAnAccountMadeElsewhereClosesTheFirstStep(t *testing.T) {
	w := newWire(t, setup{})
	w.person("anna", nil)
	w.post("/api/onboarding/users", owner(map[string]any{"username": "eve"})).is(t, 403, userStepDone)
	w.get("/api/onboarding").is(t, 200, status(true, false, false, false))
	w.get("/api/onboarding/installation_type").is(t, 401, "401: Unauthorized")
	w.serve(setup{})
	done, err := w.store.OnboardingDone(t.Context())
	if err != nil || len(done) != 1 || done[0] != latchkey.OnboardingUser {
		t.Errorf("marked after the next start: %v %v", done, err)
	}
	w.get("/api/onboarding").is(t, 200, status(true, false, false, false))
}

// spec: onboarding.md §3.6, with its recommendation: nothing is marked before everything was checked.
func TestRefusedIntegrationSteps(t *testing.T) {
	w := newHouse(t, setup{})
	access, _ := w.tokens("anna")
	session, err := w.ValidateAccessToken(t.Context(), access)
	if err != nil {
		t.Fatal(err)
	}
	token, err := w.CreateRefreshToken(t.Context(), latchkey.NewRefreshToken{
		UserID: session.User.ID, Type: latchkey.TokenLongLived, ClientName: latchkey.Text("script"),
	})
	if err != nil {
		t.Fatal(err)
	}
	longLived, err := w.CreateAccessToken(t.Context(), token.ID, w.loopback())
	if err != nil {
		t.Fatal(err)
	}
	right := map[string]any{"client_id": app, "redirect_uri": callback}
	step := func(access string, body any) answer {
		return w.as(access, request{method: "POST", path: "/api/onboarding/integration", body: jsonText(t, body)})
	}
	w.post("/api/onboarding/integration", right).is(t, 401, "401: Unauthorized")
	step(access, "").is(t, 400, says("Invalid JSON."))
	step(access, `{"client_id":"x"}`).is(t, 400, says("Message format incorrect: required key not provided @ data['redirect_uri']"))
	for _, wrong := range []map[string]any{
		{"client_id": app, "redirect_uri": "https://evil.example/"}, {"client_id": "nonsense", "redirect_uri": callback},
	} {
		step(access, wrong).is(t, 400, says("invalid client id or redirect uri"))
	}
	step(longLived, right).is(t, 403, says("Credentials for user not available"))
	w.get("/api/onboarding").is(t, 200, status(true, false, false, false))
	if a := step(access, right); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// The code is printed in the terminal of the server: only who sees that may make the first account from elsewhere.
func TestTheSetupCode(t *testing.T) {
	with := setup{server: func(o *server.Options) { o.SetupCode = "ABCD-EFGH-2345-6789" }}
	const required = `{"message":"Setup code required","code":"setup_code_required"}`
	const invalid = `{"message":"Setup code is wrong","code":"setup_code_invalid"}`
	for _, tt := range []struct {
		name string
		code any
		want string // the account is made if empty
	}{
		{"none", nil, required},
		{"empty", "", required},
		{"blanks", " - ", required},
		{"wrong", "ABCD-EFGH-2345-6780", invalid},
		{"short", "ABCD", invalid},
		{"right", "ABCD-EFGH-2345-6789", ""},
		{"right as people write it", " abcd efgh–2345 - 6789 ", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire(t, with)
			w.comeFrom("192.168.1.7")
			a := w.post("/api/onboarding/users", owner(map[string]any{"setup_code": tt.code}))
			if tt.want == "" {
				if a.status != 200 {
					t.Errorf("%d %s", a.status, a.body)
				}
				return
			}
			a.is(t, 403, tt.want)
			w.get("/api/onboarding").is(t, 200, status(false, false, false, false))
		})
	}
	t.Run("no code configured", func(t *testing.T) {
		w := newWire(t, setup{})
		w.comeFrom("192.168.1.7")
		w.post("/api/onboarding/users", owner(nil)).is(t, 403, required)
		w.post("/api/onboarding/users", owner(map[string]any{"setup_code": "x"})).is(t, 403, invalid)
	})
	t.Run("a code at this machine is not looked at", func(t *testing.T) {
		w := newWire(t, with)
		if a := w.post("/api/onboarding/users", owner(map[string]any{"setup_code": "wrong"})); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("it is never logged", func(t *testing.T) {
		w := newWire(t, with)
		w.comeFrom("192.168.1.7")
		w.post("/api/onboarding/users", owner(map[string]any{"setup_code": "a wrong one"}))
		if log := w.log.String(); !strings.Contains(log, "setup code") || strings.Contains(log, "ABCD") || strings.Contains(log, "a wrong one") {
			t.Error(log)
		}
	})
}

// What makes a request one of a person at the machine itself.
func TestWhenTheSetupCodeIsNeeded(t *testing.T) {
	w := newWire(t, setup{})
	for _, tt := range []struct {
		name, from, host string
		header           map[string]string
		needed           bool
	}{
		{"this machine", "127.0.0.1", "127.0.0.1:8123", nil, false},
		{"this machine by name", "127.0.0.1", "localhost:8123", nil, false},
		{"this machine by name, no port", "127.0.0.1", "LocalHost", nil, false},
		{"this machine, IPv6", "::1", "[::1]:8123", nil, false},
		{"this machine, IPv6, no port", "::1", "[::1]", nil, false},
		{"this machine, mapped", "::ffff:127.0.0.1", "127.0.0.1", nil, false},
		{"our own page", "127.0.0.1", "localhost:8123",
			map[string]string{"Origin": "http://localhost:8123", "Sec-Fetch-Site": "same-origin"}, false},
		{"typed into a browser", "127.0.0.1", "localhost:8123", map[string]string{"Sec-Fetch-Site": "none"}, false},

		{"another machine", "192.168.1.7", "localhost:8123", nil, true},
		{"DNS rebinding", "127.0.0.1", "evil.example:8123", nil, true},
		{"DNS rebinding, a name that begins well", "127.0.0.1", "localhost.evil.example", nil, true},
		{"an address of the home network", "127.0.0.1", "192.168.1.2:8123", nil, true},
		{"no host", "127.0.0.1", "", nil, true},
		{"proxy: Via", "127.0.0.1", "localhost:8123", map[string]string{"Via": "1.1 proxy"}, true},
		{"proxy: Forwarded", "127.0.0.1", "localhost:8123", map[string]string{"Forwarded": "for=1.2.3.4"}, true},
		{"proxy: X-Real-IP", "127.0.0.1", "localhost:8123", map[string]string{"X-Real-IP": "1.2.3.4"}, true},
		{"proxy: X-Forwarded-Host", "127.0.0.1", "localhost:8123", map[string]string{"X-Forwarded-Host": "x"}, true},
		{"proxy: X-Forwarded-Proto", "127.0.0.1", "localhost:8123", map[string]string{"X-Forwarded-Proto": "https"}, true},
		{"another site's page", "127.0.0.1", "localhost:8123", map[string]string{"Origin": "http://evil.example"}, true},
		{"another port's page", "127.0.0.1", "localhost:8123", map[string]string{"Origin": "http://localhost:3000"}, true},
		{"a page of no origin", "127.0.0.1", "localhost:8123", map[string]string{"Origin": "null"}, true},
		{"another site's form", "127.0.0.1", "localhost:8123", map[string]string{"Sec-Fetch-Site": "cross-site"}, true},
		{"a sibling's form", "127.0.0.1", "localhost:8123", map[string]string{"Sec-Fetch-Site": "same-site"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.comeFrom(tt.from)
			r := httptest.NewRequest("GET", "/onboarding.html", nil)
			r.Host = tt.host
			for name, value := range tt.header {
				r.Header.Set(name, value)
			}
			if got := w.server.SetupCodeNeeded(r); got != tt.needed {
				t.Errorf("needed: %v, want %v", got, tt.needed)
			}
		})
	}
	t.Run("over the wire", func(t *testing.T) {
		w.from.Store(nil)
		r := request{method: "POST", path: "/api/onboarding/users", body: jsonText(t, owner(nil))}
		for _, header := range []map[string]string{{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Via": "1.1 proxy"}} {
			r.header = header
			w.do(r).is(t, 403, `{"message":"Setup code required","code":"setup_code_required"}`)
		}
	})
	t.Run("proxy: X-Forwarded-For", func(t *testing.T) {
		w := newWire(t, setup{server: func(o *server.Options) { o.Origin = nil }})
		w.do(request{method: "POST", path: "/api/onboarding/users", body: jsonText(t, owner(nil)),
			header: map[string]string{"X-Forwarded-For": "127.0.0.1"}}).is(t, 400, "400: Bad Request")
	})
	t.Run("tunnel", func(t *testing.T) {
		w := newWire(t, setup{})
		w.from.Store(&latchkey.Origin{Addr: w.loopback(), Tunnel: true})
		if a := w.post("/api/onboarding/users", owner(nil)); a.status != 403 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

// The command line may make an account at the very moment at which a page does. Whoever comes second gets none: not
// even one without rights, as nobody has signed in.
func TestAFirstAccountIsNotMadeBesideOneThatWasFaster(t *testing.T) {
	store := &racingStore{}
	w := newWire(t, setup{store: store.over})
	faster := func(tx latchkey.Tx) error {
		return tx.InsertUser(t.Context(), latchkey.User{ID: latchkey.NewID(), IsActive: true, IsOwner: true})
	}
	store.theirs.Store(&faster)
	w.post("/api/onboarding/users", owner(nil)).is(t, 403, userStepDone)
	for u, err := range w.Users(t.Context()) {
		if err != nil || len(u.Credentials) > 0 {
			t.Errorf("%+v %v", u, err)
		}
	}
}
