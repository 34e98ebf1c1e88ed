package storetest

import (
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

func (f Factory) tokens(t *testing.T) {
	t.Run("come back as they were inserted", f.tokensRoundTrip)
	t.Run("are inserted once, for those who exist", f.tokensInsertedOnce)
	t.Run("are found by exactly their secret", f.tokensBySecret)
	t.Run("are listed in the order of creation", f.tokensListed)
	t.Run("are updated without secrets, user and type", f.tokensUpdated)
	t.Run("are deleted", f.tokensDeleted)
	t.Run("that live long have names of their own", f.tokensLongLived)
	t.Run("end in the order of their expiry", f.tokensExpired)
}

// spec: models.md §6
func (f Factory) tokensRoundTrip(t *testing.T) {
	h := f.empty(t)
	u := h.person()
	login := h.login(u.ID, "ada")
	type change = func(*latchkey.RefreshToken)
	var all []latchkey.RefreshToken
	for _, row := range []struct {
		name   string
		change change
	}{
		{"with everything", func(n *latchkey.RefreshToken) {
			n.ClientName, n.ClientIcon, n.Version, n.CredentialID = "Zoë's 木", "mdi:key", "2026.11.0", login.ID
			n.LastUsedAt, n.LastUsedIP, n.ExpireAt = noon.Add(time.Microsecond), "fe80::1%eth0", noon.Add(latchkey.RefreshTokenExpiration)
		}},
		{"with what is needed alone", func(n *latchkey.RefreshToken) { n.ClientID = latchkey.NullString{} }},
		{"with an empty client id", func(n *latchkey.RefreshToken) { n.ClientID = latchkey.Text("") }},
		{"of a system user", func(n *latchkey.RefreshToken) { n.Type, n.ClientID = latchkey.TokenSystem, latchkey.NullString{} }},
		{"that lives long", func(n *latchkey.RefreshToken) {
			n.Type, n.ClientName, n.AccessTokenExpiration = latchkey.TokenLongLived, "GPS logger", 10*365*24*time.Hour
		}},
		{"used from an unknown address", func(n *latchkey.RefreshToken) { n.LastUsedAt = noon }},
		{"of a full second", func(n *latchkey.RefreshToken) {
			n.CreatedAt, n.ExpireAt = noon.Truncate(time.Second), noon.Truncate(time.Second)
		}},
		{"of long ago", func(n *latchkey.RefreshToken) {
			n.CreatedAt, n.LastUsedAt = time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Unix(0, 0).UTC()
		}},
		{"of a year with five digits", func(n *latchkey.RefreshToken) { n.ExpireAt = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }},
		{"with an id of its own", func(n *latchkey.RefreshToken) { n.ID = "token id/ü" }},
	} {
		n := h.token(u.ID, row.change)
		all = append(all, h.kept(n))
		t.Run(row.name, func(t *testing.T) {
			h.reading(func(t *testing.T, r latchkey.Reader) {
				same(t, h.kept(n))(r.RefreshToken(t.Context(), n.ID))
				same(t, h.kept(n))(r.RefreshTokenBySecret(t.Context(), n.Secret))
			})
		})
	}
	same(t, all)(h.RefreshTokens(t.Context(), u.ID))
	same(t, all)(h.reopened().RefreshTokens(t.Context(), u.ID))
}

func (f Factory) tokensInsertedOnce(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	u, other := h.person(), h.person()
	n := h.token(u.ID)
	for name, row := range map[string]struct {
		want   error
		change func(*latchkey.RefreshToken)
	}{
		"the id of another":            {latchkey.ErrExists, func(x *latchkey.RefreshToken) { x.ID = n.ID }},
		"the secret of another":        {latchkey.ErrExists, func(x *latchkey.RefreshToken) { x.Secret = n.Secret }},
		"a user who does not exist":    {latchkey.ErrNotFound, func(x *latchkey.RefreshToken) { x.UserID = "nobody" }},
		"no user":                      {latchkey.ErrNotFound, func(x *latchkey.RefreshToken) { x.UserID = "" }},
		"credentials that nobody made": {latchkey.ErrNotFound, func(x *latchkey.RefreshToken) { x.CredentialID = "nothing" }},
	} {
		t.Run(name, func(t *testing.T) {
			bad := newToken(other.ID, row.change)
			h.refused(row.want, func(tx latchkey.Tx) error { return tx.InsertRefreshToken(ctx, bad) })
		})
	}
	same(t, []latchkey.RefreshToken{h.kept(n)})(h.RefreshTokens(ctx, u.ID))
	same(t, []latchkey.RefreshToken(nil))(h.RefreshTokens(ctx, other.ID))
}

func (f Factory) tokensBySecret(t *testing.T) {
	h := f.empty(t)
	u := h.person()
	n := h.token(u.ID)
	h.token(u.ID)
	secret := n.Secret.Reveal()
	h.reading(func(t *testing.T, r latchkey.Reader) {
		same(t, h.kept(n))(r.RefreshTokenBySecret(t.Context(), n.Secret))
		hash := n.Secret.Hash()
		for _, wrong := range []string{
			"", secret[:127], secret + "0", " " + secret, secret + "\x00", n.ID, n.JWTKey.Reveal(), "%", string(hash[:]), "0" + secret[1:] + "0",
		} {
			missing[latchkey.RefreshToken](t)(r.RefreshTokenBySecret(t.Context(), latchkey.Secret(wrong)))
		}
		missing[latchkey.RefreshToken](t)(r.RefreshToken(t.Context(), secret))
		missing[latchkey.RefreshToken](t)(r.RefreshToken(t.Context(), ""))
	})
}

func (f Factory) tokensListed(t *testing.T) {
	h := f.empty(t)
	u, other := h.person(), h.person()
	var want []string
	for i := range 5 {
		// Neither the time of creation nor the id decides, but the order in which they were inserted.
		n := h.token(u.ID, func(n *latchkey.RefreshToken) { n.CreatedAt = noon.Add(-time.Duration(i) * time.Hour) })
		want = append(want, n.ID)
		h.token(other.ID)
	}
	list := func(r latchkey.Reader) ([]string, error) {
		tokens, err := r.RefreshTokens(t.Context(), u.ID)
		return ids(tokens, tokenID), err
	}
	h.reading(func(t *testing.T, r latchkey.Reader) {
		same(t, want)(list(r))
		same(t, []latchkey.RefreshToken(nil))(r.RefreshTokens(t.Context(), "nobody"))
	})
	same(t, want)(list(h.reopened()))
}

func (f Factory) tokensUpdated(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	u, other := h.person(), h.person()
	login := h.login(u.ID, "ada")
	before, untouched := h.token(u.ID), h.token(u.ID)
	want := before
	want.LastUsedAt, want.LastUsedIP, want.ExpireAt = noon.Add(time.Hour), "192.168.1.20", noon.Add(2*time.Hour)
	want.ClientID, want.ClientName, want.ClientIcon = latchkey.NullString{}, "name", "icon"
	want.AccessTokenExpiration, want.CredentialID, want.Version = time.Hour, login.ID, "1.2"
	want.CreatedAt = noon.Add(-time.Hour)
	change := want
	change.UserID, change.Type, change.Secret, change.JWTKey = other.ID, latchkey.TokenLongLived, latchkey.NewSecret(), latchkey.NewSecret()
	h.update(func(tx latchkey.Tx) error { return tx.UpdateRefreshToken(ctx, change) })
	h.reading(func(t *testing.T, r latchkey.Reader) {
		same(t, h.kept(want))(r.RefreshToken(t.Context(), before.ID))
		same(t, h.kept(want))(r.RefreshTokenBySecret(t.Context(), before.Secret))
		missing[latchkey.RefreshToken](t)(r.RefreshTokenBySecret(t.Context(), change.Secret))
		same(t, h.kept(untouched))(r.RefreshToken(t.Context(), untouched.ID))
	})
	// What was read can be written back, and everything optional taken away again.
	h.update(func(tx latchkey.Tx) error {
		got, err := tx.RefreshToken(ctx, before.ID)
		if err != nil {
			return err
		}
		got.LastUsedAt, got.LastUsedIP, got.ExpireAt, got.CredentialID = time.Time{}, "", time.Time{}, ""
		return tx.UpdateRefreshToken(ctx, got)
	})
	want.LastUsedAt, want.LastUsedIP, want.ExpireAt, want.CredentialID = time.Time{}, "", time.Time{}, ""
	same(t, h.kept(want))(h.RefreshTokenBySecret(ctx, before.Secret))
	h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error { return tx.UpdateRefreshToken(ctx, newToken(u.ID)) })
	change.CredentialID = "nothing"
	h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error { return tx.UpdateRefreshToken(ctx, change) })
	same(t, h.kept(want))(h.RefreshToken(ctx, before.ID))
}

func (f Factory) tokensDeleted(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	u := h.person()
	gone, stays := h.token(u.ID), h.token(u.ID)
	h.update(func(tx latchkey.Tx) error { return tx.DeleteRefreshToken(ctx, gone.ID) })
	h.reading(func(t *testing.T, r latchkey.Reader) {
		missing[latchkey.RefreshToken](t)(r.RefreshToken(t.Context(), gone.ID))
		missing[latchkey.RefreshToken](t)(r.RefreshTokenBySecret(t.Context(), gone.Secret))
		same(t, []latchkey.RefreshToken{h.kept(stays)})(r.RefreshTokens(t.Context(), u.ID))
	})
	h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error { return tx.DeleteRefreshToken(ctx, gone.ID) })
	same(t, h.kept(stays))(h.reopened().RefreshToken(ctx, stays.ID))
}

// spec: models.md §6.1, "unique among the user's long-lived tokens", and §6 on empty client names
func (f Factory) tokensLongLived(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	u, other := h.person(), h.person()
	called := func(name string) func(*latchkey.RefreshToken) {
		return func(n *latchkey.RefreshToken) {
			n.Type, n.ClientID, n.ClientName = latchkey.TokenLongLived, latchkey.NullString{}, name
		}
	}
	first := h.token(u.ID, called("GPS"))
	h.refused(latchkey.ErrExists, func(tx latchkey.Tx) error { return tx.InsertRefreshToken(ctx, newToken(u.ID, called("GPS"))) })
	lower, foreign := h.token(u.ID, called("gps")), h.token(other.ID, called("GPS"))
	h.token(u.ID, func(n *latchkey.RefreshToken) { n.ClientName = "GPS" }) // a session may be called so too
	h.token(u.ID, func(n *latchkey.RefreshToken) { n.ClientName = "GPS" })
	h.token(u.ID, func(n *latchkey.RefreshToken) { n.ClientName = "session" })
	h.token(u.ID, called(""))
	h.token(u.ID, called(""))
	h.reading(func(t *testing.T, r latchkey.Reader) {
		ctx := t.Context()
		same(t, h.kept(first))(r.LongLivedToken(ctx, u.ID, "GPS"))
		same(t, h.kept(lower))(r.LongLivedToken(ctx, u.ID, "gps"))
		same(t, h.kept(foreign))(r.LongLivedToken(ctx, other.ID, "GPS"))
		for _, name := range []string{"", "GP", "GPS ", "Gps", "session"} {
			missing[latchkey.RefreshToken](t)(r.LongLivedToken(ctx, u.ID, name))
		}
		missing[latchkey.RefreshToken](t)(r.LongLivedToken(ctx, "nobody", "GPS"))
	})
	h.update(func(tx latchkey.Tx) error { // the name of a deleted token is free, within one transaction
		if err := tx.DeleteRefreshToken(ctx, first.ID); err != nil {
			return err
		}
		return tx.InsertRefreshToken(ctx, newToken(u.ID, called("GPS")))
	})
}

func (f Factory) tokensExpired(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	same(t, time.Time{})(h.NextExpiry(ctx))
	u, other := h.person(), h.person()
	h.token(u.ID) // never ends
	same(t, time.Time{})(h.NextExpiry(ctx))
	ending := func(userID string, after time.Duration) string {
		return h.token(userID, func(n *latchkey.RefreshToken) { n.ExpireAt = noon.Add(after) }).ID
	}
	third, first, second := ending(u.ID, 3*time.Hour), ending(u.ID, time.Hour), ending(other.ID, 2*time.Hour)
	h.reading(func(t *testing.T, r latchkey.Reader) {
		same(t, noon.Add(time.Hour))(r.NextExpiry(t.Context()))
		for _, row := range []struct {
			name  string
			at    time.Duration
			limit int
			want  []string
		}{
			{"before the first", time.Hour - time.Microsecond, 10, nil},
			{"at the first", time.Hour, 10, []string{first}},
			{"after the second", 2*time.Hour + 1, 10, []string{first, second}},
			{"after all", 1000 * time.Hour, 10, []string{first, second, third}},
			{"the longest ended two", 1000 * time.Hour, 2, []string{first, second}},
		} {
			t.Run(row.name, func(t *testing.T) {
				got, err := r.ExpiredRefreshTokens(t.Context(), noon.Add(row.at), row.limit)
				same(t, row.want)(ids(got, tokenID), err)
				for _, n := range got {
					if !n.Expired(noon.Add(row.at)) {
						t.Errorf("token %s has not ended", n.ID)
					}
				}
			})
		}
	})
	h.update(func(tx latchkey.Tx) error { return tx.DeleteRefreshToken(ctx, first) })
	same(t, noon.Add(2*time.Hour))(h.NextExpiry(ctx))
	h.update(func(tx latchkey.Tx) error { // expiry is switched off
		n, err := tx.RefreshToken(ctx, second)
		if err != nil {
			return err
		}
		n.ExpireAt = time.Time{}
		return tx.UpdateRefreshToken(ctx, n)
	})
	same(t, noon.Add(3*time.Hour))(h.NextExpiry(ctx))
	same(t, noon.Add(3*time.Hour))(h.reopened().NextExpiry(ctx))
}
