package watch

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAnEarIsBelievedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := NewEar()
		is := func(when string, want bool) {
			t.Helper()
			if got := e.Current(time.Second); got != want {
				t.Errorf("%s: current is %v", when, got)
			}
		}
		is("new", false)
		asked := e.Now()
		time.Sleep(900 * time.Millisecond)
		e.Heard(asked) // what counts is when it was asked, and not when the answer came
		is("heard", true)
		time.Sleep(100 * time.Millisecond)
		is("after a second", false)
		e.Heard(e.Now())
		is("heard again", true)
		e.Deaf()
		is("deaf", false)
	})
}

// A clock that is set, and a machine that sleeps, make nobody trust for longer.
func TestClocksThatJump(t *testing.T) {
	const within = time.Second
	heard := Moment{wall: 1000 * time.Hour, running: time.Hour}
	for name, row := range map[string]struct {
		wall, running time.Duration // since then
		want          bool
	}{
		"both go on":                  {within / 2, within / 2, true},
		"both have gone too far":      {within, within, false},
		"the clock was set back":      {-time.Minute, within / 2, false},
		"it was set back by a little": {within / 2, within + 1, false},
		"it was set forward":          {time.Hour, within / 2, false},
		"the machine slept":           {time.Hour, time.Millisecond, false},
	} {
		now := Moment{heard.wall + row.wall, heard.running + row.running}
		if got := heard.holds(now, within); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
