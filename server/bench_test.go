package server_test

import (
	"net/url"
	"testing"
)

// BenchmarkRefresh is POST /auth/token with a refresh token, whose use is durable before the answer.
func BenchmarkRefresh(b *testing.B) {
	w := newHouse(b, setup{})
	_, refresh := w.tokens("anna")
	r := request{method: "POST", path: "/auth/token", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		body: url.Values{"grant_type": {"refresh_token"}, "client_id": {app}, "refresh_token": {refresh}}.Encode()}
	b.ReportAllocs()
	for b.Loop() {
		if a := w.handle(b, r); a.status != 200 {
			b.Fatalf("%d %s", a.status, a.body)
		}
	}
}

// BenchmarkAPI is GET /api/ with an access token: what every request to a protected handler costs.
func BenchmarkAPI(b *testing.B) {
	w := newHouse(b, setup{})
	access, _ := w.tokens("anna")
	r := request{method: "GET", path: "/api/", header: map[string]string{"Authorization": "Bearer " + access}}
	b.ReportAllocs()
	for b.Loop() {
		if a := w.handle(b, r); a.status != 200 {
			b.Fatalf("%d %s", a.status, a.body)
		}
	}
}
