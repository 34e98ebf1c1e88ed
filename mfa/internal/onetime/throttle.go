package onetime

import "time"

// How wrong answers slow a person down (security.md 14): the first FreeFailures in a row cost nothing. From then on each
// is followed by a delay that begins with FirstDelay and doubles up to LongestDelay.
const (
	FreeFailures = 9
	FirstDelay   = 30 * time.Second
	LongestDelay = 15 * time.Minute
)

// Throttle counts the wrong answers of one user, whatever login they were given in. It is kept with the user's data, so
// that a restart does not forget it. The zero value has seen none.
type Throttle struct {
	// Failures are the wrong answers in a row.
	Failures int `json:"failures,omitempty"`
	// Until is when answers are looked at again.
	Until time.Time `json:"until,omitzero"`
}

// Delayed reports whether an answer is refused without looking at it. A delay beyond the longest one was set by a clock
// that has been corrected since, and does not count.
func (t Throttle) Delayed(now time.Time) bool {
	left := t.Until.Sub(now)
	return left > 0 && left <= LongestDelay
}

// Failed returns the throttle after one more wrong answer.
func (t Throttle) Failed(now time.Time) Throttle {
	t.Failures++
	if over := t.Failures - FreeFailures; over > 0 {
		delay := LongestDelay
		if doublings := over - 1; doublings < 5 { // 30 s doubled five times exceeds the longest delay
			delay = FirstDelay << doublings
		}
		t.Until = now.Add(delay)
	}
	return t
}
