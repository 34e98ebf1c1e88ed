package e2e

import (
	"bufio"
	"bytes"
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// The real JavaScript client signs in, refreshes, talks over the WebSocket and signs out (spec: client-js.md §6).
func TestJavaScriptClient(t *testing.T) {
	needs(t, "node")
	installClient(t)
	p := start(t, "")
	p.runClient("session.mjs", p.address, p.clientID(), p.createOwner())
}

// Sessions end, and the client knows that they are over (spec: client-js.md §6, rows 3, 10, 11, 14 to 16).
func TestJavaScriptClientEndings(t *testing.T) {
	needs(t, "node")
	installClient(t)
	p := start(t, "")
	code := p.createOwner()
	p.runClient("endings.mjs", p.address, p.clientID(), code, p.systemToken())
}

// systemToken makes a system user, as a program that embeds latchkey does, and returns its refresh token.
func (p *program) systemToken() string {
	p.t.Helper()
	store, err := sqlite.Open(p.t.Context(), p.store)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	m, err := latchkey.New(store, latchkey.Options{})
	if err != nil {
		p.t.Fatal(err)
	}
	defer m.Close()
	u, err := m.CreateSystemUser(p.t.Context(), latchkey.NewUser{Name: latchkey.Text("Supervisor")})
	if err != nil {
		p.t.Fatal(err)
	}
	token, err := m.CreateRefreshToken(p.t.Context(), latchkey.NewRefreshToken{UserID: u.ID})
	if err != nil {
		p.t.Fatal(err)
	}
	return token.Secret.Reveal()
}

// The client lives through a restart of the server (spec: client-js.md §6, row 13).
func TestJavaScriptClientLivesThroughARestart(t *testing.T) {
	needs(t, "node")
	installClient(t)
	p := start(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "restart.mjs", p.address, p.clientID(), p.createOwner())
	cmd.Dir = "client"
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if lines.Scan() && lines.Text() == "restart the server" {
		p.stop()
		start(t, p.store, "--listen", strings.TrimPrefix(p.address, "http://"))
	}
	for lines.Scan() {
		t.Log(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("restart.mjs: %v\n%s", err, stderr.String())
	}
}

// Another real client signs in with a long-lived token, unmodified.
func TestSecondClient(t *testing.T) {
	needs(t, "node")
	installClient(t)
	p := start(t, "")
	p.createOwner()
	token := p.run("", "token", "create", "--user", "anna", "--name", "second client")
	s := p.socket(token)
	id := s.command("auth/current_user", nil)["id"].(string)
	at, err := url.Parse(p.address)
	if err != nil {
		t.Fatal(err)
	}
	p.runClient("second.mjs", at.Hostname(), at.Port(), token, id)
}

// runClient runs one of the scripts in the folder client.
func (p *program) runClient(script string, args ...string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", append([]string{script}, args...)...)
	cmd.Dir = "client"
	out, err := cmd.CombinedOutput()
	p.t.Logf("%s:\n%s", script, out)
	if err != nil {
		p.t.Errorf("%s: %v", script, err)
	}
}

// installClient installs the packages that the lock file names, unless they are there.
func installClient(t *testing.T) {
	t.Helper()
	have, err := os.Stat(filepath.Join("client", "node_modules", ".package-lock.json"))
	want, lockErr := os.Stat(filepath.Join("client", "package-lock.json"))
	if err == nil && lockErr == nil && !have.ModTime().Before(want.ModTime()) {
		return
	}
	needs(t, "npm")
	cmd := exec.Command("npm", "ci", "--no-progress", "--ignore-scripts")
	cmd.Dir = "client"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
}
