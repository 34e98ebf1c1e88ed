package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal returns both ends of a new pseudo terminal: the one of the person, and the one of the program.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

// session is a program that a person runs on a terminal.
type session struct {
	t      *testing.T
	cmd    *exec.Cmd
	screen bytes.Buffer
	person *os.File
}

func atTerminal(t *testing.T, args ...string) *session {
	t.Helper()
	person, program := terminal(t)
	s := &session{t: t, cmd: exec.Command(binary, args...), person: person}
	s.cmd.Env = []string{"TERM=xterm"}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = program, program, program
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	_ = program.Close() // so that reading ends with the program
	return s
}

// see reads the screen until it shows the text.
func (s *session) see(text string) {
	s.t.Helper()
	seen := s.screen.Len()
	for !strings.Contains(s.screen.String()[seen:], text) {
		b := make([]byte, 1024)
		n, err := s.person.Read(b)
		s.screen.Write(b[:n])
		if err != nil {
			s.t.Fatalf("waiting for %q: %v; the screen shows %q", text, err, s.screen.String())
		}
	}
}

func (s *session) enter(line string) {
	s.t.Helper()
	if _, err := io.WriteString(s.person, line+"\r"); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for the end of the program and returns its exit code.
func (s *session) end() int {
	s.t.Helper()
	_, _ = io.Copy(&s.screen, s.person) // ends with an error when the program closes the terminal
	_ = s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

func TestAPasswordIsTypedTwiceAndNeverShown(t *testing.T) {
	store := "sqlite:" + filepath.Join(t.TempDir(), "latchkey.db")
	const secret = "correct horse bättery"

	s := atTerminal(t, "user", "add", "anna", "--store", store)
	s.see("New password for anna: ")
	s.enter(secret)
	s.see("The same again: ")
	s.enter(secret)
	if code := s.end(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if screen := s.screen.String(); !strings.Contains(screen, "added user anna") {
		t.Errorf("the screen shows %q", screen)
	}
	mustNotShow(t, s, secret)

	s = atTerminal(t, "user", "passwd", "anna", "--store", store)
	s.see("New password for anna: ")
	s.enter(secret)
	s.see("The same again: ")
	s.enter("another one altogether")
	if code := s.end(); code != exitFailed {
		t.Errorf("exit code %d after two different passwords", code)
	}
	if screen := s.screen.String(); !strings.Contains(screen, "the two passwords differ") {
		t.Errorf("the screen shows %q", screen)
	}
	mustNotShow(t, s, secret, "another")
}

func mustNotShow(t *testing.T, s *session, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		for word := range strings.FieldsSeq(secret) {
			if strings.Contains(s.screen.String(), word) {
				t.Errorf("the screen shows %q of the password", word)
			}
		}
	}
}

func TestWhoGivesUpAtThePromptGetsTheTerminalBack(t *testing.T) {
	for name, give := range map[string]func(*session) error{
		"with Ctrl-C":   func(s *session) error { _, err := io.WriteString(s.person, "\x03"); return err },
		"with a signal": func(s *session) error { return s.cmd.Process.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			s := atTerminal(t, "user", "add", "anna", "--store", "sqlite:"+filepath.Join(t.TempDir(), "latchkey.db"))
			before := settingsOf(t, s)
			s.see("New password for anna: ")
			if during := settingsOf(t, s); during.Lflag&unix.ECHO != 0 {
				t.Error("the terminal shows what is typed")
			}
			if err := give(s); err != nil {
				t.Fatal(err)
			}
			if code := s.end(); code != exitFailed {
				t.Errorf("exit code %d", code)
			}
			if after := settingsOf(t, s); after.Lflag != before.Lflag {
				t.Errorf("the terminal was left in another state: %x, was %x", after.Lflag, before.Lflag)
			}
		})
	}
}

func settingsOf(t *testing.T, s *session) *unix.Termios {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(s.person.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}
