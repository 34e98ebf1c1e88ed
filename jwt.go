package latchkey

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"hash"
	"math"
	"strconv"
	"strings"
	"time"
)

// Access tokens are JSON Web Tokens (RFC 7519) of exactly one form: HS256, signed with the key of the refresh token
// that iss names. Signing and checking that one form is the hot path of the house, so it is done here over crypto/hmac;
// a fuzz test holds it against a general library.
const (
	// jwtHeader is {"alg":"HS256","typ":"JWT"}.
	jwtHeader = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
	// maxTokenLength is the longest text that is looked at (models.md §1).
	maxTokenLength = 8192
	// jwtLeeway is how far clocks may differ.
	jwtLeeway = 10 * time.Second
)

// b64 is strict: no padding, no line breaks, no unused bits set (manager.md §8 rule 2).
var b64 = base64.RawURLEncoding.Strict()

// signJWT returns the access token with these claims (manager.md §7). Times are whole Unix seconds.
func signJWT(key Secret, iss string, iat, exp int64) string {
	issuer, _ := json.Marshal(iss) // a text always marshals
	payload := make([]byte, 0, 96)
	payload = append(payload, `{"iss":`...)
	payload = append(payload, issuer...)
	payload = append(payload, `,"iat":`...)
	payload = strconv.AppendInt(payload, iat, 10)
	payload = append(payload, `,"exp":`...)
	payload = strconv.AppendInt(payload, exp, 10)
	payload = append(payload, '}')

	token := make([]byte, 0, 256)
	token = append(token, jwtHeader...)
	token = append(token, '.')
	token = b64.AppendEncode(token, payload)
	mac := newMACKey(key).sum(token)
	token = append(token, '.')
	return string(b64.AppendEncode(token, mac[:]))
}

// macKey computes the HMAC-SHA-256 of one key, whose characters themselves are the key (models.md §2). It keeps one that
// has taken in its key and nothing else, which saves half of the work of a check: a key of 128 characters has to be
// hashed itself. It never changes, and may be used from many goroutines.
type macKey struct {
	key   Secret
	keyed hash.Cloner // nil where the hash cannot be cloned
}

func newMACKey(key Secret) macKey {
	k := macKey{key: key}
	if keyed, ok := k.fresh().(hash.Cloner); ok {
		if _, err := keyed.Clone(); err == nil {
			k.keyed = keyed
		}
	}
	return k
}

func (k macKey) fresh() hash.Hash { return hmac.New(sha256.New, []byte(k.key)) }

// sum returns the MAC of the signed part of a token.
func (k macKey) sum(signed []byte) (mac [sha256.Size]byte) {
	h, err := hash.Hash(nil), error(nil)
	if k.keyed != nil {
		h, err = k.keyed.Clone()
	}
	if k.keyed == nil || err != nil {
		h = k.fresh()
	}
	h.Write(signed)
	h.Sum(mac[:0])
	return mac
}

// parsedJWT is a token that was read but not yet believed.
type parsedJWT struct {
	signed    []byte // header.payload
	signature [sha256.Size]byte
	issuer    string // empty if there is none
	valid     bool   // the header and the types of the claims are acceptable
	iat, exp  float64
	nbf       float64 // minus infinity if there is none
}

// parseJWT reads a token. It reports false for what is not a token at all.
func parseJWT(token string) (parsedJWT, bool) {
	if len(token) > maxTokenLength {
		return parsedJWT{}, false
	}
	header, rest, ok1 := strings.Cut(token, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	if !ok1 || !ok2 || len(signature) != b64.EncodedLen(sha256.Size) {
		return parsedJWT{}, false
	}
	p := parsedJWT{signed: []byte(token[:len(header)+1+len(payload)]), nbf: math.Inf(-1)}
	if _, err := b64.Decode(p.signature[:], []byte(signature)); err != nil {
		return parsedJWT{}, false
	}
	claims, err := b64.DecodeString(payload)
	if err != nil {
		return parsedJWT{}, false
	}
	if header == jwtHeader && p.readOwnClaims(claims) {
		return p, true
	}
	head, err := b64.DecodeString(header)
	if err != nil || !p.readClaims(head, claims) {
		return parsedJWT{}, false
	}
	return p, true
}

// readOwnClaims reads the payload in the very form that signJWT writes, and reports whether it has that form.
func (p *parsedJWT) readOwnClaims(b []byte) bool {
	b, ok := bytes.CutPrefix(b, []byte(`{"iss":"`))
	end := bytes.IndexByte(b, '"')
	if !ok || end < 0 || !isPlainASCII(b[:end]) {
		return false
	}
	iss := b[:end]
	b, ok1 := bytes.CutPrefix(b[end:], []byte(`","iat":`))
	iat, b, ok2 := cutInt(b)
	b, ok3 := bytes.CutPrefix(b, []byte(`,"exp":`))
	exp, b, ok4 := cutInt(b)
	if !ok1 || !ok2 || !ok3 || !ok4 || string(b) != "}" {
		return false
	}
	p.issuer, p.iat, p.exp, p.valid = string(iss), float64(iat), float64(exp), true
	return true
}

// isPlainASCII reports whether the bytes mean themselves inside a JSON text.
func isPlainASCII(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// cutInt reads a JSON integer of at most 15 digits, which a float64 holds exactly.
func cutInt(b []byte) (n int64, rest []byte, ok bool) {
	i := 0
	for i < len(b) && i < 15 && b[i] >= '0' && b[i] <= '9' {
		n = n*10 + int64(b[i]-'0')
		i++
	}
	if i == 0 || i > 1 && b[0] == '0' {
		return 0, b, false
	}
	return n, b[i:], true
}

// readClaims reads any header and payload (manager.md §8). It reports false when they are not JSON objects; what is
// wrong inside of them makes the token invalid, but is told only after its signature was computed.
func (p *parsedJWT) readClaims(headerJSON, payloadJSON []byte) bool {
	var header, claims map[string]any
	if !isObject(headerJSON, &header) || !isObject(payloadJSON, &claims) {
		return false
	}
	p.issuer, _ = claims["iss"].(string)
	_, hasIssuer := claims["iss"].(string)
	var okIat, okExp, okNbf bool
	p.iat, okIat = claims["iat"].(float64)
	p.exp, okExp = claims["exp"].(float64)
	if nbf, given := claims["nbf"]; given {
		p.nbf, okNbf = nbf.(float64)
	} else {
		okNbf = true
	}
	p.valid = hasIssuer && okIat && okExp && okNbf && acceptableHeader(header) && acceptableClaims(claims)
	return true
}

// isObject decodes a JSON object and nothing behind it.
func isObject(b []byte, into *map[string]any) bool {
	return json.Unmarshal(b, into) == nil && *into != nil
}

// acceptableHeader allows HS256 and nothing that would change what a signature means (RFC 7515 §4.1.11, RFC 7797).
func acceptableHeader(h map[string]any) bool {
	if _, given := h["crit"]; given {
		return false
	}
	if kid, given := h["kid"]; given && !isText(kid) {
		return false
	}
	return h["alg"] == "HS256" && h["b64"] != false
}

// acceptableClaims looks at the claims that a token of ours never has.
func acceptableClaims(c map[string]any) bool {
	for _, name := range []string{"sub", "jti"} {
		if v, given := c[name]; given && !isText(v) {
			return false
		}
	}
	switch aud := c["aud"].(type) {
	case nil:
		return true
	case string:
		return aud == ""
	case []any:
		return len(aud) == 0
	default:
		return false
	}
}

func isText(v any) bool { _, ok := v.(string); return ok }

// verify reports whether the token was signed with the key for this refresh token and is valid now.
func (p *parsedJWT) verify(key macKey, tokenID string, now time.Time) bool {
	mac := key.sum(p.signed)
	at := float64(now.UnixMicro()) / 1e6
	leeway := jwtLeeway.Seconds()
	return hmac.Equal(mac[:], p.signature[:]) && p.valid && p.issuer == tokenID &&
		p.iat <= at+leeway && p.nbf <= at+leeway && p.exp > at-leeway
}
