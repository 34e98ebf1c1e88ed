package server_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server"
)

// spec: security.md 47: every route refuses without authentication unless it is on this list.
func TestEveryRouteIsProtectedUnlessItIsListedAsOpen(t *testing.T) {
	open := []string{
		"GET /auth/providers", "GET /auth/login_flow", "POST /auth/login_flow", "GET /auth/login_flow/{id}",
		"POST /auth/login_flow/{id}", "DELETE /auth/login_flow/{id}", "POST /auth/token", "POST /auth/revoke",
		"GET /.well-known/oauth-authorization-server", "GET /.well-known/oauth-protected-resource",
		"GET /api/websocket", // makes its own handshake
		"GET /api/onboarding", "GET /api/onboarding/installation_type",
		"POST /api/onboarding/users", // until there is an account
		"GET /auth/authorize", "HEAD /auth/authorize", "GET /onboarding.html", "HEAD /onboarding.html", "GET /", "HEAD /",
		"GET /static/{rest...}", "HEAD /static/{rest...}",
		"POST /session",  // with a code
		"POST /sign-out", // where there is no session, nothing is to be done
	}
	w := newHouse(t, setup{server: func(o *server.Options) { o.Pages, o.WebSocket = pages{}, pageCalled("socket") }})
	access, refresh := w.tokens("anna")
	routes := w.server.Routes()
	protected := 0
	for _, route := range routes {
		name := route.Method + " " + route.Path
		if route.Open != slices.Contains(open, name) {
			t.Errorf("%s: open is %v; the list above says otherwise", name, route.Open)
		}
		if route.Open {
			continue
		}
		protected++
		if route.Browser {
			w.refusesAllButItsCookie(t, route, access)
			continue
		}
		r := request{method: route.Method, path: strings.ReplaceAll(route.Path, "{id}", strings.Repeat("0", 32))}
		for _, authorization := range []string{
			"", "Bearer", "Bearer ", "bearer " + access, "BEARER " + access, "Bearer  " + access, "Basic " + access, access,
			"Bearer " + refresh, "Bearer " + access + "x", "Bearer " + access[:len(access)-2], "Bearer\u00e9",
		} {
			r.header = map[string]string{}
			if authorization != "" {
				r.header["Authorization"] = authorization
			}
			if a := w.do(r); a.status != 401 || a.body != "401: Unauthorized" {
				t.Errorf("%s with Authorization %q: %d %s", name, authorization, a.status, a.body)
			}
		}
		r.header = nil
		r.path += "?access_token=" + access + "&api_password=" + url.QueryEscape(password)
		if a := w.do(r); a.status != 401 {
			t.Errorf("%s with a token in the query: %d", name, a.status)
		}
	}
	if protected == 0 || len(routes) != len(open)+protected {
		t.Errorf("%d routes, %d listed as open, %d protected", len(routes), len(open), protected)
	}
}

// refusesAllButItsCookie: pages for people who are signed in take the cookie of a session and nothing else.
func (w *wire) refusesAllButItsCookie(t *testing.T, route server.RouteInfo, access string) {
	t.Helper()
	path := strings.ReplaceAll(route.Path, "{rest...}", "x")
	for name, header := range map[string]map[string]string{
		"nothing": nil, "an access token": {"Authorization": "Bearer " + access},
		"an access token as a cookie": {"Cookie": "latchkey_session=" + access}, "an empty cookie": {"Cookie": "latchkey_session="},
		"another's cookie": {"Cookie": "session=" + access},
	} {
		a := w.do(request{method: route.Method, path: path, header: header})
		if a.status != 401 || route.Method != "HEAD" && a.body != "sign in" {
			t.Errorf("%s %s with %s: %d %s", route.Method, path, name, a.status, a.body)
		}
	}
}

// spec: http-auth.md, "M-1", "M-2", "M-7", §10.5
func TestBearerTokens(t *testing.T) {
	w := newHouse(t, setup{})
	access, _ := w.tokens("anna")
	status := request{method: "GET", path: "/api/"}
	w.as(access, status).is(t, 200, says("API running."))
	w.do(request{method: "GET", path: "/api/", header: map[string]string{"authorization": "Bearer " + access}}).
		is(t, 200, says("API running."))

	home := w.person("local", func(n *atHome) { n.LocalOnly = true })
	atHomeAccess, _ := w.tokens("local")
	w.comeFrom("203.0.113.7")
	w.as(atHomeAccess, status).is(t, 401, "401: Unauthorized")
	w.as(access, status).is(t, 200, says("API running."))
	w.comeFrom("192.168.1.7")
	w.as(atHomeAccess, status).is(t, 200, says("API running."))

	if err := w.DeactivateUser(t.Context(), home.ID); err != nil {
		t.Fatal(err)
	}
	w.as(atHomeAccess, status).is(t, 401, "401: Unauthorized")
}

// spec: http-auth.md, "M-6": a use of an access token is none of its refresh token
func TestAnAccessTokenLeavesTheLastUseAsItIs(t *testing.T) {
	w := newHouse(t, setup{})
	access, refresh := w.tokens("anna")
	before, err := w.RefreshTokenBySecret(t.Context(), latchkey.Secret(refresh))
	if err != nil {
		t.Fatal(err)
	}
	w.comeFrom("192.168.1.77")
	w.as(access, request{method: "GET", path: "/api/"}).is(t, 200, says("API running."))
	after, err := w.RefreshTokenBySecret(t.Context(), latchkey.Secret(refresh))
	if err != nil || !after.LastUsedAt.Equal(before.LastUsedAt) || after.LastUsedIP != before.LastUsedIP {
		t.Errorf("used at %v from %q, before %v from %q (%v)", after.LastUsedAt, after.LastUsedIP, before.LastUsedAt, before.LastUsedIP, err)
	}
}

// A program that embeds the server protects its own handlers with the same rules.
func TestRequireAuthProtectsOtherHandlers(t *testing.T) {
	w := newHouse(t, setup{})
	access, _ := w.tokens("anna")
	mine := w.mount(w.server.RequireAuth(whoAmI{}))
	mine.get("/anything").is(t, 401, "401: Unauthorized")
	a := mine.as(access, request{method: "GET", path: "/anything"})
	a.is(t, 200, "anna from 127.0.0.1")
	if a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error("the security headers are missing")
	}
	strict := newHouse(t, setup{server: func(o *server.Options) { o.Origin = nil }})
	strict.mount(strict.server.RequireAuth(whoAmI{})).
		do(request{method: "GET", path: "/", header: map[string]string{"X-Forwarded-For": "127.0.0.1"}}).
		is(t, 400, "400: Bad Request")
}
