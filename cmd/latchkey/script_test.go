package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"

	"github.com/seed-6a977b3d/latchkey/internal/pgtest"
)

// scriptServer is the program that serves in the background of a script.
type scriptServer struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer // may be read when the program has ended
}

// serverKey is what a script finds its server by.
type serverKey struct{}

var readyURL = regexp.MustCompile(`http://[^\s/]+`)

// scriptServe starts `latchkey serve` with the arguments and waits until it is ready. What it prints is the standard
// output of the command; $URL is its address and $HOSTPORT the part of that without the scheme.
func scriptServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("serve cannot be negated: use ! exec latchkey serve")
	}
	s := ts.Value(serverKey{}).(*scriptServer)
	*s = scriptServer{cmd: exec.Command(binary, append([]string{"serve"}, args...)...)}
	s.cmd.Dir = ts.MkAbs(".")
	s.cmd.Env = scriptEnvironment(ts)
	s.cmd.Stderr = &s.stderr
	stdout, err := s.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(s.cmd.Start())
	ts.Defer(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() })
	// What is printed at the start is one write, and so one read.
	ready := make([]byte, 4096)
	n, err := stdout.Read(ready)
	if err != nil {
		_ = s.cmd.Wait()
		ts.Fatalf("the server did not start: %v\n%s", err, s.stderr.String())
	}
	_, _ = ts.Stdout().Write(ready[:n])
	address := readyURL.FindString(string(ready[:n]))
	ts.Setenv("URL", address)
	ts.Setenv("HOSTPORT", strings.TrimPrefix(address, "http://"))
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
}

// scriptEnvironment is what a program started by a script sees: the LATCHKEY_ variables of the script, and no others.
func scriptEnvironment(ts *testscript.TestScript) []string {
	env := []string{"HOME=" + ts.Getenv("WORK"), "TMPDIR=" + ts.Getenv("WORK")}
	for _, name := range []string{"LISTEN", "LISTN", "STORE", "CONFIG", "LOG_FORMAT", "LOG_LEVEL", "SEAL_KEY"} {
		if value := ts.Getenv("LATCHKEY_" + name); value != "" {
			env = append(env, "LATCHKEY_"+name+"="+value)
		}
	}
	return env
}

// scriptHalt ends the server as an operator would. Its log is the standard error of the command. (A script's own stop
// would end the script.)
func scriptHalt(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(serverKey{}).(*scriptServer)
	if neg || len(args) > 0 || s.cmd == nil {
		ts.Fatalf("usage: halt, after serve")
	}
	ts.Check(s.cmd.Process.Signal(syscall.SIGTERM))
	err := s.cmd.Wait()
	_, _ = io.WriteString(ts.Stderr(), s.stderr.String())
	if err != nil {
		ts.Fatalf("the server did not end well: %v", err)
	}
}

// scriptHTTP sends a request: http METHOD PATH [NAME=VALUE…]. The values are a form; bearer=FILE names a file that
// holds an access token. The status and the body are the standard output.
func scriptHTTP(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: http METHOD PATH [NAME=VALUE...]")
	}
	status, body := scriptRequest(ts, args)
	_, err := fmt.Fprintf(ts.Stdout(), "%d\n%s", status, body)
	ts.Check(err)
}

// scriptUntil sends a request again and again until it is answered with a status, as it has to be within a second after
// another process changed something: until STATUS METHOD PATH [NAME=VALUE…].
func scriptUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: until STATUS METHOD PATH [NAME=VALUE...]")
	}
	last := time.Now().Add(30 * time.Second) // whatever else the machine does
	for {
		status, body := scriptRequest(ts, args[1:])
		if strconv.Itoa(status) == args[0] {
			return
		}
		if time.Now().After(last) {
			ts.Fatalf("the answer stays %d %s", status, body)
		}
	}
}

func scriptRequest(ts *testscript.TestScript, args []string) (status int, body []byte) {
	form, bearer := url.Values{}, ""
	for _, arg := range args[2:] {
		name, value, _ := strings.Cut(arg, "=")
		if name == "bearer" {
			bearer = strings.TrimSpace(ts.ReadFile(value))
			continue
		}
		form.Set(name, value)
	}
	req, err := http.NewRequest(args[0], ts.Getenv("URL")+args[1], strings.NewReader(form.Encode()))
	ts.Check(err)
	if len(form) > 0 {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer func() { _ = res.Body.Close() }()
	body, err = io.ReadAll(res.Body)
	ts.Check(err)
	return res.StatusCode, body
}

// scriptSignIn signs in with username and password, as a client does, and sets $REFRESH to the refresh token. With !
// the sign-in must be refused.
func scriptSignIn(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: signin USERNAME PASSWORD")
	}
	address := ts.Getenv("URL")
	client := address + "/"
	flow := scriptPost(ts, address+"/auth/login_flow", map[string]any{
		"client_id": client, "redirect_uri": client, "handler": []any{"homeassistant", nil},
	})
	id, _ := flow["flow_id"].(string)
	step := scriptPost(ts, address+"/auth/login_flow/"+id, map[string]any{
		"client_id": client, "username": args[0], "password": args[1],
	})
	code, in := step["result"].(string)
	if in == neg {
		ts.Fatalf("the sign-in of %s was answered by %v", args[0], step)
	}
	if neg {
		return
	}
	res, err := http.PostForm(address+"/auth/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "client_id": {client},
	})
	ts.Check(err)
	defer func() { _ = res.Body.Close() }()
	var tokens struct {
		Refresh string `json:"refresh_token"`
	}
	ts.Check(json.NewDecoder(res.Body).Decode(&tokens))
	if tokens.Refresh == "" {
		ts.Fatalf("the code was answered by %s", res.Status)
	}
	ts.Setenv("REFRESH", tokens.Refresh)
}

func scriptPost(ts *testscript.TestScript, address string, body map[string]any) map[string]any {
	b, err := json.Marshal(body)
	ts.Check(err)
	res, err := http.Post(address, "application/json", bytes.NewReader(b))
	ts.Check(err)
	defer func() { _ = res.Body.Close() }()
	var answer map[string]any
	ts.Check(json.NewDecoder(res.Body).Decode(&answer))
	return answer
}

// scriptSQL changes a database file behind the program's back: sql FILE STATEMENT.
func scriptSQL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sql FILE STATEMENT")
	}
	if _, err := os.Stat(ts.MkAbs(args[0])); err != nil {
		ts.Fatalf("%v", err)
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer func() { _ = db.Close() }()
	_, err = db.Exec(args[1])
	ts.Check(err)
}

// scriptExitCode runs a program, which must end with the given code: exitcode CODE PROGRAM [ARG...].
func scriptExitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode CODE PROGRAM [ARG...]")
	}
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got := strconv.Itoa(code); got != args[0] {
		ts.Fatalf("the exit code is %s, want %s", got, args[0])
	}
}

// scriptFind sets a variable to what an expression finds in the last standard output or standard error: find NAME
// EXPRESSION stdout|stderr.
func scriptFind(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: find NAME EXPRESSION stdout|stderr")
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile(args[2]))
	if len(found) != 2 {
		ts.Fatalf("%s does not match %q with one group", args[2], args[1])
	}
	ts.Setenv(args[0], found[1])
}

// scriptCondition knows [postgres]: there is one. Where everything has to be there, it is true anyway.
func scriptCondition(name string) (bool, error) {
	if name != "postgres" {
		return false, fmt.Errorf("unknown condition %s", name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return pgtest.Missing(ctx) == nil, nil
}

// scriptPostgres sets $STORE to the address of an empty place in the PostgreSQL that the tests have: postgres.
func scriptPostgres(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: postgres")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	address, drop, err := pgtest.NewSchema(ctx)
	ts.Check(err)
	ts.Defer(func() { ts.Check(drop()) })
	ts.Setenv("STORE", address)
}
