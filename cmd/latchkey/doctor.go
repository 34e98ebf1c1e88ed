package main

import (
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/doctor"
)

type doctorCommand struct {
	serverFlags
	jsonFlag
}

// Run looks at everything, and changes nothing.
func (c *doctorCommand) Run(p *program) error {
	findings := c.examine(p)
	var err error
	if c.JSON {
		err = printJSON(p.stdout, findings)
	} else {
		err = printFindings(p, findings)
	}
	if err == nil && doctor.Worst(findings) == doctor.Error {
		err = errFound
	}
	return err
}

func (c *doctorCommand) examine(p *program) []doctor.Finding {
	w := p.stderr.begin("looking at the house", "", noEndKnown)
	defer w.end()
	var findings []doctor.Finding
	for _, s := range config.Strays(p.environ) {
		findings = append(findings, doctor.Finding{
			Part: doctor.Configuration, Severity: doctor.Warning, Text: s.String(), Mend: s.Advice(),
		})
	}
	settings, err := c.load(p)
	if err != nil {
		return append(findings, doctor.Finding{
			Part: doctor.Configuration, Severity: doctor.Error, Text: err.Error(),
			Mend: "correct that; the rest cannot be looked at before",
		})
	}
	file, _ := c.file(p)
	return append(findings, doctor.Examine(p.ctx, settings, doctor.Options{ConfigFile: file, Built: built()})...)
}

// built is when the newest source of the program was made; zero if unknown.
func built() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			at, err := time.Parse(time.RFC3339, s.Value)
			if err == nil {
				return at
			}
		}
	}
	return time.Time{}
}

// printFindings prints what was found, with what to do about it below.
func printFindings(p *program, findings []doctor.Finding) error {
	var b strings.Builder
	counts := map[doctor.Severity]int{}
	for _, f := range findings {
		counts[f.Severity]++
		fmt.Fprintf(&b, "%-8s %s: %s\n", f.Severity, f.Part, printable(f.Text))
		if f.Mend != "" {
			fmt.Fprintf(&b, "%-8s -> %s\n", "", printable(f.Mend))
		}
	}
	fmt.Fprintf(&b, "%s, %s\n", count(counts[doctor.Error], "error"), count(counts[doctor.Warning], "warning"))
	_, err := fmt.Fprint(p.stdout, b.String())
	return err
}
