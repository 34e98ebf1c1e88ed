package pages_test

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/seed-6a977b3d/latchkey"
)

func TestTheAccountAtAGlance(t *testing.T) {
	h := open(t)
	h.person("ben", nil)
	p := h.signIn("anna").get("/account").is(200, "Your account", "anna", "Owner of this server", "Authenticator app Off", "Letters Off",
		"This one", "You are signed in nowhere else.", "There are none.")
	if readable(p.all("title")[0]) != "Your account · latchkey" {
		t.Errorf("the title is %q", readable(p.all("title")[0]))
	}
	p.lacks("Recovery codes")
	for _, nav := range []string{"Users", "Groups", "Bans"} {
		if !strings.Contains(readable(p.all("nav")[0]), nav) {
			t.Errorf("the owner is not shown the way to %s", nav)
		}
	}
	h.signIn("ben").get("/account").is(200, "ben", "User").lacks("Bans", "Groups")
}

// spec: security.md 8: nothing is shown to who is not signed in
func TestNothingIsShownToStrangers(t *testing.T) {
	h := open(t)
	stranger := &browser{house: h}
	for _, path := range []string{"/account", "/account/name", "/account/tokens", "/admin/users", "/admin/bans", "/account/nothing"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			p := stranger.do(method, path, nil)
			if p.status != http.StatusUnauthorized || strings.Contains(p.source, "anna") || !strings.Contains(p.source, "data-door") {
				t.Errorf("%s %s: %d %s", method, path, p.status, p.text)
			}
		}
	}
}

func TestTheNameIsChanged(t *testing.T) {
	b := open(t).signIn("anna")
	p := b.get("/account").follow("Change name").is(200)
	p.send("Save", "name", "  Anna <b>Lovelace</b> ").is(200, "Your name is changed.", "Anna <b>Lovelace</b>").at("/account?done=name_changed")
	b.get("/account/name").send("Save", "name", " ").refused("name", "Please fill this in.")
	b.get("/account/name").send("Save", "name", strings.Repeat("ä", 201)).refused("name", "at most 200 characters")
	b.get("/account").is(200, "Anna <b>Lovelace</b>").lacks("is changed")
	b.get("/account?done=nothing").is(200).lacks("nothing")
	b.get("/account").follow("Change name").follow("Cancel").at("/account")
}

// spec: security.md 6, 22
func TestThePasswordIsChanged(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	h.signIn("anna") // elsewhere
	change := func(current, next, again string) *page {
		t.Helper()
		return b.get("/account/password").send("Change password", "current_password", current, "new_password", next, "repeat_password", again)
	}
	change("wrong", "another good one", "another good one").refused("current_password", "That password is not right.")
	change(password, "short", "short").refused("new_password", "at least 8 characters")
	change(password, "password1", "password1").refused("new_password", "most common")
	change(password, strings.Repeat("x", 5000), strings.Repeat("x", 5000)).refused("new_password", "too long")
	p := change(password, "another good one", "another good two")
	p.refused("repeat_password", "The two passwords differ.")
	if strings.Contains(p.source, "another good") || strings.Contains(p.source, password) {
		t.Error("a password stands in the page")
	}
	if err := h.local.ValidateLogin(t.Context(), "anna", password); err != nil {
		t.Fatalf("something was changed: %v", err)
	}
	p = change(password, "another good one", "another good one").is(200, "Your password is changed.", "End your other sessions?").
		at("/account/others?done=password_changed")
	if err := h.local.ValidateLogin(t.Context(), "anna", "another good one"); err != nil {
		t.Error(err)
	}
	p.send("Sign out everywhere else").is(200, "You are signed out everywhere else.", "You are signed in nowhere else.").at("/account?done=others_ended")
	change("another good one", "yet another one", "yet another one").is(200, "Your password is changed.").at("/account?done=password_changed")
}

// spec: security.md 9, 10: whoever holds a session may not guess any faster than at the door
func TestGuessingTheCurrentPasswordIsSlowedDown(t *testing.T) {
	b := open(t).signIn("anna")
	for range 30 {
		p := b.get("/account/password").send("Change password", "current_password", "wrong", "new_password", "another good one", "repeat_password", "another good one")
		if strings.Contains(p.wrong("current_password"), "Too many failed attempts. Try again in") {
			return
		}
	}
	t.Error("thirty guesses, and no delay")
}

func TestWithoutAPasswordThereIsNoneToChange(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	u := h.person("ben", nil)
	if err := h.RemoveCredentials(t.Context(), u.Credentials[0]); err != nil {
		t.Fatal(err)
	}
	token, err := h.CreateRefreshToken(t.Context(), latchkey.NewRefreshToken{UserID: u.ID, ClientID: latchkey.Text(h.url + "/")})
	if err != nil {
		t.Fatal(err)
	}
	at, _ := url.Parse(h.url)
	b.client.Jar.SetCookies(at, []*http.Cookie{{Name: "latchkey_session", Value: token.SessionSecret().Reveal()}})
	b.get("/account").is(200, "ben").lacks("Change password", "User name")
	b.get("/account/password").is(404, "That is not there")
}

// spec: security.md 23
func TestSessionsAreListedAndEnded(t *testing.T) {
	h := open(t)
	here, there := h.signIn("anna"), h.signIn("anna")
	there.get("/account")
	u, err := h.Owner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	app, err := h.CreateRefreshToken(t.Context(), latchkey.NewRefreshToken{UserID: u.ID, ClientID: latchkey.Text("https://home-assistant.io/android")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.CreateAccessToken(t.Context(), app.ID, netip.MustParseAddr("203.0.113.7")); err != nil {
		t.Fatal(err)
	}
	p := here.get("/account").is(200, "Home Assistant for Android", "from 203.0.113.7", strings.TrimPrefix(h.url, "http://")+" This one", "Last used")
	if n := strings.Count(p.text, "This one"); n != 1 {
		t.Errorf("%d sessions are this one", n)
	}
	p.send("Sign out : Home Assistant for Android").is(200, "That session is signed out.").lacks("Android")
	there.get("/account").is(200)
	if _, err := h.RefreshToken(t.Context(), app.ID); err == nil {
		t.Error("the session goes on")
	}
	// Once more, from a page that is outdated.
	p.send("Sign out : Home Assistant for Android").is(200, "That session is signed out.")
	here.get("/account").send("Sign out everywhere else").is(200, "You are signed out everywhere else.")
	there.get("/account").is(http.StatusUnauthorized)
	here.get("/account").is(200)
}

func TestSessionsOfOthersAreNotOnesOwn(t *testing.T) {
	h := open(t)
	h.person("ben", nil)
	anna, ben := h.signIn("anna"), h.signIn("ben")
	p := ben.get("/account")
	form := url.Values{"id": {anna.token.ID}, "form_token": {formToken(t, p)}}
	ben.do(http.MethodPost, "/account/sessions", form).is(200)
	anna.get("/account").is(200)
	tokens := url.Values{"form_token": {formToken(t, p)}}
	ben.do(http.MethodPost, "/account/tokens/"+anna.token.ID+"/remove", tokens).is(404)
	anna.get("/account").is(200)
}

// formToken finds the token in any form of a page.
func formToken(t testing.TB, p *page) string {
	t.Helper()
	for _, n := range p.all("input") {
		if attribute(n, "name") == "form_token" {
			return attribute(n, "value")
		}
	}
	t.Fatal("no form carries a token")
	return ""
}

func TestTokensOfProgramsAreMadeShownOnceAndRemoved(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	p := b.get("/account").follow("Make a token").is(200)
	p.send("Make a token", "name", "").refused("name", "Please fill this in.")
	p.send("Make a token", "name", "GPS", "days", "0").refused("days", "up to 3650")
	p.send("Make a token", "name", "GPS", "days", "many").refused("days", "up to 3650")
	made := p.send("Make a token", "name", "GPS logger", "days", "30").is(200, "Your new token", "shown only once")
	token := readable(made.all("textarea")[0])
	session, err := h.ValidateAccessToken(t.Context(), token)
	if err != nil || session.User.Name.Text != "anna" || session.Token.AccessTokenExpiration != 30*24*time.Hour {
		t.Fatalf("the token is worth nothing: %v %+v", err, session.Token)
	}
	if got := made.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: %s", got)
	}
	p.send("Make a token", "name", "GPS logger").refused("name", "You have a token of this name.")
	list := b.get("/account").is(200, "GPS logger Made", "valid until")
	if strings.Contains(list.source, token) {
		t.Error("the token is shown again")
	}
	ask := list.follow("Remove : GPS logger").is(200, "Remove GPS logger?", "signed out at once")
	ask.follow("Cancel").is(200, "GPS logger")
	ask.send("Remove").is(200, "The token is removed.", "There are none.")
	if _, err := h.ValidateAccessToken(t.Context(), token); err == nil {
		t.Error("the token goes on")
	}
	b.get("/account/tokens/nothing/remove").is(404)
	b.get("/account/tokens/"+b.token.ID+"/remove").is(404, "That is not there") // a session is no token
}

// secretOf finds the secret that the page shows, and checks that the picture shows the same.
func secretOf(t *testing.T, p *page) string {
	t.Helper()
	var secret string
	for _, n := range p.all("code") {
		if attribute(n, "id") == "secret" {
			secret = strings.ReplaceAll(readable(n), " ", "")
		}
	}
	picture, ok := strings.CutPrefix(attribute(p.all("img")[0], "src"), "data:image/svg+xml;base64,")
	svg, err := base64.StdEncoding.DecodeString(picture)
	if len(secret) < 16 || !ok || err != nil || !strings.HasPrefix(string(svg), `<svg xmlns="http://www.w3.org/2000/svg" `) {
		t.Fatalf("secret %q, picture %.40q, %v", secret, svg, err)
	}
	return secret
}

func codeFor(t *testing.T, secret string) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// enroll sets the authenticator app up. The code may be outdated the moment it is sent: then the next one is.
func enroll(t *testing.T, b *browser) (done *page, secret string) {
	t.Helper()
	p := b.get("/account/factors/totp").is(200, "Set up Authenticator app")
	secret = secretOf(t, p)
	for range 3 {
		code := codeFor(t, secret)
		if done = p.send("Continue", "field_code", code[:3]+" "+code[3:]); done.status == 200 {
			return done, secret
		}
	}
	t.Fatalf("no code was accepted: %s", done.text)
	return nil, ""
}

// spec: mfa.md §4; security.md 17, 22; login-page.md §9
func TestAnAuthenticatorAppIsSetUpWithRecoveryCodes(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	h.signIn("anna") // elsewhere
	p := b.get("/account").follow("Set up : Authenticator app").is(200)
	secret := secretOf(t, p)
	again := p.send("Continue", "field_code", "000000").refused("field_code", "That code is not right.")
	if secretOf(t, again) != secret {
		t.Error("a wrong code costs the secret that was scanned already")
	}
	p.send("Continue").refused("field_code", "That code is not right.")
	offer, _ := enroll(t, b)
	offer.is(200, "The second step is on.", "Recovery codes", "Ten recovery codes").at("/account/recovery?done=factor_on")
	made := offer.send("Make recovery codes").is(200, "They are shown only now.")
	var codes []string
	for _, n := range made.all("code") {
		codes = append(codes, readable(n))
	}
	if len(codes) != 10 || made.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d codes: %v", len(codes), codes)
	}
	made.follow("I have saved them").is(200, "End your other sessions?").follow("Leave them").is(200, "Authenticator app On", "10 of 10 left")

	// Renewing them makes the old ones worthless.
	b.get("/account/recovery").is(200, "The codes that you have now will no longer work.").send("Make new ones").is(200)
	if got := b.get("/account").text; strings.Contains(got, codes[0]) {
		t.Error("codes are shown again")
	}
	off := b.get("/account").follow("Turn off : Authenticator app").is(200, "Turn off Authenticator app?")
	off.send("Turn off").is(200, "The second step is off.")
	b.get("/account").is(200, "Authenticator app Off").lacks("of 10 left")
	b.get("/account/recovery").at("/account")
}

// spec: mfa.md §5
func TestCodesByLetterAreSetUp(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	p := b.get("/account").follow("Set up : Letters").is(200, "Choose how the codes reach you.", "letterbox")
	p = p.send("Continue", "field_notify_service", "letterbox").is(200, "A code was sent by letterbox.")
	code := h.post.code()
	p.send("Continue", "field_code", code).is(200, "The second step is on.")
	b.get("/account").is(200, "Letters On", "None")
}

func TestASetUpThatWaitedTooLongBeginsAnew(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	p := b.get("/account/factors/totp")
	form := url.Values{"form_token": {formToken(t, p)}, "flow_id": {"gone"}, "field_code": {"123456"}}
	b.do(http.MethodPost, "/account/factors/totp", form).is(200, "That took too long.").at("/account/factors/totp?done=setup_restarted")
	b.get("/account/factors/nothing").is(404)
	b.get("/account/factors/nothing/off").is(404)
}

// spec: security.md 16: changing a factor needs recent full authentication
func TestHowTheAccountIsProtectedChangesOnlyAfterARecentSignIn(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	b.age(20 * time.Minute)
	for _, path := range []string{"/account/factors/totp", "/account/factors/totp/off", "/account/recovery"} {
		p := b.get(path).is(http.StatusForbidden, "Is it you?", "Sign in again")
		form := url.Values{"form_token": {formToken(t, p)}}
		b.do(http.MethodPost, path, form).is(http.StatusForbidden, "Is it you?")
	}
	b.get("/account/name").is(200) // everything else goes on
}

// age makes a session one that began earlier.
func (b *browser) age(by time.Duration) {
	b.t.Helper()
	err := b.store.Update(b.t.Context(), func(tx latchkey.Tx) error {
		t, err := tx.RefreshToken(b.t.Context(), b.token.ID)
		if err != nil {
			return err
		}
		t.CreatedAt = t.CreatedAt.Add(-by)
		return tx.UpdateRefreshToken(b.t.Context(), t)
	})
	if err != nil {
		b.t.Fatal(err)
	}
}
