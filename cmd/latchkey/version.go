package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/seed-6a977b3d/latchkey"
)

type versionCommand struct{}

// Run prints one line: the version, the commit and what it was built with.
func (versionCommand) Run(p *program) error {
	_, err := fmt.Fprintf(p.stdout, "latchkey %s, commit %s, %s %s/%s\n",
		latchkey.Version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// commit returns the revision that the program was built from.
func commit() string {
	revision, modified := "unknown", ""
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return revision
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = " with changes"
		}
	}
	return revision + modified
}
