package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shell returns the path of a shell. Without it the test is skipped, except where everything has to be there.
func shell(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("there is no %s here: install it", name)
	} else if err != nil {
		t.Fatalf("%s is needed: %v", name, err)
	}
	return path
}

// completionFile writes the script for a shell, which must have no mistake in its language.
func completionFile(t *testing.T, name string) (program, file string) {
	t.Helper()
	program = shell(t, name)
	script, err := exec.Command(binary, "completion", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "completion."+name)
	if err := os.WriteFile(file, script, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "-n", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program, file
}

// completed are lines that somebody begins to type, and what is offered.
func completed() map[string][]string {
	return map[string][]string{
		"latchkey us":                        {"user"},
		"latchkey user de":                   {"deactivate", "delete"},
		"latchkey token ":                    {"list", "create", "remove"},
		"latchkey user set bob --no-":        {"--no-groups", "--no-local-only"},
		"latchkey mfa disable --store x --y": {"--yes"},
		"latchkey completion ":               {"bash", "zsh", "fish"},
		"latchkey check ben light.hall c":    {"control"},
		"latchkey user list --limit ":        nil,
		"latchkey user delete user ":         nil, // the name of a user
		"latchkey be":                        nil, // nothing that is hidden
		"latchkey group set x --policy dir/": {"dir/a policy.json"},
	}
}

// offers returns what a shell offers for a line; ask returns a command that prints it, a word a line.
func checkOffers(t *testing.T, ask func(line string) *exec.Cmd) {
	t.Helper()
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "dir", "a policy.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range completed() {
		cmd := ask(line)
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v: %s", line, err, out)
		}
		var got []string
		for word := range strings.Lines(string(out)) {
			word, _, _ = strings.Cut(strings.TrimSuffix(word, "\n"), "\t") // fish says what it is for, too
			if word != "" {
				got = append(got, word)
			}
		}
		slices.Sort(got)
		want = slices.Sorted(slices.Values(want))
		if !slices.Equal(got, want) {
			t.Errorf("%q is offered %q, want %q", line, got, want)
		}
	}
}

// quoted are words for a shell of the kind of sh.
func quoted(line string) (words string, n int) {
	parts := strings.Split(line, " ")
	for i := range parts {
		parts[i] = single(parts[i])
	}
	return strings.Join(parts, " "), len(parts)
}

func TestBashCompletes(t *testing.T) {
	program, file := completionFile(t, "bash")
	checkOffers(t, func(line string) *exec.Cmd {
		words, n := quoted(line)
		return exec.Command(program, "--norc", "-c", fmt.Sprintf(
			`source %s; COMP_WORDS=(%s); COMP_CWORD=%d; _latchkey; printf '%%s\n' "${COMPREPLY[@]}"`, file, words, n-1))
	})
	// As it is typed: the words are split at the sign of equality.
	out, err := exec.Command(program, "--norc", "-c", "source "+file+
		`; COMP_WORDS=(latchkey user list --config = `+file[:len(file)-1]+`); COMP_CWORD=5; _latchkey; echo "${COMPREPLY[@]}"`).Output()
	if got := strings.TrimSpace(string(out)); err != nil || got != file {
		t.Errorf("behind --config= is offered %q, %v", got, err)
	}
}

func TestBashCompletesWhatIsTyped(t *testing.T) {
	program, file := completionFile(t, "bash")
	s := runAtTerminal(t, []string{"TERM=dumb", "PS1=ready> ", "PATH=" + os.Getenv("PATH")}, program, "--norc", "--noprofile", "-i")
	s.see("ready> ")
	s.enter("latchkey() { echo \"<$*>\"; }; source " + file)
	s.see("ready> ")
	s.enter("latchkey us\tset anna --no-g\t")
	s.see("<user set anna --no-groups>")
	s.enter("exit")
	if code := s.end(); code != 0 {
		t.Errorf("bash ended with %d: %q", code, s.screen.String())
	}
}

func TestFishCompletes(t *testing.T) {
	program, file := completionFile(t, "fish")
	checkOffers(t, func(line string) *exec.Cmd {
		cmd := exec.Command(program, "--no-config", "-c", "source "+file+"; complete -C "+fishText(line))
		cmd.Env = append(os.Environ(), "HOME="+filepath.Dir(file))
		return cmd
	})
}

// The functions of zsh that ask a person are stood in for by such as print what there is to choose from.
const zshStandIns = `
compdef() {}
compset() { PREFIX=${PREFIX#*=} }
_message() {}
_files() { print -rl -- ${PREFIX}*(N) }
_describe() {
  local each
  for each in ${(P)@[-1]}; do
    each=${each%%:*}
    [[ $each == $PREFIX* ]] && print -r -- $each
  done
  return 0
}
`

func TestZshCompletes(t *testing.T) {
	program, file := completionFile(t, "zsh")
	checkOffers(t, func(line string) *exec.Cmd {
		words, n := quoted(line)
		last := line[strings.LastIndex(line, " ")+1:]
		return exec.Command(program, "-f", "-c", fmt.Sprintf("%s; source %s; words=(%s); CURRENT=%d; PREFIX=%s; _latchkey; true",
			zshStandIns, file, words, n, single(last)))
	})
}

// A help text must not end what it stands in, nor run anything.
func TestTextsAreQuotedInEveryShell(t *testing.T) {
	const evil = `it's $(touch run) "quoted" \ and \' ` + "`touch run`"
	places := []completionPlace{
		{commands: []completionWord{{"serve", evil}}, flags: []completionFlag{{name: "help", help: evil, isSwitch: true}}},
		{path: " serve", flags: []completionFlag{{name: "store", help: evil}}},
	}
	for name, script := range map[string]func([]completionPlace) string{
		"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			program, file := shell(t, name), filepath.Join(dir, "script")
			if err := os.WriteFile(file, []byte(script(places)), 0o600); err != nil {
				t.Fatal(err)
			}
			before := ""
			if name == "zsh" {
				before = "compdef() {}; "
			}
			cmd := exec.Command(program, "-c", before+"source "+file)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v: %s", err, out)
			}
			if _, err := os.Stat(filepath.Join(dir, "run")); err == nil {
				t.Error("a text was run")
			}
		})
	}
}
