package main

import (
	"fmt"
	"io"
	"strings"

	"rsc.io/qr"
)

// quietZone is how many light modules stand around a QR code.
const quietZone = 4

// printQR prints a text as a QR code, two rows of modules a line. The colours are set, so that dark is dark whatever the
// terminal looks like.
func printQR(w io.Writer, text string) error {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return fmt.Errorf("make a QR code of %d bytes: %w", len(text), err)
	}
	const (
		darkOnLight = "\x1b[30;107m"
		reset       = "\x1b[0m"
	)
	var b strings.Builder
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		b.WriteString(darkOnLight)
		for x := -quietZone; x < code.Size+quietZone; x++ {
			b.WriteString(halves(code.Black(x, y), code.Black(x, y+1)))
		}
		b.WriteString(reset + "\n")
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// halves is a character whose upper and lower half are dark or light.
func halves(upper, lower bool) string {
	switch {
	case upper && lower:
		return "█"
	case upper:
		return "▀"
	case lower:
		return "▄"
	}
	return " "
}
