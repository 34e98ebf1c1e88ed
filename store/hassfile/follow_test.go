package hassfile

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/mfa/totp"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

const (
	adaID     = "3f1c2a9b8d7e4c50a1b2c3d4e5f60718"
	adaLogin  = "0d5e6f708192434fa5b6c7d8e9f00112"
	adaToken  = "5b6c7d8e9f004a1b8c2d3e4f5a6b7c8d"
	adaLogger = "aa11bb22cc33440d85ee66ff77008811"
	// adaPassword is test-pass as storage.md §3 has it.
	adaPassword = "JDJiJDEyJENpdUZHc3pIeDllTkh4UHVRY3dCV2VXRHBKQ1gyNS5mMHRjcGpOZDZBSEY3LzV5NklzVHk2"
)

// followed follows the folder of a Home Assistant, with a manager over it.
func followed(t *testing.T) (*Follower, *latchkey.Manager, string) {
	t.Helper()
	dir := quick(t, copied(t, "2025"))
	own, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "own.db"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Follow(t.Context(), dir, own, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	codes, err := totp.New(f, totp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	local, err := homeassistant.New(f, homeassistant.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := latchkey.New(f, latchkey.Options{
		Providers: []latchkey.Provider{local}, Modules: []latchkey.MFAModule{codes}, Logger: quietLog(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return f, m, dir
}

// theyWrite changes a file as Home Assistant does: another file takes its place.
func theyWrite(t *testing.T, dir, name, old, by string) {
	t.Helper()
	before := text(t, dir, name)
	after := strings.Replace(before, old, by, 1)
	if before == after {
		t.Fatalf("%q is not in %s", old, name)
	}
	temp := filepath.Join(dir, "tmp")
	if err := errors.Join(os.WriteFile(temp, []byte(after), 0o600), os.Rename(temp, filepath.Join(dir, name))); err != nil {
		t.Fatal(err)
	}
}

// soon waits for what is to come true within a second, and gives it more before it fails.
func soon(t *testing.T, what string, is func() bool) {
	t.Helper()
	never := time.After(30 * time.Second)
	began := time.Now()
	for !is() {
		select {
		case <-never:
			t.Fatalf("waited in vain until %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
	t.Logf("after %v %s", time.Since(began).Round(time.Millisecond), what)
}

func TestUsersOfHomeAssistantAreFound(t *testing.T) {
	_, m, dir := followed(t)
	find := func(text string) int {
		t.Helper()
		users, err := m.FindUsers(t.Context(), text, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(users)
	}
	if find("ADA") != 1 || find("lovelace") != 0 {
		t.Errorf("found %d and %d users", find("ADA"), find("lovelace"))
	}
	theyWrite(t, dir, authFile, `"name": "Ada"`, `"name": "Lovelace"`)
	soon(t, "somebody is found by her new name", func() bool { return find("LACE") == 1 })
}

func TestATokenOfHomeAssistantIsGoodHere(t *testing.T) {
	f, m, dir := followed(t)
	ctx := t.Context()
	access, err := m.CreateAccessToken(ctx, adaToken, netip.MustParseAddr("192.168.1.9"))
	if err != nil {
		t.Fatal(err)
	}
	session, err := m.ValidateAccessToken(ctx, access)
	if err != nil || session.User.Name.Text != "Ada" {
		t.Fatalf("%+v, %v", session.User, err)
	}
	used, err := f.RefreshToken(ctx, adaToken)
	if err != nil || used.LastUsedIP != "192.168.1.9" {
		t.Errorf("the use is not remembered: %+v, %v", used, err)
	}
	if text(t, dir, authFile) != text(t, "testdata/2025", authFile) {
		t.Error("their file was written")
	}
	// They revoke it.
	gone := make(chan struct{})
	m.OnRevoke(adaToken, func() { close(gone) })
	theyWrite(t, dir, authFile, `"id": "`+adaToken+`"`, `"id": "another"`)
	soon(t, "the revoked token is refused", func() bool {
		_, err := m.ValidateAccessToken(ctx, access)
		return errors.Is(err, latchkey.ErrInvalidAccessToken)
	})
	<-gone
}

func TestWhatHomeAssistantChangesIsNoticed(t *testing.T) {
	f, m, dir := followed(t)
	ctx := t.Context()
	local, err := homeassistant.New(f, homeassistant.Options{})
	if err != nil {
		t.Fatal(err)
	}
	before, err := f.Passwords(ctx, "ada")
	if err != nil {
		t.Fatal(err)
	}
	theyWrite(t, dir, passwordFile, before[0].Hash, // second-pass, as storage.md §3 has it
		"JDJiJDEyJGFiY2RlZmdoaWprbG1ub3BxcnN0dXVpa0JKTHc3ZmlDZ210dEJ2c0xBUGlxZy5yTXpsV3Ey")
	soon(t, "the new password is known", func() bool {
		records, err := f.Passwords(ctx, "ada")
		return err == nil && records[0].Hash != before[0].Hash
	})
	if err := local.ValidateLogin(ctx, "ada", "second-pass"); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if u, err := m.User(ctx, adaID); err != nil || u.Name.Text != "Ada" {
		t.Errorf("%+v, %v", u, err)
	}
	theyWrite(t, dir, authFile, `"name": "Ada"`, `"name": "Ada L."`)
	soon(t, "the new name is known", func() bool {
		u, err := m.User(ctx, adaID)
		return err == nil && u.Name.Text == "Ada L."
	})
	theyWrite(t, dir, authFile, `"users": [`, `"users": [{"id": "ben", "is_owner": false, "is_active": true, "name": null, "system_generated": false},`)
	soon(t, "the new user is known", func() bool {
		_, err := m.User(ctx, "ben")
		return err == nil
	})
	// What is half written counts for nothing; what is whole again does.
	whole := text(t, dir, authFile)
	if err := os.WriteFile(filepath.Join(dir, authFile), []byte(whole[:len(whole)/2]), 0o600); err != nil {
		t.Fatal(err)
	}
	<-time.After(2 * followEvery)
	if u, err := m.User(ctx, adaID); err != nil || u.Name.Text != "Ada L." {
		t.Errorf("while the file is torn: %+v, %v", u, err)
	}
	if err := os.WriteFile(filepath.Join(dir, authFile), []byte(strings.Replace(whole, "Ada L.", "Ada M.", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	soon(t, "the whole file is read", func() bool {
		u, err := m.User(ctx, adaID)
		return err == nil && u.Name.Text == "Ada M."
	})
}

// What Home Assistant says of a token goes, where latchkey has used it since.
func TestWhetherATokenEndsIsForHomeAssistantToSay(t *testing.T) {
	f, m, dir := followed(t)
	ctx := t.Context()
	for _, expires := range []bool{true, false} {
		id := map[bool]string{true: adaLogger, false: adaToken}[expires]
		if err := m.SetExpiry(ctx, id, expires); !errors.Is(err, latchkey.ErrFollowing) {
			t.Errorf("%s: error = %v", id, err)
		}
	}
	if _, err := m.CreateAccessToken(ctx, adaToken, netip.MustParseAddr("192.168.1.9")); err != nil {
		t.Fatal(err)
	}
	if token, err := f.RefreshToken(ctx, adaToken); err != nil || !token.ExpireAt.After(time.Now()) {
		t.Errorf("its use does not put off its end: %v, %v", token.ExpireAt, err)
	}
	theyWrite(t, dir, authFile, `"expire_at": 1754033400.5`, `"expire_at": null`)
	soon(t, "it never ends", func() bool {
		token, err := f.RefreshToken(ctx, adaToken)
		return err == nil && token.ExpireAt.IsZero()
	})
	// A clock of theirs that is ahead of ours keeps nobody out.
	ahead := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	theyWrite(t, dir, authFile, `"last_used_at": "2025-05-03T07:30:00.500000+00:00"`, `"last_used_at": "`+ahead+`"`)
	soon(t, "their use is known", func() bool {
		token, err := f.RefreshToken(ctx, adaToken)
		return err == nil && token.LastUsedAt.After(time.Now())
	})
	if _, err := m.CreateAccessToken(ctx, adaToken, netip.MustParseAddr("192.168.1.9")); err != nil {
		t.Error(err)
	}
}

// A file that is gone is not a house without people, which would be open to whoever comes first.
func TestAFileThatIsGoneIsNotAnEmptyHouse(t *testing.T) {
	f, m, dir := followed(t)
	ctx := t.Context()
	ours, err := m.CreateRefreshToken(ctx, latchkey.NewRefreshToken{UserID: adaID, ClientID: latchkey.Text("https://app.example/")})
	if err != nil {
		t.Fatal(err)
	}
	whole := text(t, dir, authFile)
	if err := os.Remove(filepath.Join(dir, authFile)); err != nil {
		t.Fatal(err)
	}
	<-time.After(3 * followEvery) // long enough to have noticed
	if people, err := f.HasPeople(ctx); err != nil || !people {
		t.Errorf("people = %v, %v", people, err)
	}
	write(t, dir, authFile, strings.Replace(whole, `"Ada"`, `"Ada M."`, 1))
	soon(t, "the file that is back is read", func() bool {
		u, err := f.User(ctx, adaID)
		return err == nil && u.Name.Text == "Ada M."
	})
	if _, err := f.RefreshToken(ctx, ours.ID); err != nil {
		t.Errorf("the session: %v", err)
	}
}

// deaf is a store of our own that does not hear what others change in it.
type deaf struct{ latchkey.Store }

func (deaf) Current() bool { return false }

func TestOurOwnSessionsMayBeShared(t *testing.T) {
	f, _, dir := followed(t)
	if !f.Current() {
		t.Error("a file that nobody shares is not trusted")
	}
	own, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "own.db"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := Follow(t.Context(), dir, deaf{own}, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if other.Current() {
		t.Error("memory is trusted where others are not heard")
	}
}

func TestOurOwnSessionsAreKeptBesideHomeAssistant(t *testing.T) {
	f, m, dir := followed(t)
	ctx := t.Context()
	u, err := m.User(ctx, adaID)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := m.CreateRefreshToken(ctx, latchkey.NewRefreshToken{
		UserID: adaID, ClientID: latchkey.Text("https://app.example/"), Credentials: &u.Credentials[0],
	})
	if err != nil {
		t.Fatal(err)
	}
	access, err := m.CreateAccessToken(ctx, ours.ID, netip.MustParseAddr("192.168.1.9"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := f.RefreshTokens(ctx, adaID)
	if err != nil || len(all) != 3 {
		t.Errorf("%d tokens, %v", len(all), err)
	}
	_, err = m.CreateRefreshToken(ctx, latchkey.NewRefreshToken{
		UserID: adaID, ClientName: latchkey.Text("GPS logger"), Type: latchkey.TokenLongLived, AccessTokenExpiration: time.Hour,
	})
	if !errors.Is(err, latchkey.ErrValue) {
		t.Errorf("a name that Home Assistant gave out: %v", err)
	}
	// They delete the credentials that led to it.
	theyWrite(t, dir, authFile, `"id": "`+adaLogin+`"`, `"id": "another"`)
	soon(t, "the session ends with its credentials", func() bool {
		_, err := m.ValidateAccessToken(ctx, access)
		return errors.Is(err, latchkey.ErrInvalidAccessToken)
	})
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 6 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

// A session may begin while Home Assistant removes the login that it begins with. It does not count, removed or not.
func TestASessionDoesNotOutliveItsLogin(t *testing.T) {
	f, m, _ := followed(t)
	ctx := t.Context()
	login := latchkey.Credentials{ID: "gone", UserID: adaID, Provider: latchkey.ProviderKey{Type: "homeassistant"}}
	late := latchkey.RefreshToken{
		ID: "late", UserID: adaID, CredentialID: "gone", Type: latchkey.TokenLongLived, ClientName: "late", Secret: "s", JWTKey: "k",
	}
	update(t, f.store, func(ctx context.Context, tx latchkey.Tx) error {
		return errors.Join(tx.InsertUser(ctx, latchkey.User{ID: adaID, IsActive: true}), tx.InsertCredentials(ctx, login),
			tx.InsertRefreshToken(ctx, late))
	})
	for what, find := range map[string]func() error{
		"id":     func() error { _, err := f.RefreshToken(ctx, "late"); return err },
		"secret": func() error { _, err := f.RefreshTokenBySecret(ctx, "s"); return err },
		"name":   func() error { _, err := f.LongLivedToken(ctx, adaID, "late"); return err },
		"use":    func() error { _, err := m.CreateAccessToken(ctx, "late", netip.Addr{}); return err },
	} {
		if err := find(); !errors.Is(err, latchkey.ErrNotFound) {
			t.Errorf("by its %s: %v", what, err)
		}
	}
	if all, err := f.RefreshTokens(ctx, adaID); err != nil || len(all) != 2 {
		t.Errorf("%d tokens, %v", len(all), err)
	}
}

func TestWhatIsHomeAssistantsIsRefused(t *testing.T) {
	f, m, _ := followed(t)
	ctx := t.Context()
	ada, err := m.User(ctx, adaID)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(latchkey.Tx) error{
		"new user":        func(tx latchkey.Tx) error { return tx.InsertUser(ctx, latchkey.User{ID: "x"}) },
		"user":            func(tx latchkey.Tx) error { return tx.UpdateUser(ctx, ada) },
		"user's end":      func(tx latchkey.Tx) error { return tx.DeleteUser(ctx, adaID) },
		"group":           func(tx latchkey.Tx) error { return tx.InsertGroup(ctx, latchkey.Group{ID: "x"}) },
		"password":        func(tx latchkey.Tx) error { return tx.UpdatePassword(ctx, "ada", latchkey.Password{Username: "ada"}) },
		"credentials":     func(tx latchkey.Tx) error { return tx.DeleteCredentials(ctx, adaLogin) },
		"their token":     func(tx latchkey.Tx) error { return tx.DeleteRefreshToken(ctx, adaLogger) },
		"another secret":  func(tx latchkey.Tx) error { return tx.PutModuleData(ctx, "totp", adaID, []byte(`{"secret":"X"}`)) },
		"factor's end":    func(tx latchkey.Tx) error { return tx.DeleteModuleData(ctx, "totp", adaID) },
		"onboarding step": func(tx latchkey.Tx) error { return tx.CompleteOnboarding(ctx, "x") },
	} {
		if err := f.Update(ctx, change); !errors.Is(err, latchkey.ErrFollowing) || !errors.Is(err, latchkey.ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What latchkey notes about a factor is its own.
	const noted = `{"secret":"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP","last_step":7}`
	update(t, f, func(ctx context.Context, tx latchkey.Tx) error {
		return errors.Join(tx.PutModuleData(ctx, "totp", adaID, []byte(noted)), tx.PutModuleData(ctx, "recovery", adaID, []byte(`[1]`)))
	})
	for module, want := range map[string]string{"totp": noted, "recovery": `[1]`} {
		if data, err := f.ModuleData(ctx, module, adaID); err != nil || string(data) != want {
			t.Errorf("%s: %s, %v", module, data, err)
		}
	}
	if ids, err := f.ModulesOf(ctx, adaID); err != nil || !slices.Equal(ids, []string{"notify", "recovery", "totp"}) {
		t.Errorf("modules of Ada: %v, %v", ids, err)
	}
}
