package ban_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/ban"
)

// file is a list over a file with this text.
func file(t testing.TB, text string) (list *ban.File, path string, log *bytes.Buffer) {
	t.Helper()
	path, log = filepath.Join(t.TempDir(), ban.FileName), &bytes.Buffer{}
	if text != "" {
		write(t, path, text)
	}
	return ban.NewFile(path, slog.New(slog.NewTextHandler(log, nil))), path, log
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func bans(t testing.TB, l ban.List) map[netip.Addr]time.Time {
	t.Helper()
	all, err := l.Bans(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func addresses(t testing.TB, l ban.List) []string {
	t.Helper()
	var texts []string
	for _, a := range slices.SortedFunc(maps.Keys(bans(t, l)), netip.Addr.Compare) {
		texts = append(texts, a.String())
	}
	return texts
}

var (
	stranger = netip.MustParseAddr("203.0.113.9")
	another  = netip.MustParseAddr("2001:db8::9")
	since    = time.Date(2024, 1, 5, 10, 11, 12, 345678000, time.UTC)
)

// spec: http-auth.md §9, the ban file
func TestABanIsWrittenAsHomeAssistantWritesIt(t *testing.T) {
	list, path, _ := file(t, "")
	if err := list.Ban(t.Context(), stranger, since); err != nil {
		t.Fatal(err)
	}
	const first = "\n203.0.113.9:\n  banned_at: '2024-01-05T10:11:12.345678+00:00'\n"
	for range 2 { // spec: B-11
		text, err := os.ReadFile(path)
		if err != nil || string(text) != first {
			t.Fatalf("the file holds %q, %v; want %q", text, err, first)
		}
		if err := list.Ban(t.Context(), stranger, since.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := list.Ban(t.Context(), another, since.Truncate(time.Second).In(time.FixedZone("", 7200))); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	if want := first + "\n'2001:db8::9':\n  banned_at: '2024-01-05T10:11:12+00:00'\n"; string(text) != want {
		t.Errorf("the file holds %q, want %q", text, want)
	}
	again := ban.NewFile(path, nil)
	if diff := cmp.Diff(bans(t, list), bans(t, again), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

// spec: http-auth.md B-9 and B-10
func TestWhatBanFilesMayHold(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
		logged     string
	}{
		{name: "no file"},
		{name: "a comment only", text: "# nobody\n"},
		{name: "quoted, unquoted, with and without offset", text: `
203.0.113.1:
  banned_at: '2024-01-05T10:11:12.345678+00:00'
203.0.113.2:
  banned_at: 2024-01-05 10:11:12
'203.0.113.3':
  banned_at: "2024-01-05T10:11:12"
2001:db8::1:
  banned_at: 2024-01-05T10:11:12.5+02:00
`, want: []string{"203.0.113.1", "203.0.113.2", "203.0.113.3", "2001:db8::1"}},
		{name: "null", text: "203.0.113.1:\n  banned_at:\n", want: []string{"203.0.113.1"}},
		{name: "bad entries between good ones", text: `
203.0.113.1: {banned_at: null}
203.0.113.2: {}
203.0.113.3: {banned_at: 2024-01-05}
203.0.113.4: {banned_at: yesterday}
203.0.113.5: {banned_at: null, reason: rude}
house.example: {banned_at: null}
203.0.113.6:
203.0.113.7: {banned_at: null}
`, want: []string{"203.0.113.1", "203.0.113.7"}, logged: "line=5"},
		{name: "no YAML", text: "{", logged: "not readable"},
		{name: "a list", text: "- 203.0.113.1\n", logged: "not readable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list, _, log := file(t, tt.text)
			if diff := cmp.Diff(tt.want, addresses(t, list)); diff != "" {
				t.Error(diff)
			}
			if !strings.Contains(log.String(), tt.logged) || (tt.logged == "") != (log.Len() == 0) {
				t.Errorf("the log says %q, want %q in it", log, tt.logged)
			}
		})
	}
}

// A list that somebody makes long, which takes no more than many addresses, is not read again for each of them.
func TestTheListIsNotReadAgainForItsOwnEntries(t *testing.T) {
	list, path, log := file(t, "203.0.113.1: never\n203.0.113.2:\n  banned_at: null\n")
	given := bans(t, list)
	for _, a := range []netip.Addr{stranger, another} {
		if err := list.Ban(t.Context(), a, since); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "left out"); n != 1 || len(given) != 1 {
		t.Errorf("read %d times, and what was given grew to %v", n, given)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(text), "203.0.113.2", "203.0.113.33", 1)) // with an editor
	if err := list.Ban(t.Context(), netip.MustParseAddr("203.0.113.4"), since); err != nil {
		t.Fatal(err)
	}
	want := []string{"203.0.113.4", "203.0.113.9", "203.0.113.33", "2001:db8::9"}
	if got := addresses(t, list); !slices.Equal(got, want) {
		t.Errorf("banned are %v, want %v", got, want)
	}
}

func TestABanEndsWithItsEntry(t *testing.T) {
	const rest = "# mine\n203.0.113.8:\n  banned_at: null # known\n\n\n# the last\n203.0.113.7:\n  banned_at: null\n"
	list, path, _ := file(t, rest)
	for _, a := range []netip.Addr{stranger, another} {
		if err := list.Ban(t.Context(), a, since); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range []netip.Addr{stranger, another} {
		if err := list.Lift(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if err := list.Lift(t.Context(), a); !errors.Is(err, latchkey.ErrNotFound) {
			t.Errorf("lifted twice: %v", err)
		}
	}
	text, _ := os.ReadFile(path)
	if string(text) != rest {
		t.Errorf("the file holds %q, want %q", text, rest)
	}
	if err := list.Lift(t.Context(), netip.MustParseAddr("203.0.113.8")); err != nil {
		t.Fatal(err)
	}
	if got := addresses(t, list); !slices.Equal(got, []string{"203.0.113.7"}) {
		t.Errorf("banned are %v", got)
	}
	write(t, path, "# nobody any more\n") // with an editor
	if got := addresses(t, list); got != nil {
		t.Errorf("banned are %v", got)
	}
	write(t, path, "{ torn")
	if err := list.Lift(t.Context(), stranger); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("lifted from a file that is not readable: %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "{ torn" {
		t.Errorf("the file was changed to %q", text)
	}
}

func TestAFileIsExamined(t *testing.T) {
	path := filepath.Join(t.TempDir(), ban.FileName)
	if _, _, err := ban.Examine(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	for text, want := range map[string]struct {
		bans  int
		lines []int
		fails bool
	}{
		"": {},
		"192.0.2.1:\n  banned_at: '2024-01-05T10:11:12+00:00'\n192.0.2:\n  banned_at: '2024-01-05T10:11:12+00:00'\n192.0.2.3: never\n": {bans: 1, lines: []int{3, 5}},
		"192.0.2.1": {fails: true},
		"{":         {fails: true},
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		bans, problems, err := ban.Examine(path)
		var lines []int
		for _, p := range problems {
			lines = append(lines, p.Line)
		}
		if len(bans) != want.bans || !slices.Equal(lines, want.lines) || (err != nil) != want.fails {
			t.Errorf("%q: %v, %v, %v", text, bans, problems, err)
		}
	}
}
