package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/pquerna/otp/totp"
)

// storage is a .storage folder of a Home Assistant of 2025. Ada signs in with the password test-pass and an authenticator
// app, she has a session, and a program has a long-lived token.
func storage(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), ".storage")
	fillStorage(t, dir)
	return dir
}

func fillStorage(t *testing.T, dir string) {
	t.Helper()
	if err := os.CopyFS(dir, os.DirFS("../store/hassfile/testdata/2025")); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(dir, "auth"), "1754033400.5", fmt.Sprint(time.Now().Add(24*time.Hour).Unix(), ".5"))
}

// edit changes a file, which another one takes the place of.
func edit(t *testing.T, path, old, by string) {
	t.Helper()
	text := read(t, path)
	if !strings.Contains(text, old) {
		t.Fatalf("%q is not in %s", old, path)
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, []byte(strings.Replace(text, old, by, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temp, path); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// renewed is whether Ada's session, which Home Assistant began, still gives access tokens that are good.
func renewed(t *testing.T, p *program) bool {
	t.Helper()
	res, err := http.PostForm(p.address+"/auth/token", url.Values{
		"grant_type": {"refresh_token"}, "client_id": {"https://ha.example.org/"}, "refresh_token": {strings.Repeat("a", 128)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode == http.StatusOK && p.api(answer.Access) == http.StatusOK
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
	if !renewed(t, p) {
		t.Error("the session of Home Assistant is refused")
	}
	access := adaSignsIn(t, p)
	second := exec.Command(p.cmd.Path, "serve", "--listen", "127.0.0.1:0", "--store", "hass:"+dir)
	if out, err := second.CombinedOutput(); err == nil || !strings.Contains(string(out), "another latchkey has this folder open") {
		t.Errorf("a second server on the folder: %v, %s", err, out)
	}
	p.kill()
	p = start(t, "", "--store", "hass:"+dir)
	if !renewed(t, p) {
		t.Error("after the server was killed and started again, the session of Home Assistant is refused")
	}
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
	if !renewed(t, p) {
		t.Error("the session of Home Assistant is refused")
	}
	theirsIsRefused(t, p, access)
	revoked := strings.Replace(string(before), "aa11bb22cc33440d85ee66ff77008811", "another", 1)
	if err := os.WriteFile(filepath.Join(dir, "auth"), []byte(revoked), 0o600); err != nil {
		t.Fatal(err)
	}
	waited := until(t, "the token that Home Assistant revoked is refused", func() bool { return p.api(longLived(t)) == http.StatusUnauthorized })
	t.Logf("the revocation was noticed after %v", waited)
	if p.api(access) != http.StatusOK {
		t.Error("the session of latchkey ended, too")
	}
	p.kill() // what latchkey keeps of its own is there when it starts again
	p = start(t, "", "--store", "hass:"+dir+"?mode=follow&sessions="+own)
	if p.api(access) != http.StatusOK {
		t.Error("after the server was killed and started again, the session of latchkey is refused")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 6 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

// theirsIsRefused tries to change everything that is Home Assistant's to change, on every way that there is.
func theirsIsRefused(t *testing.T, p *program, access string) {
	t.Helper()
	const (
		ada    = "3f1c2a9b8d7e4c50a1b2c3d4e5f60718"
		part   = "c0ffee00c0ff4e00a0ffee00c0ffee00"
		logger = "aa11bb22cc33440d85ee66ff77008811"
		local  = "config/auth_provider/homeassistant/"
	)
	s := p.socket(access)
	for n, command := range []map[string]any{
		{"type": "config/auth/create", "name": "Ben"},
		{"type": "config/auth/update", "user_id": ada, "name": "Ada L."},
		{"type": "config/auth/delete", "user_id": part},
		{"type": local + "create", "user_id": ada, "username": "lovelace", "password": password},
		{"type": local + "delete", "username": "ada"},
		{"type": local + "change_password", "current_password": "test-pass", "new_password": password},
		{"type": local + "admin_change_password", "user_id": ada, "password": password},
		{"type": local + "admin_change_username", "user_id": ada, "username": "lovelace"},
		{"type": "auth/delete_refresh_token", "refresh_token_id": logger},
		{"type": "auth/refresh_token_set_expiry", "refresh_token_id": logger, "enable_expiry": true},
		{"type": "auth/delete_all_refresh_tokens", "token_type": "long_lived_access_token"},
		{"type": "auth/depose_mfa", "mfa_module_id": "totp"},
	} {
		command["id"] = n + 1
		s.send(command)
		if answer := s.read(); !strings.Contains(fmt.Sprint(answer["error"]), "kept by Home Assistant") {
			t.Errorf("%v is answered %v", command, answer)
		}
	}
	res, err := http.PostForm(p.address+"/auth/revoke", url.Values{"token": {strings.Repeat("c", 128)}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusForbidden || !strings.Contains(string(text), "kept by Home Assistant") {
		t.Errorf("revoking a token of Home Assistant is answered %s, %s, %v", res.Status, text, err)
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
	if !renewed(t, p) {
		t.Error("the session of Home Assistant ended with the move")
	}
	if again := p.run("", "import", "hass:"+dir); !strings.Contains(again, "nothing to do") {
		t.Errorf("imported again: %s", again)
	}
	access := adaSignsIn(t, p)
	if p.api(access) != http.StatusOK {
		t.Error("ada cannot sign in after the move")
	}
	// The session that began here is no reason to do anything.
	if again := p.run("", "import", "hass:"+dir); !strings.Contains(again, "0 records copied, 0 left behind, 0 in conflict, 1 kept") {
		t.Errorf("imported once more: %s", again)
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

// A password that belongs to no login makes an administrator of whoever knows it, in Home Assistant. It does not move in
// unnoticed.
func TestAPasswordOfNobodyDoesNotMoveIn(t *testing.T) {
	dir := storage(t)
	edit(t, filepath.Join(dir, "auth_provider.homeassistant"), `"username": "ada"`, `"username": "eve"`)
	p := start(t, "")
	for _, more := range [][]string{{"--dry-run"}, nil} {
		table := p.run("", append([]string{"import", "hass:" + dir}, more...)...)
		if !strings.Contains(table, "it belongs to nobody, and would make an administrator of whoever knows it") ||
			!strings.Contains(table, "1 left behind") {
			t.Errorf("import %v: %s", more, table)
		}
	}
	login := p.post("/auth/login_flow", http.StatusOK, map[string]any{
		"client_id": client, "redirect_uri": client, "handler": []any{"homeassistant", nil},
	})
	step := "/auth/login_flow/" + login["flow_id"].(string)
	answer := p.post(step, http.StatusOK, map[string]any{"client_id": client, "username": "eve", "password": "test-pass"})
	if fmt.Sprint(answer["errors"]) != "map[base:invalid_auth]" {
		t.Errorf("eve signs in: %v", answer)
	}
}
