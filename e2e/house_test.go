package e2e

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed-6a977b3d/latchkey/internal/pgtest"
)

// sealKey is what all nodes of a test seal with.
var sealKey = strings.Repeat("5a", 32)

// database makes an empty database on the PostgreSQL that the tests have, and returns its address.
func database(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// node is one of several servers over one database.
type node struct {
	*program
	cable *cable
}

// startNode runs a server over the database, along a cable of its own.
func startNode(t *testing.T, at *url.URL) *node {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	line := lay(t, at.Host)
	through := *at
	through.Host = line.address()
	settings := filepath.Join(t.TempDir(), "latchkey.yaml")
	const text = "http:\n  use_x_forwarded_for: true\n  trusted_proxies: 127.0.0.1\n  login_attempts_threshold: 8\n"
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, store: at.String(), log: &bytes.Buffer{}}
	p.cmd = exec.Command(path, "serve", "--config", settings, "--listen", "127.0.0.1:0", "--store", through.String())
	p.cmd.Env = append(os.Environ(), "LATCHKEY_SEAL_KEY="+sealKey)
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
		t.Fatalf("the node did not start:\n%s", p.log)
	}
	p.address = readyLine.FindString(lines.Text())
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return &node{p, line}
}

// cli runs a command of the program over the database.
func cli(t *testing.T, at *url.URL, input string, args ...string) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, append(args, "--store", at.String())...)
	cmd.Env = append(os.Environ(), "LATCHKEY_SEAL_KEY="+sealKey)
	cmd.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("latchkey %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(text))
}

// balance puts the nodes behind one address. Each request goes to the next node; one that does not answer is passed over.
func balance(t *testing.T, nodes ...*node) *program {
	t.Helper()
	var next atomic.Uint64
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			target, _ := url.Parse(nodes[int(next.Add(1))%len(nodes)].address)
			r.SetURL(target)
			r.SetXForwarded()
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	return &program{t: t, address: front.URL, log: &bytes.Buffer{}}
}
