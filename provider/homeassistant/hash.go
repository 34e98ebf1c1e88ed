package homeassistant

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Three forms of hashes are understood. All of them are one bcrypt computation, so that none is told by its time.
//
//   - `$2b$…`, what hashPassword writes: the whole password, which has at most 72 bytes.
//   - `$hmac-sha384$2b$…`, what hashPassword writes for longer ones, since bcrypt ends at 72 bytes: bcrypt over an
//     HMAC of the whole password (security.md W9). The HMAC's fixed key keeps a hash known from elsewhere from fitting.
//   - standard base64 of `$2…`, as Home Assistant's files hold it: of the password only 72 bytes count (storage.md §3).
const (
	bcryptPrefix = "$2"
	longPrefix   = "$hmac-sha384"
	longKey      = "latchkey password longer than 72 bytes"

	// bcryptLimit is how many bytes of a password bcrypt looks at.
	bcryptLimit = 72
)

// dummyHash is what a password is checked against when there is no such user (providers.md §3.3).
const dummyHash = "$2b$12$CiuFGszHx9eNHxPuQcwBWez4CwDTOcLTX5CbOpV6gef2nYuXkY7BO"

// hashPassword returns the hash of a whole password.
func hashPassword(password string, cost int) (string, error) {
	prefix, input := "", []byte(password)
	if len(input) > bcryptLimit {
		prefix, input = longPrefix, shorten(password)
	}
	hash, err := bcrypt.GenerateFromPassword(input, cost)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	// 2a and 2b are one algorithm; 2b is what Home Assistant writes.
	return prefix + "$2b" + strings.TrimPrefix(string(hash), "$2a"), nil
}

// shorten returns 64 bytes without NUL that stand for the whole password.
func shorten(password string) []byte {
	mac := hmac.New(sha512.New384, []byte(longKey))
	mac.Write([]byte(password))
	return base64.StdEncoding.AppendEncode(nil, mac.Sum(nil))
}

// verify reports whether the password is the one that was hashed. An unusable hash or a NUL in the password is a wrong
// password, and takes as long as one.
func (p *Provider) verify(stored, password string) bool {
	hash, input := []byte(stored), []byte(password)
	usable := !strings.Contains(password, "\x00")
	switch {
	case strings.HasPrefix(stored, longPrefix):
		hash, input = hash[len(longPrefix):], shorten(password)
	case strings.HasPrefix(stored, bcryptPrefix):
		usable = usable && len(input) <= bcryptLimit
		input = cut(input)
	default:
		decoded, err := base64.StdEncoding.DecodeString(stored)
		if err != nil {
			usable = false
			decoded = p.dummy
		}
		hash, input = decoded, cut(input)
	}
	if _, err := bcrypt.Cost(hash); err != nil {
		usable, hash = false, p.dummy
	}
	return bcrypt.CompareHashAndPassword(hash, input) == nil && usable
}

// spendTime does what verify does for somebody who does not exist.
func (p *Provider) spendTime(password string) {
	_ = bcrypt.CompareHashAndPassword(p.dummy, cut([]byte(password)))
}

func cut(password []byte) []byte {
	return password[:min(len(password), bcryptLimit)]
}
