package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// pool runs a PgBouncer before the PostgreSQL of the tests, and returns the address through it.
func pool(t *testing.T, at *url.URL, mode string) *url.URL {
	t.Helper()
	program := needs(t, "pgbouncer")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	dir, err := os.MkdirTemp("", "latchkey-pooler") // the test's own folder is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	settings := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
* = host=%s port=%s user=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = %s
default_pool_size = 20
`, at.Hostname(), at.Port(), at.User.Username(), port, mode)
	if err := os.WriteFile(settings, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, settings)
	if os.Geteuid() == 0 { // PgBouncer refuses to run as root
		other, err := user.Lookup("postgres")
		if err != nil {
			t.Fatalf("a user is needed as whom PgBouncer can run: %v", err)
		}
		uid, _ := strconv.Atoi(other.Uid)
		if err := os.Chown(dir, uid, -1); err != nil {
			t.Fatal(err)
		}
		cmd = exec.Command(program, "-u", "postgres", settings)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("PgBouncer says:\n%s", said)
		}
	})
	through := *at
	if mode == "transaction" { // in which a session is another each time, and knows no statement that was prepared before
		q := through.Query()
		q.Set("default_query_exec_mode", "exec")
		through.RawQuery = q.Encode()
	}
	through.Host = fmt.Sprintf("127.0.0.1:%d", port)
	until(t, "the pooler answers", func() bool {
		line, err := net.Dial("tcp", through.Host)
		if err == nil {
			_ = line.Close()
		}
		return err == nil
	})
	line := lay(t, through.Host)
	line.meek.Store(true) // PgBouncer 1.18 now and then ends at such a message (its issue 801)
	through.Host = line.address()
	return &through
}

// What stands between the nodes and PostgreSQL may pool sessions or transactions: what one node revokes no other accepts.
func TestNodesBehindAPooler(t *testing.T) {
	for _, mode := range []string{"session", "transaction"} {
		t.Run(mode, func(t *testing.T) {
			at := pool(t, database(t), mode)
			cli(t, at, password, "user", "add", "anna", "--password-stdin")
			nodes := []*node{startNode(t, at), startNode(t, at)}
			for range 2 {
				tokens := nodes[0].signIn()
				access := tokens["access_token"].(string)
				for range 20 {
					if got := nodes[1].api(access); got != http.StatusOK {
						t.Fatalf("what is valid is answered with %d", got)
					}
				}
				closed := nodes[1].socket(access).hangsUp()
				nodes[0].revoke(tokens["refresh_token"].(string))
				revoked := time.Now()
				waited := until(t, "the other node refuses what was revoked", func() bool {
					return nodes[1].api(access) == http.StatusUnauthorized
				})
				select {
				case at := <-closed:
					t.Logf("refused after %v, the socket closed after %v", waited, at.Sub(revoked))
				case <-time.After(patience):
					t.Fatal("the socket of a revoked token stays open")
				}
			}
			login := nodes[0].post("/auth/login_flow", http.StatusOK, map[string]any{
				"client_id": client, "redirect_uri": client, "handler": []any{"homeassistant", nil},
			})
			done := nodes[1].post("/auth/login_flow/"+login["flow_id"].(string), http.StatusOK, map[string]any{
				"client_id": client, "username": "anna", "password": password,
			})
			nodes[0].exchange(done["result"].(string), http.StatusOK)
		})
	}
}
