package main

import (
	"errors"
	"strings"
	"testing"
)

// Programs name their tokens as they like, over the WebSocket: one with a very long name does not make every row as wide.
func TestAnErrorOfSeveralLinesIsToldInOne(t *testing.T) {
	for text, want := range map[string]string{
		"one":                            "one",
		"one\ntwo":                       "one; two",
		"not reached:\n\tone\n\ttwo\n\n": "not reached: one; two",
	} {
		if got := oneLine(errors.New(text)); got != want {
			t.Errorf("%q is told as %q, want %q", text, got, want)
		}
	}
}

func TestALongCellDoesNotWidenTheTable(t *testing.T) {
	long := strings.Repeat("é", 100_000)
	var b strings.Builder
	table := newTable(&b, "ID", "NAME", "POLICY")
	table.row("1", long, "x")
	table.row("2", "short", long)
	if err := table.end(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	if got, want := lines[1], "1   "+strings.Repeat("é", 199)+"…  x"; got != want {
		t.Errorf("got %d characters, want %d: %.300s", len([]rune(got)), len([]rune(want)), got)
	}
	if !strings.HasSuffix(lines[2], "  "+long) {
		t.Errorf("the last cell, which widens no other row, was cut: %.300s", lines[2])
	}
}
