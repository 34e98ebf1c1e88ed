package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/seed-6a977b3d/latchkey"
)

// jsonFlag lets a script read what a command prints.
type jsonFlag struct {
	JSON bool `name:"json" help:"Print JSON, for scripts."`
}

// table prints rows in columns, for people.
type table struct{ columns *tabwriter.Writer }

// newTable begins a table with its headings, or without any if there are none.
func newTable(w io.Writer, headings ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	if len(headings) > 0 {
		t.row(headings...)
	}
	return t
}

// maxCell is how many characters a cell may have that others stand behind: every row is as wide.
const maxCell = 200

// row adds a row. A failure to write shows when the table ends.
func (t table) row(cells ...string) {
	clean := make([]string, len(cells))
	for i, cell := range cells {
		clean[i] = printable(cell)
		if runes := []rune(clean[i]); i < len(cells)-1 && len(runes) > maxCell {
			clean[i] = string(runes[:maxCell-1]) + "…"
		}
	}
	_, _ = fmt.Fprintln(t.columns, strings.Join(clean, "\t"))
}

// end prints the table and returns the first error of all that was written.
func (t table) end() error { return t.columns.Flush() }

// printJSON prints a value for scripts, indented.
func printJSON(w io.Writer, value any) error {
	text, err := jsonText(value, "")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

// jsonText returns a value as JSON in which control characters of any kind, which JSON allows in part, are escaped:
// scripts are tried out at a terminal.
func jsonText(value any, prefix string) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent(prefix, "  ")
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	text := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	var clean []byte
	for _, r := range string(text) { // what is not ASCII stands within quotation marks
		if r < unicode.MaxASCII || unicode.IsPrint(r) {
			clean = append(clean, string(r)...)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			clean = fmt.Appendf(clean, `\u%04x`, unit)
		}
	}
	return clean, nil
}

// printList prints rows that are read as they are printed, and tells a person at the terminal meanwhile how many there are.
// JSON that runs over the terminal needs nothing more.
func printList[T any](p *program, out jsonFlag, headings []string, things string, rows iter.Seq2[T, error], cells func(T) []string) error {
	shown := func() *work { return p.stderr.begin("reading", things, noEndKnown) }
	if _, ok := terminalOf(p.stdout); ok && out.JSON {
		shown = func() *work { return &work{stop: func() {}} }
	}
	counted := func(yield func(T, error) bool) {
		w := shown()
		defer w.end() // before the table is printed
		for row, err := range rows {
			if w.done.Add(1); !yield(row, err) {
				return
			}
		}
	}
	return printRows(p.stdout, out.JSON, headings, counted, cells)
}

// printRows prints what there is as a table, or as a JSON array whose elements are written as they come: there may be many.
func printRows[T any](w io.Writer, asJSON bool, headings []string, rows iter.Seq2[T, error], cells func(T) []string) error {
	if asJSON {
		return printArray(w, rows)
	}
	t := newTable(w, headings...)
	for row, err := range rows {
		if err != nil {
			return err
		}
		t.row(cells(row)...)
	}
	return t.end()
}

func printArray[T any](w io.Writer, rows iter.Seq2[T, error]) error {
	out := bufio.NewWriter(w)
	begin := "[\n  "
	for row, err := range rows {
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		text, err := jsonText(row, "  ")
		if err != nil {
			return err
		}
		_, _ = out.WriteString(begin) // a failure shows when it is flushed
		_, _ = out.Write(text)
		begin = ",\n  "
	}
	ending := "\n]\n"
	if begin == "[\n  " {
		ending = "[]\n"
	}
	_, _ = out.WriteString(ending)
	return out.Flush()
}

// each goes through a list that was read already.
func each[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, element := range list {
			if !yield(element, nil) {
				return
			}
		}
	}
}

// printable returns a text as one cell of a table. Control characters in it, which could play tricks with a terminal,
// are replaced.
func printable(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// moment returns a time for people, in their own zone.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

// instant returns a time for scripts; null if there is none.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	utc := t.UTC()
	return &utc
}

// orNull returns a text for scripts; null if it is empty.
func orNull(s string) latchkey.NullString { return latchkey.NullString{Text: s, Valid: s != ""} }
