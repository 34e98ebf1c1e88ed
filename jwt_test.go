package latchkey

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const testKey = Secret("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

// spec: manager.md §7, known answer
func TestSignedTokenIsTheKnownAnswer(t *testing.T) {
	const want = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhIiwiaWF0IjoxLCJleHAiOjJ9.TOAtWndS3fPsWAIafn4XhThpYKoERHwajX_ZfL6CkeQ"
	if got := signJWT(absentKey, "a", 1, 2); got != want {
		t.Errorf("signJWT = %s\nwant      %s", got, want)
	}
}

// signed makes a token from any header and payload.
func signed(key Secret, header, payload string) string {
	s := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	mac := newMACKey(key).sum([]byte(s))
	return s + "." + b64.EncodeToString(mac[:])
}

const plainHeader = `{"alg":"HS256","typ":"JWT"}`

// spec: manager.md §8 steps 2 and 4; security.md 26
func TestTokenClaims(t *testing.T) {
	now := time.Unix(1_700_000_000, 500_000_000)
	at := func(iat, exp float64) string { return fmt.Sprintf(`{"iss":"id","iat":%v,"exp":%v}`, iat, exp) }
	const n = 1_700_000_000
	ok := at(n, n+1800)
	tests := []struct {
		name            string
		header, payload string
		want            bool
	}{
		{"as we sign it", plainHeader, `{"iss":"id","iat":1700000000,"exp":1700001800}`, true},
		{"header of 2021, typ first", `{"typ":"JWT","alg":"HS256"}`, ok, true},
		{"claims in another order with spaces", plainHeader, `{ "exp":1700001800, "iat":1700000000, "iss":"id" }`, true},
		{"fractions", plainHeader, `{"iss":"id","iat":1700000000.25,"exp":1700001800.5}`, true},
		{"no typ", `{"alg":"HS256"}`, ok, true},
		{"alg none", `{"alg":"none"}`, ok, false},
		{"alg missing", `{"typ":"JWT"}`, ok, false},
		{"alg in lower case", `{"alg":"hs256"}`, ok, false},
		{"alg HS512", `{"alg":"HS512"}`, ok, false},
		{"alg null", `{"alg":null}`, ok, false},
		{"kid is no text", `{"alg":"HS256","kid":1}`, ok, false},
		{"kid is a text", `{"alg":"HS256","kid":"1"}`, ok, true},
		{"crit", `{"alg":"HS256","crit":["exp"]}`, ok, false},
		{"b64 false", `{"alg":"HS256","b64":false}`, ok, false},
		{"jku is not looked at", `{"alg":"HS256","jku":"https://evil.example/"}`, ok, true},
		{"iat 8 s ahead", plainHeader, at(n+8, n+1800), true},
		{"iat 13 s ahead", plainHeader, at(n+13, n+1800), false},
		{"exp 8 s ago", plainHeader, at(n-1800, n-8), true},
		{"exp 10 s ago", plainHeader, at(n-1800, n-10), false},
		{"iat missing", plainHeader, `{"iss":"id","exp":1700001800}`, false},
		{"exp missing", plainHeader, `{"iss":"id","iat":1700000000}`, false},
		{"exp null", plainHeader, `{"iss":"id","iat":1700000000,"exp":null}`, false},
		{"iat a text", plainHeader, `{"iss":"id","iat":"1700000000","exp":1700001800}`, false},
		{"exp a list", plainHeader, `{"iss":"id","iat":1700000000,"exp":[1700001800]}`, false},
		{"nbf past", plainHeader, `{"iss":"id","iat":1700000000,"exp":1700001800,"nbf":1}`, true},
		{"nbf ahead", plainHeader, `{"iss":"id","iat":1700000000,"exp":1700001800,"nbf":1700000020}`, false},
		{"nbf null", plainHeader, `{"iss":"id","iat":1700000000,"exp":1700001800,"nbf":null}`, false},
		{"iss of another", plainHeader, `{"iss":"other","iat":1700000000,"exp":1700001800}`, false},
		{"iss missing", plainHeader, `{"iat":1700000000,"exp":1700001800}`, false},
		{"iss a list", plainHeader, `{"iss":["id"],"iat":1700000000,"exp":1700001800}`, false},
		{"aud", plainHeader, `{"iss":"id","iat":1700000000,"exp":1700001800,"aud":"x"}`, false},
		{"empty aud", plainHeader, `{"iss":"id","iat":1700000000,"exp":1700001800,"aud":""}`, true},
		{"sub a number", plainHeader, `{"iss":"id","iat":1700000000,"exp":1700001800,"sub":5}`, false},
		{"jti a text", plainHeader, `{"iss":"id","iat":1700000000,"exp":1700001800,"jti":"j"}`, true},
		{"payload a list", plainHeader, `["iss"]`, false},
		{"payload null", plainHeader, `null`, false},
		{"payload no JSON", plainHeader, `iss`, false},
		{"NaN", plainHeader, `{"iss":"id","iat":NaN,"exp":1700001800}`, false},
		{"something behind the payload", plainHeader, ok + `{}`, false},
		{"header a list", `["HS256"]`, ok, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, isToken := parseJWT(signed(testKey, tt.header, tt.payload))
			if got := isToken && p.verify(newMACKey(testKey), "id", now); got != tt.want {
				t.Errorf("valid = %v, want %v", got, tt.want)
			}
		})
	}
}

// spec: manager.md §8, "Consequences to test"; security.md 25
func TestWhatIsNoTokenIsRefused(t *testing.T) {
	good := signJWT(testKey, "id", 1_700_000_000, 1_700_001_800)
	head, signature := good[:strings.LastIndexByte(good, '.')+1], good[strings.LastIndexByte(good, '.')+1:]
	now := time.Unix(1_700_000_100, 0)
	if p, ok := parseJWT(good); !ok || !p.verify(newMACKey(testKey), "id", now) {
		t.Fatal("the good token is refused")
	}
	for name, token := range map[string]string{
		"signature of letters":     head + strings.Repeat("a", len(signature)),
		"signature of NULs":        head + strings.Repeat("\x00", len(signature)),
		"no signature":             head,
		"two parts":                strings.TrimSuffix(head, "."),
		"padding":                  good + "=",
		"a fourth part":            good + ".",
		"trailing space":           good + " ",
		"trailing line feed":       good + "\n",
		"standard base64 alphabet": head + "+/" + signature[2:],
		"unused bits set":          head + signature[:42] + string(nextInAlphabet(signature[42])),
		"10000 letters":            strings.Repeat("a", 10_000),
		"empty":                    "",
		"signed with no key":       signJWT("", "id", 1_700_000_000, 1_700_001_800),
	} {
		t.Run(name, func(t *testing.T) {
			if p, ok := parseJWT(token); ok && p.verify(newMACKey(testKey), "id", now) {
				t.Error("accepted")
			}
		})
	}
}

// nextInAlphabet returns a character that differs from c only in the last bit, which the end of a signature never uses.
func nextInAlphabet(c byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, c)|1]
}

// spec: models.md §1, "8192 is accepted, 8193 is not"
func TestLongestToken(t *testing.T) {
	now := time.Unix(1_700_000_100, 0)
	for _, length := range []int{8192, 8193} {
		const start, end = `{"iss":"id","iat":1700000000,"exp":1700001800,"x":"`, `"}`
		var token string
		for fill := 6000; len(token) < length; fill++ {
			token = signed(testKey, plainHeader, start+strings.Repeat("x", fill)+end)
		}
		for header := plainHeader; len(token) > length || len(token) < length; { // base64 skips lengths: pad the header
			header = strings.Replace(header, "{", "{ ", 1)
			for fill := 5900; fill < 6050; fill++ {
				if token = signed(testKey, header, start+strings.Repeat("x", fill)+end); len(token) == length {
					break
				}
			}
		}
		p, ok := parseJWT(token)
		if got, want := ok && p.verify(newMACKey(testKey), "id", now), length == 8192; got != want {
			t.Errorf("a token of %d characters: valid = %v, want %v", length, got, want)
		}
	}
}

// FuzzVerifyJWT holds our verifier against a general library: what we accept, the library accepts, and what we sign
// both accept.
func FuzzVerifyJWT(f *testing.F) {
	f.Add(signJWT(testKey, "id", 1_700_000_000, 1_700_001_800))
	f.Add(signed(testKey, `{"typ":"JWT","alg":"HS256"}`, `{"exp":1700001800,"iat":1700000000,"iss":"id"}`))
	f.Add(signed(testKey, `{"alg":"none"}`, `{"iss":"id"}`))
	f.Add(signed("", plainHeader, `{"iss":""}`))
	f.Add("a.b.c")
	f.Add("")
	now := time.Unix(1_700_000_100, 0)
	library := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithStrictDecoding(), jwt.WithLeeway(jwtLeeway),
		jwt.WithIssuer("id"), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithTimeFunc(func() time.Time { return now }))
	f.Fuzz(func(t *testing.T, token string) {
		for _, candidate := range []string{token, resigned(token)} {
			p, ok := parseJWT(candidate)
			if !ok || !p.verify(newMACKey(testKey), "id", now) {
				continue
			}
			if _, err := library.Parse(candidate, func(*jwt.Token) (any, error) { return []byte(testKey), nil }); err != nil {
				t.Errorf("accepted %q, which the library refuses: %v", candidate, err)
			}
		}
	})
}

// resigned puts the right signature under the first two parts of a token, so that a fuzzer gets past it.
func resigned(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) < 2 {
		return token
	}
	s := parts[0] + "." + parts[1]
	mac := newMACKey(testKey).sum([]byte(s))
	return s + "." + b64.EncodeToString(mac[:])
}

// The fast reader and the general one must read the same from what both can read.
func FuzzOwnClaims(f *testing.F) {
	f.Add([]byte(`{"iss":"id","iat":1700000000,"exp":1700001800}`))
	f.Add([]byte(`{"iss":"","iat":0,"exp":0}`))
	f.Add([]byte(`{"iss":"\u0061","iat":1,"exp":2}`))
	f.Add([]byte(`{"iss":"a","iat":01,"exp":2}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		fast := parsedJWT{nbf: math.Inf(-1)}
		if !fast.readOwnClaims(payload) {
			return
		}
		general := parsedJWT{nbf: math.Inf(-1)}
		if !general.readClaims([]byte(plainHeader), payload) || !general.valid ||
			general.issuer != fast.issuer || general.iat != fast.iat || general.exp != fast.exp {
			t.Errorf("%q: fast %+v, general %+v", payload, fast, general)
		}
	})
}

func TestLibraryReadsOurTokens(t *testing.T) {
	iat := time.Now().Unix()
	claims := jwt.MapClaims{}
	if _, err := jwt.ParseWithClaims(signJWT(testKey, "id", iat, iat+1800), claims,
		func(*jwt.Token) (any, error) { return []byte(testKey), nil }, jwt.WithValidMethods([]string{"HS256"})); err != nil {
		t.Fatal(err)
	}
	if len(claims) != 3 || claims["iss"] != "id" {
		t.Errorf("claims = %v", claims)
	}
	// spec: http-auth.md §7.3, "claims exactly iss, iat, exp"
	payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(signJWT(testKey, "id", 1, 2), ".")[1])
	if !json.Valid(payload) || string(payload) != `{"iss":"id","iat":1,"exp":2}` {
		t.Errorf("payload = %s", payload)
	}
}
