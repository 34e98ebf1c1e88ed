package server_test

import (
	"net/http"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/permission"
)

// spec: http-auth.md §10.6
func TestRequireAdminIsForAdministrators(t *testing.T) {
	w := newHouse(t, setup{})
	w.person("ben", nil)
	w.person("cleo", func(n *latchkey.NewUser) { n.GroupIDs = []string{latchkey.GroupAdmin} })
	mine := w.mount(w.server.RequireAdmin(whoAmI{}))
	anna, _ := w.tokens("anna")
	ben, _ := w.tokens("ben")
	cleo, _ := w.tokens("cleo")
	r := request{method: http.MethodGet, path: "/"}
	mine.get("/").is(t, 401, "401: Unauthorized")
	mine.as(anna, r).is(t, 200, "anna from 127.0.0.1")
	mine.as(cleo, r).is(t, 200, "cleo from 127.0.0.1")
	mine.as(ben, r).is(t, 401, "401: Unauthorized")
}

// spec: permissions.md §2, through the middleware
func TestRequireEntityAsksTheGroups(t *testing.T) {
	w := newHouse(t, setup{})
	policy, err := permission.Parse([]byte(`{"entities":{"entity_ids":{"light.hall":{"control":true,"read":true},"light.attic":{"read":true}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	group, err := w.CreateGroup(t.Context(), "Hall", policy)
	if err != nil {
		t.Fatal(err)
	}
	w.person("ben", func(n *latchkey.NewUser) { n.GroupIDs = []string{group.ID} })
	ben, _ := w.tokens("ben")
	mux := http.NewServeMux()
	lights := func(r *http.Request) string {
		if id := r.PathValue("id"); id != "none" {
			return "light." + id
		}
		return ""
	}
	mux.Handle("GET /lights/{id}", w.server.RequireEntity(permission.Read, lights, whoAmI{}))
	mux.Handle("POST /lights/{id}", w.server.RequireEntity(permission.Control, lights, whoAmI{}))
	mine := w.mount(mux)
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/lights/hall", 200}, {"POST", "/lights/hall", 200},
		{"GET", "/lights/attic", 200}, {"POST", "/lights/attic", 401},
		{"GET", "/lights/cellar", 401}, {"GET", "/lights/none", 401},
	} {
		if a := mine.as(ben, request{method: tt.method, path: tt.path}); a.status != tt.status {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.path, a.status, tt.status)
		}
	}
	// A group that is changed counts at once.
	none, err := permission.Parse([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	group.Policy = none
	if _, err := w.UpdateGroup(t.Context(), group.ID, latchkey.GroupUpdate{Policy: &none}); err != nil {
		t.Fatal(err)
	}
	if a := mine.as(ben, request{method: "GET", path: "/lights/hall"}); a.status != 401 {
		t.Errorf("after the group lost everything: %d", a.status)
	}
}

// spec: security.md 46
func TestPathsThatClimbAreRefusedBeforeOtherHandlers(t *testing.T) {
	w := newHouse(t, setup{})
	access, _ := w.tokens("anna")
	mine := w.mount(w.server.RequireAuth(whoAmI{}))
	for _, path := range []string{"/a/%2e%2e/b", "/a/%252e%252e/b", "/a/%2e%2e%2fb", "/a/..%252fb", "/a/%2e%2e"} {
		mine.as(access, request{method: http.MethodGet, path: path}).is(t, 400, "400: Bad Request")
	}
	mine.as(access, request{method: http.MethodGet, path: "/a..b/...c"}).is(t, 200, "anna from 127.0.0.1")
}
