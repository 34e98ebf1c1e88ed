package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fakeScreen is a terminal of this width, and what was written to it.
func fakeScreen(width int) (*screen, *bytes.Buffer) {
	var written bytes.Buffer
	return &screen{w: &written, isTerminal: true, width: func() int { return width }}, &written
}

func TestWorkIsToldFromTheFirstSecondOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, written := fakeScreen(80)
		w := s.begin("making users", "users", 500)
		defer w.end()
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		if written.Len() > 0 {
			t.Errorf("within the first second the terminal shows %q", written)
		}
		w.done.Store(120)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if got, want := written.String(), wipe+"making users … 120 of 500 users, 1 s"; got != want {
			t.Errorf("after a second it shows %q, want %q", got, want)
		}
		w.done.Store(500)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if want := wipe + "making users … 500 of 500 users, 3 s"; !strings.HasSuffix(written.String(), want) {
			t.Errorf("then it shows %q, want %q at the end", written, want)
		}
		w.end()
		w.end()
		if !strings.HasSuffix(written.String(), "3 s"+wipe) {
			t.Errorf("at the end the line was not wiped: %q", written)
		}
	})
}

func TestWorkThatIsQuickIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, written := fakeScreen(80)
		w := s.begin("opening sqlite:x", "", noEndKnown)
		time.Sleep(patience - 1)
		w.end()
		if written.Len() > 0 {
			t.Errorf("the terminal shows %q", written)
		}
	})
}

func TestAScriptIsNotToldAboutWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var written bytes.Buffer
		w := newScreen(&written).begin("copying", "users", noEndKnown)
		time.Sleep(time.Minute)
		synctest.Wait()
		w.end()
		if written.Len() > 0 {
			t.Errorf("a script reads %q", &written)
		}
	})
}

func TestAMessageTakesThePlaceOfTheLine(t *testing.T) {
	s, written := fakeScreen(80)
	s.show("copying … 1 s")
	if _, err := io.WriteString(s, "level=WARN\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(s, "level=INFO\n"); err != nil {
		t.Fatal(err)
	}
	if got, want := written.String(), wipe+"copying … 1 s"+wipe+"level=WARN\nlevel=INFO\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheLineIsCutToTheTerminal(t *testing.T) {
	s, written := fakeScreen(10)
	s.show("öffnen … und lesen")
	if got, want := written.String(), wipe+"öffnen … "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNothingThatIsPrintedControlsATerminal(t *testing.T) {
	const evil = "a\x1b[2J\u009b2J\u202eb\x7f\U000e0001<"
	if got, want := printable(evil), "a\ufffd[2J\ufffd2J\ufffdb\ufffd\ufffd<"; got != want {
		t.Errorf("in a table: %q, want %q", got, want)
	}
	var out bytes.Buffer
	if err := printJSON(&out, []string{evil}); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "[\n  \"a\\u001b[2J\\u009b2J\\u202eb\\u007f\\udb40\\udc01<\"\n]\n"; got != want {
		t.Errorf("as JSON: %q, want %q", got, want)
	}
	if got, want := oneLine(errors.Join(errors.New("a\x1b[2J"), errors.New("b"))), "a\ufffd[2J; b"; got != want {
		t.Errorf("as an error: %q, want %q", got, want)
	}
}

func TestRowsThatFailOnTheWayAreAnError(t *testing.T) {
	lost := errors.New("lost")
	rows := func(yield func(int, error) bool) {
		_ = yield(1, nil) && yield(0, lost)
	}
	for _, asJSON := range []bool{true, false} {
		var out bytes.Buffer
		err := printRows(&out, asJSON, []string{"N"}, rows, func(int) []string { return []string{"1"} })
		if !errors.Is(err, lost) {
			t.Errorf("as JSON %t: %v", asJSON, err)
		}
	}
	var out bytes.Buffer
	if err := printRows(&out, true, nil, each([]int{}), nil); err != nil || out.String() != "[]\n" {
		t.Errorf("nothing is printed as %q, %v", &out, err)
	}
}

func TestTheLineIsGoneBeforeATableIsPrinted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, terminal := fakeScreen(80)
		rows := func(yield func(int, error) bool) {
			time.Sleep(patience + time.Millisecond)
			synctest.Wait()
			if yield(1, nil) {
				time.Sleep(tellEvery)
				synctest.Wait()
			}
		}
		err := printList(&program{stdout: terminal, stderr: s}, jsonFlag{}, []string{"N", "M"}, "numbers", rows,
			func(int) []string { return []string{"1", "2"} })
		want := wipe + "reading … 1 s" + wipe + "reading … 1 numbers, 1 s" + wipe + "N  M\n1  2\n"
		if got := terminal.String(); err != nil || got != want {
			t.Errorf("the terminal shows %q, %v; want %q", got, err, want)
		}
	})
}
