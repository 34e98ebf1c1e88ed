package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/seed-6a977b3d/latchkey/config"
)

// serving is a running server.
type serving struct {
	cmd     *exec.Cmd
	code    string // for the set-up from other machines
	address string // host:port
	log     *bufio.Scanner
}

func serve(t *testing.T) *serving {
	t.Helper()
	store := "sqlite:" + filepath.Join(t.TempDir(), "latchkey.db")
	s := &serving{cmd: exec.Command(binary, "serve", "--listen", "127.0.0.1:0", "--store", store)}
	s.cmd.Env = []string{}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() })
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatal("the server did not start")
	}
	s.address = strings.TrimPrefix(readyURL.FindString(lines.Text()), "http://")
	if !lines.Scan() {
		t.Fatal("the server of a new house printed no setup code")
	}
	s.code = lines.Text()[strings.LastIndex(lines.Text(), " ")+1:]
	s.log = bufio.NewScanner(stderr)
	return s
}

// logs reads the log until a line holds the text.
func (s *serving) logs(t *testing.T, text string) {
	t.Helper()
	for s.log.Scan() {
		if strings.Contains(s.log.Text(), text) {
			return
		}
	}
	t.Fatalf("the log ended without %q", text)
}

// openRequest is a request whose handler waits for the rest of its body.
type openRequest struct {
	net.Conn
	answers *bufio.Reader
}

const requestBody = "grant_type=nonsense"

func begin(t *testing.T, address string) openRequest {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST /auth/token HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n", address, len(requestBody))
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	// The server asks for the body when a handler reads it: from here on the request is open.
	if line, err := answers.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return openRequest{conn, answers}
}

func (s *serving) signal(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRequestsComeToTheirEndAfterASignal(t *testing.T) {
	s := serve(t)
	request := begin(t, s.address)
	s.signal(t)
	s.logs(t, "stopping")
	for accepts(s.address) {
		// It stops accepting right after it says so.
	}
	if _, err := io.WriteString(request, requestBody); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(request.answers, nil)
	if err != nil {
		t.Fatalf("the open request was cut off: %v", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "unsupported_grant_type") {
		t.Errorf("%s %q, %v", res.Status, body, err)
	}
	for s.log.Scan() {
		asked := strings.Contains(s.log.Text(), "failed login") // by this very request
		if !asked && (strings.Contains(s.log.Text(), "level=WARN") || strings.Contains(s.log.Text(), "level=ERROR")) {
			t.Error(s.log.Text())
		}
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

func accepts(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func TestASecondSignalEndsTheServerAtOnce(t *testing.T) {
	s := serve(t)
	begin(t, s.address)
	s.signal(t)
	s.logs(t, "stopping")
	s.signal(t)
	for s.log.Scan() {
		t.Errorf("the log goes on after the second signal: %s", s.log.Text())
	}
	var exit *exec.ExitError
	if err := s.cmd.Wait(); !errors.As(err, &exit) {
		t.Fatalf("the server ended with %v", err)
	}
	if status := exit.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("the server ended with %v", exit)
	}
}

func TestSocketsAreClosedByASignal(t *testing.T) {
	s := serve(t)
	socket, _, err := websocket.Dial(t.Context(), "ws://"+s.address+"/api/websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.CloseNow() }()
	if _, message, err := socket.Read(t.Context()); err != nil || !strings.Contains(string(message), "auth_required") {
		t.Fatalf("%s, %v", message, err)
	}
	s.signal(t)
	if _, message, err := socket.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("%s, %v", message, err)
	}
	for s.log.Scan() {
		if strings.Contains(s.log.Text(), "cut off") {
			t.Error(s.log.Text())
		}
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

// lockedBuffer is a log that can be read while somebody may still write to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestRequestsThatTakeTooLongAreCutOff(t *testing.T) {
	c := config.Default()
	c.Store.Path = filepath.Join(t.TempDir(), "latchkey.db")
	var log lockedBuffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	running, err := config.Open(t.Context(), c, logger)
	if err != nil {
		t.Fatal(err)
	}
	guard := newGuard(c, running, logger)
	defer guard.Close()
	w, err := newWire(t.Context(), c, running, guard, "", logger)
	if err != nil {
		t.Fatal(err)
	}
	w.limit = time.Millisecond
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.serve(ctx, listener) }()
	request := begin(t, listener.Addr().String())
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if res, err := http.ReadResponse(request.answers, nil); err == nil {
		t.Errorf("the request was answered by %s", res.Status)
	}
	if err := running.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "open requests were cut off") {
		t.Errorf("the log holds %s", log.String())
	}
}
