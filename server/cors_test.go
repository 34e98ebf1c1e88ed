package server_test

import (
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey/server"
)

const cast = "https://cast.home-assistant.io"

// spec: http-auth.md, "O-1", "O-2", "O-3"
func TestActualRequestsOfOtherOrigins(t *testing.T) {
	w := newHouse(t, setup{})
	access, _ := w.tokens("anna")
	for _, tt := range []struct {
		name   string
		r      request
		origin string
		status int
		want   string
	}{
		{"token endpoint, any origin", request{method: "POST", path: "/auth/token"}, "http://example.com", 400, "http://example.com"},
		{"token endpoint, null", request{method: "POST", path: "/auth/token"}, "null", 400, "null"},
		{"token endpoint, no origin", request{method: "POST", path: "/auth/token"}, "", 400, ""},
		{"revoke, any origin", request{method: "POST", path: "/auth/revoke"}, "http://example.com", 200, "http://example.com"},
		{"configured origin", request{method: "GET", path: "/auth/providers"}, cast, 200, cast},
		{"another origin", request{method: "GET", path: "/auth/providers"}, "http://example.com", 200, ""},
		{"another case", request{method: "GET", path: "/auth/providers"}, "HTTPS://cast.home-assistant.io", 200, ""},
		{"401", request{method: "GET", path: "/api/"}, cast, 401, cast},
		{"400 of the filter", request{method: "GET", path: "/auth/providers?a=%0a"}, cast, 400, cast},
		{"404", request{method: "GET", path: "/nowhere"}, cast, 404, ""},
		{"405", request{method: "PUT", path: "/auth/providers"}, cast, 405, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.origin != "" {
				tt.r.header = map[string]string{"Origin": tt.origin}
			}
			a := w.do(tt.r)
			if a.status != tt.status {
				t.Errorf("status %d, want %d", a.status, tt.status)
			}
			if got := a.header.Get("Access-Control-Allow-Origin"); got != tt.want {
				t.Errorf("Access-Control-Allow-Origin %q, want %q", got, tt.want)
			}
			for _, header := range []string{"Access-Control-Allow-Credentials", "Access-Control-Max-Age", "Access-Control-Expose-Headers"} {
				if got, given := a.header[header]; given {
					t.Errorf("%s: %q", header, got)
				}
			}
		})
	}
	t.Run("with a token", func(t *testing.T) {
		a := w.as(access, request{method: "GET", path: "/api/", header: map[string]string{"Origin": cast}})
		if a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != cast {
			t.Errorf("%d %v", a.status, a.header)
		}
	})
}

// spec: http-auth.md, "O-4", "O-5", "O-6" and the test vector of §11
func TestPreflights(t *testing.T) {
	w := newHouse(t, setup{})
	for _, tt := range []struct {
		name, path, origin, method, headers string
		status                              int
		allowed                             string
	}{
		{"test vector", "/auth/token", "http://example.com", "POST", "", 200, ""},
		{"headers in any case", "/auth/token", "null", "POST", "content-type, Authorization", 200, "CONTENT-TYPE,AUTHORIZATION"},
		{"empty headers", "/auth/token", "http://example.com", "POST", " , ", 200, ""},
		{"all headers", "/api/", cast, "GET", "Origin,Accept,X-Requested-With,Content-Type,Authorization", 200,
			"ORIGIN,ACCEPT,X-REQUESTED-WITH,CONTENT-TYPE,AUTHORIZATION"},
		{"a method the path lacks", "/auth/token", "http://example.com", "GET", "", 200, ""},
		{"another header", "/auth/token", "http://example.com", "POST", "X-Other", 403, ""},
		{"the binding of our own pages", "/auth/login_flow", cast, "POST", server.BindingHeader, 403, ""},
		{"another origin", "/auth/providers", "http://example.com", "GET", "", 403, ""},
		{"no origin", "/auth/token", "", "POST", "", 403, ""},
		{"no method", "/auth/token", "http://example.com", "", "", 403, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := request{method: "OPTIONS", path: tt.path, header: map[string]string{}}
			for name, value := range map[string]string{
				"Origin": tt.origin, "Access-Control-Request-Method": tt.method, "Access-Control-Request-Headers": tt.headers,
			} {
				if value != "" {
					r.header[name] = value
				}
			}
			a := w.do(r)
			if a.status != tt.status {
				t.Fatalf("%d %s, want %d", a.status, a.body, tt.status)
			}
			if tt.status == 403 {
				if !strings.HasPrefix(a.body, "CORS preflight request failed: ") || a.header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%q %v", a.body, a.header)
				}
				return
			}
			for header, want := range map[string]string{
				"Access-Control-Allow-Origin": tt.origin, "Access-Control-Allow-Methods": tt.method,
				"Access-Control-Allow-Headers": tt.allowed, "Content-Type": "application/octet-stream",
			} {
				if got := a.header.Get(header); got != want {
					t.Errorf("%s %q, want %q", header, got, want)
				}
			}
			if a.body != "" {
				t.Errorf("body %q", a.body)
			}
		})
	}
}

// spec: http-auth.md, "O-1", "O-5": an empty list switches CORS off, except for the token endpoints.
func TestCORSCanBeSwitchedOff(t *testing.T) {
	w := newHouse(t, setup{server: func(o *server.Options) { o.CORSOrigins = []string{} }})
	header := map[string]string{"Origin": cast, "Access-Control-Request-Method": "GET"}
	a := w.do(request{method: "OPTIONS", path: "/auth/providers", header: header})
	a.is(t, 405, "405: Method Not Allowed")
	if got := a.header.Get("Allow"); got != "GET" {
		t.Errorf("Allow %q", got)
	}
	if a := w.do(request{method: "OPTIONS", path: "/auth/token", header: header}); a.status != 200 {
		t.Errorf("token endpoint: %d", a.status)
	}
	w.do(request{method: "OPTIONS", path: "/nowhere", header: header}).is(t, 404, "404: Not Found")
}
