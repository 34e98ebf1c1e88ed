package server_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// handle gives the server a request without a listener.
func (w *wire) handle(t testing.TB, r request) answer {
	t.Helper()
	req := httptest.NewRequest(r.method, r.path, strings.NewReader(r.body))
	req.RemoteAddr = "127.0.0.1:1"
	for name, value := range r.header {
		req.Header[http.CanonicalHeaderKey(name)] = []string{value}
	}
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, req)
	return answer{rec.Code, rec.Header(), rec.Body.String()}
}

// wellFormed fails the test unless an answer is one of those that a client can make sense of.
func wellFormed(t *testing.T, a answer, statuses ...int) {
	t.Helper()
	if !slices.Contains(statuses, a.status) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a.header.Get("Content-Type") == "application/json" && !json.Valid([]byte(a.body)) {
		t.Fatalf("not JSON: %s", a.body)
	}
	notStored(t, a)
}

// Whatever is posted to the token endpoint, it answers in one of its own forms and never gives a token.
func FuzzTokenForm(f *testing.F) {
	w := newHouse(f, setup{})
	const urlencoded = "application/x-www-form-urlencoded"
	for _, seed := range []string{
		"grant_type=authorization_code&client_id=https%3A%2F%2Fapp.example%2F&code=00000000000000000000000000000000&code_verifier=x",
		"grant_type=refresh_token&refresh_token=0&client_id=", "action=revoke&token=0", "grant_type=%zz&&=&;", "",
	} {
		f.Add(urlencoded, seed)
	}
	kind, body := multipartForm(f, "client_id", app, "code", "0", "grant_type", "authorization_code")
	f.Add(kind, body)
	f.Add(kind, strings.ReplaceAll(body, `name="code"`, `name="code"; filename*=utf-8''x`))
	f.Add("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=action\r\nContent-Type: text/plain; charset=latin1\r\n\r\nrevoke\r\n--x--")
	f.Add("multipart/form-data; boundary=\"", "--")
	f.Fuzz(func(t *testing.T, kind, body string) {
		a := w.handle(t, request{method: "POST", path: "/auth/token", body: body, header: map[string]string{"Content-Type": kind}})
		wellFormed(t, a, 200, 400, 413)
		if a.status == 200 && a.body != "" {
			t.Errorf("tokens for %q", body)
		}
	})
}

// Whatever is posted to the login flow, as its start or as its next step, it answers in one of its own forms.
func FuzzLoginFlowBody(f *testing.F) {
	w := newHouse(f, setup{})
	id := w.startFlow(nil)
	for _, seed := range []string{
		`{"client_id":"https://app.example/","handler":["homeassistant",null],"redirect_uri":"https://app.example/cb","type":"link_user"}`,
		`{"client_id":"https://app.example/","handler":["homeassistant",null],"redirect_uri":"","code_challenge":"x","code_challenge_method":"S256"}`,
		`{"client_id":"https://app.example/","username":"anna","password":"wrong"}`,
		`{"client_id":"https://app.example/","username":1,"password":[{}]}`,
		`{"client_id":"\ud800","a":1e999,"a":2}`, `[`, `{}`, `null`, "\ufeff{}", `{"":{"":[]}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{"/auth/login_flow", "/auth/login_flow/" + id} {
			a := w.handle(t, request{method: "POST", path: path, body: body})
			wellFormed(t, a, 200, 400, 404, 413)
			if a.text("type") == "create_entry" {
				t.Errorf("signed in by %q", body)
			}
		}
	})
}
