package watch

import (
	"sync/atomic"
	"time"
)

// Ear knows until when everything is known that others have changed. NewEar makes one.
type Ear struct {
	began time.Time
	heard atomic.Pointer[Moment] // nil while it hears nothing
}

// NewEar returns an ear that has heard nothing yet.
func NewEar() *Ear { return &Ear{began: time.Now()} }

// Moment is a point in time by two clocks. The one of the wall may be set, back as well; the other one stands still while
// the machine sleeps.
type Moment struct{ wall, running time.Duration }

// Now is what to note before asking what others have changed.
func (e *Ear) Now() Moment {
	now := time.Now()
	return Moment{wall: time.Duration(now.UnixNano()), running: now.Sub(e.began)}
}

// Heard notes that everything was told that had been changed when it was asked for.
func (e *Ear) Heard(asked Moment) { e.heard.Store(&asked) }

// Deaf notes that nothing is known from now on.
func (e *Ear) Deaf() { e.heard.Store(nil) }

// Current reports whether everything is known that others had changed so long ago. Both clocks have to say so: the
// silence of a machine that slept, or whose clock was set back, is not taken for a good sign.
func (e *Ear) Current(within time.Duration) bool {
	heard := e.heard.Load()
	return heard != nil && heard.holds(e.Now(), within)
}

func (m Moment) holds(now Moment, within time.Duration) bool {
	wall, running := now.wall-m.wall, now.running-m.running
	return wall >= 0 && wall < within && running < within
}
