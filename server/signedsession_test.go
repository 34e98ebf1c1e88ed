package server_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server"
	"github.com/seed-6a977b3d/latchkey/server/ws"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// What a client has signed over its socket works until the session of that socket ends (websocket.md §5.7; http-auth.md
// "S-3").
func TestPathsSignedOverTheWebSocket(t *testing.T) {
	w := newHouse(t, setup{})
	signer := server.NewSigner()
	sockets, err := ws.New(w.Manager, ws.Options{Signer: signer})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sockets.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	w.serve(setup{server: func(o *server.Options) { o.Signer, o.WebSocket = signer, sockets }})
	access, refresh := w.tokens("anna")
	conn, _, err := websocket.Dial(t.Context(), w.url+"/api/websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	var last []byte
	for _, message := range []string{
		`{"type":"auth","access_token":"` + access + `"}`, `{"id":1,"type":"auth/sign_path","path":"/api/?a=x%20y"}`,
	} {
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 { // auth_required, auth_ok and the result
		if _, last, err = conn.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var answer struct{ Result struct{ Path string } }
	if err := json.Unmarshal(last, &answer); err != nil || answer.Result.Path == "" {
		t.Fatalf("%s, %v", last, err)
	}
	w.get(answer.Result.Path).is(t, 200, `{"message":"API running."}`)
	w.get(answer.Result.Path+"&b=1").is(t, 401, "401: Unauthorized")
	w.form("/auth/revoke", "token", refresh)
	w.get(answer.Result.Path).is(t, 401, "401: Unauthorized")
}

// spec: http-auth.md §10.2, check 1: `exp` ≤ now is expired, without leeway
func TestSignedPathsExpireOnTime(t *testing.T) {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "latchkey.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	synctest.Test(t, func(t *testing.T) {
		m, err := latchkey.New(store, latchkey.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		signer := server.NewSigner()
		api, err := server.New(m, server.Options{Signer: signer})
		if err != nil {
			t.Fatal(err)
		}
		u, err := m.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text("anna")})
		if err != nil {
			t.Fatal(err)
		}
		token, err := m.CreateRefreshToken(t.Context(), latchkey.NewRefreshToken{UserID: u.ID, ClientID: latchkey.Text(app)})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(path string) int {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			rec := httptest.NewRecorder()
			api.ServeHTTP(rec, r)
			return rec.Code
		}
		sign := func(expires time.Duration) string {
			t.Helper()
			signed, err := signer.Sign("/api/", token, expires)
			if err != nil {
				t.Fatal(err)
			}
			return signed
		}
		signed := sign(30 * time.Second) // the clock of the bubble begins with a whole second
		time.Sleep(30*time.Second - time.Nanosecond)
		if got := ask(signed); got != 200 {
			t.Errorf("a moment before its end: %d", got)
		}
		time.Sleep(time.Nanosecond)
		if got := ask(signed); got != 401 {
			t.Errorf("at its end: %d", got)
		}
		for _, expires := range []time.Duration{0, -time.Second, time.Second - 1, -1 << 63} {
			if got := ask(sign(expires)); got != 401 {
				t.Errorf("signed for %v: %d", expires, got)
			}
		}
		// The refresh token ends by itself after 90 days, and takes along what was signed for longer.
		long := sign(1<<63 - 1)
		time.Sleep(latchkey.RefreshTokenExpiration - 31*time.Second)
		if got := ask(long); got != 200 {
			t.Errorf("before its token ends: %d", got)
		}
		time.Sleep(31 * time.Second)
		if got := ask(long); got != 401 {
			t.Errorf("after its token ended: %d", got)
		}
	})
}

// spec: http-auth.md §10.2, check 4; "S-4"; security.md W3
func TestSignedPathsEndWithTheirSession(t *testing.T) {
	for name, end := range map[string]func(s signing, ben latchkey.User) error{
		"its token is revoked": func(s signing, _ latchkey.User) error { return s.RemoveRefreshToken(s.t.Context(), s.token.ID) },
		"its user is deactivated": func(s signing, ben latchkey.User) error {
			return s.DeactivateUser(s.t.Context(), ben.ID)
		},
		"its user is deleted": func(s signing, ben latchkey.User) error { return s.RemoveUser(s.t.Context(), ben.ID) },
		"its user may only sign in at home": func(s signing, ben latchkey.User) error {
			local := true
			_, err := s.UpdateUser(s.t.Context(), ben.ID, latchkey.UserUpdate{LocalOnly: &local})
			s.comeFrom("203.0.113.9")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSigning(t)
			ben := s.person("ben", func(n *atHome) { n.GroupIDs = []string{latchkey.GroupAdmin} })
			access, _ := s.tokens("ben")
			session, err := s.ValidateAccessToken(t.Context(), access)
			if err != nil {
				t.Fatal(err)
			}
			s.token = session.Token
			signed := s.sign("/api/")
			s.get(signed).is(t, 200, `{"message":"API running."}`)
			if err := end(s, ben); err != nil {
				t.Fatal(err)
			}
			s.get(signed).is(t, 401, "401: Unauthorized")
		})
	}
}

// W3 also where a store still has the tokens of somebody who is not active, as files of the original may.
func TestSignedPathsOfInactiveUsersWithTokens(t *testing.T) {
	s := newSigning(t)
	ben := s.person("ben", nil)
	token, err := s.CreateRefreshToken(t.Context(), latchkey.NewRefreshToken{UserID: ben.ID, ClientID: latchkey.Text(app)})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.signer.Sign("/api/", token, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	s.get(signed).is(t, 200, `{"message":"API running."}`)
	err = s.store.Update(t.Context(), func(tx latchkey.Tx) error {
		ben.IsActive = false
		return tx.UpdateUser(t.Context(), ben)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.RefreshToken(t.Context(), token.ID); err != nil {
		t.Fatal("the token should still be there:", err)
	}
	s.get(signed).is(t, 401, "401: Unauthorized")
}

// A local-only user may ask for what was signed for them from home.
func TestSignedPathsOfLocalUsersWorkAtHome(t *testing.T) {
	s := newSigning(t)
	ben := s.person("ben", func(n *atHome) { n.LocalOnly = true })
	token, err := s.CreateRefreshToken(t.Context(), latchkey.NewRefreshToken{UserID: ben.ID, ClientID: latchkey.Text(app)})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.signer.Sign("/api/", token, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]int{"192.168.1.20": 200, "203.0.113.9": 401} {
		s.from.Store(&latchkey.Origin{Addr: netip.MustParseAddr(addr)})
		if got := s.get(signed).status; got != want {
			t.Errorf("from %s: %d, want %d", addr, got, want)
		}
	}
	// security.md 49
	s.from.Store(&latchkey.Origin{Addr: netip.MustParseAddr("192.168.1.20"), Tunnel: true})
	s.get(signed).is(t, 401, "401: Unauthorized")
}

// Whatever address is asked for, it is let in only when it is the signed one but for what may change.
func FuzzSignedPath(f *testing.F) {
	s := newSigning(f)
	const path = "/pictures/door"
	signed, err := s.signer.Sign(path+"?a=1&b=x%20y", s.token, 24*time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	_, sig, _ := strings.Cut(signed, "authSig=")
	for _, seed := range []string{
		"a=1&b=x%20y&authSig=SIG", "a=1&b=x+y&authSig=SIG&width=3", "height=%zz&%61=1&b=x%20y&authSig=SIG", "a=1&b=x%20y",
		"authSig=SIG", "b=x%20y&a=1&authSig=SIG", "a=1&b=x%20y&authSig=SIG=", "a=1&b=x%20y&authSig=SIG.", "a=1;b=x%20y&authSig=SIG",
		"a=1&b=x%20y&authSig=&authSig=SIG", "a=1&&b=x%20y&authSi%67=SIG&", "a=1&b=x%20y&authSig=..", "a=1&b=x%20y&authSig=\xff\x00",
		"authSig=eyJhbGciOiJub25lIn0.e30.", "a=1&b=x%20y&authSig=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..",
		"a=1&b=x%20y&authSig=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.AAAA", "a=1&b=x%20y&c&authSig=SIG", "a=1%00&b=x%20y&authSig=SIG",
	} {
		f.Add(path, seed)
	}
	f.Add("/pictures/x/../door", "a=1&b=x%20y&authSig=SIG")
	f.Add("/pictures/x/%2e%2e/door", "a=1&b=x%20y&authSig=SIG")
	f.Add("", "a=1&b=x%20y&authSig=SIG")
	f.Add("/pictures/\xffdoor", "%ff")
	handler := s.server.RequireAuthUnfiltered(whoAmI{})
	f.Fuzz(func(t *testing.T, at, query string) {
		query = strings.ReplaceAll(query, "SIG", sig)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "127.0.0.1:1"
		r.URL = &url.URL{Path: at, RawQuery: query}
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		switch rec.Code {
		case http.StatusUnauthorized:
			return
		case http.StatusOK:
		default:
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		if at != path {
			t.Errorf("let in at %q", at)
		}
		// The library's own reading of the query, which knows no order of different names.
		values, _ := url.ParseQuery(query)
		if !slices.Equal(values["a"], []string{"1"}) || !slices.Equal(values["b"], []string{"x y"}) ||
			len(values["authSig"]) == 0 || values["authSig"][0] != sig {
			t.Errorf("let in with %q", query)
		}
		for name := range values {
			if !slices.Contains([]string{"a", "b", "authSig", "height", "width"}, name) {
				t.Errorf("let in with %q in %q", name, query)
			}
		}
	})
}
