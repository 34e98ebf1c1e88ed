package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The real JavaScript client signs in, refreshes, talks over the WebSocket and signs out (spec: client-js.md §6).
func TestJavaScriptClient(t *testing.T) {
	needs(t, "node")
	installClient(t)
	p := start(t, "")
	p.runClient("session.mjs", p.address, p.clientID(), p.createOwner())
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
	if _, err := os.Stat(filepath.Join("client", "node_modules", "home-assistant-js-websocket")); err == nil {
		return
	}
	needs(t, "npm")
	cmd := exec.Command("npm", "ci", "--no-progress", "--ignore-scripts")
	cmd.Dir = "client"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
}
