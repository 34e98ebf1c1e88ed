package ws

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// gotLimit is how much of a value is repeated to the client (websocket.md W-20).
const gotLimit = 500

// hidden stands for what is not repeated.
const hidden = "***"

// got writes a value in the notation of Python, cut. Whatever has the name of a secret is not repeated.
func got(name string, value any, secret bool) string {
	if value != nil && (secret || isSecret(name)) {
		return hidden
	}
	w := notation{}
	w.write(value)
	return cut(w.String())
}

// isSecret reports whether a member of this name may hold a secret.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"pass", "token", "secret", "code", "pin", "key", "auth", "input"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// parse reads a JSON value that is known to be one. Numbers stay as they were written.
func parse(raw json.RawMessage) any {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	_ = d.Decode(&v) // the whole message was checked before
	return v
}

// notation writes values as Python does, up to a little more than what will be shown.
type notation struct{ strings.Builder }

func (w *notation) write(v any) {
	if w.Len() > gotLimit {
		return
	}
	switch v := v.(type) {
	case nil:
		w.WriteString("None")
	case bool:
		w.WriteString(map[bool]string{true: "True", false: "False"}[v])
	case json.Number:
		w.WriteString(v.String())
	case string:
		w.WriteString(quote(cut(v)))
	case []any:
		w.WriteByte('[')
		for i, e := range v {
			w.separate(i)
			w.write(e)
			if w.Len() > gotLimit {
				break
			}
		}
		w.WriteByte(']')
	case map[string]any:
		w.writeMap(v)
	}
}

func (w *notation) writeMap(v map[string]any) {
	w.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(v)) {
		w.separate(i)
		w.WriteString(quote(cut(name)) + ": ")
		if isSecret(name) {
			w.WriteString(hidden)
		} else {
			w.write(v[name])
		}
		if w.Len() > gotLimit {
			break
		}
	}
	w.WriteByte('}')
}

func (w *notation) separate(i int) {
	if i > 0 {
		w.WriteString(", ")
	}
}

// quote writes a text as Python does: in single quotes, unless it has such but no double ones.
func quote(s string) string {
	mark := '\''
	if strings.ContainsRune(s, '\'') && !strings.ContainsRune(s, '"') {
		mark = '"'
	}
	var b strings.Builder
	b.WriteRune(mark)
	for _, r := range s {
		switch {
		case r == mark || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			b.WriteString(`\x` + pad(r, 2))
		case r < 0x10000:
			b.WriteString(`\u` + pad(r, 4))
		default:
			b.WriteString(`\U` + pad(r, 8))
		}
	}
	b.WriteRune(mark)
	return b.String()
}

func pad(r rune, digits int) string {
	hex := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", max(digits-len(hex), 0)) + hex
}

// cut shortens a text to what is shown of it.
func cut(s string) string {
	const mark = "..."
	n, end := 0, 0
	for i := range s {
		if n == gotLimit-len(mark) {
			end = i
		}
		if n == gotLimit {
			return s[:end] + mark
		}
		n++
	}
	return s
}
