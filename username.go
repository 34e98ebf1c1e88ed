package latchkey

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
)

// NormalizeUsername strips white space at both ends and folds case as Unicode does, which goes further than lower
// case: "Straße" and "STRASSE" are one name (providers.md §3.1).
func NormalizeUsername(name string) string {
	return cases.Fold().String(strings.TrimFunc(name, isUsernameSpace))
}

// isUsernameSpace reports whether r is stripped: white space as Unicode has it, and the four separators U+001C to
// U+001F.
func isUsernameSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
