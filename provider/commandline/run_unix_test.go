//go:build unix

package commandline

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func newProgram(command string, args ...string) program {
	return program{
		command: command, args: args, output: true, timeout: time.Hour, slots: make(chan struct{}, maxRunning),
	}
}

func shell(script string) program { return newProgram("/bin/sh", "-c", script) }

// spec: providers.md §4.2, "an environment of exactly two variables"
func TestTheEnvironmentHasTwoVariables(t *testing.T) {
	t.Setenv("LATCHKEY_SEAL_KEY", "not for the program")
	out, err := newProgram("/usr/bin/env").run(t.Context(), "anna=x", "two words\nand a line")
	if want := "username=anna=x\npassword=two words\nand a line\n"; err != nil || string(out.stdout) != want {
		t.Errorf("environment %q, %v; want %q", out.stdout, err, want)
	}
}

// spec: providers.md §4.2, "directly (no shell)"
func TestArgumentsAreNotReadByAShell(t *testing.T) {
	out, err := newProgram("/bin/echo", "$username", "a b", "*", ";").run(t.Context(), "anna", "p")
	if err != nil || string(out.stdout) != "$username a b * ;\n" {
		t.Errorf("arguments %q, %v", out.stdout, err)
	}
}

func TestStandardInputIsEmpty(t *testing.T) {
	out, err := shell(`/bin/cat; echo end`).run(t.Context(), "anna", "p")
	if err != nil || string(out.stdout) != "end\n" {
		t.Errorf("output %q, %v", out.stdout, err)
	}
}

// spec: providers.md §4.2, the outcomes; "death by signal n counts as code −n"
func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		name string
		p    program
		code int
		want bool
	}{
		{"zero", shell("exit 0"), 0, true},
		{"one", shell("exit 1"), 1, false},
		{"42", shell("exit 42"), 42, false},
		{"killed", shell("kill -9 $$"), -9, false},
		{"terminated", shell("kill -15 $$"), -15, false},
	} {
		_, err := tt.p.run(t.Context(), "anna", "p")
		var refused *exitError
		if tt.want && err != nil || !tt.want && (!errors.As(err, &refused) || refused.code != tt.code) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// spec: providers.md §4.2, "A command without any slash is looked for in /bin and /usr/bin"
func TestWhereCommandsAreFound(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	t.Setenv("PATH", folder)
	for _, name := range []string{"mine", "sub/mine"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/bin/true", name); err != nil {
			t.Fatal(err)
		}
	}
	for command, want := range map[string]bool{
		"true": true, "/bin/true": true, "sub/mine": true,
		"mine": false, "no-such-program": false, "/no/such/program": false, "/bin": false,
	} {
		_, err := newProgram(command).run(t.Context(), "anna", "p")
		var refused *exitError
		if (err == nil) != want || errors.As(err, &refused) {
			t.Errorf("%s: %v", command, err)
		}
	}
}

// spec: providers.md §4.2, "A NUL character in name or password"
func TestNULCannotBeGiven(t *testing.T) {
	for _, in := range [][2]string{{"an\x00na", "p"}, {"anna", "p\x00"}} {
		if _, err := newProgram("true").run(t.Context(), in[0], in[1]); !errors.Is(err, errUnable) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestAHangingCommandIsStopped(t *testing.T) {
	p := newProgram("sleep", "100000")
	p.timeout = time.Millisecond
	if _, err := p.run(t.Context(), "anna", "p"); !errors.Is(err, errTimeout) {
		t.Errorf("error = %v", err)
	}
}

// What the command has started is stopped with it.
func TestTheWholeGroupIsStopped(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "alive")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := newProgram("/bin/sh", "-c", `exec 3>"$0"; sleep 100000 & wait`, fifo).run(ctx, "anna", "p")
		ended <- err
	}()
	alive, err := os.Open(fifo) // waits until the command has it open, too
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = alive.Close() }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	if _, err := io.ReadAll(alive); err != nil { // ends when nobody has it open any more
		t.Error(err)
	}
}

func TestAFloodIsStopped(t *testing.T) {
	out, err := newProgram("yes").run(t.Context(), "anna", "p")
	if !errors.Is(err, errFlood) || len(out.stdout) != maxOutput {
		t.Errorf("%d bytes, %v", len(out.stdout), err)
	}
	// Exactly as much as may be written is accepted, and one more is not, though the program ends by itself.
	for extra, want := range []error{nil, errFlood} {
		_, err := shell(`head -c `+strconv.Itoa(maxOutput+extra)+` /dev/zero`).run(t.Context(), "anna", "p")
		if !errors.Is(err, want) {
			t.Errorf("%d bytes more: %v, want %v", extra, err, want)
		}
	}
}

// A command that leaves something behind has answered all the same.
func TestWhatIsLeftBehindIsNotWaitedFor(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "end")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	// The child reads from the FIFO, which nobody writes to until the command has been judged.
	out, err := newProgram("/bin/sh", "-c", `/bin/cat <"$0" & echo name=Bob`, fifo).run(t.Context(), "anna", "p")
	if err != nil || string(out.stdout) != "name=Bob\n" {
		t.Errorf("output %q, %v", out.stdout, err)
	}
	end, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := end.Close(); err != nil {
		t.Error(err)
	}
}

// Of many at the same time as many run as may, and the others wait as long as their callers do.
func TestOthersWaitTheirTurn(t *testing.T) {
	p := newProgram("true")
	for range maxRunning {
		p.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.run(ctx, "anna", "p"); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	<-p.slots
	if _, err := p.run(t.Context(), "anna", "p"); err != nil {
		t.Error(err)
	}
	if len(p.slots) != maxRunning-1 {
		t.Errorf("%d turns are taken, want %d", len(p.slots), maxRunning-1)
	}
}

func TestComplaintsAreCappedAndTellNoPassword(t *testing.T) {
	out, err := shell(`echo "checking $password" >&2`).run(t.Context(), "anna", "hush hush")
	if got := out.complaint("hush hush"); err != nil || got != "checking [password]" {
		t.Errorf("complaint %q, %v", got, err)
	}
	out, err = shell(`while [ "$((i += 1))" -le 3000 ]; do echo line $i; done >&2; echo -n half >&2`).run(t.Context(), "anna", "p")
	lines := strings.Split(out.complaint("p"), "\n")
	if err != nil || len(out.stderr) != maxComplaint || lines[0] != "line 1" {
		t.Errorf("%d bytes that begin with %q, %v", len(out.stderr), lines[0], err)
	}
	if last := lines[len(lines)-1]; slices.Contains(lines, "") || last != "line "+strconv.Itoa(len(lines)) {
		t.Errorf("the last line is %q", last)
	}
}
