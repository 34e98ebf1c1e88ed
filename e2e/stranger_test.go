package e2e

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// stray asks for something without following where it leads.
func (p *program) stray(method, path, body string, header map[string]string) (status int, heads http.Header, said string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.address+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}

// spec: security.md 44: whatever a stranger says of where they are, nothing tells who lives here
func TestStrangersLearnNoNames(t *testing.T) {
	p := start(t, "")
	p.createOwner()
	p.run("some good words 1\n", "user", "add", "bartholomew", "--name", "Bart of the Hill", "--password-stdin")
	secrets := []string{"anna", "Anna", "bartholomew", "Bart of"}
	users := p.run("", "user", "list", "--json")
	for _, part := range strings.Split(users, `"`) {
		if len(part) == 32 && strings.Trim(part, "0123456789abcdef") == "" {
			secrets = append(secrets, part) // ids
		}
	}
	if len(secrets) < 6 {
		t.Fatalf("no ids in %s", users)
	}
	authorize := "/auth/authorize?" + url.Values{
		"client_id": {p.clientID()}, "redirect_uri": {p.clientID()}, "username": {"bart"}, "login_hint": {"bart"},
	}.Encode()
	for _, header := range []map[string]string{
		nil, {"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-For": "192.168.1.10"}, {"X-Real-IP": "192.168.1.10"},
		{"Forwarded": "for=192.168.1.10"}, {"X-Forwarded-For": "192.168.1.10, 10.0.0.1", "X-Forwarded-Host": "localhost"},
	} {
		for _, path := range []string{
			"/", "/auth/providers", authorize, "/onboarding.html", "/account", "/account/sessions", "/admin/users", "/admin/users?q=bart",
			"/admin/groups", "/admin/bans", "/api/", "/api/onboarding", "/api/onboarding/installation_type",
			"/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource", "/auth/login_flow", "/nowhere",
		} {
			_, heads, said := p.stray(http.MethodGet, path, "", header)
			said += " " + strings.Join(heads.Values("Set-Cookie"), " ") + heads.Get("Location")
			for _, secret := range secrets {
				if strings.Contains(said, secret) {
					t.Errorf("GET %s with %v says %q", path, header, secret)
				}
			}
		}
	}
	start := `{"client_id":"` + p.clientID() + `","redirect_uri":"` + p.clientID() + `","handler":["trusted_networks",null]}`
	if status, _, said := p.stray(http.MethodPost, "/auth/login_flow", start, nil); status != http.StatusNotFound || strings.Contains(said, "anna") {
		t.Errorf("the list of users without trusted networks: %d %s", status, said)
	}
}

// spec: security.md 40: what is wrong before the client is known is said here and leads nowhere; 39: and nothing that was
// posted is sent on
func TestNothingLeadsAwayBeforeTheClientIsKnown(t *testing.T) {
	p := start(t, "")
	p.createOwner()
	const evil = "https://evil.example/"
	for _, query := range []url.Values{
		{}, {"redirect_uri": {evil}}, {"client_id": {evil}}, {"client_id": {"nonsense"}, "redirect_uri": {evil}},
		{"client_id": {p.clientID()}, "redirect_uri": {"javascript:alert(1)"}}, {"client_id": {p.clientID()}, "redirect_uri": {"//evil.example"}},
		{"client_id": {p.clientID()}, "redirect_uri": {evil}, "response_type": {"token"}}, {"error": {"x"}, "redirect_uri": {evil}, "state": {"x"}},
	} {
		status, heads, _ := p.stray(http.MethodGet, "/auth/authorize?"+query.Encode(), "", nil)
		if status != http.StatusOK || heads.Get("Location") != "" || heads.Get("Refresh") != "" {
			t.Errorf("%v leads with %d to %q", query, status, heads.Get("Location"))
		}
	}
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	for _, path := range []string{
		"/auth/login_flow", "/auth/login_flow/x", "/auth/token", "/auth/revoke", "/session", "/sign-out", "/account", "/account/password",
		"/admin/users", "/admin/users/new", "/api/onboarding/users", "/auth/token/", "/auth/authorize", "/", "//evil.example",
	} {
		for body, header := range map[string]map[string]string{
			"username=anna&password=x&redirect_uri=" + url.QueryEscape(evil) + "&next=" + url.QueryEscape(evil): form,
			`{"username":"anna","password":"x","redirect_uri":"` + evil + `"}`:                                  nil,
		} {
			status, heads, _ := p.stray(http.MethodPost, path, body, header)
			if status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect || strings.Contains(heads.Get("Location"), "evil") {
				t.Errorf("POST %s leads with %d to %q", path, status, heads.Get("Location"))
			}
		}
	}
}
