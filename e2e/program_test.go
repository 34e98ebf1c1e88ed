// Package e2e runs the program as a household does: the built binary, a real browser, the real JavaScript client.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the program, built once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "latchkey-e2e")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "latchkey")
	build := exec.Command("go", "build", "-o", path, "../cmd/latchkey")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// patience is how long a test waits for something that is expected to happen at once.
const patience = 30 * time.Second

// program is a running server.
type program struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string // http://127.0.0.1:port
	store   string
	log     *bytes.Buffer
}

var readyLine = regexp.MustCompile(`http://[^\s/]+`)

// start runs the server over a store, which is new if the path is empty, and waits until it is ready.
func start(t *testing.T, store string, args ...string) *program {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	if store == "" {
		store = filepath.Join(t.TempDir(), "latchkey.db")
	}
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--store", "sqlite:" + store}, args...)
	p := &program{t: t, cmd: exec.Command(path, args...), store: store, log: &bytes.Buffer{}}
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the server did not start:\n%s", p.log)
	}
	p.address = readyLine.FindString(lines.Text())
	if p.address == "" {
		t.Fatalf("no address to open in the line %q", lines.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return p
}

// stop ends the server as an operator would and waits for it.
func (p *program) stop() {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the server did not end well: %v\n%s", err, p.log)
	}
	if p.t.Failed() {
		p.t.Logf("the server's log:\n%s", p.log)
	}
}

// kill ends the server as a power cut would.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// run runs a command of the program over the same store, with a line of input, and returns its output.
func (p *program) run(input string, args ...string) string {
	p.t.Helper()
	cmd := exec.Command(p.cmd.Path, append(args, "--store", "sqlite:"+p.store)...)
	cmd.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("latchkey %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// clientID is how a client at the server's own address calls itself.
func (p *program) clientID() string { return p.address + "/" }

// post sends a JSON document and decodes the answer, which must have the given status.
func (p *program) post(path string, status int, body map[string]any) map[string]any {
	p.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.address+path, bytes.NewReader(b))
	if err != nil {
		p.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		p.t.Fatalf("POST %s: %v", path, err)
	}
	if res.StatusCode != status {
		p.t.Fatalf("POST %s: status %d, want %d: %v", path, res.StatusCode, status, answer)
	}
	return answer
}

// password is long and rare enough to be accepted.
const password = "correct horse battery"

// createOwner makes the first account and returns its authorization code.
func (p *program) createOwner() string {
	p.t.Helper()
	answer := p.post("/api/onboarding/users", http.StatusOK, map[string]any{
		"client_id": p.clientID(), "name": "Anna Example", "username": "anna", "password": password, "language": "en",
	})
	return answer["auth_code"].(string)
}

// needs skips a test whose tool is missing, except where everything has to be there.
func needs(t *testing.T, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is needed and is not installed", tool)
	}
	t.Skipf("%s is not installed", tool)
	return ""
}

// until waits for something that has to come true, and returns how long that took.
func until(t *testing.T, what string, is func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !is() {
		if time.Since(began) > patience {
			t.Fatalf("waited in vain until %s", what)
		}
		<-time.After(5 * time.Millisecond) // between two looks
	}
	return time.Since(began)
}
