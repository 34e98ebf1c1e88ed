package storetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

func (f Factory) search(t *testing.T) {
	t.Run("finds users by part of a name, of a username, or by the whole id", f.searchFinds)
	t.Run("takes every character literally", f.searchLiterally)
	t.Run("finds the last of a long name", f.searchLong)
	t.Run("goes through what it finds in pages", f.searchPaged)
	t.Run("follows what changes", f.searchChanges)
}

// found returns the names of the first users that a search finds.
func found(r latchkey.Reader, t *testing.T, text string) []string {
	t.Helper()
	users, err := r.FindUsers(t.Context(), text, "", 100)
	if err != nil {
		t.Errorf("search for %q: %v", text, err)
	}
	return ids(users, func(u latchkey.User) string { return u.Name.Text })
}

// finds checks rows of what is looked for and who is found, and checks them again after the place was opened anew.
func (h house) finds(rows map[string][]string) house {
	h.t.Helper()
	check := func(t *testing.T, r latchkey.Reader) {
		for text, want := range rows {
			if got := found(r, t, text); !slices.Equal(got, want) {
				t.Errorf("search for %q finds %q, want %q", text, got, want)
			}
		}
	}
	h.reading(check)
	h = h.reopened()
	check(h.t, h)
	return h
}

func (f Factory) searchFinds(t *testing.T) {
	h := f.empty(t)
	named := func(name string) func(*latchkey.User) {
		return func(u *latchkey.User) { u.ID, u.Name = "id of "+name, latchkey.Text(name) }
	}
	ada := h.person(named("Ada Lovelace"))
	h.login(ada.ID, "countess")
	h.login(ada.ID, "Analyst")
	h.person(named("Jörg Große"))
	h.person(named("ΟΔΥΣΣΕΥΣ"))
	h.person(named("Zoë 木 \U0001F511"))
	nameless := h.person(func(u *latchkey.User) { u.ID, u.Name = "nameless", latchkey.NullString{} })
	h.login(nameless.ID, "STRASSE")
	h.update(func(tx latchkey.Tx) error { // one whom another provider knows, by an id instead of a name
		return tx.InsertCredentials(t.Context(), latchkey.Credentials{
			ID: latchkey.NewID(), UserID: "id of Jörg Große", Data: map[string]any{"user_id": "f00d"},
			Provider: latchkey.ProviderKey{Type: "trusted_networks", ID: latchkey.Text("x")},
		})
	})
	everybody := []string{"Ada Lovelace", "Jörg Große", "ΟΔΥΣΣΕΥΣ", "Zoë 木 \U0001F511", ""}
	h.finds(map[string][]string{
		"":              everybody,
		" \t":           everybody,
		"ada":           {"Ada Lovelace"},
		"LOVE":          {"Ada Lovelace"},
		" lace ":        {"Ada Lovelace"},
		"a l":           {"Ada Lovelace"},
		"count":         {"Ada Lovelace"},
		"ANALYST":       {"Ada Lovelace"},
		"a":             {"Ada Lovelace", ""},
		"GROSSE":        {"Jörg Große"},
		"große":         {"Jörg Große"},
		"JÖRG":          {"Jörg Große"},
		"f00d":          {"Jörg Große"},
		"straße":        {""},
		"οδυσσευς":      {"ΟΔΥΣΣΕΥΣ"},
		"木 \U0001F511":  {"Zoë 木 \U0001F511"},
		"\U0001F511":    {"Zoë 木 \U0001F511"},
		"lovelacelace":  nil, // whose parts are not far from those of a name
		"ace lovelace":  nil,
		"ZOË":           {"Zoë 木 \U0001F511"},
		"nameless":      {""},
		"namel":         nil, // an id is no name
		"id of":         nil,
		"adacount":      nil,
		"lovelace ada":  nil,
		"homeassistant": nil,
		"nobody":        nil,
	})
}

func (f Factory) searchLiterally(t *testing.T) {
	h := f.empty(t)
	for _, name := range []string{`50% off`, `under_score`, `back\slash`, `O'Hara`, `"quoted"`, `a*b?[c]`, `'; DROP TABLE users; --`,
		"two\nlines", "AND OR NOT"} {
		h.person(func(u *latchkey.User) { u.Name = latchkey.Text(name) })
	}
	h.finds(map[string][]string{
		`%`: {`50% off`}, `%off`: nil, `0%`: {`50% off`}, `_`: {`under_score`}, `r_s`: {`under_score`}, `r_S`: {`under_score`},
		`\`: {`back\slash`}, `\s`: {`back\slash`}, `\%`: nil, `'`: {`O'Hara`, `'; DROP TABLE users; --`}, `''`: nil,
		`"`: {`"quoted"`}, `*`: {`a*b?[c]`}, `?`: {`a*b?[c]`}, `[c]`: {`a*b?[c]`}, `.`: nil, `--`: {`'; DROP TABLE users; --`},
		"\xff": nil, `{}`: nil, `'; D`: {`'; DROP TABLE users; --`}, `"quo`: {`"quoted"`}, `ed"`: {`"quoted"`}, `""quoted`: nil,
		`a*b`: {`a*b?[c]`}, `sla*`: nil, `50% OFF`: {`50% off`},
		"\x00": nil, "two\x00lines": nil, "o\nl": {"two\nlines"}, "two lines": nil, "and or": {"AND OR NOT"}, "l\xff\xff": nil,
	})
}

func (f Factory) searchLong(t *testing.T) {
	h := f.empty(t)
	for _, name := range []string{strings.Repeat("木x", 99) + "abc", strings.Repeat("木x", 100) + "abc", strings.Repeat("Ünder ", 20_000) + "abc"} {
		h.person(func(u *latchkey.User) { u.Name = latchkey.Text(name) })
	}
	h.reading(func(t *testing.T, r latchkey.Reader) {
		for text, want := range map[string]int{"xabc": 2, "木xA": 2, "x木x": 2, "abc": 3, "r abc": 1, "under": 0, "r Ü": 1, strings.Repeat("x木", 99) + "x": 1} {
			if got := found(r, t, text); len(got) != want {
				t.Errorf("search for %q finds %d, want %d", text, len(got), want)
			}
		}
	})
}

func (f Factory) searchPaged(t *testing.T) {
	h := f.empty(t)
	var all []string
	for i := range 9 {
		u := h.person(func(u *latchkey.User) {
			if i%3 == 1 {
				u.Name = latchkey.Text("Bob")
			}
		})
		if i%3 != 1 {
			all = append(all, u.ID)
		}
	}
	h.reading(func(t *testing.T, r latchkey.Reader) {
		for limit := 1; limit <= len(all)+1; limit++ {
			var got []string
			after := ""
			for {
				page, err := r.FindUsers(t.Context(), "ADA", after, limit)
				if err != nil {
					t.Fatal(err)
				}
				if len(page) > limit {
					t.Fatalf("a page of %d has %d users", limit, len(page))
				}
				if len(page) == 0 {
					break
				}
				got = append(got, ids(page, userID)...)
				after = got[len(got)-1]
			}
			if !slices.Equal(got, all) {
				t.Errorf("in pages of %d: %v, want %v", limit, got, all)
			}
		}
		for _, text := range []string{"", "ada", "nobody"} {
			missing[[]latchkey.User](t)(r.FindUsers(t.Context(), text, "gone", 10))
		}
	})
}

func (f Factory) searchChanges(t *testing.T) {
	h := f.empty(t)
	ctx := t.Context()
	u := h.person()
	login := h.login(u.ID, "countess")
	u.Name = latchkey.Text("Größe")
	h.update(func(tx latchkey.Tx) error {
		if err := tx.UpdateUser(ctx, u); err != nil {
			return err
		}
		login.Data = map[string]any{"username": "Analyst"}
		return tx.UpdateCredentials(ctx, login)
	})
	h = h.finds(map[string][]string{"ada": nil, "GRÖSSE": {"Größe"}, "countess": nil, "analyst": {"Größe"}})
	h.update(func(tx latchkey.Tx) error {
		u.Name = latchkey.NullString{}
		if err := tx.UpdateUser(ctx, u); err != nil {
			return err
		}
		return tx.DeleteCredentials(ctx, login.ID)
	})
	h = h.finds(map[string][]string{"größe": nil, "analyst": nil, "": {""}})
	other := h.person()
	h.login(other.ID, "Analyst")
	h.update(func(tx latchkey.Tx) error { // what is gone is found neither where it was nor in who comes after it
		if err := tx.DeleteUser(ctx, other.ID); err != nil {
			return err
		}
		other.Name = latchkey.Text("Countess")
		return tx.InsertUser(ctx, other)
	})
	h.finds(map[string][]string{"ada": nil, "analyst": nil, "countess": {"Countess"}})
}
