package storetest

import (
	"math"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// limits checks what a list of at most so many is where the number is an odd one.
func (f Factory) limits(t *testing.T) {
	h := f.empty(t)
	var people, ended []string
	for i := range 3 {
		u := h.person()
		people = append(people, u.ID)
		ended = append(ended, h.token(u.ID, func(n *latchkey.RefreshToken) { n.ExpireAt = noon.Add(time.Duration(i) * time.Second) }).ID)
	}
	for _, row := range []struct{ limit, want int }{
		{math.MinInt, 0}, {-1, 0}, {0, 0}, {1, 1}, {3, 3}, {4, 3}, {math.MaxInt32 + 1, 3}, {math.MaxInt, 3},
	} {
		h.reading(func(t *testing.T, r latchkey.Reader) {
			ctx := t.Context()
			same(t, people[:row.want])(userIDs(r.Users(ctx, "", row.limit)))
			for _, text := range []string{"", "ada", "da"} {
				same(t, people[:row.want])(userIDs(r.FindUsers(ctx, text, "", row.limit)))
				same(t, people[1:max(1, min(row.want+1, 3))])(userIDs(r.FindUsers(ctx, text, people[0], row.limit)))
				missing[[]latchkey.User](t)(r.FindUsers(ctx, text, "gone", row.limit))
			}
			missing[[]latchkey.User](t)(r.Users(ctx, "gone", row.limit))
			tokens, err := r.ExpiredRefreshTokens(ctx, noon.Add(time.Hour), row.limit)
			same(t, ended[:row.want])(ids(tokens, tokenID), err)
		})
	}
}
