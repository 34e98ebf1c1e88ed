//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAFolderThatMayNotBeWrittenIsAnsweredWithAdvice(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "serve", "--listen", "127.0.0.1:0", "--store", "sqlite:"+filepath.Join(dir, "latchkey.db"))
	cmd.Dir, cmd.Env = "/", []string{}
	if os.Getuid() == 0 {
		const nobody = 65534 // everything may be written by root
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitFailed {
		t.Errorf("it ended with %v", err)
	}
	if want := "permission denied: let this program's user read and write the folder " + dir; !strings.Contains(string(out), want) ||
		strings.Count(string(out), "\n") != 1 {
		t.Errorf("got %q, want %q in it", out, want)
	}
}
