// Package onetime is what the second factors with one-time codes have in common: secrets, codes, their comparison, and
// the delay after wrong answers. It knows no user and no store.
package onetime

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"

	"github.com/pquerna/otp/hotp"
	"golang.org/x/text/unicode/norm"
)

// NewSecret returns 160 bits from the cryptographic random source as 32 characters of A-Z2-7 (mfa.md §4 and §5).
func NewSecret() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails: it ends the program instead
	return base32.StdEncoding.EncodeToString(b[:])
}

// Code returns the code of six digits for a counter (RFC 4226, HMAC-SHA-1). The secret is base32 in either case, with or
// without padding. Any other text is an error, and so is the empty one, whose codes everybody could compute.
func Code(secret string, counter uint64) (string, error) {
	if secret == "" {
		return "", errors.New("the secret is empty: set the second factor up again")
	}
	return hotp.GenerateCode(secret, counter)
}

// Equal reports in constant time whether a person typed the code. Both are compared in Unicode's form NFKC, so that
// full-width digits match; white space is not stripped (mfa.md §4).
func Equal(code, typed string) bool {
	return subtle.ConstantTimeCompare(norm.NFKC.Bytes([]byte(code)), norm.NFKC.Bytes([]byte(typed))) == 1
}
