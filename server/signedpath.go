package server

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed-6a977b3d/latchkey"
)

const (
	// signatureParam carries the signature of a signed path.
	signatureParam = "authSig"
	// signatureHeader is {"alg":"HS256","typ":"JWT"}. A signature has this very header: there is no other algorithm,
	// and nothing that could name another key (security.md 25).
	signatureHeader = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
	// clocksDiffer is how far the clock of the node that signed may be ahead, as for access tokens.
	clocksDiffer = 10 * time.Second
)

// Signer makes paths that work without a token for a while, such as the address of a picture, and recognises them
// (http-auth.md §10.2). Make it with [NewSigner]; it is for any number of goroutines.
type Signer struct{ key latchkey.Secret }

// NewSigner returns a signer with a random secret of its own. The secret is kept in memory only: what was signed ends
// with the process.
func NewSigner() *Signer {
	var b [32]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails: it ends the program instead
	return &Signer{key: latchkey.Secret(hex.EncodeToString(b[:]))}
}

// NewSharedSigner returns a signer with a secret that other nodes have as well, so that a path which one signed is good on
// all of them. A secret of less than 64 characters is refused; [latchkey.NewSecret] makes longer ones.
func NewSharedSigner(key latchkey.Secret) (*Signer, error) {
	if len(key) < 64 {
		return nil, errors.New("the secret that signs paths is too short: make it with latchkey.NewSecret")
	}
	return &Signer{key: key}, nil
}

// signedClaims is the payload of a signature.
type signedClaims struct {
	Issuer   string      `json:"iss"` // the id of a refresh token
	Path     string      `json:"path"`
	Params   []queryPair `json:"params"`
	IssuedAt int64       `json:"iat"` // Unix seconds, as Expires
	Expires  int64       `json:"exp"`
}

// queryPair is one name and value of a query, both decoded.
type queryPair [2]string

// Sign returns the path with its query and, as the last parameter, a signature with which it can be asked for by GET
// until it expires, on behalf of the refresh token. Parts of a second do not count; what expires at once or earlier is
// signed all the same. Scheme, host and fragment are left out, and so are the parameters that may change freely. Whether
// there is something at the path is not looked at (http-auth.md S-2, S-6). The errors are of kind [latchkey.ErrValue].
func (s *Signer) Sign(path string, token latchkey.RefreshToken, expires time.Duration) (string, error) {
	u, err := url.Parse(path)
	if err != nil { // its text would repeat the path
		return "", unsignable("it is no path with a query")
	}
	escaped, decoded := u.EscapedPath(), u.Path
	if u.Host != "" && decoded == "" {
		escaped, decoded = "/", "/"
	}
	params := signedParams(u.RawQuery)
	switch {
	case !representable(decoded, params):
		return "", unsignable("it is not valid UTF-8")
	case climbs(escaped):
		return "", unsignable("its segments must not be . or ..")
	case strings.HasPrefix(escaped, "//"):
		return "", unsignable("it must not begin with two slashes, which would make a host of what follows")
	}
	now := time.Now().Unix()
	signature, err := s.encode(signedClaims{
		Issuer: token.ID, Path: decoded, Params: params, IssuedAt: now, Expires: now + int64(expires/time.Second),
	})
	if err != nil {
		return "", err
	}
	return escaped + "?" + encodeQuery(append(params, queryPair{signatureParam, signature})), nil
}

func unsignable(why string) error {
	return &latchkey.Error{Kind: latchkey.ErrValue, Text: "Path cannot be signed: " + why}
}

// representable reports whether a path and its query can be written in a signature as they are. Bytes that are no text would
// all look the same there.
func representable(path string, params []queryPair) bool {
	odd := slices.ContainsFunc(params, func(p queryPair) bool { return !utf8.ValidString(p[0]) || !utf8.ValidString(p[1]) })
	return utf8.ValidString(path) && !odd
}

// encode writes claims as a JSON Web Token.
func (s *Signer) encode(c signedClaims) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	token := base64.RawURLEncoding.AppendEncode([]byte(signatureHeader), payload)
	mac := s.mac(token)
	return string(append(append(token, '.'), mac...)), nil
}

// mac returns the signature proper as it is written.
func (s *Signer) mac(signed []byte) []byte {
	h := hmac.New(sha256.New, []byte(s.key.Reveal()))
	h.Write(signed)
	return base64.RawURLEncoding.AppendEncode(nil, h.Sum(nil))
}

// check returns the id of the refresh token on whose behalf the address was signed. It reports false for an address that
// is not signed, that was changed, or whose time is over (http-auth.md §10.2, checks 1 to 3).
func (s *Signer) check(u *url.URL, now time.Time) (tokenID string, ok bool) {
	signature, given := firstSignature(u.RawQuery)
	if !given {
		return "", false
	}
	c, ok := s.decode(signature)
	if !ok || !time.Unix(c.Expires, 0).After(now) || time.Unix(c.IssuedAt, 0).After(now.Add(clocksDiffer)) {
		return "", false
	}
	if climbs(u.EscapedPath()) || c.Path != u.Path || !slices.Equal(c.Params, signedParams(u.RawQuery)) {
		return "", false
	}
	return c.Issuer, true
}

// decode reads the claims of a signature that this signer made.
func (s *Signer) decode(signature string) (signedClaims, bool) {
	dot := strings.LastIndexByte(signature, '.')
	if dot < len(signatureHeader) || !strings.HasPrefix(signature, signatureHeader) {
		return signedClaims{}, false
	}
	if !hmac.Equal([]byte(signature[dot+1:]), s.mac([]byte(signature[:dot]))) {
		return signedClaims{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(signature[len(signatureHeader):dot])
	if err != nil {
		return signedClaims{}, false
	}
	var c signedClaims
	err = json.Unmarshal(payload, &c)
	return c, err == nil
}

// climbs reports whether a path has a segment . or .., however often it is encoded (security.md 46).
func climbs(escaped string) bool {
	segments := strings.FieldsFunc(decodeFully(escaped), func(r rune) bool { return r == '/' || r == '\\' })
	return slices.Contains(segments, ".") || slices.Contains(segments, "..")
}

// parseQuery returns the pairs of a query in their order, the empty ones left out. A name without a value has the empty
// one, plus signs are spaces (http-auth.md S-7), and what is no proper escape stays as it is.
func parseQuery(raw string) []queryPair {
	pairs := []queryPair{}
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(strings.ReplaceAll(part, "+", " "), "=")
		pairs = append(pairs, queryPair{decodeOnce(name), decodeOnce(value)})
	}
	return pairs
}

// signedParams returns those pairs of a query that a signature covers: not the signature itself, and not the size of a
// picture, which pages choose freely (http-auth.md S-1).
func signedParams(raw string) []queryPair {
	return slices.DeleteFunc(parseQuery(raw), func(p queryPair) bool {
		return p[0] == signatureParam || p[0] == "height" || p[0] == "width"
	})
}

// firstSignature returns the one signature that counts (http-auth.md S-7).
func firstSignature(raw string) (string, bool) {
	for _, p := range parseQuery(raw) {
		if p[0] == signatureParam {
			return p[1], true
		}
	}
	return "", false
}

// encodeQuery writes pairs as a query. A space is %20, which means the same in every part of an address.
func encodeQuery(pairs []queryPair) string {
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(strings.ReplaceAll(url.QueryEscape(p[0])+"="+url.QueryEscape(p[1]), "+", "%20"))
	}
	return b.String()
}
