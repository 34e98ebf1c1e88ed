package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write what the page of the command line has to say into docs/cli.md")

const page = "../../docs/cli.md"

// The page says of every command and flag what the program says, and of nothing else.
func TestThePageOfTheCommandLineIsUpToDate(t *testing.T) {
	parser, err := newParser(io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(before)
	common := commonFlags(parser.Model)
	for _, part := range []struct{ name, text string }{
		{"exit codes", exitTable()},
		{"common flags", flagTable(slices.Collect(maps.Values(common)))},
		{"commands", commandPages(parser.Model, common)},
	} {
		text = fill(t, text, part.name, part.text)
	}
	if text == string(before) {
		return
	}
	if !*update {
		t.Fatal("docs/cli.md is not what the program says: go test ./cmd/latchkey -run TestThePage -update")
	}
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// fill puts a text between the marks of a part.
func fill(t *testing.T, page, part, text string) string {
	t.Helper()
	head, rest, began := strings.Cut(page, "<!-- "+part+" -->\n")
	_, tail, ended := strings.Cut(rest, "<!-- end -->")
	if !began || !ended {
		t.Fatalf("the page has no place for the %s", part)
	}
	return head + "<!-- " + part + " -->\n" + text + "<!-- end -->" + tail
}

func exitTable() string {
	var b strings.Builder
	b.WriteString("| code | |\n|---|---|\n")
	for _, e := range exitMeanings() {
		fmt.Fprintf(&b, "| %d | %s |\n", e.code, e.meaning)
	}
	return b.String()
}

// commonFlags are those that several commands have with the same meaning.
func commonFlags(app *kong.Application) map[string]*kong.Flag {
	seen, common := map[string]int{}, map[string]*kong.Flag{}
	for _, leaf := range app.Leaves(true) {
		for _, f := range flagsOf(leaf) {
			if seen[f.Name+f.Help]++; seen[f.Name+f.Help] > 2 {
				common[f.Name+f.Help] = f
			}
		}
	}
	return common
}

func flagsOf(n *kong.Node) []*kong.Flag { return slices.Concat(n.AllFlags(true)...) }

func flagTable(flags []*kong.Flag) string {
	slices.SortFunc(flags, func(a, b *kong.Flag) int { return strings.Compare(a.Name, b.Name) })
	var b strings.Builder
	b.WriteString("| flag | |\n|---|---|\n")
	for _, f := range flags {
		name := f.String()
		if f.Tag.Negatable != "" {
			name = "--[no-]" + f.Name
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, cell(f.Help))
	}
	return b.String()
}

func cell(text string) string { return strings.NewReplacer("|", `\|`, "<", `\<`).Replace(text) }

// commandPages are all commands that the help shows.
func commandPages(app *kong.Application, common map[string]*kong.Flag) string {
	var b strings.Builder
	for _, leaf := range app.Leaves(true) {
		if hidden(leaf) {
			continue
		}
		fmt.Fprintf(&b, "### %s\n\n```\n%s %s\n```\n\n%s\n", leaf.FullPath(), app.Name, leaf.Summary(), leaf.Help)
		if leaf.Detail != "" {
			fmt.Fprintf(&b, "\n%s\n", cell(leaf.Detail))
		}
		if len(leaf.Positional) > 0 {
			b.WriteString("\n| argument | |\n|---|---|\n")
		}
		for _, a := range leaf.Positional {
			fmt.Fprintf(&b, "| `<%s>` | %s |\n", a.Name, cell(a.Help))
		}
		var own []*kong.Flag
		var shared []string
		for _, f := range flagsOf(leaf) {
			if _, ok := common[f.Name+f.Help]; ok {
				shared = append(shared, "`--"+f.Name+"`")
			} else {
				own = append(own, f)
			}
		}
		if len(own) > 0 {
			b.WriteString("\n" + flagTable(own))
		}
		fmt.Fprintf(&b, "\nAs above: %s.\n\n", strings.Join(shared, ", "))
	}
	return b.String()
}

func hidden(n *kong.Node) bool {
	for ; n != nil; n = n.Parent {
		if n.Hidden {
			return true
		}
	}
	return false
}

// exampleLine finds the commands that are shown, however the program is called there.
var exampleLine = regexp.MustCompile(`(?m)^(?:go run ./cmd/)?latchkey (.*)$`)

func TestTheExamplesOfThePagesAreUnderstood(t *testing.T) {
	for _, path := range []string{page, "../../README.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, fenced := range strings.Split(string(text), "```sh\n")[1:] {
			block, _, _ := strings.Cut(fenced, "```")
			for _, line := range exampleLine.FindAllStringSubmatch(block, -1) {
				found++
				parser, err := newParser(io.Discard, io.Discard)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := parser.Parse(words(line[1])); err != nil {
					t.Errorf("%s: %q: %v", path, line[0], err)
				}
			}
		}
		if found < 5 {
			t.Errorf("%s has %d examples", path, found)
		}
	}
}

// words splits a line as a shell does, up to a comment or a pipe.
func words(line string) []string {
	line, _, _ = strings.Cut(line, " #")
	line, _, _ = strings.Cut(line, " |")
	var all []string
	for _, m := range regexp.MustCompile(`"([^"]*)"|'([^']*)'|\S+`).FindAllStringSubmatch(line, -1) {
		if all = append(all, m[0]); m[1]+m[2] != "" {
			all[len(all)-1] = m[1] + m[2]
		}
	}
	return all
}
