package e2e

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
)

// cluster is a PostgreSQL of the test's own, which it may stop.
type cluster struct {
	t    *testing.T
	ctl  string
	dir  string
	port int
}

// newCluster makes and starts a PostgreSQL. Where its programs are missing, or nobody may run them, the test is skipped,
// except where everything has to be there.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, ctl: postgresProgram(t, "pg_ctl")}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.port = listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	parent, err := os.MkdirTemp("", "latchkey-pg") // the test's own folder is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(parent) })
	c.dir = filepath.Join(parent, "data")
	if os.Geteuid() == 0 { // PostgreSQL refuses to run as root
		postgres, err := user.Lookup("postgres")
		if err != nil {
			t.Fatalf("a user is needed as whom PostgreSQL can run: %v", err)
		}
		uid, _ := strconv.Atoi(postgres.Uid)
		gid, _ := strconv.Atoi(postgres.Gid)
		if err := os.Chown(parent, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	c.run(postgresProgram(t, "initdb"), "-D", c.dir, "-U", "postgres", "-A", "trust", "--no-sync")
	c.start()
	t.Cleanup(c.stop)
	return c
}

// postgresProgram finds a program of PostgreSQL's server, which distributions keep out of the way.
func postgresProgram(t *testing.T, name string) string {
	t.Helper()
	places, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(places) > 0 {
		return places[len(places)-1]
	}
	return needs(t, name)
}

func (c *cluster) run(program string, args ...string) {
	c.t.Helper()
	cmd := exec.Command(program, args...)
	if os.Geteuid() == 0 {
		cmd = exec.Command("runuser", append([]string{"-u", "postgres", "--", program}, args...)...)
	}
	cmd.Dir = filepath.Dir(c.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

func (c *cluster) start() {
	c.t.Helper()
	options := fmt.Sprintf("-c listen_addresses=127.0.0.1 -p %d -k %s", c.port, filepath.Dir(c.dir))
	c.run(c.ctl, "-D", c.dir, "-w", "-l", filepath.Join(filepath.Dir(c.dir), "log"), "-o", options, "start")
}

// stop cuts all connections off, as a restart does.
func (c *cluster) stop() {
	c.t.Helper()
	if exec.Command("test", "-e", filepath.Join(c.dir, "postmaster.pid")).Run() != nil {
		return
	}
	c.run(c.ctl, "-D", c.dir, "-w", "-m", "fast", "stop")
}

func (c *cluster) address() *url.URL {
	return &url.URL{
		Scheme: "postgres", User: url.User("postgres"), Host: fmt.Sprintf("127.0.0.1:%d", c.port),
		Path: "/postgres", RawQuery: "sslmode=disable",
	}
}
