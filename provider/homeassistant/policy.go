package homeassistant

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go/data"

	"github.com/seed-6a977b3d/latchkey"
)

// The lengths of passwords that can be set: in characters, and in bytes against abuse (security.md 1 and 2).
const (
	MinPasswordLength = 8
	MaxPasswordBytes  = 4096
)

// The refusals of passwords. All are of kind [latchkey.ErrValue].
var (
	ErrPasswordTooShort = &latchkey.Error{Kind: latchkey.ErrValue,
		Text: fmt.Sprintf("Password is too short: use at least %d characters", MinPasswordLength)}
	ErrPasswordTooLong = &latchkey.Error{Kind: latchkey.ErrValue,
		Text: fmt.Sprintf("Password is too long: use at most %d bytes", MaxPasswordBytes)}
	ErrPasswordCommon = &latchkey.Error{Kind: latchkey.ErrValue,
		Text: "Password is one of the most common ones, which are tried first: choose another"}
	ErrPasswordUnusable = &latchkey.Error{Kind: latchkey.ErrValue,
		Text: "Password holds a NUL character or is not valid UTF-8: choose another"}
)

// CheckPassword says whether a password can be set (security.md 1 to 5). There are no rules about which characters it
// is made of. The empty password is too short (security.md W4).
func CheckPassword(password string) error {
	switch {
	case len(password) > MaxPasswordBytes:
		return ErrPasswordTooLong
	case !utf8.ValidString(password), strings.Contains(password, "\x00"):
		return ErrPasswordUnusable
	case utf8.RuneCountInString(password) < MinPasswordLength:
		return ErrPasswordTooShort
	case isCommon(strings.ToLower(password)):
		return ErrPasswordCommon
	}
	return nil
}

// maxSuffix is how many digits and marks behind a common password make no new one of it.
const maxSuffix = 4

// isCommon reports whether a password in lower case is common, or is a common one with the few digits behind it that
// everybody thinks of first, such as password123.
func isCommon(password string) bool {
	common := commonPasswords()
	word := strings.TrimRight(password, "0123456789!.?")
	return common[password] || len(word) >= maxSuffix && len(password)-len(word) <= maxSuffix && common[word]
}

// commonPasswords is the list of common passwords, read when the first password is set. The list holds over 7 000.
var commonPasswords = sync.OnceValue(func() map[string]bool {
	var list struct{ List []string }
	common := map[string]bool{}
	if file, err := data.Asset("data/Passwords.json"); err == nil {
		_ = json.Unmarshal(file, &list)
	}
	for _, p := range list.List {
		common[p] = true
	}
	return common
})
