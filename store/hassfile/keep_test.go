package hassfile

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
)

// What else a login's data holds stays as it is when its name changes: its order, and numbers as they are written.
func TestALoginThatGetsAnotherNameKeepsTheRestOfItsData(t *testing.T) {
	dir := copied(t, "2025")
	theirs := strings.Replace(text(t, dir, authFile), `"username": "ada"`,
		`"zone": 1.0,
          "number": 12345678901234567890,
          "username": "ada",
          "about": {
            "b": 1e2,
            "a": "<é&>"
          }`, 1)
	write(t, dir, authFile, theirs)
	s := open(t, dir)
	update(t, s, func(ctx context.Context, tx latchkey.Tx) error {
		u, err := tx.UserByCredentials(ctx, adaLogin)
		if err != nil {
			return err
		}
		c := u.Credentials[0]
		c.Data["username"] = "lovelace"
		return tx.UpdateCredentials(ctx, c)
	})
	want := strings.Replace(theirs, `"username": "ada"`, `"username": "lovelace"`, 1)
	if diff := cmp.Diff(want, text(t, dir, authFile)); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(want, "lovelace") || !strings.Contains(want, "12345678901234567890") {
		t.Error("the file is not the one that was meant")
	}
}

// spec: storage.md §2.1, "access_token_expiration": Home Assistant sets no limit to how many days a token may be good, which
// may be more than a duration holds.
func TestATokenThatIsGoodForLongerThanADuration(t *testing.T) {
	for _, seconds := range []string{"86399999913600.0", "86400000000.0", "-86400000000.0"} {
		dir := copied(t, "2025")
		theirs := strings.Replace(text(t, dir, authFile), "1800.0", seconds, 1)
		write(t, dir, authFile, theirs)
		s := open(t, dir)
		update(t, s, func(ctx context.Context, tx latchkey.Tx) error {
			token, err := tx.RefreshToken(ctx, adaToken)
			if err != nil {
				return err
			}
			token.LastUsedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			return tx.UpdateRefreshToken(ctx, token)
		})
		if got := text(t, dir, authFile); !strings.Contains(got, `"access_token_expiration": `+seconds+",") {
			t.Errorf("%s is written as something else", seconds)
		}
	}
}
