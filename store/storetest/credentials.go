package storetest

import (
	"encoding/json"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

func (f Factory) credentials(t *testing.T) {
	t.Run("come back as they were linked", f.credentialsRoundTrip)
	t.Run("are linked once, and to somebody", f.credentialsLinkedOnce)
	t.Run("are updated in their data", f.credentialsUpdated)
	t.Run("are deleted with the tokens that they led to", f.credentialsDeleted)
	t.Run("are found by their subject", f.credentialsBySubject)
}

// spec: models.md §5
func (f Factory) credentialsRoundTrip(t *testing.T) {
	h := f.empty(t)
	u := h.person()
	for _, c := range []latchkey.Credentials{
		{Provider: latchkey.ProviderKey{Type: "homeassistant"}, Data: map[string]any{"username": "ada"}},
		{Provider: latchkey.ProviderKey{Type: "legacy_api_password"}, Data: map[string]any{}},
		{Provider: latchkey.ProviderKey{Type: "command_line", ID: latchkey.Text("")}, Data: map[string]any{"username": ""}},
		{Provider: latchkey.ProviderKey{Type: "command_line", ID: latchkey.Text("büro")}, Data: map[string]any{
			"username": "<Zoë> & \"木\"\n\x00\u2028", "nothing": nil, "yes": true, "number": 1.5, "id": json.Number("12345678901234567890"), "list": []any{"a", 2.0, nil},
			"object": map[string]any{"deep": map[string]any{"": "er"}}, "empty": map[string]any{},
		}},
	} {
		c.ID, c.UserID = latchkey.NewID(), u.ID
		h.update(func(tx latchkey.Tx) error { return tx.InsertCredentials(t.Context(), c) })
		u.Credentials = append(u.Credentials, c)
	}
	check := func(t *testing.T, r latchkey.Reader) {
		same(t, u)(r.User(t.Context(), u.ID))
		for _, c := range u.Credentials {
			same(t, u)(r.UserByCredentials(t.Context(), c.ID))
		}
		same(t, u.Credentials[3:])(r.CredentialsBySubject(t.Context(), u.Credentials[3].Provider, u.Credentials[3].Subject()))
	}
	h.reading(check)
	check(t, h.reopened())
}

func (f Factory) credentialsLinkedOnce(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	u, other := h.person(), h.person()
	c := h.login(u.ID, "ada")
	again := c
	again.UserID = other.ID
	h.refused(latchkey.ErrExists, func(tx latchkey.Tx) error { return tx.InsertCredentials(ctx, again) })
	h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error { return tx.InsertCredentials(ctx, newLogin("nobody", "bob")) })
	same(t, []latchkey.Credentials{c})(h.CredentialsBySubject(ctx, c.Provider, "ada"))
	same(t, []latchkey.Credentials(nil))(h.CredentialsBySubject(ctx, c.Provider, "bob"))
	// Two logins of one name are no matter of the store.
	second := h.login(other.ID, "ada")
	same(t, []latchkey.Credentials{c, second})(h.CredentialsBySubject(ctx, c.Provider, "ada"))
}

func (f Factory) credentialsUpdated(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	u, other := h.person(), h.person()
	first, second := h.login(u.ID, "ada"), h.login(u.ID, "second")
	change := first
	change.UserID, change.Provider = other.ID, latchkey.ProviderKey{Type: "another"} // are no part of the change
	change.Data = map[string]any{"username": "Lovelace"}
	h.update(func(tx latchkey.Tx) error { return tx.UpdateCredentials(ctx, change) })
	first.Data = change.Data
	u.Credentials = []latchkey.Credentials{first, second}
	h.reading(func(t *testing.T, r latchkey.Reader) {
		ctx := t.Context()
		same(t, u)(r.User(ctx, u.ID))
		same(t, other)(r.User(ctx, other.ID))
		same(t, []latchkey.Credentials{first})(r.CredentialsBySubject(ctx, first.Provider, "lovelace"))
		same(t, []latchkey.Credentials(nil))(r.CredentialsBySubject(ctx, first.Provider, "ada"))
	})
	h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error { return tx.UpdateCredentials(ctx, newLogin(u.ID, "x")) })
}

// spec: security.md W8
func (f Factory) credentialsDeleted(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	u, other := h.person(), h.person()
	c, stays := h.login(u.ID, "ada"), h.login(u.ID, "second")
	made := func(by string) func(*latchkey.RefreshToken) {
		return func(n *latchkey.RefreshToken) { n.CredentialID = by }
	}
	gone, without, with := h.token(u.ID, made(c.ID)), h.token(u.ID), h.token(u.ID, made(stays.ID))
	foreign := h.token(other.ID, made(c.ID)) // old files hold such tokens
	h.update(func(tx latchkey.Tx) error { return tx.DeleteCredentials(ctx, c.ID) })
	u.Credentials = []latchkey.Credentials{stays}
	h.reading(func(t *testing.T, r latchkey.Reader) {
		ctx := t.Context()
		same(t, u)(r.User(ctx, u.ID))
		missing[latchkey.User](t)(r.UserByCredentials(ctx, c.ID))
		for _, n := range []latchkey.RefreshToken{gone, foreign} {
			missing[latchkey.RefreshToken](t)(r.RefreshToken(ctx, n.ID))
			missing[latchkey.RefreshToken](t)(r.RefreshTokenBySecret(ctx, n.Secret))
		}
		same(t, []latchkey.RefreshToken{h.kept(without), h.kept(with)})(r.RefreshTokens(ctx, u.ID))
	})
	h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error { return tx.DeleteCredentials(ctx, c.ID) })
}

// spec: providers.md §3.1
func (f Factory) credentialsBySubject(t *testing.T) {
	h := f.empty(t)
	u := h.person()
	link := func(key latchkey.ProviderKey, data map[string]any) latchkey.Credentials {
		c := latchkey.NewCredentials(key, data)
		c.UserID = u.ID
		h.update(func(tx latchkey.Tx) error { return tx.InsertCredentials(t.Context(), c) })
		return c
	}
	local, named, empty := latchkey.ProviderKey{Type: "a"}, latchkey.ProviderKey{Type: "a", ID: latchkey.Text("x")}, latchkey.ProviderKey{Type: "a", ID: latchkey.Text("")}
	street := link(local, map[string]any{"username": " Straße\t"})
	street2 := link(local, map[string]any{"username": "STRASSE"})
	inNamed := link(named, map[string]any{"username": "strasse"})
	inEmpty := link(empty, map[string]any{"username": "strasse"})
	elsewhere := link(latchkey.ProviderKey{Type: "b"}, map[string]any{"username": "strasse"})
	byID := link(local, map[string]any{"user_id": "abc"})
	both := link(local, map[string]any{"username": "name", "user_id": "def"})
	none := link(local, map[string]any{})
	h.reading(func(t *testing.T, r latchkey.Reader) {
		for _, row := range []struct {
			provider latchkey.ProviderKey
			subject  string
			want     []latchkey.Credentials
		}{
			{local, "strasse", []latchkey.Credentials{street, street2}},
			{local, "\u00a0STRAßE\x1c", []latchkey.Credentials{street, street2}},
			{local, "stra\u00dfe", []latchkey.Credentials{street, street2}},
			{local, "stras", nil},
			{local, "str%", nil},
			{named, "strasse", []latchkey.Credentials{inNamed}},
			{empty, "strasse", []latchkey.Credentials{inEmpty}},
			{latchkey.ProviderKey{Type: "b"}, "strasse", []latchkey.Credentials{elsewhere}},
			{latchkey.ProviderKey{Type: "c"}, "strasse", nil},
			{local, "ABC", []latchkey.Credentials{byID}},
			{local, "name", []latchkey.Credentials{both}},
			{local, "def", nil},
			{local, "", []latchkey.Credentials{none}},
		} {
			t.Run(row.provider.Type+row.provider.ID.Text+" "+row.subject, func(t *testing.T) {
				same(t, row.want)(r.CredentialsBySubject(t.Context(), row.provider, row.subject))
			})
		}
	})
}
