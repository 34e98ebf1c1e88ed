package web

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// The modules that need no document are tested by the scripts in testdata, in Node's own test runner.
func TestScripts(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node, version 20 or later,")
	}
	scripts, err := filepath.Glob("testdata/*.test.mjs")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no test scripts found: %v", err)
	}
	out, err := exec.CommandContext(t.Context(), node, append([]string{"--test"}, scripts...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
