package doctor

import "time"

// How far clocks may be apart. Codes of authenticator apps are good for half a minute around theirs.
const (
	apartNoticed = 30 * time.Second
	apartTooFar  = 5 * time.Minute
	// futureNoticed is how far in the future the last use may lie: the machine wrote it by its own clock.
	futureNoticed = time.Minute
	// oldest is how long after its making this program may be expected to run.
	oldest = 20 * 365 * 24 * time.Hour
)

// earliest is before the first version of this program.
func earliest() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

const mendClock = "set the clock, and let it be set from the network, such as with: timedatectl set-ntp true"

// clock compares the clock with whatever else tells the time.
func (e *examination) clock(h house) {
	now := e.Now()
	built := e.Built
	if built.IsZero() {
		built = earliest()
	}
	switch {
	case now.Before(built.Add(-24 * time.Hour)):
		e.add(Clock, Error, mendClock, "it is %s by the clock, and this program was made later: %s", when(now), when(built))
	case now.After(built.Add(oldest)):
		e.add(Clock, Error, mendClock, "it is %s by the clock, which is hardly true", when(now))
	}
	if h.latest.After(now.Add(futureNoticed)) {
		e.add(Clock, Warning, mendClock+"; whatever was made by a clock that was ahead ends too late",
			"a token was made or used at %s, which is to come: the clock was ahead then, or is behind now", when(h.latest))
	}
	switch apart := h.ahead.Abs().Round(time.Second); {
	case !h.hasClock:
	case h.ahead.Abs() > apartTooFar:
		e.add(Clock, Error, mendClock+", here and at the database", "the clocks here and of the database are %v apart", apart)
	case h.ahead.Abs() > apartNoticed:
		e.add(Clock, Warning, mendClock+", here and at the database",
			"the clocks here and of the database are %v apart, and codes of authenticator apps may be refused", apart)
	default:
		e.or(Clock, "it is %s, and the clock of the database agrees", when(now))
	}
	e.or(Clock, "it is %s", when(now))
}

func when(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 -07:00") }

// people looks whether somebody can manage the house.
func (e *examination) people(h house) {
	switch {
	case !h.known:
		e.add(People, Note, "", "who lives here cannot be known without the store")
	case !h.people:
		e.add(People, Note, "open the page of the server, or use `latchkey user add`", "nobody has an account yet")
	case !h.admin:
		e.add(People, Error, "make somebody one: `latchkey user activate NAME`, or `latchkey user set NAME --group system-admin`",
			"nobody can manage the house: there is no owner, and no administrator who may sign in")
	default:
		e.ok(People, "somebody can manage the house")
	}
}
