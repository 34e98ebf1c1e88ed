package ws

import (
	"testing"
	"time"
)

// spec: websocket.md §5.3: the form of times, which is without a fraction when there is none
func TestTimestamps(t *testing.T) {
	east := time.FixedZone("", 2*60*60)
	for want, when := range map[string]time.Time{
		"2024-01-05T10:11:12.345678+00:00": time.Date(2024, 1, 5, 12, 11, 12, 345678999, east),
		"2024-01-05T10:11:12.400000+00:00": time.Date(2024, 1, 5, 10, 11, 12, 400000000, time.UTC),
		"2024-01-05T10:11:12+00:00":        time.Date(2024, 1, 5, 10, 11, 12, 999, time.UTC),
	} {
		if got, err := timestamp(when).MarshalText(); err != nil || string(got) != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
}

// spec: websocket.md, "W-20": the notation of Python
func TestNotation(t *testing.T) {
	for raw, want := range map[string]string{
		`"plain"`: `'plain'`, `"it's"`: `"it's"`, `"both ' and \""`: `'both \' and "'`, `"\\"`: `'\\'`,
		`"\n\r\t\u0000\u00ad\u200b\ud83d\ude00"`: `'\n\r\t\x00\xad\u200b😀'`, `"\udb40\udc01"`: `'\U000e0001'`,
		`[1, 2.50, -1e5]`: `[1, 2.50, -1e5]`, `{"b":null,"a":{}}`: `{'a': {}, 'b': None}`, `[]`: `[]`,
		`{"pin":1}`: `{'pin': ***}`,
	} {
		if got := got("x", parse([]byte(raw)), false); got != want {
			t.Errorf("%s is written %s, want %s", raw, got, want)
		}
	}
}
