package server

import (
	"strings"
	"testing"
)

// repeatedly is decodeFully as the spec words it.
func repeatedly(s string) string {
	for {
		next := decodeOnce(s)
		if next == s {
			return s
		}
		s = next
	}
}

// spec: http-auth.md, "C-19": decoded again and again until nothing changes.
func TestDecodingInOnePassIsDecodingRepeatedly(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "plain": "plain", "%41": "A", "%2541": "A", "%252541": "A", "%zz": "%zz", "%": "%", "%4": "%4",
		"%%34%31": "A", "%2%35": "%", "%25%34%31": "A", "%2525252e": ".", "%c3%a9": "é",
	} {
		if got := decodeFully(s); got != want || got != repeatedly(s) {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
	// Repeating the passes over this would take minutes.
	if got := decodeFully("%" + strings.Repeat("25", 1<<20) + "41"); got != "A" {
		t.Errorf("%.20q…", got)
	}
}

func FuzzDecodeFully(f *testing.F) {
	for _, seed := range []string{"%2541", "%%34%31", "%2%35%41", "a%zz%", "%25%25%32%35"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := decodeFully(s), repeatedly(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	})
}
