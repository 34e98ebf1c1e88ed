package hassfile

import (
	"encoding/base64"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/mfa/totp"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
)

// managed is a manager over a store of Home Assistant's files, with usernames and an authenticator app.
func managed(t *testing.T, s latchkey.Store) *latchkey.Manager {
	t.Helper()
	codes, err := totp.New(s, totp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	local, err := homeassistant.New(s, homeassistant.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := latchkey.New(s, latchkey.Options{
		Providers: []latchkey.Provider{local}, Modules: []latchkey.MFAModule{codes}, Logger: quietLog(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// quick gives Ada's password a hash that is checked quickly, also with the race detector, and returns the folder.
func quick(t *testing.T, dir string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("test-pass"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	theyWrite(t, dir, passwordFile, adaPassword, base64.StdEncoding.EncodeToString(hash))
	return dir
}

// adaSignsIn reports whether Ada's password and a code in place of her second factor let somebody in.
func adaSignsIn(t *testing.T, m *latchkey.Manager, code string) bool {
	t.Helper()
	from := latchkey.Origin{Addr: netip.MustParseAddr("192.168.1.9")}
	login, _, err := m.StartLogin(t.Context(), latchkey.LoginRequest{
		Provider: latchkey.ProviderKey{Type: "homeassistant"}, Purpose: latchkey.PurposeAuthorize, From: from,
	})
	if err != nil {
		t.Fatal(err)
	}
	var result flow.Result
	for _, in := range []flow.Input{{"username": "ada", "password": "test-pass"}, {"code": code}} {
		_, result, err = m.ContinueLogin(t.Context(), latchkey.LoginInput{ID: login.ID, From: from, Input: in})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, done := result.(flow.Done)
	return done
}

// theirFiles are those that Home Assistant reads, with what is in them.
func theirFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range names() {
		if name == extraFile {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		files[name] = string(content)
	}
	return files
}

// unchanged fails the test when one of these files was written.
func unchanged(t *testing.T, dir string, before map[string]string) {
	t.Helper()
	now := theirFiles(t, dir)
	for name, content := range before {
		if content != now[name] {
			t.Errorf("%s was written", name)
		}
	}
}

// spec: storage.md: Home Assistant knows no recovery codes, so they are kept beside its files
func TestRecoveryCodesAreKeptBesideTheFiles(t *testing.T) {
	dir := quick(t, copied(t, "2025"))
	s := open(t, dir)
	m := managed(t, s)
	before := theirFiles(t, dir)
	delete(before, authFile) // a token that has ended is removed from it meanwhile
	codes, err := m.CreateRecoveryCodes(t.Context(), adaID)
	if err != nil {
		t.Fatal(err)
	}
	unchanged(t, dir, before)
	if auth := text(t, dir, authFile); strings.Contains(auth, "recovery") {
		t.Errorf("codes are in %s", auth)
	}
	if extra := text(t, dir, extraFile); !strings.Contains(extra, `"recovery"`) || strings.Contains(extra, codes[0]) {
		t.Errorf("beside the files: %s", extra)
	}
	if !adaSignsIn(t, m, codes[0]) || adaSignsIn(t, m, codes[0]) {
		t.Error("a code counts once")
	}
	m.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	m = managed(t, open(t, dir))
	if adaSignsIn(t, m, codes[0]) || !adaSignsIn(t, m, codes[1]) {
		t.Error("opened again, the codes are others")
	}
	if err := m.ResetMFA(t.Context(), adaID); err != nil {
		t.Fatal(err)
	}
	if extra := text(t, dir, extraFile); strings.Contains(extra, adaID) {
		t.Errorf("after a reset: %s", extra)
	}
	for _, name := range []string{totpFile, notifyFile} { // notify is not configured here
		if strings.Contains(text(t, dir, name), adaID) {
			t.Errorf("after a reset Ada is in %s", name)
		}
	}
}

// Who is deactivated for a while in Home Assistant keeps the codes, and no session.
func TestRecoveryCodesOutliveADeactivation(t *testing.T) {
	f, m, dir := followed(t)
	ctx := t.Context()
	codes, err := m.CreateRecoveryCodes(ctx, adaID)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := m.CreateRefreshToken(ctx, latchkey.NewRefreshToken{UserID: adaID, ClientID: latchkey.Text("https://app.example/")})
	if err != nil {
		t.Fatal(err)
	}
	theyWrite(t, dir, authFile, `"is_active": true`, `"is_active": false`)
	soon(t, "the session has ended", func() bool {
		_, err := f.store.RefreshToken(ctx, ours.ID)
		return isNotFound(err)
	})
	theyWrite(t, dir, authFile, `"is_active": false`, `"is_active": true`)
	soon(t, "she is let in again", func() bool {
		u, err := m.User(ctx, adaID)
		return err == nil && u.IsActive
	})
	if !adaSignsIn(t, m, codes[0]) {
		t.Error("her codes are gone")
	}
	if _, err := f.RefreshToken(ctx, ours.ID); !isNotFound(err) {
		t.Errorf("the session is back: %v", err)
	}
}

// Beside a Home Assistant that runs, codes are latchkey's own, and the factors that they stand in for are not.
func TestRecoveryCodesBesideAHomeAssistantThatRuns(t *testing.T) {
	_, m, dir := followed(t)
	ctx := t.Context()
	before := theirFiles(t, dir)
	codes, err := m.CreateRecoveryCodes(ctx, adaID)
	if err != nil {
		t.Fatal(err)
	}
	if !adaSignsIn(t, m, codes[0]) || adaSignsIn(t, m, codes[0]) {
		t.Error("a code counts once")
	}
	for what, err := range map[string]error{"reset": m.ResetMFA(ctx, adaID), "disable": m.DisableMFA(ctx, adaID, totp.Type)} {
		if !errors.Is(err, latchkey.ErrFollowing) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if left, made, err := m.RecoveryCodesLeft(ctx, adaID); err != nil || !made || left != 9 {
		t.Errorf("after what was refused %d are left, %v", left, err)
	}
	unchanged(t, dir, before)
	if _, err := os.Stat(filepath.Join(dir, extraFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a file of ours in their folder: %v", err)
	}
}
