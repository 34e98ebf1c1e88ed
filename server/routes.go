package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// access says who may use a route.
type access int

const (
	// bearer routes need a valid access token or a signed path. It is the zero value: a route is open only if it says so.
	bearer access = iota
	// browser routes need the cookie of a session; forms have to be ours. Others are led through the sign-in.
	browser
	open
)

// endpoint answers a request with a document. What it returns as an error is looked up in the route's table of errors.
type endpoint func(*http.Request) (reply, error)

// route is one row of the table: a method on a path.
type route struct {
	method string
	// path is compared segment by segment. The last may be {id}, which stands for any one segment, or {rest...}, for
	// any number of them.
	path   string
	access access
	cors   crossOrigin
	// signsIn marks where people try to sign in: there, what is refused is a failed login.
	signsIn bool
	// secret marks answers that carry tokens or codes, which nobody may store.
	secret bool
	// do answers with a document, serve with anything; a route has one of the two.
	do     endpoint
	serve  http.Handler
	errors errorTable
}

// routes is the table of everything that this server answers (http-auth.md §2, onboarding.md §2).
func (s *Server) routes() []route {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	own, any := configuredOrigins, everyOrigin
	table := []route{
		{method: get, path: "/auth/providers", access: open, cors: own, do: s.listProviders},

		{method: get, path: "/auth/login_flow", access: open, cors: own, secret: true, serve: s.cors.bareNotAllowed("POST")},
		{method: post, path: "/auth/login_flow", access: open, cors: own, signsIn: true, secret: true, do: s.startLogin},
		{method: get, path: "/auth/login_flow/{id}", access: open, cors: own, secret: true, do: s.showLogin},
		{method: post, path: "/auth/login_flow/{id}", access: open, cors: own, signsIn: true, secret: true, do: s.continueLogin},
		{method: del, path: "/auth/login_flow/{id}", access: open, cors: own, secret: true, do: s.abortLogin},

		{method: post, path: "/auth/token", access: open, cors: any, signsIn: true, secret: true, do: s.token, errors: oauthErrors},
		{method: post, path: "/auth/revoke", access: open, cors: any, secret: true, do: s.revoke},
		{method: post, path: "/auth/link_user", cors: own, secret: true, do: s.linkUser},

		{method: get, path: "/.well-known/oauth-authorization-server", access: open, cors: own, do: s.authorizationServer},
		{method: get, path: "/.well-known/oauth-protected-resource", access: open, cors: own, do: s.protectedResource},

		{method: get, path: "/api/", cors: own, do: s.apiStatus},
	}
	if s.webSocket != nil {
		table = append(table, route{method: get, path: "/api/websocket", access: open, cors: own, serve: s.webSocket})
	}
	if s.onboarding {
		table = append(table,
			route{method: get, path: "/api/onboarding", access: open, cors: own, do: s.onboardingStatus},
			route{method: get, path: "/api/onboarding/installation_type", access: open, cors: own, do: s.installationType},
			route{method: post, path: "/api/onboarding/users", access: open, cors: own, secret: true, do: s.createOwner},
			route{method: post, path: "/api/onboarding/core_config", cors: own, do: s.finishCoreConfig},
			route{method: post, path: "/api/onboarding/analytics", cors: own, do: s.finishAnalytics},
			route{method: post, path: "/api/onboarding/integration", cors: own, secret: true, do: s.finishIntegration},
		)
	}
	if s.pages != nil {
		table = append(table, page("/auth/authorize", own, s.pages.Authorize())...)
		table = append(table, page("/onboarding.html", sameOrigin, s.pages.Onboarding())...)
		table = append(table, page("/static/{rest...}", sameOrigin, s.pages.Static())...)
		table = append(table, page("/", sameOrigin, http.HandlerFunc(s.home))...)
		table = append(table,
			route{method: post, path: "/session", access: open, cors: sameOrigin, signsIn: true, secret: true, do: s.beginSession, errors: oauthErrors},
			route{method: post, path: "/sign-out", access: open, cors: sameOrigin, secret: true, serve: http.HandlerFunc(s.signOut)},
		)
		table = append(table, signedIn("/account", s.pages.Account())...)
		table = append(table, signedIn("/account/{rest...}", s.pages.Account())...)
		table = append(table, signedIn("/admin/{rest...}", s.pages.Admin())...)
	}
	return table
}

// page is a file for browsers, which unlike the API may be asked for by HEAD (http-auth.md C-15).
func page(path string, c crossOrigin, h http.Handler) []route {
	return []route{
		{method: http.MethodGet, path: path, access: open, cors: c, serve: h},
		{method: http.MethodHead, path: path, access: open, cors: c, serve: h},
	}
}

// signedIn is a page for people who are signed in with a browser, and the forms on it.
func signedIn(path string, h http.Handler) []route {
	var rows []route
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		rows = append(rows, route{method: method, path: path, access: browser, cors: sameOrigin, secret: true, serve: h})
	}
	return rows
}

// resource is everything that can be done on one path.
type resource struct {
	segments []string
	cors     crossOrigin
	secret   bool
	routes   []route
}

// group puts the routes of each path together.
func group(routes []route) []resource {
	var out []resource
	at := map[string]int{}
	for _, r := range routes {
		i, ok := at[r.path]
		if !ok {
			i = len(out)
			at[r.path] = i
			out = append(out, resource{segments: strings.Split(r.path[1:], "/"), cors: r.cors, secret: r.secret})
		}
		out[i].routes = append(out[i].routes, r)
	}
	return out
}

// find returns the resource that a request asks for, or nil. Paths are compared as they are: nothing is cleaned, and
// /x and /x/ differ (http-auth.md C-14). The segment that {id} stands for becomes the request's path value.
func (s *Server) find(r *http.Request) *resource {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/")
	if !ok {
		return nil
	}
	// An escaped slash does not end a segment, so segments are decoded one by one.
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		decoded, err := url.PathUnescape(segment)
		if err != nil {
			return nil
		}
		segments[i] = decoded
	}
	for i := range s.resources {
		if res := &s.resources[i]; res.matches(segments) {
			if last := len(res.segments) - 1; res.segments[last] == "{id}" {
				r.SetPathValue("id", segments[last])
			}
			return res
		}
	}
	return nil
}

func (res *resource) matches(segments []string) bool {
	for i, want := range res.segments {
		switch {
		case i >= len(segments):
			return false
		case want == "{rest...}":
			return true
		case want == "{id}" && segments[i] != "":
		case want != segments[i]:
			return false
		}
	}
	return len(segments) == len(res.segments)
}

// route returns the route of a method, or nil.
func (res *resource) route(method string) *route {
	i := slices.IndexFunc(res.routes, func(r route) bool { return r.method == method })
	if i < 0 {
		return nil
	}
	return &res.routes[i]
}

// allow is the Allow header of a 405 (http-auth.md C-13).
func (res *resource) allow(c cors) string {
	var methods []string
	for _, r := range res.routes {
		methods = append(methods, r.method)
	}
	if c.enabled(res.cors) {
		methods = append(methods, http.MethodOptions)
	}
	slices.Sort(methods)
	return strings.Join(methods, ",")
}
