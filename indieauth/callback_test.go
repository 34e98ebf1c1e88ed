package indieauth

import (
	"net/url"
	"strings"
	"testing"
)

// spec: http-auth.md, A-2; login-page.md, §8 table and P-30.
func TestRedirectURL(t *testing.T) {
	rows := []struct{ redirectURI, code, state, want string }{
		{"https://a.example/cb", "C", "S", "https://a.example/cb?code=C&state=S"},
		{"https://a.example/cb?auth_callback=1", "C", "S", "https://a.example/cb?auth_callback=1&code=C&state=S"},
		{"https://a.example/cb?", "C", "S", "https://a.example/cb?code=C&state=S"},
		{"https://a.example/cb?x=1&", "C", "S", "https://a.example/cb?x=1&code=C&state=S"},
		{app, "C", "S", "homeassistant://auth-callback?code=C&state=S"},
		{wear, "C", "S", wear + "?code=C&state=S"},
		{"https://a.example/cb", "C", "", "https://a.example/cb?code=C"},
		{"https://a.example/cb#top", "C", "", "https://a.example/cb#top?code=C"},
		{"https://a.example/cb", "C", "eyJ4IjoxfQ==", "https://a.example/cb?code=C&state=eyJ4IjoxfQ%3D%3D"},
		{"https://a.example/cb", "-_.!~*'()", "a b+c&d/é\r\n@[`{\x7f", "https://a.example/cb?code=-_.!~*'()&state=a%20b%2Bc%26d%2F%C3%A9%0D%0A%40%5B%60%7B%7F"},
	}
	for _, row := range rows {
		if got := RedirectURL(row.redirectURI, row.code, row.state); got != row.want {
			t.Errorf("RedirectURL(%q, %q, %q) = %q, want %q", row.redirectURI, row.code, row.state, got, row.want)
		}
	}
}

// The values survive the trip: what the client parses is what was given.
func FuzzRedirectURL(f *testing.F) {
	f.Add("code", "state=&?#%")
	f.Fuzz(func(t *testing.T, code, state string) {
		_, query, _ := strings.Cut(RedirectURL("https://a.example/cb", code, state), "?")
		values, err := url.ParseQuery(query)
		if err != nil || values.Get("code") != code || values.Get("state") != state {
			t.Fatalf("%q parses as %v (%v), want code %q and state %q", query, values, err, code, state)
		}
	})
}
