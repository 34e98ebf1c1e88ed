package web

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

type object = map[string]any

// fakeAPI plays the HTTP API behind the pages as the specification describes it, and writes down what it is asked. What it
// does about a password is in the password's own name.
type fakeAPI struct {
	server    *httptest.Server
	prefix    string // the path below which everything is served
	providers []object
	onboarded atomic.Bool
	away      atomic.Bool // every request of the login's API is cut off
	shared    bool        // nobody is to stay signed in unless they say so
	setupCode string      // needed for the first account unless it is empty

	mu      sync.Mutex
	asked   []string          // "METHOD path", in order
	binding map[string]string // by flow id
	forget  bool              // the flows that were started are gone

	odd       object   // what a flow of the provider "odd" begins with, and what it answers with
	given     []object // what the steps of such flows were given
	challenge string   // the proof key of the last flow
	kept      atomic.Bool
}

var local = object{"name": "Home Assistant Local", "id": nil, "type": "homeassistant"}

// newFakeAPI serves the pages and the API below a path prefix.
func newFakeAPI(t *testing.T, prefix string) *fakeAPI {
	return newFakeAPIWith(t, prefix, mustNew(t, Options{}))
}

func newFakeAPIWith(t *testing.T, prefix string, pages *Pages) *fakeAPI {
	api := &fakeAPI{prefix: prefix, providers: []object{local}, binding: map[string]string{}}
	api.onboarded.Store(true)
	mux := http.NewServeMux()
	mount(mux, pages)
	mux.HandleFunc("GET /auth/providers", api.listProviders)
	mux.HandleFunc("POST /auth/login_flow", api.start)
	mux.HandleFunc("POST /auth/login_flow/{id}", api.step)
	mux.HandleFunc("DELETE /auth/login_flow/{id}", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, object{"message": "Flow aborted"})
	})
	mux.HandleFunc("GET /api/onboarding", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, []object{{"step": "user", "done": api.onboarded.Load()}})
	})
	mux.HandleFunc("POST /api/onboarding/users", api.firstUser)
	mux.HandleFunc("POST /session", api.session)
	mux.HandleFunc("GET /account", func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("latchkey_session")
		if err != nil || cookie.Value != "SECRET" {
			pages.SignIn().ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<link rel="icon" href="data:,"><p class="who">Signed in, kept: %v</p>`, api.kept.Load())
	})
	mux.HandleFunc("GET /landed", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<link rel="icon" href="data:,"><p id="landed">landed</p>`)
	})
	api.server = httptest.NewServer(http.StripPrefix(prefix, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api.mu.Lock()
		api.asked = append(api.asked, r.Method+" "+r.URL.Path)
		api.mu.Unlock()
		if api.away.Load() && (strings.HasPrefix(r.URL.Path, "/auth/login_flow") || r.URL.Path == "/auth/providers") {
			panic(http.ErrAbortHandler)
		}
		mux.ServeHTTP(w, r)
	})))
	t.Cleanup(api.server.Close)
	return api
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// root is the address of the home page.
func (api *fakeAPI) root() string { return api.server.URL + api.prefix + "/" }

// elsewhere is an address of the same server under another host name.
func (api *fakeAPI) elsewhere(path string) string {
	return strings.Replace(api.root(), "127.0.0.1", "localhost", 1) + path
}

// requests gives what was asked of the API so far, without pages and assets.
func (api *fakeAPI) requests() []string {
	api.mu.Lock()
	defer api.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(api.asked), func(line string) bool {
		return !strings.Contains(line, " /auth/providers") && !strings.Contains(line, "/login_flow") &&
			!strings.Contains(line, " /api/") && !strings.Contains(line, " /session")
	})
}

func (api *fakeAPI) count(line string) int {
	n := 0
	for _, request := range api.requests() {
		if strings.HasPrefix(request, line) {
			n++
		}
	}
	return n
}

func (api *fakeAPI) listProviders(w http.ResponseWriter, _ *http.Request) {
	if !api.onboarded.Load() {
		answer(w, http.StatusBadRequest, object{"message": "Onboarding not finished", "code": "onboarding_required"})
		return
	}
	answer(w, http.StatusOK, object{"providers": api.providers, "preselect_remember_me": !api.shared})
}

// start checks the body as strictly as the specification (http-auth.md §5.3).
func (api *fakeAPI) start(w http.ResponseWriter, r *http.Request) {
	body := read(r)
	handler, _ := body["handler"].([]any)
	api.mu.Lock()
	defer api.mu.Unlock()
	api.challenge, _ = body["code_challenge"].(string)
	maps.DeleteFunc(body, func(key string, value any) bool {
		return key == "code_challenge" || key == "code_challenge_method" && value == "S256"
	})
	if keys := slices.Sorted(maps.Keys(body)); len(handler) != 2 || !slices.Equal(keys, []string{"client_id", "handler", "redirect_uri"}) {
		answer(w, http.StatusBadRequest, object{"message": "Message format incorrect: test"})
		return
	}
	if body["client_id"] == "no url" {
		answer(w, http.StatusBadRequest, object{"message": "Invalid client id"})
		return
	}
	api.forget = false
	id := fmt.Sprintf("flow%d", len(api.binding))
	api.binding[id] = r.Header.Get("X-Latchkey-Binding")
	switch handler[0] {
	case "trusted_networks":
		field := object{"type": "select", "name": "user", "required": true, "options": [][]any{{"u1", "Anna"}, {"u2", nil}}}
		answer(w, http.StatusOK, form(id, "init", field))
	case "odd":
		api.odd["flow_id"] = id
		answer(w, http.StatusOK, api.odd)
	case "bypass":
		answer(w, http.StatusOK, object{"type": "create_entry", "flow_id": id, "result": "THECODE"})
	default:
		answer(w, http.StatusOK, form(id, "init", credentials...))
	}
}

var credentials = []object{{"type": "string", "name": "username", "required": true}, {"type": "string", "name": "password", "required": true}}

func form(id, step string, fields ...object) object {
	return object{"type": "form", "flow_id": id, "handler": []any{"homeassistant", nil}, "step_id": step, "data_schema": fields,
		"errors": nil, "description_placeholders": object{"mfa_module_name": "Authenticator app"}}
}

func withError(form object, base string) object {
	form["errors"] = object{"base": base}
	return form
}

func (api *fakeAPI) step(w http.ResponseWriter, r *http.Request) {
	body, id := read(r), r.PathValue("id")
	api.mu.Lock()
	defer api.mu.Unlock()
	if api.forget || len(api.binding[id]) != 64 || api.binding[id] != r.Header.Get("X-Latchkey-Binding") {
		answer(w, http.StatusNotFound, object{"message": "Invalid flow specified"})
		return
	}
	mfa := form(id, "mfa", object{"type": "string", "name": "code", "required": true})
	switch {
	case api.odd["flow_id"] == id:
		api.given = append(api.given, body)
		answer(w, http.StatusOK, api.odd)
	case body["code"] != nil && body["code"] != "012345":
		answer(w, http.StatusOK, withError(mfa, "invalid_code"))
	case body["password"] == "with a code":
		answer(w, http.StatusOK, mfa)
	case body["password"] == "aborted":
		answer(w, http.StatusOK, object{"type": "abort", "flow_id": id, "reason": "too_many_retry"})
	case body["password"] == "too often":
		late := withError(form(id, "init", credentials...), "too_many_attempts")
		late["description_placeholders"] = object{"wait_seconds": "37"}
		answer(w, http.StatusOK, late)
	case body["password"] == "refused":
		answer(w, http.StatusForbidden, object{"message": "Invalid redirect URI"})
	case body["password"] == "right", body["code"] != nil, body["user"] == "u2":
		answer(w, http.StatusOK, object{"type": "create_entry", "flow_id": id, "result": "THECODE"})
	default:
		answer(w, http.StatusOK, withError(form(id, "init", credentials...), "invalid_auth"))
	}
}

func (api *fakeAPI) firstUser(w http.ResponseWriter, r *http.Request) {
	body := read(r)
	switch {
	case body["client_id"] != api.root() || body["language"] != "en":
		answer(w, http.StatusBadRequest, object{"message": fmt.Sprintf("Message format incorrect: %v", body)})
	case body["password"] == "password1":
		answer(w, http.StatusBadRequest, object{"message": "Password is one of the most common ones", "code": "password_common"})
	case body["username"] == "late":
		answer(w, http.StatusForbidden, object{"message": "User step already done"})
	case api.setupCode != "" && body["setup_code"] == nil:
		answer(w, http.StatusForbidden, object{"message": "Give the setup code", "code": "setup_code_required"})
	case api.setupCode != "" && body["setup_code"] != api.setupCode:
		answer(w, http.StatusForbidden, object{"message": "The setup code is wrong", "code": "setup_code_invalid"})
	default:
		answer(w, http.StatusOK, object{"auth_code": "THECODE"})
	}
}

func (api *fakeAPI) session(w http.ResponseWriter, r *http.Request) {
	api.mu.Lock()
	defer api.mu.Unlock()
	if r.Header.Get("X-Latchkey-Page") == "" || challengeOf(r.FormValue("code_verifier")) != api.challenge {
		answer(w, http.StatusBadRequest, object{"error": "invalid_grant"})
		return
	}
	if r.FormValue("client_id") != api.root() || r.FormValue("code") != "THECODE" {
		answer(w, http.StatusBadRequest, object{"error": "invalid_request", "error_description": "Invalid code"})
		return
	}
	api.kept.Store(r.FormValue("keep") == "true")
	http.SetCookie(w, &http.Cookie{Name: "latchkey_session", Value: "SECRET", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	answer(w, http.StatusOK, object{"message": "Signed in"})
}

func challengeOf(verifier string) string {
	if verifier == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func read(r *http.Request) object {
	body, _ := io.ReadAll(r.Body)
	values := object{}
	_ = json.Unmarshal(body, &values)
	return values
}
