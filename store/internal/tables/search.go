package tables

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
)

const (
	// searchedAtOnce is how many users are searched in one step, so that none takes long.
	searchedAtOnce = 50_000
	// few is how many names and logins may have the parts of a text for the index to be the shorter way to them. Where there
	// are more, a page of them is soon found among all.
	few = 5000
	// partLength is how many characters a part of an index has, and mostParts how many are asked for.
	partLength = 3
	mostParts  = 20
)

// FindUsers implements latchkey.Reader.
func (r Reader) FindUsers(ctx context.Context, text, after string, limit int) ([]latchkey.User, error) {
	part := latchkey.NormalizeUsername(text)
	if part == "" {
		return r.Users(ctx, after, limit)
	}
	first, err := r.behind(ctx, after)
	if err != nil || limit < 1 {
		return nil, err
	}
	find := r.dialect.Find
	called := ` AND (u.id = $1 OR ` + find + `(u.normalized, $2) > 0
		OR EXISTS (SELECT 1 FROM credentials c WHERE c.user_id = u.id AND ` + find + `(c.subject, $2) > 0))`
	candidates, few, err := r.candidates(ctx, part)
	switch {
	case err != nil:
		return nil, err
	case few:
		// The sums keep databases from going through everybody in the order of seq instead.
		return all(ctx, r, scanUser, r.selectUser(`WHERE u.id `+r.dialect.Among+` AND u.seq + 0 > $4`+called+`
			ORDER BY u.seq + 0 LIMIT $5`), text, part, r.dialect.List(append(candidates, text)), first, limit)
	}
	return r.findAmongAll(ctx, r.selectUser(`WHERE u.seq > $3 AND u.seq <= $4`+called+` ORDER BY u.seq LIMIT $5`), text, part, first, limit)
}

// findAmongAll goes through the users behind the first, in portions.
func (r Reader) findAmongAll(ctx context.Context, query, text, part string, first int64, limit int) ([]latchkey.User, error) {
	var found []latchkey.User
	for first < math.MaxInt64 && len(found) < limit {
		last, err := one(ctx, r, scanOne[int64], `SELECT seq FROM users WHERE seq > $1 ORDER BY seq LIMIT 1 OFFSET $2`,
			first, searchedAtOnce)
		if errors.Is(err, sql.ErrNoRows) {
			last = math.MaxInt64
		} else if err != nil {
			return nil, r.dialect.Told(err)
		}
		some, err := all(ctx, r, scanUser, query, text, part, first, last, limit-len(found))
		if err != nil {
			return nil, err
		}
		found, first = append(found, some...), last
	}
	return found, nil
}

// candidates returns the ids of the users who may be called as a text says, unless the index does not know them or there
// are not few.
func (r Reader) candidates(ctx context.Context, part string) (ids []string, areFew bool, err error) {
	if !hasParts(part) {
		return nil, false, nil
	}
	parts := r.dialect.PartsOf(partsOf(part))
	for _, query := range []string{r.dialect.UserParts, r.dialect.CredentialParts} {
		some, err := all(ctx, r, ScanText, query, parts, few+1)
		if err != nil || len(some) > few {
			return nil, false, err
		}
		ids = append(ids, some...)
	}
	return ids, true, nil
}

// hasParts reports whether there is an index of the parts of a text. What no text is made of may not be in it as it is asked
// for.
func hasParts(text string) bool {
	return len([]rune(text)) >= partLength && !strings.ContainsAny(text, "\x00\ufffd")
}

// partsOf returns the first parts of a text: all neighbours, three at a time.
func partsOf(text string) (parts []string) {
	runes := []rune(text)
	for i := 0; i+partLength <= len(runes) && len(parts) < mostParts; i++ {
		parts = append(parts, string(runes[i:i+partLength]))
	}
	return parts
}
