package permission

import (
	"strconv"
	"strings"
)

// placeOf names a place inside a policy in the notation of permissions.md §7, such as data['entities']['all'].
func placeOf(path []string) string {
	var place strings.Builder
	place.WriteString("data")
	for _, key := range path {
		place.WriteString("['")
		for _, r := range key {
			switch r {
			case '\'':
				place.WriteString(`\'`)
			case '"':
				place.WriteRune(r)
			default:
				// Control characters are escaped, so that a key cannot forge lines of a log.
				quoted := strconv.Quote(string(r))
				place.WriteString(quoted[1 : len(quoted)-1])
			}
		}
		place.WriteString("']")
	}
	return place.String()
}
