package server

import (
	"net/http"
	"net/url"
	"strings"
)

// documentation is where people read how to sign in with this API.
const documentation = "https://developers.home-assistant.io/docs/auth_api"

type authorizationServer struct {
	Issuer                string   `json:"issuer,omitempty"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	ResponseTypes         []string `json:"response_types_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	ClientIDDocuments     bool     `json:"client_id_metadata_document_supported"`
	NamesIssuer           bool     `json:"authorization_response_iss_parameter_supported,omitempty"` // RFC 9207 §3
	ServiceDocumentation  string   `json:"service_documentation"`
}

// authorizationServer is GET /.well-known/oauth-authorization-server (http-auth.md §14).
func (s *Server) authorizationServer(r *http.Request) (reply, error) {
	prefix, known := s.prefix(r)
	return reply{json: authorizationServer{
		Issuer:                prefix,
		AuthorizationEndpoint: prefix + "/auth/authorize",
		TokenEndpoint:         prefix + "/auth/token",
		RevocationEndpoint:    prefix + "/auth/revoke",
		ResponseTypes:         []string{"code"},
		ChallengeMethods:      []string{"S256"},
		ClientIDDocuments:     true,
		NamesIssuer:           known,
		ServiceDocumentation:  documentation,
	}}, nil
}

type protectedResource struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	Documentation        string   `json:"resource_documentation"`
}

// protectedResource is GET /.well-known/oauth-protected-resource (http-auth.md §14).
func (s *Server) protectedResource(r *http.Request) (reply, error) {
	prefix, ok := s.prefix(r)
	if !ok {
		return reply{}, errNoExternalURL
	}
	return reply{json: protectedResource{
		Resource: prefix, AuthorizationServers: []string{prefix}, Documentation: documentation,
	}}, nil
}

// prefix is the address under which the request reached the server, if that is one of its own: an issuer must be what
// the client used (RFC 8414 §3.3, security.md 35), and a Host header alone proves nothing.
func (s *Server) prefix(r *http.Request) (string, bool) {
	for _, u := range s.urls {
		if sameHost(u, r.Host) {
			return u.String(), true
		}
	}
	return "", false
}

// sameHost compares a Host header with the host of an address; the default port may be written or not.
func sameHost(u *url.URL, host string) bool {
	port := ":80"
	if u.Scheme == "https" {
		port = ":443"
	}
	return strings.EqualFold(strings.TrimSuffix(u.Host, port), strings.TrimSuffix(host, port))
}
