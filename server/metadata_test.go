package server_test

import (
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server"
)

// spec: http-auth.md §14; security.md 35
func TestDiscoveryDocuments(t *testing.T) {
	const docs = `"service_documentation":"https://developers.home-assistant.io/docs/auth_api"`
	document := func(prefix string) string {
		issuer, names := "", ""
		if prefix != "" {
			issuer = `"issuer":"` + prefix + `",`
			names = `"authorization_response_iss_parameter_supported":true,`
		}
		return `{` + issuer + `"authorization_endpoint":"` + prefix + `/auth/authorize","token_endpoint":"` + prefix + `/auth/token",
			"revocation_endpoint":"` + prefix + `/auth/revoke","response_types_supported":["code"],
			"code_challenge_methods_supported":["S256"],"client_id_metadata_document_supported":true,` + names + docs + `}`
	}
	const server1, resource = "/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource"

	w := newWire(t, setup{})
	w.get(server1).is(t, 200, document(""))
	w.get(resource).is(t, 404, says("No URL available"))

	w = newWire(t, setup{server: func(o *server.Options) { o.URLs = []string{"http://192.168.1.5:8123", "https://house.example/"} }})
	for _, host := range []string{"house.example", "HOUSE.example:443"} {
		at := func(path string) answer {
			return w.do(request{method: "GET", path: path, header: map[string]string{"Host": host}})
		}
		at(server1).is(t, 200, document("https://house.example"))
		at(resource).is(t, 200, `{"resource":"https://house.example","authorization_servers":["https://house.example"],
			"resource_documentation":"https://developers.home-assistant.io/docs/auth_api"}`)
	}
	w.get(server1).is(t, 200, document(""))
	w.get(resource).is(t, 404, says("No URL available"))
}

func TestOptionsThatDoNotFitAreRefused(t *testing.T) {
	w := newWire(t, setup{})
	for name, tt := range map[string]struct {
		o    server.Options
		want string
	}{
		"an address with a path":   {server.Options{URLs: []string{"https://house.example/x"}}, "write scheme and host only"},
		"an address of no scheme":  {server.Options{URLs: []string{"house.example"}}, "write scheme and host only"},
		"an address of no kind":    {server.Options{URLs: []string{"http://[::1"}}, "URLs"},
		"onboarding without store": {server.Options{Local: w.local}, "Local needs Onboarding"},
	} {
		if _, err := server.New(w.Manager, tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, tt.want)
		}
	}
	stranger, err := latchkey.New(w.store, latchkey.Options{Providers: []latchkey.Provider{&porter{}}})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	_, err = server.New(stranger, server.Options{Local: w.local, Onboarding: w.store})
	if err == nil || !strings.Contains(err.Error(), "not among the manager's providers") {
		t.Errorf("a provider that the manager does not have: %v", err)
	}
}
