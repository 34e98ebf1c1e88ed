package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/permission"
	"github.com/seed-6a977b3d/latchkey/store/hassfile"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
	"github.com/seed-6a977b3d/latchkey/transfer"
)

// open opens a store in an empty folder.
func open(t *testing.T) latchkey.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "latchkey.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// outspoken is a store that gives back the secrets of tokens, as files of Home Assistant do.
type outspoken struct {
	latchkey.Store
	secrets map[string]latchkey.Secret
}

func (s outspoken) RefreshTokens(ctx context.Context, userID string) ([]latchkey.RefreshToken, error) {
	tokens, err := s.Store.RefreshTokens(ctx, userID)
	for i, t := range tokens {
		tokens[i].Secret = s.secrets[t.ID]
	}
	return tokens, err
}

var now = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

func update(t *testing.T, s latchkey.Store, fn func(context.Context, latchkey.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), func(tx latchkey.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

func login(username string) latchkey.Credentials {
	return latchkey.Credentials{
		ID: "c-" + username, UserID: "u-" + username,
		Provider: latchkey.ProviderKey{Type: "homeassistant"}, Data: map[string]any{"username": username},
	}
}

// furnished is a house with one of everything.
func furnished(t *testing.T) outspoken {
	t.Helper()
	s := outspoken{Store: open(t), secrets: map[string]latchkey.Secret{}}
	token := func(id string, kind latchkey.TokenType) latchkey.RefreshToken {
		s.secrets[id] = latchkey.NewSecret()
		r := latchkey.RefreshToken{
			ID: id, UserID: "u-anna", Type: kind, CreatedAt: now, AccessTokenExpiration: time.Hour,
			Secret: s.secrets[id], JWTKey: latchkey.NewSecret(), CredentialID: "c-anna", Version: "2026.1.0",
			LastUsedAt: now.Add(time.Hour), LastUsedIP: "192.168.1.2", ExpireAt: now.Add(90 * 24 * time.Hour),
		}
		if kind == latchkey.TokenLongLived {
			r.ClientName, r.CredentialID, r.ExpireAt = "GPS logger", "", time.Time{}
		} else {
			r.ClientID = latchkey.Text("https://app.example/")
		}
		return r
	}
	update(t, s, func(ctx context.Context, tx latchkey.Tx) error {
		policy, err := permission.Parse([]byte(`{"entities":{"domains":{"light":true}}}`))
		return errors.Join(err,
			tx.InsertGroup(ctx, latchkey.Group{ID: "kids", Name: latchkey.Text("Kids"), Policy: policy}),
			tx.InsertUser(ctx, latchkey.User{ID: "u-anna", Name: latchkey.Text("Anna"), IsOwner: true, IsActive: true,
				GroupIDs: []string{latchkey.GroupAdmin}, Credentials: []latchkey.Credentials{login("anna")}}),
			tx.InsertUser(ctx, latchkey.User{ID: "u-ben", GroupIDs: []string{"kids"}, LocalOnly: true,
				Credentials: []latchkey.Credentials{login("ben")}}),
			tx.InsertPassword(ctx, latchkey.Password{Username: "anna", Hash: "$2b$12$anna"}),
			tx.PutModuleData(ctx, "totp", "u-anna", []byte(`{"secret":"JBSW"}`)),
			tx.InsertRefreshToken(ctx, token("session", latchkey.TokenNormal)),
			tx.InsertRefreshToken(ctx, token("logger", latchkey.TokenLongLived)),
			tx.CompleteOnboarding(ctx, "user"))
	})
	return s
}

func options() transfer.Options { return transfer.Options{Modules: transfer.DefaultModules()} }

// lines writes a plan as text.
func lines(items []transfer.Item) string {
	var b strings.Builder
	for _, i := range items {
		fmt.Fprintln(&b, i.Action, i.Kind, i.ID)
	}
	return b.String()
}

func copied(t *testing.T, from latchkey.Reader, to latchkey.Store) []transfer.Item {
	t.Helper()
	items, err := transfer.Copy(t.Context(), from, to, options())
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func TestAHouseIsCopiedWhole(t *testing.T) {
	from, to := furnished(t), open(t)
	planned, err := transfer.Plan(t.Context(), from, to, options())
	if err != nil {
		t.Fatal(err)
	}
	const want = `add group kids
add user u-anna
add credentials c-anna
add password anna
add second factor totp
add user u-ben
add credentials c-ben
add session session
add token logger
add onboarding user
`
	if diff := cmp.Diff(want, lines(planned)); diff != "" {
		t.Error(diff)
	}
	if _, err := to.Owner(t.Context()); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("a plan changed the store: %v", err)
	}
	if diff := cmp.Diff(lines(planned), lines(copied(t, from, to))); diff != "" {
		t.Error(diff)
	}
	ctx := t.Context()
	for _, id := range []string{"u-anna", "u-ben"} {
		a, _ := from.User(ctx, id)
		b, err := to.User(ctx, id)
		if diff := cmp.Diff(a, b); err != nil || diff != "" {
			t.Error(err, diff)
		}
	}
	for id, secret := range from.secrets {
		a, _ := from.RefreshToken(ctx, id)
		b, err := to.RefreshTokenBySecret(ctx, secret)
		if diff := cmp.Diff(a, b, cmp.Comparer(func(a, b latchkey.Secret) bool { return a.Reveal() == b.Reveal() })); err != nil || diff != "" {
			t.Error(err, diff)
		}
	}
	if again := copied(t, from, to); len(again) != 0 || transfer.Changes(again) {
		t.Errorf("a second copy did %s", lines(again))
	}
}

func TestWhatChangedIsCopiedAgain(t *testing.T) {
	from, to := furnished(t), open(t)
	copied(t, from, to)
	update(t, to, func(ctx context.Context, tx latchkey.Tx) error { // what is newer here stays
		session, err := tx.RefreshToken(ctx, "logger")
		session.LastUsedAt = now.Add(48 * time.Hour)
		return errors.Join(err, tx.UpdateRefreshToken(ctx, session),
			tx.PutModuleData(ctx, "totp", "u-anna", []byte(`{"secret":"JBSW","last_step":7}`)))
	})
	update(t, from, func(ctx context.Context, tx latchkey.Tx) error {
		anna, err := tx.User(ctx, "u-anna")
		anna.Name = latchkey.Text("Anna B.")
		session, err2 := tx.RefreshToken(ctx, "session")
		session.LastUsedAt = now.Add(24 * time.Hour)
		return errors.Join(err, err2, tx.UpdateUser(ctx, anna), tx.UpdateRefreshToken(ctx, session),
			tx.UpdatePassword(ctx, "anna", latchkey.Password{Username: "anna", Hash: "$2b$12$new"}),
			tx.PutModuleData(ctx, "totp", "u-ben", []byte(`{"secret":"KRSX"}`)))
	})
	const want = "change user u-anna\nchange password anna\nadd second factor totp\nchange session session\n"
	if diff := cmp.Diff(want, lines(copied(t, from, to))); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCannotTravelIsSaid(t *testing.T) {
	from, to := furnished(t), open(t)
	items := copied(t, from.Store, to) // which knows no secrets
	var left []string
	for _, i := range items {
		if i.Action == transfer.Leave {
			left = append(left, i.ID+": "+i.Note)
		}
	}
	if len(left) != 1 || !strings.Contains(left[0], "session: only a hash of its secret") {
		t.Errorf("left behind: %q", left)
	}
	a, _ := from.RefreshToken(t.Context(), "logger")
	b, err := to.RefreshToken(t.Context(), "logger")
	if err != nil || a.JWTKey.Reveal() != b.JWTKey.Reveal() {
		t.Errorf("the long-lived token does not work any more: %v", err)
	}
}

// Recovery codes go from store to store, into Home Assistant's folder and out of it, and none comes back that was used.
// Files that somebody edited may hold two tokens of one name, of which other stores keep one.
func TestTwoTokensOfOneName(t *testing.T) {
	token := `{"id": %q, "user_id": "u", "client_id": null, "client_name": "logger", "token_type": "long_lived_access_token",
		"created_at": "2026-01-02T03:04:05+00:00", "access_token_expiration": 1800.0, "token": %q, "jwt_key": "k"}`
	dir := t.TempDir()
	auth := fmt.Sprintf(`{"version": 1, "data": {"users": [{"id": "u", "is_owner": true, "is_active": true, "name": "Anna",
		"system_generated": false}], "credentials": [], "refresh_tokens": [`+token+","+token+"]}}", "t1", "s1", "t2", "s2")
	if err := os.WriteFile(filepath.Join(dir, "auth"), []byte(auth), 0o600); err != nil {
		t.Fatal(err)
	}
	from, err := hassfile.Read(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	to := open(t)
	planned, err := transfer.Plan(t.Context(), from, to, options())
	if want := "add user u\nadd token t1\nleave token t2\n"; err != nil || lines(planned) != want {
		t.Errorf("planned %s, %v", lines(planned), err)
	}
	for range 2 {
		if done, err := transfer.Copy(t.Context(), from, to, options()); err != nil || !strings.Contains(lines(done), "leave token t2\n") {
			t.Errorf("done %s, %v", lines(done), err)
		}
	}
}

func TestRecoveryCodesTravel(t *testing.T) {
	from := furnished(t)
	folder, err := hassfile.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = folder.Close() })
	to := open(t)
	set := func(data string) func(context.Context, latchkey.Tx) error {
		return func(ctx context.Context, tx latchkey.Tx) error {
			return tx.PutModuleData(ctx, latchkey.RecoveryModule, "u-anna", []byte(data))
		}
	}
	holds := func(want string) {
		t.Helper()
		data, err := to.ModuleData(t.Context(), latchkey.RecoveryModule, "u-anna")
		if err != nil || string(data) != want {
			t.Errorf("data = %s, %v; want %s", data, err, want)
		}
	}
	const whole, used = `{"hashes":["AQ==","Ag=="]}`, `{"hashes":["AQ==","Ag=="],"spent":[1]}`
	update(t, from, set(whole))
	copied(t, from, folder)
	copied(t, folder, to)
	holds(whole)
	update(t, to, set(used))
	copied(t, folder, to)
	holds(used)
}

// twoCases are two people whose names differ by case alone, as files of before 2024.7 may have them, and passwords that
// belong to nobody.
func twoCases(t *testing.T) loosePasswords {
	t.Helper()
	s := open(t)
	update(t, s, func(ctx context.Context, tx latchkey.Tx) error {
		err := errors.Join(
			tx.InsertPassword(ctx, latchkey.Password{Username: "TEST", Hash: "$2b$12$loose"}),
			tx.InsertPassword(ctx, latchkey.Password{Username: "nobody", Hash: "$2b$12$loose"}))
		for _, name := range []string{"Test", "test"} {
			err = errors.Join(err, tx.InsertUser(ctx, latchkey.User{ID: "u-" + name, Credentials: []latchkey.Credentials{login(name)}}),
				tx.InsertPassword(ctx, latchkey.Password{Username: name, Hash: "$2b$12$" + name}))
		}
		return err
	})
	return loosePasswords{s}
}

type loosePasswords struct{ latchkey.Store }

func (loosePasswords) LoosePasswords(context.Context) ([]latchkey.Password, error) {
	return []latchkey.Password{{Username: "TEST"}, {Username: "nobody"}}, nil
}

// In Home Assistant a password that belongs to no login makes an administrator of whoever knows it. It does not travel
// unnoticed. Names that differ by case are two people there (providers.md §3.1, legacy mode).
func TestPasswordsOfNobodyStay(t *testing.T) {
	from, to := twoCases(t), open(t)
	items := copied(t, from, to)
	const want = `add user u-Test
add credentials c-Test
add password Test
add user u-test
add credentials c-test
add password test
leave password TEST
leave password nobody
`
	if diff := cmp.Diff(want, lines(items)); diff != "" {
		t.Error(diff)
	}
	for _, i := range items {
		if i.Action == transfer.Leave && !strings.Contains(i.Note, "administrator") {
			t.Errorf("%s: %s", i.ID, i.Note)
		}
	}
	if again := copied(t, from, to); transfer.Changes(again) {
		t.Errorf("a second copy did %s", lines(again))
	}
}

// A login may have been linked to somebody else since a session began with it. The session still ends with the login
// (security.md W8).
func TestASessionKeepsTheLoginThatItBeganWith(t *testing.T) {
	from, to := outspoken{open(t), map[string]latchkey.Secret{}}, open(t)
	from.secrets["session"] = latchkey.NewSecret()
	update(t, from, func(ctx context.Context, tx latchkey.Tx) error {
		return errors.Join(
			tx.InsertUser(ctx, latchkey.User{ID: "u-anna"}),
			tx.InsertUser(ctx, latchkey.User{ID: "u-ben", Credentials: []latchkey.Credentials{login("ben")}}),
			tx.InsertRefreshToken(ctx, latchkey.RefreshToken{ID: "session", UserID: "u-anna", CredentialID: "c-ben",
				Type: latchkey.TokenNormal, Secret: from.secrets["session"], JWTKey: latchkey.NewSecret()}))
	})
	copied(t, from, to)
	if token, err := to.RefreshToken(t.Context(), "session"); err != nil || token.CredentialID != "c-ben" {
		t.Errorf("%+v, %v", token, err)
	}
	if again := copied(t, from, to); len(again) != 0 {
		t.Errorf("a second copy did %s", lines(again))
	}
}

// picky is a store that keeps no password of a certain form.
type picky struct{ latchkey.Store }

func (picky) KeepsPassword(p latchkey.Password) error {
	if strings.HasPrefix(p.Hash, "$2b$") {
		return errors.New("too long for this store")
	}
	return nil
}

func TestAPasswordThatTheOtherStoreHasNoFormForStays(t *testing.T) {
	to := picky{open(t)}
	items := copied(t, furnished(t), to)
	if !strings.Contains(lines(items), "leave password anna\n") {
		t.Error(lines(items))
	}
	if held, err := to.Passwords(t.Context(), "anna"); err != nil || len(held) != 0 {
		t.Errorf("held are %v, %v", held, err)
	}
}

func TestStoresThatContradictEachOtherStayAsTheyAre(t *testing.T) {
	for name, u := range map[string]latchkey.User{
		"another owner":    {ID: "u-cleo", Name: latchkey.Text("Cleo"), IsOwner: true, IsActive: true},
		"the same name in": {ID: "u-other", Credentials: []latchkey.Credentials{{ID: "c", UserID: "u-other", Provider: latchkey.ProviderKey{Type: "homeassistant"}, Data: map[string]any{"username": "Anna"}}}},
	} {
		to := open(t)
		update(t, to, func(ctx context.Context, tx latchkey.Tx) error { return tx.InsertUser(ctx, u) })
		items, err := transfer.Copy(t.Context(), furnished(t), to, options())
		if !errors.Is(err, transfer.ErrConflicts) || !strings.Contains(lines(items), "conflict user u-anna") {
			t.Errorf("%s: %v\n%s", name, err, lines(items))
		}
		if _, err := to.User(t.Context(), "u-ben"); !errors.Is(err, latchkey.ErrNotFound) {
			t.Errorf("%s: something was copied: %v", name, err)
		}
	}
}
