package storetest

import (
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

func (f Factory) passwords(t *testing.T) {
	t.Run("are found by their normalised username", f.passwordsFound)
	t.Run("are changed by their exact username", f.passwordsChanged)
	t.Run("can be asked for old usernames", f.passwordsUnnormalized)
}

func (h house) password(username, hash string) latchkey.Password {
	h.t.Helper()
	p := latchkey.Password{Username: username, Hash: hash}
	h.update(func(tx latchkey.Tx) error { return tx.InsertPassword(h.t.Context(), p) })
	return p
}

// spec: providers.md §3.1, storage.md §3
func (f Factory) passwordsFound(t *testing.T) {
	h := f.empty(t)
	upper, plain, space := h.password("Ada", "1"), h.password("ada", "2"), h.password(" ADA ", "")
	street, other := h.password("straße", "JDJiJDEyJENpdQ=="), h.password("木 \U0001F511", "5")
	check := func(t *testing.T, r latchkey.Reader) {
		for name, want := range map[string][]latchkey.Password{
			"ada": {upper, plain, space}, "\tADA": {upper, plain, space}, "STRASSE": {street}, "木 \U0001F511": {other},
			"ad": nil, "": nil, "ad_": nil, "%": nil, "nobody": nil,
		} {
			same(t, want)(r.Passwords(t.Context(), name))
		}
	}
	h.reading(check)
	check(t, h.reopened())
}

func (f Factory) passwordsChanged(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	upper, plain := h.password("Ada", "1"), h.password("ada", "2")
	h.refused(latchkey.ErrExists, func(tx latchkey.Tx) error {
		return tx.InsertPassword(ctx, latchkey.Password{Username: "Ada", Hash: "x"})
	})
	h.refused(latchkey.ErrExists, func(tx latchkey.Tx) error {
		return tx.UpdatePassword(ctx, "Ada", latchkey.Password{Username: "ada", Hash: "x"})
	})
	for _, name := range []string{"ADA", " ada", "", "nobody"} {
		h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error {
			return tx.UpdatePassword(ctx, name, latchkey.Password{Username: "new", Hash: "x"})
		})
		h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error { return tx.DeletePassword(ctx, name) })
	}
	same(t, []latchkey.Password{upper, plain})(h.Passwords(ctx, "ada"))

	upper.Hash = "3"
	renamed := latchkey.Password{Username: "Lovelace", Hash: "4"}
	h.update(func(tx latchkey.Tx) error {
		if err := tx.UpdatePassword(ctx, "Ada", upper); err != nil {
			return err
		}
		return tx.UpdatePassword(ctx, "ada", renamed)
	})
	h.reading(func(t *testing.T, r latchkey.Reader) {
		same(t, []latchkey.Password{upper})(r.Passwords(t.Context(), "ada"))
		same(t, []latchkey.Password{renamed})(r.Passwords(t.Context(), "lovelace"))
	})
	h.update(func(tx latchkey.Tx) error { return tx.DeletePassword(ctx, "Ada") })
	same(t, []latchkey.Password(nil))(h.Passwords(ctx, "ada"))
	same(t, []latchkey.Password{renamed})(h.Passwords(ctx, "lovelace"))
}

func (f Factory) passwordsUnnormalized(t *testing.T) {
	h := f.empty(t)
	same(t, []string(nil))(h.UnnormalizedUsernames(t.Context()))
	for _, name := range []string{"plain", "Zoe", " ada", "Ada", "straße", "strasse", "木"} {
		h.password(name, "x")
	}
	h.reading(func(t *testing.T, r latchkey.Reader) {
		same(t, []string{" ada", "Ada", "Zoe", "straße"})(r.UnnormalizedUsernames(t.Context()))
	})
	h.update(func(tx latchkey.Tx) error {
		return tx.UpdatePassword(t.Context(), "Zoe", latchkey.Password{Username: "zoe", Hash: "x"})
	})
	same(t, []string{" ada", "Ada", "straße"})(h.UnnormalizedUsernames(t.Context()))
}

// moduleData uses the modules and the JSON that files of Home Assistant hold (storage.md §4 and §5).
func (f Factory) moduleData(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	u, other := h.person(), h.person()
	put := func(module, user, data string) {
		h.update(func(tx latchkey.Tx) error { return tx.PutModuleData(ctx, module, user, []byte(data)) })
	}
	holds := func(t *testing.T, r latchkey.Reader, module, user, want string) {
		t.Helper()
		same(t, []byte(want))(r.ModuleData(t.Context(), module, user))
	}
	missing[[]byte](t)(h.ModuleData(ctx, "totp", u.ID))
	const service = `{"notify_service":"smtp_family","target":"ada@example.org"}`
	put("totp", u.ID, `"JBSWY3DPEHPK3PXP"`)
	put("totp", other.ID, `"FPPTH34D4E3MI2HG"`)
	put("notify", u.ID, service)
	put("totp", u.ID, `"MFRGGZDFMZTWQ2LK"`) // replaces
	put("Zebra", u.ID, `[1]`)
	check := func(t *testing.T, r latchkey.Reader) {
		holds(t, r, "totp", u.ID, `"MFRGGZDFMZTWQ2LK"`)
		holds(t, r, "totp", other.ID, `"FPPTH34D4E3MI2HG"`)
		holds(t, r, "notify", u.ID, service)
		missing[[]byte](t)(r.ModuleData(t.Context(), "notify", other.ID))
		missing[[]byte](t)(r.ModuleData(t.Context(), "totp", "nobody"))
		same(t, []string{"Zebra", "notify", "totp"})(r.ModulesOf(t.Context(), u.ID))
		same(t, []string{"totp"})(r.ModulesOf(t.Context(), other.ID))
		same(t, []string(nil))(r.ModulesOf(t.Context(), "nobody"))
	}
	h.reading(check)
	h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error { return tx.PutModuleData(ctx, "totp", "nobody", []byte(`"X"`)) })
	h.refused(latchkey.ErrNotFound, func(tx latchkey.Tx) error { return tx.DeleteModuleData(ctx, "notify", other.ID) })
	h = h.reopened()
	check(t, h)
	h.update(func(tx latchkey.Tx) error { return tx.DeleteModuleData(ctx, "totp", u.ID) })
	missing[[]byte](t)(h.ModuleData(ctx, "totp", u.ID))
	holds(t, h, "notify", u.ID, service)
	holds(t, h, "totp", other.ID, `"FPPTH34D4E3MI2HG"`)
	same(t, []string{"Zebra", "notify"})(h.ModulesOf(ctx, u.ID))
}

// spec: onboarding.md, the steps
func (f Factory) onboarding(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	same(t, []string(nil))(h.OnboardingDone(ctx))
	steps := []string{"user", "core_config", "analytics", "integration"}
	for _, step := range steps {
		h.update(func(tx latchkey.Tx) error { return tx.CompleteOnboarding(ctx, step) })
	}
	h.refused(latchkey.ErrExists, func(tx latchkey.Tx) error { return tx.CompleteOnboarding(ctx, "core_config") })
	h.reading(func(t *testing.T, r latchkey.Reader) { same(t, steps)(r.OnboardingDone(t.Context())) })
	same(t, steps)(h.reopened().OnboardingDone(ctx))
}
