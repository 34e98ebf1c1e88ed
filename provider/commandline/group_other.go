//go:build !unix

package commandline

import (
	"os"
	"os/exec"
)

// asGroup does nothing where there are no process groups: the program is killed, and not what it started.
func asGroup(*exec.Cmd) {}

func exitCode(s *os.ProcessState) int { return s.ExitCode() }
