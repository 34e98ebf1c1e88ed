// Package doctor looks at a house without touching it, and says what is wrong and how to mend it. It knows the
// configuration, the stores and the files around them, and neither terminals nor wires.
package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/seed-6a977b3d/latchkey/config"
)

// Severity says how bad a finding is.
type Severity string

// The severities. Errors keep something from working, or are unsafe now; warnings will or may be; notes are worth knowing.
const (
	OK      Severity = "ok"
	Note    Severity = "note"
	Warning Severity = "warning"
	Error   Severity = "error"
)

// The parts of a house that are looked at, in this order.
const (
	Configuration = "configuration"
	Store         = "store"
	Key           = "key"
	People        = "people"
	Clock         = "clock"
	Network       = "network"
	SignIn        = "sign-in"
	Bans          = "bans"
	Files         = "files"
	Disk          = "disk"
)

// Finding is what was found out about a part of the house.
type Finding struct {
	Part     string   `json:"part"`
	Severity Severity `json:"severity"`
	// Text says what was found, and Mend what to do about it; empty when there is nothing to do.
	Text string `json:"text"`
	Mend string `json:"mend,omitempty"`
}

// Options are what is known of the machine. The zero value finds that out.
type Options struct {
	// ConfigFile is the file that the configuration was loaded from; empty if there was none.
	ConfigFile string
	// Built is when the program was built, before which no clock can be right; zero if unknown.
	Built time.Time
	// Now is the clock; nil for time.Now.
	Now func() time.Time
	// Addresses returns those of this machine; nil to ask the system.
	Addresses func() ([]netip.Addr, error)
	// LookUp returns the addresses of a name; nil to ask the system.
	LookUp func(ctx context.Context, name string) ([]netip.Addr, error)
	// Space returns how many bytes are free where a path is, and how many there are; nil to ask the system.
	Space func(path string) (free, total uint64, err error)
}

// Examine looks at everything and returns what it found, at least one finding a part. Nothing is changed.
func Examine(ctx context.Context, c config.Config, o Options) []Finding {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Addresses == nil {
		o.Addresses = interfaceAddresses
	}
	if o.LookUp == nil {
		o.LookUp = func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		}
	}
	if o.Space == nil {
		o.Space = space
	}
	e := &examination{config: c, Options: o}
	e.configuration()
	found := e.store(ctx)
	e.people(found)
	e.clock(found)
	e.network(ctx)
	e.signIn()
	e.bans(found)
	e.files()
	e.disk()
	return e.findings
}

// Worst returns the highest severity among findings.
func Worst(findings []Finding) Severity {
	worst := OK
	for _, f := range findings {
		if rank(f.Severity) > rank(worst) {
			worst = f.Severity
		}
	}
	return worst
}

func rank(s Severity) int {
	return map[Severity]int{OK: 0, Note: 1, Warning: 2, Error: 3}[s]
}

// house is what the store tells about who lives there.
type house struct {
	known         bool // false if the store cannot be read
	people, admin bool
	latest        time.Time // when a token was made or used last; zero if never
	// ahead is how much the clock of the store is ahead of the one here, if it has one of its own.
	ahead    time.Duration
	hasClock bool
}

// examination gathers findings.
type examination struct {
	Options
	config   config.Config
	findings []Finding
}

func (e *examination) add(part string, s Severity, mend, format string, args ...any) {
	e.findings = append(e.findings, Finding{Part: part, Severity: s, Text: fmt.Sprintf(format, args...), Mend: mend})
}

func (e *examination) ok(part, format string, args ...any) { e.add(part, OK, "", format, args...) }

// or adds a finding that all is well, unless something else was found about the part.
func (e *examination) or(part, format string, args ...any) {
	for _, f := range e.findings {
		if f.Part == part {
			return
		}
	}
	e.ok(part, format, args...)
}

// configuration makes what serve would make, without a store.
func (e *examination) configuration() {
	log := &collector{}
	running, err := config.Build(e.config, slog.New(log))
	if err != nil {
		e.add(Configuration, Error, "correct the setting; `latchkey config check` shows all that are in force", "%v", err)
		return
	}
	defer func() { _ = running.Close() }() // there is nothing behind it
	for _, line := range log.lines {
		e.add(Configuration, Warning, "", "%s", line)
	}
	e.or(Configuration, "everything can be made that is configured")
}

// collector is a log whose warnings become findings.
type collector struct {
	lines []string
	more  string // attributes of all lines
}

// Enabled implements [slog.Handler].
func (c *collector) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle implements [slog.Handler].
func (c *collector) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, ", %s %v", a.Key, a.Value)
		return true
	})
	c.lines = append(c.lines, b.String()+c.more)
	return nil
}

// WithAttrs implements [slog.Handler].
func (c *collector) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		c.more += fmt.Sprintf(", %s %v", a.Key, a.Value)
	}
	return c
}

// WithGroup implements [slog.Handler].
func (c *collector) WithGroup(string) slog.Handler { return c }

// interfaceAddresses are the addresses of this machine.
func interfaceAddresses() ([]netip.Addr, error) {
	networks, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var found []netip.Addr
	for _, n := range networks {
		if prefix, err := netip.ParsePrefix(n.String()); err == nil {
			found = append(found, prefix.Addr().Unmap())
		}
	}
	return found, nil
}
