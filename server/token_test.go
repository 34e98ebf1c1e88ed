package server_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

const (
	invalidClient  = `{"error":"invalid_request","error_description":"Invalid client id"}`
	invalidCode    = `{"error":"invalid_request","error_description":"Invalid code"}`
	invalidRequest = `{"error":"invalid_request"}`
	invalidGrant   = `{"error":"invalid_grant"}`
)

func denied(reason string) string {
	return fmt.Sprintf(`{"error":"access_denied","error_description":%q}`, reason)
}

func notStored(t *testing.T, a answer) {
	t.Helper()
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" {
		t.Errorf(`an answer that anybody may store: %v (spec: security.md 37)`, a.header)
	}
}

// spec: http-auth.md §7.1, "T-1", "T-2", "C-10", "C-18"
func TestExchangingACode(t *testing.T) {
	w := newHouse(t, setup{})
	for name, send := range map[string]func(string, ...string) answer{"urlencoded": w.form, "multipart": w.multipart} {
		t.Run(name, func(t *testing.T) {
			// What is not needed is ignored, and of a repeated field the first counts (C-11).
			a := send("/auth/token", "client_id", app, "code", w.code("anna", nil), "grant_type", "authorization_code",
				"grant_type", "refresh_token", "client_id", "nonsense", "redirect_uri", "https://elsewhere.example/", "client_secret", "x")
			access, refresh := a.text("access_token"), a.text("refresh_token")
			a.is(t, 200, fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","refresh_token":%q,"expires_in":1800,
				"ha_auth_provider":"homeassistant"}`, access, refresh))
			if !regexp.MustCompile(`^[0-9a-f]{128}$`).MatchString(refresh) {
				t.Errorf("refresh token %q", refresh)
			}
			if !w.works(access) {
				t.Error("the access token does not work")
			}
			notStored(t, a)
		})
	}
}

// spec: http-auth.md §7, §7.1 checks 1 to 3, "C-10"
func TestRefusedExchanges(t *testing.T) {
	w := newHouse(t, setup{})
	for _, tt := range []struct {
		name string
		form []string
		want string
	}{
		{"empty form", nil, `{"error":"unsupported_grant_type"}`},
		{"grant type", []string{"grant_type", "password", "username", "anna", "password", password}, `{"error":"unsupported_grant_type"}`},
		{"no client", []string{"grant_type", "authorization_code", "code", "x"}, invalidClient},
		{"empty client", []string{"grant_type", "authorization_code", "code", "x", "client_id", ""}, invalidClient},
		{"client", []string{"grant_type", "authorization_code", "code", "x", "client_id", "http://8.8.8.8/"}, invalidClient},
		{"no code", []string{"grant_type", "authorization_code", "client_id", app}, invalidCode},
		{"empty code", []string{"grant_type", "authorization_code", "client_id", app, "code", ""}, invalidCode},
		{"code", []string{"grant_type", "authorization_code", "client_id", app, "code", strings.Repeat("0", 32)}, invalidCode},
		{"W6: odd characters", []string{"grant_type", "authorization_code", "client_id", app, "code", "é\x00\xff"}, invalidCode},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, send := range []func(string, ...string) answer{w.form, w.multipart} {
				a := send("/auth/token", tt.form...)
				a.is(t, 400, tt.want)
				notStored(t, a)
			}
		})
	}
}

// spec: http-auth.md, "C-10"
func TestUnreadableFormsAreEmpty(t *testing.T) {
	w := newHouse(t, setup{})
	_, refresh := w.tokens("anna")
	fields := "grant_type=refresh_token&client_id=https%3A%2F%2Fapp.example%2F&refresh_token=" + refresh
	kind, body := multipartForm(t, "grant_type", "refresh_token", "client_id", app, "refresh_token", refresh)
	boundary, _, _ := strings.Cut(body, "\r\n")
	filler := boundary + "\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n"
	const noGrant = `{"error":"unsupported_grant_type"}`
	for _, tt := range []struct {
		name, kind, body string
		works            bool
	}{
		{"urlencoded", "application/x-www-form-urlencoded", fields, true},
		{"urlencoded, any case", "Application/X-WWW-Form-Urlencoded; Charset=UTF-8", fields, true},
		{"urlencoded, latin 1", "application/x-www-form-urlencoded;charset=ISO-8859-1", fields, true},
		{"a broken escape elsewhere", "application/x-www-form-urlencoded", fields + "&x=%zz&;&=", true},
		{"more fields behind", "application/x-www-form-urlencoded", fields + strings.Repeat("&x", 1000), true},
		{"more fields before than anybody sends", "application/x-www-form-urlencoded", strings.Repeat("x&", 1000) + fields, false},
		{"multipart", kind, body, true},
		{"multipart, more fields before than anybody sends", kind, strings.Repeat(filler, 1000) + body, false},
		{"unknown character set", "application/x-www-form-urlencoded; charset=klingon", fields, false},
		{"no type", "", fields, false},
		{"JSON", "application/json", `{"grant_type":"refresh_token"}`, false},
		{"form as plain text", "text/plain", fields, false},
		{"type without end", "application/", fields, false},
		{"multipart without boundary", "multipart/form-data", body, false},
		{"multipart with another boundary", "multipart/form-data; boundary=other", body, false},
		{"multipart cut off", kind, body[:len(body)-60], false},
		{"multipart urlencoded", kind, fields, false},
		{"files are no fields", kind, strings.ReplaceAll(body, `name="grant_type"`, `name="grant_type"; filename="x"`), false},
		{"files without a name are no fields", kind, strings.ReplaceAll(body, `name="grant_type"`, `name="grant_type"; filename=""`), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header := map[string]string{}
			if tt.kind != "" {
				header["Content-Type"] = tt.kind
			}
			a := w.do(request{method: "POST", path: "/auth/token", body: tt.body, header: header})
			if tt.works {
				if a.status != 200 {
					t.Errorf("%d %s", a.status, a.body)
				}
				return
			}
			a.is(t, 400, noGrant)
		})
	}
	// Nothing in the URL is a field.
	w.do(request{method: "POST", path: "/auth/token?" + fields}).is(t, 400, noGrant)
}

// spec: http-auth.md, "K-3", "K-5", "K-6"; security.md 29 and 31
func TestACodeWorksOnceAndForItsClientOnly(t *testing.T) {
	w := newHouse(t, setup{})
	code := w.code("anna", nil)
	exchange := func(client string) answer {
		return w.form("/auth/token", "grant_type", "authorization_code", "client_id", client, "code", code)
	}
	for _, client := range []string{"https://app.example", "https://APP.example/", "https://app.example:443/", "https://evil.example/"} {
		exchange(client).is(t, 400, invalidCode)
	}
	if a := exchange(app); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	exchange(app).is(t, 400, invalidCode)
}

// spec: security.md W1, http-auth.md, "L-10"
func TestALinkCodeNeverBecomesATokenAndTheOtherWayRound(t *testing.T) {
	m := &riddle{}
	w := newWire(t, setup{manager: latchkey.Options{Modules: []latchkey.MFAModule{m}}})
	anna := w.person("anna", nil)
	access, _ := w.tokens("anna")
	authorize := w.code("anna", nil)
	m.users.Store(anna.ID, true)
	code := w.code("anna", map[string]any{"type": "link_user"}) // no second factor is asked for
	w.form("/auth/token", "grant_type", "authorization_code", "client_id", app, "code", code).is(t, 400, invalidCode)
	link := func(code string) answer {
		return w.as(access, request{method: "POST", path: "/auth/link_user", body: jsonText(t, map[string]any{"client_id": app, "code": code})})
	}
	link(authorize).is(t, 400, says("Invalid code"))
	// Neither mistake used a code up.
	link(code).is(t, 200, says("User linked"))
	if a := w.form("/auth/token", "grant_type", "authorization_code", "client_id", app, "code", authorize); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// spec: http-auth.md §7.1 check 4, "K-5", "K-8", "K-9", "T-3"
func TestExchangesThatComeTooLate(t *testing.T) {
	p := &porter{}
	w := newHouse(t, setup{manager: latchkey.Options{Providers: []latchkey.Provider{p}}})
	exchange := func(code string) answer {
		return w.form("/auth/token", "grant_type", "authorization_code", "client_id", app, "code", code)
	}
	guest := func() string {
		return w.post("/auth/login_flow", map[string]any{"client_id": app, "redirect_uri": callback, "handler": []any{"porter", "1"}}).text("result")
	}

	t.Run("the user was deactivated", func(t *testing.T) {
		bob := w.person("bob", nil)
		code := w.code("bob", nil)
		if err := w.DeactivateUser(t.Context(), bob.ID); err != nil {
			t.Fatal(err)
		}
		exchange(code).is(t, 403, denied("User is not active"))
		exchange(code).is(t, 400, invalidCode)
	})
	t.Run("the user was removed", func(t *testing.T) {
		eve := w.person("eve", nil)
		code := w.code("eve", nil)
		if err := w.RemoveUser(t.Context(), eve.ID); err != nil {
			t.Fatal(err)
		}
		exchange(code).is(t, 400, invalidCode)
	})
	t.Run("the user went out", func(t *testing.T) {
		w.person("local", func(n *atHome) { n.LocalOnly = true })
		code := w.code("local", nil)
		w.comeFrom("203.0.113.7")
		defer w.from.Store(nil)
		exchange(code).is(t, 403, denied("User cannot authenticate remotely"))
	})
	t.Run("somebody new becomes a user", func(t *testing.T) {
		a := exchange(guest())
		if a.status != 200 || a.text("ha_auth_provider") != "porter" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		session, err := w.ValidateAccessToken(t.Context(), a.text("access_token"))
		if err != nil || session.User.IsOwner || session.User.Name.Text != "Guest" {
			t.Errorf("%+v %v", session.User, err)
		}
		p.credential.Store(&session.User.Credentials[0])
	})
	t.Run("the provider refuses", func(t *testing.T) {
		code := guest()
		before := w.refreshTokens(t, p.credential.Load().UserID)
		p.refuses.Store(true)
		defer p.refuses.Store(false)
		exchange(code).is(t, 403, denied("The porter does not know this address"))
		if after := w.refreshTokens(t, p.credential.Load().UserID); after != before {
			t.Errorf("%d refresh tokens were left behind", after-before)
		}
	})
}

func (w *wire) refreshTokens(t *testing.T, userID string) int {
	t.Helper()
	tokens, err := w.RefreshTokens(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	return len(tokens)
}

// spec: http-auth.md §7.2, "T-4", "T-5", "T-7", "C-18"
func TestRefreshing(t *testing.T) {
	w := newHouse(t, setup{})
	_, refresh := w.tokens("anna")
	for _, tt := range []struct {
		name string
		form []string
		want string
	}{
		{"1: empty client", []string{"refresh_token", refresh, "client_id", ""}, invalidClient},
		{"1: client before token", []string{"client_id", "nonsense"}, invalidClient},
		{"2: no token", []string{"client_id", app}, invalidRequest},
		{"3: empty token", []string{"client_id", app, "refresh_token", ""}, invalidGrant},
		{"3: unknown token", []string{"client_id", app, "refresh_token", strings.Repeat("0", 128)}, invalidGrant},
		{"3: odd token", []string{"client_id", app, "refresh_token", "é\x00\xff"}, invalidGrant},
		{"3: token in upper case", []string{"client_id", app, "refresh_token", strings.ToUpper(refresh)}, invalidGrant},
		{"4: T-5: no client", []string{"refresh_token", refresh}, invalidRequest},
		{"4: another client", []string{"refresh_token", refresh, "client_id", "https://evil.example/"}, invalidRequest},
		{"4: nearly the same client", []string{"refresh_token", refresh, "client_id", "https://app.example"}, invalidRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.form("/auth/token", append([]string{"grant_type", "refresh_token"}, tt.form...)...)
			a.is(t, 400, tt.want)
			notStored(t, a)
		})
	}
	for range 2 {
		a := w.multipart("/auth/token", "client_id", app, "grant_type", "refresh_token", "refresh_token", refresh)
		access := a.text("access_token")
		a.is(t, 200, fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":1800}`, access))
		notStored(t, a)
		if !w.works(access) {
			t.Error("the access token does not work")
		}
	}
	token, err := w.RefreshTokenBySecret(t.Context(), latchkey.Secret(refresh))
	if err != nil || token.LastUsedIP != "127.0.0.1" || token.LastUsedAt.IsZero() {
		t.Errorf("last use: %v %q %v", token.LastUsedAt, token.LastUsedIP, err)
	}
}

// spec: http-auth.md, "T-5": tokens of the house itself have no client.
func TestRefreshingASystemToken(t *testing.T) {
	w := newHouse(t, setup{})
	u, err := w.CreateSystemUser(t.Context(), latchkey.NewUser{Name: latchkey.Text("Robot")})
	if err != nil {
		t.Fatal(err)
	}
	token, err := w.CreateRefreshToken(t.Context(), latchkey.NewRefreshToken{UserID: u.ID})
	if err != nil {
		t.Fatal(err)
	}
	if a := w.form("/auth/token", "grant_type", "refresh_token", "refresh_token", token.Secret.Reveal()); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.form("/auth/token", "grant_type", "refresh_token", "refresh_token", token.Secret.Reveal(), "client_id", app).
		is(t, 400, invalidRequest)
}

// spec: http-auth.md §7.2 checks 5 and 6; "M-3": the provider is asked when a token is minted, not when it is used
func TestRefreshingIsRefusedToWhoMayNotSignIn(t *testing.T) {
	p := &porter{}
	w := newHouse(t, setup{manager: latchkey.Options{Providers: []latchkey.Provider{p}}})
	refreshing := func(refresh string) answer {
		return w.form("/auth/token", "grant_type", "refresh_token", "refresh_token", refresh, "client_id", app)
	}
	w.person("local", func(n *atHome) { n.LocalOnly = true })
	_, refresh := w.tokens("local")
	w.comeFrom("203.0.113.7")
	refreshing(refresh).is(t, 403, denied("User cannot authenticate remotely"))
	w.from.Store(nil)

	start := w.post("/auth/login_flow", map[string]any{"client_id": app, "redirect_uri": callback, "handler": []any{"porter", "1"}})
	tokens := w.form("/auth/token", "grant_type", "authorization_code", "client_id", app, "code", start.text("result"))
	refresh = tokens.text("refresh_token")
	p.refuses.Store(true)
	if !w.works(tokens.text("access_token")) {
		t.Error("an access token that was minted before is refused")
	}
	refreshing(refresh).is(t, 403, denied("The porter does not know this address"))
	p.refuses.Store(false)
	w.from.Store(&latchkey.Origin{Addr: netip.MustParseAddr("127.0.0.1"), Tunnel: true}) // the address of the relay
	refreshing(refresh).is(t, 403, denied("The porter does not know this address"))
	w.from.Store(nil)
	if a := refreshing(refresh); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	// spec: http-auth.md, "T-8"; security.md 21
	bob := w.person("bob", nil)
	_, refresh = w.tokens("bob")
	if err := w.DeactivateUser(t.Context(), bob.ID); err != nil {
		t.Fatal(err)
	}
	refreshing(refresh).is(t, 400, invalidGrant)
}
