package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
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
	seen   int // of the screen
	person *os.File
}

func atTerminal(t *testing.T, args ...string) *session {
	t.Helper()
	return atTerminalWith(t, nil, args...)
}

// atTerminalWith does so with more in the environment.
func atTerminalWith(t *testing.T, env []string, args ...string) *session {
	t.Helper()
	return runAtTerminal(t, append([]string{"TERM=xterm"}, env...), binary, args...)
}

// runAtTerminal runs any program there.
func runAtTerminal(t *testing.T, env []string, name string, args ...string) *session {
	t.Helper()
	person, program := terminal(t)
	s := &session{t: t, cmd: exec.Command(name, args...), person: person}
	s.cmd.Env = env
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = program, program, program
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	_ = program.Close() // so that reading ends with the program
	return s
}

// see reads the screen until it shows the text, behind what was seen before.
func (s *session) see(text string) {
	s.t.Helper()
	for {
		if at := strings.Index(s.screen.String()[s.seen:], text); at >= 0 {
			s.seen += at + len(text)
			return
		}
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

func TestAPersonIsAskedBeforeSomethingIsLost(t *testing.T) {
	store := "sqlite:" + filepath.Join(t.TempDir(), "latchkey.db")
	for _, name := range []string{"anna", "ben"} {
		add := exec.Command(binary, "user", "add", name, "--password-stdin", "--store", store)
		add.Stdin = strings.NewReader("correct horse battery\n")
		if out, err := add.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for _, answer := range []struct {
		typed string
		code  int
		says  string
	}{
		{"", exitUnconfirmed, "nothing was changed"},
		{"no", exitUnconfirmed, "nothing was changed"},
		{"\x04", exitUnconfirmed, "nothing was changed"}, // Ctrl-D
		{"Yes", exitOK, "deleted ben, with 0 sessions and 0 long-lived tokens"},
		{"y", exitFailed, "user \"ben\" not found"}, // nobody is asked about
	} {
		s := atTerminal(t, "user", "delete", "ben", "--store", store)
		if answer.code != exitFailed {
			s.see("Delete ben (ben, ")
			s.see("? Lost are the login, the second factors, 0 sessions and 0 long-lived tokens. [y/N] ")
			s.enter(answer.typed)
		}
		code := s.end()
		if screen := s.screen.String(); code != answer.code || !strings.Contains(screen, answer.says) {
			t.Errorf("after %q: exit code %d, and the screen shows %q", answer.typed, code, screen)
		}
	}
}

func TestWhoInterruptsAQuestionChangesNothing(t *testing.T) {
	store := "sqlite:" + filepath.Join(t.TempDir(), "latchkey.db")
	add := exec.Command(binary, "group", "create", "Kids", "--store", store)
	first := exec.Command(binary, "user", "add", "anna", "--password-stdin", "--store", store)
	first.Stdin = strings.NewReader("correct horse battery\n")
	for _, c := range []*exec.Cmd{first, add} {
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	s := atTerminal(t, "group", "delete", "Kids", "--store", store)
	s.see("[y/N] ")
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := s.end(); code != exitFailed || !strings.Contains(s.screen.String(), "ended by a signal") {
		t.Errorf("exit code %d, and the screen shows %q", code, s.screen.String())
	}
	s = atTerminal(t, "group", "show", "Kids", "--store", store)
	if code := s.end(); code != exitOK {
		t.Errorf("the group is gone: %q", s.screen.String())
	}
}

// What is read as a whole is no question, and Ctrl-C ends it as well.
func TestWhoTypesAPolicyMayGiveUp(t *testing.T) {
	store := "sqlite:" + filepath.Join(t.TempDir(), "latchkey.db")
	s := atTerminal(t, "group", "create", "Kids", "--policy", "-", "--store", store)
	s.see("type the policy, and end it with Ctrl-D:")
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := s.end(); code != exitFailed || !strings.Contains(s.screen.String(), "ended by a signal") {
		t.Errorf("exit code %d, and the screen shows %q", code, s.screen.String())
	}
}

func TestAPasswordIsNeverShownAtATerminalWhateverIsAskedFor(t *testing.T) {
	store := "sqlite:" + filepath.Join(t.TempDir(), "latchkey.db")
	s := atTerminal(t, "user", "add", "anna", "--password-stdin", "--store", store)
	s.see("New password for anna: ")
	s.enter("correct horse battery")
	s.see("The same again: ")
	s.enter("correct horse battery")
	if code := s.end(); code != exitOK || strings.Contains(s.screen.String(), "correct") {
		t.Errorf("exit code %d, and the screen shows %q", code, s.screen.String())
	}
}

// A database that does not answer takes a minute.
func TestWhatTakesLongIsToldAtATerminal(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	key := "LATCHKEY_SEAL_KEY=" + strings.Repeat("5a", 32)
	s := atTerminalWith(t, []string{key}, "user", "list", "--store", "postgres://house@"+nobody+"/latchkey")
	s.see("opening postgres://house@" + nobody + "/latchkey … 1 s")
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := s.end(); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	if screen := s.screen.String(); !strings.Contains(screen, wipe+"latchkey: ") {
		t.Errorf("the line was not wiped: %q", screen)
	}
}

// spec: mfa.md §4, "Set-up flow".
func TestASecondFactorIsSetUpAtTheTerminal(t *testing.T) {
	store := "sqlite:" + filepath.Join(t.TempDir(), "latchkey.db")
	add := exec.Command(binary, "user", "add", "anna", "--password-stdin", "--store", store)
	add.Stdin = strings.NewReader("correct horse battery\n")
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := atTerminal(t, "mfa", "enable", "anna", "--store", store)
	s.see("\x1b[30;107m") // the QR code
	s.see("Address: otpauth://totp/Home%20Assistant:anna?secret=")
	s.see("Code: ")
	secret := regexp.MustCompile(`Secret:  ([A-Z2-7]{32})`).FindStringSubmatch(s.screen.String())
	if secret == nil {
		t.Fatalf("the screen shows no secret: %q", s.screen.String())
	}
	s.enter("000")
	s.see("That is not the right code.")
	s.see("Code: ")
	if shown := strings.Count(s.screen.String(), "Secret:"); shown != 1 {
		t.Errorf("the secret is shown %d times", shown)
	}
	code, err := totp.GenerateCode(secret[1], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s.enter(code)
	if code := s.end(); code != exitOK || !strings.Contains(s.screen.String(), "anna has set up Authenticator app\r\nRecovery codes help") {
		t.Fatalf("exit code %d, and the screen shows %q", code, s.screen.String())
	}
	s = atTerminal(t, "mfa", "status", "anna", "--store", store)
	if code := s.end(); code != exitOK || !regexp.MustCompile(`totp +Authenticator app +yes\r\nrecovery codes left: none were made\r\n`).MatchString(s.screen.String()) {
		t.Errorf("exit code %d, and the screen shows %q", code, s.screen.String())
	}

	// spec: security.md 17
	codes := regexp.MustCompile(`(?m)^[0-9a-z]{4}(-[0-9a-z]{4}){3}\r$`)
	s = atTerminal(t, "mfa", "recovery-codes", "anna", "--store", store)
	if code := s.end(); code != exitOK || len(codes.FindAllString(s.screen.String(), -1)) != 10 {
		t.Errorf("exit code %d, and the screen shows %q", code, s.screen.String())
	}
	s = atTerminal(t, "mfa", "recovery-codes", "anna", "--store", store)
	s.see("The 10 codes that they have left become void.")
	s.enter("n")
	if code := s.end(); code != exitUnconfirmed || codes.MatchString(s.screen.String()) {
		t.Errorf("exit code %d, and the screen shows %q", code, s.screen.String())
	}

	s = atTerminal(t, "mfa", "enable", "anna", "--store", store)
	s.see("Set up Authenticator app of anna (anna, ")
	s.enter("n")
	if code := s.end(); code != exitUnconfirmed {
		t.Errorf("exit code %d, and the screen shows %q", code, s.screen.String())
	}
	s = atTerminal(t, "mfa", "disable", "anna", "--store", store)
	s.see("End the second factor Authenticator app of anna")
	s.enter("y")
	if code := s.end(); code != exitOK {
		t.Errorf("exit code %d, and the screen shows %q", code, s.screen.String())
	}
}
