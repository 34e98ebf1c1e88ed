package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/pquerna/otp/totp"
)

// storage is a .storage folder of a Home Assistant of 2025. Ada signs in with the password test-pass and an authenticator
// app, and a program has a long-lived token.
func storage(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), ".storage")
	if err := os.CopyFS(dir, os.DirFS("../store/hassfile/testdata/2025")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// longLived is the token that Home Assistant gave to the program: it is in no file, but the key that signed it is.
func longLived(t *testing.T) string {
	t.Helper()
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": "aa11bb22cc33440d85ee66ff77008811", "iat": time.Now().Add(-time.Hour).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString([]byte(strings.Repeat("b", 128)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// adaSignsIn signs in with the password and the app that Home Assistant knows, and returns an access token.
func adaSignsIn(t *testing.T, p *program) string {
	t.Helper()
	login := p.post("/auth/login_flow", http.StatusOK, map[string]any{
		"client_id": client, "redirect_uri": client, "handler": []any{"homeassistant", nil},
	})
	step := "/auth/login_flow/" + login["flow_id"].(string)
	asked := p.post(step, http.StatusOK, map[string]any{"client_id": client, "username": "ada", "password": "test-pass"})
	if asked["step_id"] != "mfa" {
		t.Fatalf("after the password: %v", asked)
	}
	code, err := totp.GenerateCode("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	done := p.post(step, http.StatusOK, map[string]any{"client_id": client, "code": code})
	return p.exchange(done["result"].(string), http.StatusOK)["access_token"].(string)
}

// A household points latchkey at its .storage folder, and everything works at once.
func TestHomeAssistantsOwnFiles(t *testing.T) {
	dir := storage(t)
	p := start(t, "", "--store", "hass:"+dir)
	if got := p.api(longLived(t)); got != http.StatusOK {
		t.Errorf("the long-lived token of Home Assistant: %d", got)
	}
	access := adaSignsIn(t, p)
	p.kill()
	p = start(t, "", "--store", "hass:"+dir)
	for _, token := range []string{longLived(t), access} {
		if got := p.api(token); got != http.StatusOK {
			t.Errorf("after the server was killed and started again: %d", got)
		}
	}
}

// Beside a Home Assistant that runs, nothing is written into its folder.
func TestBesideHomeAssistant(t *testing.T) {
	dir := storage(t)
	own := filepath.Join(t.TempDir(), "own.db")
	p := start(t, "", "--store", "hass:"+dir+"?mode=follow&sessions="+own)
	before, err := os.ReadFile(filepath.Join(dir, "auth"))
	if err != nil {
		t.Fatal(err)
	}
	access := adaSignsIn(t, p)
	if p.api(access) != http.StatusOK || p.api(longLived(t)) != http.StatusOK {
		t.Error("the session of latchkey or the token of Home Assistant is refused")
	}
	after, err := os.ReadFile(filepath.Join(dir, "auth"))
	if err != nil || string(after) != string(before) {
		t.Errorf("the file was written: %v", err)
	}
	// What is Home Assistant's to change is refused in words.
	s := p.socket(access)
	s.send(map[string]any{"id": 1, "type": "auth/delete_refresh_token", "refresh_token_id": "aa11bb22cc33440d85ee66ff77008811"})
	if answer := s.read(); !strings.Contains(fmt.Sprint(answer["error"]), "kept by Home Assistant") {
		t.Errorf("deleting a token of Home Assistant: %v", answer)
	}
	res, err := http.PostForm(p.address+"/auth/revoke", url.Values{"token": {strings.Repeat("c", 128)}})
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("revoking a token of Home Assistant: %s", res.Status)
	}
	revoked := strings.Replace(string(before), "aa11bb22cc33440d85ee66ff77008811", "another", 1)
	if err := os.WriteFile(filepath.Join(dir, "auth"), []byte(revoked), 0o600); err != nil {
		t.Fatal(err)
	}
	waited := until(t, "the token that Home Assistant revoked is refused", func() bool { return p.api(longLived(t)) == http.StatusUnauthorized })
	t.Logf("the revocation was noticed after %v", waited)
	if p.api(access) != http.StatusOK {
		t.Error("the session of latchkey ended, too")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 6 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

// A household moves to a database, and back.
func TestMovingInAndOut(t *testing.T) {
	dir := storage(t)
	store := filepath.Join(t.TempDir(), "latchkey.db")
	p := start(t, store)
	table := p.run("", "import", "hass:"+dir)
	if !strings.Contains(table, "records copied, 0 left behind, 0 in conflict") {
		t.Errorf("import: %s", table)
	}
	if got := p.api(longLived(t)); got != http.StatusOK {
		t.Errorf("the long-lived token after the move: %d", got)
	}
	access := adaSignsIn(t, p)
	if p.api(access) != http.StatusOK {
		t.Error("ada cannot sign in after the move")
	}
	if again := p.run("", "import", "hass:"+dir); !strings.Contains(again, "nothing to do") {
		t.Errorf("imported again: %s", again)
	}
	out := filepath.Join(t.TempDir(), ".storage")
	table = p.run("", "export", "hass:"+out)
	if !strings.Contains(table, "only a hash of its secret is kept here") {
		t.Errorf("export: %s", table)
	}
	moved := start(t, "", "--store", "hass:"+out)
	if got := moved.api(longLived(t)); got != http.StatusOK {
		t.Errorf("the long-lived token after moving out: %d", got)
	}
	// What is overwritten is kept: here, with another name for somebody.
	before, err := os.ReadFile(filepath.Join(dir, "auth"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "auth"), []byte(strings.Replace(string(before), `"Ada"`, `"Ada old"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	p.run("", "export", "hass:"+dir, "--yes")
	kept, _ := filepath.Glob(filepath.Join(dir, "auth.backup-*"))
	if len(kept) != 1 {
		t.Errorf("kept are %v", kept)
	}
}
