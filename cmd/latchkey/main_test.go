package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { testscript.Main(builder{m}, nil) }

// builder builds the program before the tests run.
type builder struct{ *testing.M }

// binary is the built program, for the scripts and for the tests that send it signals: as it is shipped, and so without
// what the race detector costs.
var binary string

func (b builder) Run() int {
	dir, err := os.MkdirTemp("", "latchkey")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil { // one test runs the program as another user
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(dir, "latchkey")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program without cgo: %v\n%s", err, out)
		return 1
	}
	return b.M.Run()
}

// TestScripts runs what operators do, as they type it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": scriptServe, "halt": scriptHalt, "http": scriptHTTP, "signin": scriptSignIn, "sql": scriptSQL,
			"exitcode": scriptExitCode, "find": scriptFind, "until": scriptUntil, "postgres": scriptPostgres,
		},
		Setup: func(env *testscript.Env) error {
			env.Values[serverKey{}] = &scriptServer{}
			env.Setenv("PATH", filepath.Dir(binary)+string(filepath.ListSeparator)+env.Getenv("PATH"))
			return nil
		},
		Condition:           scriptCondition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}
