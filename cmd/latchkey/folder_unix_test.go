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
	out, code := asNobody(t, "serve", "--listen", "127.0.0.1:0", "--store", "sqlite:"+filepath.Join(dir, "latchkey.db"))
	if code != exitFailed {
		t.Errorf("it ended with %d", code)
	}
	if want := "permission denied: let this program's user read and write the folder " + dir; !strings.Contains(out, want) ||
		strings.Count(out, "\n") != 1 {
		t.Errorf("got %q, want %q in it", out, want)
	}
}

// asNobody runs the program as a user who may do nothing special, whoever runs the test, and returns what it says.
func asNobody(t *testing.T, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Env = "/", []string{}
	if os.Getuid() == 0 {
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// Who may not use a folder of Home Assistant is told what to do about it, and which file it is.
func TestAFolderOfHomeAssistantThatMayNotBeUsed(t *testing.T) {
	for name, tt := range map[string]struct {
		path    string // of what may not be used
		mode    os.FileMode
		command []string
		want    string
	}{
		"not written": {"", 0o555, []string{"serve", "--listen", "127.0.0.1:0", "--store", "hass:DIR"},
			"DIR/.latchkey.lock: permission denied: let this program's user write the folder and what is in it, or use ?mode=follow"},
		"not read": {"", 0, []string{"check", "ada", "light.hall", "read", "--store", "hass:DIR"},
			"DIR: permission denied: let this program's user read the folder and what is in it"},
		"not reached": {"..", 0o700, []string{"check", "ada", "light.hall", "read", "--store", "hass:DIR"},
			"DIR: permission denied: let this program's user read the folder and what is in it"},
		"not reached, to be kept": {"..", 0o700, []string{"serve", "--listen", "127.0.0.1:0", "--store", "hass:DIR"},
			"DIR: permission denied: let this program's user use the folder above it, or name another one"},
		"a file is not read": {"auth", 0, []string{"check", "ada", "light.hall", "read", "--store", "hass:DIR"},
			"DIR/auth: permission denied: let this program's user read the folder and what is in it"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(dir, os.DirFS("../../store/hassfile/testdata/2025")); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(filepath.Join(dir, tt.path), tt.mode); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, tt.path), 0o700) })
			var args []string
			for _, arg := range tt.command {
				args = append(args, strings.ReplaceAll(arg, "DIR", dir))
			}
			said, code := asNobody(t, args...)
			if want := strings.ReplaceAll(tt.want, "DIR", dir); code == 0 || !strings.Contains(said, want) {
				t.Errorf("it ends with %d and says %q, want %q in it", code, said, want)
			}
		})
	}
}
