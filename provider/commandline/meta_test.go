package commandline

import (
	"bytes"
	"strconv"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/seed-6a977b3d/latchkey"
)

// spec: providers.md §4.3
func TestParseMeta(t *testing.T) {
	text, null := latchkey.Text, latchkey.NullString{}
	for _, tt := range []struct {
		name, output string
		want         meta
	}{
		{"the example", "name=Bob\ngroup=system-users\nlocal_only=true\n", meta{text("Bob"), text("system-users"), text("true")}},
		{"nothing", "", meta{}},
		{"lines end with CR, LF or both", "name=Bob\rgroup=a\r\nlocal_only=b", meta{text("Bob"), text("a"), text("b")}},
		{"and with nothing else", "name=a\u2028group=b\vc\fd\u0085e", meta{name: text("a\u2028group=b\vc\fd\u0085e")}},
		{"white space is trimmed", "\u3000 name \t= \u00a0Bob Smith\x1c\n", meta{name: text("Bob Smith")}},
		{"comments, also behind white space", "#name=a\n  # group=b\nname=c", meta{name: text("c")}},
		{"lines without =", "name\ngroup\n\nname=a", meta{name: text("a")}},
		{"the first = counts", "name=a=b=c", meta{name: text("a=b=c")}},
		{"unknown keys, and known ones in another case", "Name=a\nname2=b\nGROUP=c\nfullname=d\n=e", meta{}},
		{"the last of several", "name=a\nname=b", meta{name: text("b")}},
		{"an empty value is kept", "group=\nname= ", meta{name: text(""), group: text("")}},
		{"lines that are not UTF-8", "name=a\nname=b\xff\n\xfegroup=c", meta{name: text("a"), group: null}},
		{"NUL is a character like others", "name=a\x00b", meta{name: text("a\x00b")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := parseMeta([]byte(tt.output)); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func FuzzParseMeta(f *testing.F) {
	for _, s := range []string{"name=Bob\ngroup=system-users\nlocal_only=true", "#\n=\r\r\nname", "\xff=\xfe"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := parseMeta(b)
		for _, v := range []latchkey.NullString{m.name, m.group, m.localOnly} {
			if v.Text != trim(v.Text) || !utf8.ValidString(v.Text) || v.Valid && !bytes.Contains(b, []byte("=")) {
				t.Errorf("%q gives %q", b, v.Text)
			}
		}
		// Whatever was written before, the last line wins and changes nothing else.
		want := m
		want.group = latchkey.Text("g")
		if got := parseMeta(append(bytes.Clone(b), "\n group = g "...)); got != want {
			t.Errorf("%q and another line give %+v, want %+v", b, got, want)
		}
	})
}

// What is remembered is bounded, and what was used last stays.
func TestMemoryIsBounded(t *testing.T) {
	m := newMemory()
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range maxRemembered {
				name := strconv.Itoa(g*maxRemembered + i)
				m.put(name, meta{})
				m.put("anna", meta{name: latchkey.Text(name)})
			}
		})
	}
	all.Wait()
	if len(m.entries) != maxRemembered || m.order.Len() != maxRemembered {
		t.Errorf("%d and %d entries, want %d", len(m.entries), m.order.Len(), maxRemembered)
	}
	if _, ok := m.get("anna"); !ok {
		t.Error("the latest is forgotten")
	}
	if _, ok := m.get("0"); ok {
		t.Error("the oldest is not forgotten")
	}
}

// spec: providers.md §4.2, "the name is quoted the Python way"
func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"":                 `''`,
		"anna":             `'anna'`,
		"d'Artagnan":       `"d'Artagnan"`,
		`say "hi"`:         `'say "hi"'`,
		`both ' and "`:     `'both \' and "'`,
		"line\nfeed\r\t":   `'line\nfeed\r\t'`,
		`back\slash`:       `'back\\slash'`,
		"é ✓ 😀":            `'é ✓ 😀'`,
		"\x00\x7f\u00a0":   `'\x00\x7f\xa0'`,
		"\u2028\U000e0001": `'\u2028\U000e0001'`,
		"bad \xff \ufffd":  `'bad \xff ` + "\ufffd'",
	} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
}
