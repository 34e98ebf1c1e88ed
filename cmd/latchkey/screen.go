package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// screen is standard error. If that is a terminal, its last line may tell for a while how far something has come; what is
// written otherwise wipes that line first.
type screen struct {
	w          io.Writer
	isTerminal bool
	width      func() int // of the terminal, in characters

	mu    sync.Mutex
	shown bool // a line that is to be wiped
}

func newScreen(w io.Writer) *screen {
	s := &screen{w: w}
	if file, ok := terminalOf(w); ok {
		s.isTerminal = true
		s.width = func() int {
			if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
				return width
			}
			return 80
		}
	}
	return s
}

// terminalOf returns the terminal that something is, if it is one.
func terminalOf(stream any) (*os.File, bool) {
	file, ok := stream.(*os.File)
	return file, ok && term.IsTerminal(int(file.Fd()))
}

// wipe is what a terminal understands as: back to the beginning of the line, and clear it.
const wipe = "\r\x1b[K"

// Write implements [io.Writer].
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown {
		s.shown = false
		if _, err := io.WriteString(s.w, wipe); err != nil {
			return 0, err
		}
	}
	return s.w.Write(b)
}

// show puts a text into the last line, cut to fit; nothing wipes it. A terminal that is gone is no reason to stop.
func (s *screen) show(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text == "" && !s.shown {
		return
	}
	if room := s.width() - 1; utf8.RuneCountInString(text) > room {
		text = string([]rune(text)[:max(room, 0)])
	}
	s.shown = text != ""
	_, _ = io.WriteString(s.w, wipe+text)
}

// When a person is told that something takes long, and how often it is told anew.
const (
	patience   = time.Second
	tellEvery  = 200 * time.Millisecond
	noEndKnown = 0
)

// work is something that may take long. A person at the terminal is told how far it has come, from the first second on; a
// script never is.
type work struct {
	screen *screen
	what   string // what is done
	things string // what is counted, in the plural
	total  int    // how many there are, or noEndKnown
	began  time.Time
	done   atomic.Int64
	stop   func()
}

// begin tells about work until its end is called.
func (s *screen) begin(what, things string, total int) *work {
	w := &work{screen: s, what: what, things: things, total: total, began: time.Now(), stop: func() {}}
	if !s.isTerminal {
		return w
	}
	ended := make(chan struct{})
	var told sync.WaitGroup
	told.Go(func() { w.tell(ended) })
	w.stop = sync.OnceFunc(func() {
		close(ended)
		told.Wait()
		s.show("")
	})
	return w
}

// end is called once the work is done. Calling it again does nothing.
func (w *work) end() { w.stop() }

func (w *work) tell(ended <-chan struct{}) {
	next := time.NewTimer(patience)
	defer next.Stop()
	for {
		select {
		case <-ended:
			return
		case <-next.C:
			w.screen.show(w.line())
			next.Reset(tellEvery)
		}
	}
}

// line is what is told.
func (w *work) line() string {
	seconds := int(time.Since(w.began) / time.Second)
	switch done := w.done.Load(); {
	case w.things == "" || done == 0:
		return fmt.Sprintf("%s … %d s", w.what, seconds)
	case w.total == noEndKnown:
		return fmt.Sprintf("%s … %d %s, %d s", w.what, done, w.things, seconds)
	default:
		return fmt.Sprintf("%s … %d of %d %s, %d s", w.what, done, w.total, w.things, seconds)
	}
}
