package server_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server"
)

// signing is a house that signs paths, and a session of Anna's in it.
type signing struct {
	*wire
	signer *server.Signer
	token  latchkey.RefreshToken
}

func newSigning(t testing.TB) signing {
	t.Helper()
	s := signing{signer: server.NewSigner()}
	s.wire = newHouse(t, setup{server: func(o *server.Options) { o.Signer = s.signer }})
	access, _ := s.tokens("anna")
	session, err := s.ValidateAccessToken(t.Context(), access)
	if err != nil {
		t.Fatal(err)
	}
	s.token = session.Token
	return s
}

// sign signs a path for a minute.
func (s signing) sign(path string) string {
	s.t.Helper()
	signed, err := s.signer.Sign(path, s.token, time.Minute)
	if err != nil {
		s.t.Fatal(err)
	}
	return signed
}

// protected asks a handler at every path for one, past what URLs the router knows.
func (s signing) protected(path string) int {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr = "127.0.0.1:1"
	rec := httptest.NewRecorder()
	s.server.RequireAuthUnfiltered(whoAmI{}).ServeHTTP(rec, r)
	return rec.Code
}

// forge makes a signature of any header and claims.
func forge(key string, newHash func() hash.Hash, header, claims string) string {
	b64 := base64.RawURLEncoding
	text := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(claims))
	mac := hmac.New(newHash, []byte(key))
	mac.Write([]byte(text))
	return text + "." + b64.EncodeToString(mac.Sum(nil))
}

// claims returns the payload of a signed path's signature.
func claims(t testing.TB, signed string) string {
	t.Helper()
	_, signature, _ := strings.Cut(signed, "authSig=")
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(signature+"..", ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}

// spec: http-auth.md §10.2, the claims; "64 random hex characters"
func TestWhatASignatureSays(t *testing.T) {
	s := newSigning(t)
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(s.signer.Key()) || s.signer.Key() == server.NewSigner().Key() {
		t.Errorf("the secret is %q", s.signer.Key())
	}
	signed := s.sign("/api/camera%20proxy/x?b=1&a=x%20y&height=9&b=1&a=%C3%A9&empty")
	header, _, _ := strings.Cut(strings.SplitAfter(signed, "authSig=")[1], ".")
	if text, _ := base64.RawURLEncoding.DecodeString(header); string(text) != `{"alg":"HS256","typ":"JWT"}` {
		t.Errorf("header %s", text)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(claims(t, signed)), &got); err != nil {
		t.Fatal(err)
	}
	iat, _ := got["iat"].(float64)
	exp, _ := got["exp"].(float64)
	if exp-iat != 60 {
		t.Errorf("from %v to %v", iat, exp)
	}
	delete(got, "iat")
	delete(got, "exp")
	pair := func(name, value string) any { return []any{name, value} }
	want := map[string]any{"iss": s.token.ID, "path": "/api/camera proxy/x", "params": []any{
		pair("b", "1"), pair("a", "x y"), pair("b", "1"), pair("a", "é"), pair("empty", ""),
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error("claims (-want +got):", d)
	}
	if text := claims(t, s.sign("/x")); !strings.Contains(text, `"params":[]`) {
		t.Errorf("without a query: %s", text)
	}
}

// spec: http-auth.md, "S-2", "S-6", "S-7"
func TestHowASignedPathLooks(t *testing.T) {
	s := newSigning(t)
	for given, want := range map[string]string{
		"/api/camera_proxy/camera.door?token=1": "/api/camera_proxy/camera.door?token=1&",
		"/x":                                    "/x?",
		"/x?":                                   "/x?",
		"/x?a":                                  "/x?a=&",
		"/x?a=x%20y&%41=%C3%A9":                 "/x?a=x%20y&A=%C3%A9&",
		"/x?a=x+y":                              "/x?a=x%20y&",
		"/x?a=%26%2B%3D%23":                     "/x?a=%26%2B%3D%23&",
		"/x?a=b=c&&":                            "/x?a=b%3Dc&",
		"/x?a=100%":                             "/x?a=100%25&",
		"/a%20b/%C3%A9?":                        "/a%20b/%C3%A9?",
		"/x?width=1&a=2&height=3":               "/x?a=2&",
		"https://user@house.example:8123/x?a=1#top": "/x?a=1&",
		"https://house.example":                     "/?",
		"//house.example/x":                         "/x?",
		"api/x":                                     "api/x?",
		"":                                          "?",
		"/x?a=1&authSig=old":                        "/x?a=1&",
	} {
		signed := s.sign(given)
		start, signature, ok := strings.Cut(signed, "authSig=")
		if !ok || start != want || !regexp.MustCompile(`^[\w-]+\.[\w-]+\.[\w-]+$`).MatchString(signature) {
			t.Errorf("%s\n got %s\nwant %sauthSig=…", given, signed, want)
		}
		if strings.HasPrefix(signed, "/") && s.protected(signed) != http.StatusOK {
			t.Errorf("%s is not accepted", signed)
		}
	}
}

// spec: security.md 46; and what no signature can say exactly is not signed.
func TestPathsThatAreNotSigned(t *testing.T) {
	s := newSigning(t)
	for _, path := range []string{
		"/a/../b", "/..", "../a", "/a/%2e%2e/b", "/a/%2E./b", "/a/%252e%252e/b", "/a/%25252e%252e", "/a%2f..%2fb", `/a\..\b`,
		"/a/%5c%2e%2e", "/a/./b", "https://house.example//evil.example/x", "////evil.example", "/%zz", "/a\x00b", ":", "http://[",
		"/%ff", "/x?a=%ff", "/x?%ff",
	} {
		if signed, err := s.signer.Sign(path, s.token, time.Minute); !errors.Is(err, latchkey.ErrValue) || signed != "" {
			t.Errorf("%q: %q, %v", path, signed, err)
		} else if len(path) > 4 && strings.Contains(err.Error(), path) {
			t.Errorf("%q is repeated: %v", path, err)
		}
	}
}

// spec: http-auth.md, "M-5", "S-5"
func TestSignedPathsAreForGETWithoutAToken(t *testing.T) {
	s := newSigning(t)
	signed := s.sign("/api/")
	get := request{method: http.MethodGet, path: signed}
	s.do(get).is(t, 200, `{"message":"API running."}`)
	for name, header := range map[string]string{
		"an invalid token": "Bearer nonsense", "another scheme": "Basic YTpi", "a lower-case scheme": "bearer x", "no scheme": "x",
	} {
		t.Run(name, func(t *testing.T) {
			s.do(request{method: http.MethodGet, path: signed, header: map[string]string{"Authorization": header}}).
				is(t, 200, `{"message":"API running."}`)
		})
	}
	mine := s.mount(s.server.RequireAuth(whoAmI{}))
	mine.get(s.sign("/lights")).is(t, 200, "anna from 127.0.0.1")
	signed = s.sign("/lights")
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		mine.do(request{method: method, path: signed}).is(t, 401, "401: Unauthorized")
	}
	mine.do(request{method: http.MethodHead, path: signed}).is(t, 401, "")
	// Who has a token counts before who signed.
	s.person("ben", nil)
	access, _ := s.tokens("ben")
	mine.as(access, request{method: http.MethodGet, path: signed}).is(t, 200, "ben from 127.0.0.1")
}

// A server without a signer knows no signed paths, and one with another secret, as after a restart, not those of before.
func TestSignedPathsEndWithTheirSecret(t *testing.T) {
	s := newSigning(t)
	signed := s.sign("/api/")
	s.serve(setup{server: func(o *server.Options) { o.Signer = server.NewSigner() }})
	s.get(signed).is(t, 401, "401: Unauthorized")
	s.serve(setup{})
	s.get(signed).is(t, 401, "401: Unauthorized")
}

// spec: http-auth.md §10.2, checks 2 and 3; "S-1", "S-7"
func TestWhatMayChangeInASignedPath(t *testing.T) {
	s := newSigning(t)
	signed := s.sign("/pictures/a%20b?x=1&y=2&x=1&z=a%20b")
	_, sig, _ := strings.Cut(signed, "&authSig=")
	const path, query = "/pictures/a%20b?", "x=1&y=2&x=1&z=a%20b"
	for name, tt := range map[string]struct {
		path string
		want int
	}{
		"nothing":                        {signed, 200},
		"S-1: height and width":          {path + "height=1&x=1&y=2&width=2&x=1&z=a%20b&authSig=" + sig + "&height=3", 200},
		"S-7: a plus for a space":        {path + "x=1&y=2&x=1&z=a+b&authSig=" + sig, 200},
		"an escape that means the same":  {path + "%78=1&y=2&x=%31&z=a%20b&authSig=" + sig, 200},
		"the signature first":            {path + "authSig=" + sig + "&" + query, 200},
		"S-7: a second signature":        {signed + "&authSig=nonsense", 200},
		"S-7: another signature before":  {path + "authSig=nonsense&" + query + "&authSig=" + sig, 401},
		"S-7: an empty one before":       {path + "authSig&" + query + "&authSig=" + sig, 401},
		"the path, escaped in full":      {"/%70ictures/a%20b?" + query + "&authSig=" + sig, 200},
		"another path":                   {"/pictures/a?" + query + "&authSig=" + sig, 401},
		"a longer path":                  {"/pictures/a%20b/?" + query + "&authSig=" + sig, 401},
		"the path escaped twice":         {"/pictures/a%2520b?" + query + "&authSig=" + sig, 401},
		"the path in capitals":           {"/Pictures/a%20b?" + query + "&authSig=" + sig, 401},
		"a pair in front":                {path + "a=1&" + query + "&authSig=" + sig, 401},
		"a pair behind":                  {signed + "&a=1", 401},
		"a pair twice":                   {path + query + "&z=a%20b&authSig=" + sig, 401},
		"a pair less":                    {path + "x=1&y=2&z=a%20b&authSig=" + sig, 401},
		"another order":                  {path + "x=1&x=1&y=2&z=a%20b&authSig=" + sig, 401},
		"another value":                  {path + "x=1&y=2&x=1&z=a%20c&authSig=" + sig, 401},
		"another name":                   {path + "x=1&y=2&x=1&Z=a%20b&authSig=" + sig, 401},
		"Height is no height":            {signed + "&Height=1", 401},
		"no query":                       {path + "authSig=" + sig, 401},
		"no signature":                   {path + query, 401},
		"an empty signature":             {path + query + "&authSig=", 401},
		"authsig":                        {path + query + "&authsig=" + sig, 401},
		"a changed signature":            {signed[:len(signed)-2] + "AA", 401},
		"a cut signature":                {signed[:len(signed)-1], 401},
		"padding behind it":              {signed + "=", 401},
		"a line break within":            {signed[:len(signed)-4] + "%0a" + signed[len(signed)-4:], 401},
		"security 46: a way back":        {"/pictures/x/../a%20b?" + query + "&authSig=" + sig, 401},
		"security 46: encoded":           {"/pictures/x/%2e%2e/a%20b?" + query + "&authSig=" + sig, 401},
		"security 46: encoded twice":     {"/pictures/x/%252e%252e/a%20b?" + query + "&authSig=" + sig, 401},
		"security 46: with backslashes":  {"/pictures/x/%2e%2e%5ca%20b?" + query + "&authSig=" + sig, 401},
		"security 27: an access token":   {path + query + "&authSig=" + func() string { a, _ := s.tokens("anna"); return a }(), 401},
		"security 27: a refresh token":   {path + query + "&authSig=" + func() string { _, r := s.tokens("anna"); return r }(), 401},
		"the signature of another house": {otherSignature(t, s, path+query), 401},
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.protected(tt.path); got != tt.want {
				t.Errorf("%d, want %d: %s", got, tt.want, tt.path)
			}
		})
	}
}

func otherSignature(t *testing.T, s signing, path string) string {
	t.Helper()
	signed, err := server.NewSigner().Sign(path, s.token, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// spec: security.md 46, where the signature itself would be right
func TestSignedPathsNeverClimb(t *testing.T) {
	s := newSigning(t)
	for _, path := range []string{"/a/../b", "/a/%2e%2e/b", "/a/..", "/a/%252e%252e/b", "/a%2f..%2fb", "/a%5c..%5cb"} {
		u, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf(`{"iss":%q,"path":%q,"params":[],"iat":1,"exp":99999999999}`, s.token.ID, u.Path)
		sig := forge(s.signer.Key(), sha256.New, `{"alg":"HS256","typ":"JWT"}`, text)
		if got := s.protected(path + "?authSig=" + sig); got != 401 {
			t.Errorf("%s: %d", path, got)
		}
	}
}

// spec: security.md 26. A path that one node signed is asked for at another at once, whose clock may be a little behind.
func TestSignaturesOfANodeWhoseClockIsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for ahead, want := range map[time.Duration]bool{0: true, time.Second: true, 10 * time.Second: true, 12 * time.Second: false} {
			signer := server.NewSigner()
			now := time.Now()
			time.Sleep(ahead)
			signed, err := signer.Sign("/x", latchkey.RefreshToken{ID: "token"}, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(signed)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := signer.Check(u, now); ok != want {
				t.Errorf("%v ahead: %t", ahead, ok)
			}
		}
	})
}

// spec: http-auth.md §10.2, "HS256"; security.md 25, 27
func TestForgedSignatures(t *testing.T) {
	s := newSigning(t)
	const hs256 = `{"alg":"HS256","typ":"JWT"}`
	good := claims(t, s.sign("/x"))
	key := s.signer.Key()
	right := forge(key, sha256.New, hs256, good)
	if s.protected("/x?authSig="+right) != 200 {
		t.Fatal("what is forged with the right secret should work, or the rest proves nothing")
	}
	unsigned := right[:strings.LastIndexByte(right, '.')+1]
	for name, sig := range map[string]string{
		"none":              forge("", sha256.New, `{"alg":"none","typ":"JWT"}`, good),
		"none, unsigned":    base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(right, ".")[1] + ".",
		"unsigned":          unsigned,
		"HS512":             forge(key, sha512.New, `{"alg":"HS512","typ":"JWT"}`, good),
		"HS512 as HS256":    forge(key, sha512.New, hs256, good),
		"an empty secret":   forge("", sha256.New, hs256, good),
		"the token's key":   forge(s.token.JWTKey.Reveal(), sha256.New, hs256, good),
		"a kid":             forge(key, sha256.New, `{"alg":"HS256","typ":"JWT","kid":"/dev/null"}`, good),
		"a jku":             forge(key, sha256.New, `{"alg":"HS256","typ":"JWT","jku":"https://evil.example/"}`, good),
		"no JSON":           forge(key, sha256.New, hs256, "nonsense"),
		"claims of a list":  forge(key, sha256.New, hs256, "[]"),
		"no claims":         forge(key, sha256.New, hs256, "{}"),
		"a fourth part":     right + ".x",
		"one part":          "x",
		"two dots":          "..",
		"the header alone":  strings.Split(right, ".")[0] + ".",
		"one that is early": forge(key, sha256.New, hs256, strings.Replace(good, `"iat":1`, `"iat":9`, 1)),
		"no issuer":         forge(key, sha256.New, hs256, strings.Replace(good, s.token.ID, "", 1)),
		"an unknown issuer": forge(key, sha256.New, hs256, strings.Replace(good, s.token.ID, latchkey.NewID(), 1)),
		"a user as issuer":  forge(key, sha256.New, hs256, strings.Replace(good, s.token.ID, s.token.UserID, 1)),
	} {
		t.Run(name, func(t *testing.T) {
			if sig == right {
				t.Fatal("nothing is forged")
			}
			if got := s.protected("/x?authSig=" + sig); got != 401 {
				t.Errorf("%d", got)
			}
		})
	}
	// Nor is a signature an access token (security.md 27).
	if s.works(right) {
		t.Error("a signature works as an access token")
	}
}
