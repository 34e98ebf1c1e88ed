package pages_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

func TestASecondFactorIsReset(t *testing.T) {
	h := open(t)
	ben := h.person("ben", nil)
	bens, b := h.signIn("ben"), h.signIn("anna")
	offer, _ := enroll(t, bens)
	offer.send("Make recovery codes").is(200)
	ask := b.get(at(ben)).is(200, "Authenticator app: On", "Recovery codes: 10 of 10 left").follow("Reset the second step").
		is(200, "Reset the second step of ben?", "the password alone lets them in")
	ask.follow("Cancel").at(at(ben)).is(200, "Authenticator app: On")
	ask.send("Reset the second step").is(200, "The second step is reset.", "Authenticator app: Off").lacks("Recovery codes", "Reset the second step")
	if left, err := h.store.ModulesOf(t.Context(), ben.ID); err != nil || len(left) != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
	bens.get("/account").is(200, "Authenticator app Off") // whose session goes on
}

// spec: security.md 23
func TestSessionsOfOthersAreListedAndEnded(t *testing.T) {
	h := open(t)
	ben := h.person("ben", nil)
	here, there, b := h.signIn("ben"), h.signIn("ben"), h.signIn("anna")
	app, err := h.CreateRefreshToken(t.Context(), latchkey.NewRefreshToken{UserID: ben.ID, ClientID: latchkey.Text("https://home-assistant.io/android")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.CreateAccessToken(t.Context(), app.ID, netip.MustParseAddr("203.0.113.7")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.CreateLongLivedToken(t.Context(), ben.ID, "GPS", "", time.Hour); err != nil {
		t.Fatal(err)
	}
	p := b.get(at(ben)).is(200, "Sessions: 3, long-lived tokens: 1").follow("Show sessions").
		is(200, "Sessions of ben", "Home Assistant for Android", "from 203.0.113.7", "Last used", "GPS").lacks("This one")
	p.send("Sign out : Home Assistant for Android").is(200, "That session is signed out.").lacks("Android").at(at(ben, "/sessions?done=session_ended"))
	if _, err := h.RefreshToken(t.Context(), app.ID); err == nil {
		t.Error("the session goes on")
	}
	p.send("Sign out : Home Assistant for Android").is(200, "That session is signed out.") // from a page that is outdated
	here.get("/account").is(200)
	ask := b.get(at(ben, "/sessions")).follow("End all sessions").is(200, "End all sessions of ben?", "Long-lived tokens stay.")
	ask.follow("Cancel").at(at(ben, "/sessions"))
	ask.send("End all sessions").is(200, "Sessions ended: 2.", "This user is signed in nowhere.", "GPS")
	here.get("/account").is(http.StatusUnauthorized)
	there.get("/account").is(http.StatusUnauthorized)
	b.get("/account").is(200)
}

func TestTheSessionThatAsksGoesOn(t *testing.T) {
	h := open(t)
	b, elsewhere := h.signIn("anna"), h.signIn("anna")
	anna, err := h.Owner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := b.get(at(anna, "/sessions")).is(200, "This one", "Sign out everywhere else")
	form := url.Values{"form_token": {formToken(t, p)}, "id": {b.token.ID}}
	b.do(http.MethodPost, at(anna, "/sessions"), form).is(422, "That is the session that you are using.", "This one")
	p.follow("Sign out everywhere else").is(200, "everywhere but here").send("End all sessions").is(200, "Sessions ended: 1.").lacks("everywhere else")
	elsewhere.get("/account").is(http.StatusUnauthorized)
	b.get("/account").is(200)
}

// Only what belongs to the user whom the address names can be ended there.
func TestSessionsAndTokensBelongToTheirUser(t *testing.T) {
	h := open(t)
	ben, cara := h.person("ben", nil), h.person("cara", nil)
	caras, b := h.signIn("cara"), h.signIn("anna")
	program, _, err := h.CreateLongLivedToken(t.Context(), cara.ID, "GPS", "", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"form_token": {formToken(t, b.get("/account"))}, "id": {caras.token.ID}}
	b.do(http.MethodPost, at(ben, "/sessions"), form)
	form.Set("id", program.ID)
	b.do(http.MethodPost, at(cara, "/sessions"), form) // a token is no session
	caras.get("/account").is(200)
	for _, path := range []string{at(ben, "/tokens/"+program.ID+"/remove"), at(cara, "/tokens/"+caras.token.ID+"/remove")} {
		b.get(path).is(404)
		b.do(http.MethodPost, path, form).is(404)
	}
	caras.get("/account").is(200)
	if _, err := h.RefreshToken(t.Context(), program.ID); err != nil {
		t.Errorf("the token is gone: %v", err)
	}
}

func TestTokensOfOthersAreRemoved(t *testing.T) {
	h := open(t)
	ben := h.person("ben", nil)
	name := "GPS <b>logger</b>"
	_, access, err := h.CreateLongLivedToken(t.Context(), ben.ID, name, "", 30*24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	b := h.signIn("anna")
	ask := b.get(at(ben, "/sessions")).is(200, name, "valid until").follow("Remove : "+name).is(200, "Remove "+name+"?", "signed out at once")
	ask.follow("Cancel").at(at(ben, "/sessions"))
	ask.send("Remove").is(200, "The token is removed.", "There are none.").at(at(ben, "/sessions?done=token_removed"))
	if _, err := h.ValidateAccessToken(t.Context(), access); err == nil {
		t.Error("the token goes on")
	}
	ask.send("Remove").is(404)
}

// What was done is told with its numbers, and nothing else that an address brings along.
func TestAnAddressCannotMakeAPageSayAnything(t *testing.T) {
	b := open(t).signIn("anna")
	p := b.get("/admin/users?done=" + url.QueryEscape("sessions_ended ended=<b>Call+this+number</b> ended=7 more"))
	p.is(200, "Sessions ended: 7.").lacks("Call")
	if strings.Contains(p.source, "number") {
		t.Error("it does")
	}
	b.get("/admin/users?done="+url.QueryEscape("nothing ended=7")).is(200).lacks("ended", "nothing")
}
