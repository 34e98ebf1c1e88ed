package commandline

import (
	"bytes"
	"container/list"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/seed-6a977b3d/latchkey"
)

// meta is what a program told about a user. An empty value is not the same as none.
type meta struct {
	name, group, localOnly latchkey.NullString
}

// parseMeta reads the lines key=value of a program's output (providers.md §4.3). What is not understood is left out.
func parseMeta(output []byte) meta {
	var m meta
	fields := map[string]*latchkey.NullString{"name": &m.name, "group": &m.group, "local_only": &m.localOnly}
	for line := range bytes.FieldsFuncSeq(output, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if !utf8.Valid(line) {
			continue
		}
		text := strings.TrimLeftFunc(string(line), isSpace)
		key, value, found := strings.Cut(text, "=")
		if !found || strings.HasPrefix(text, "#") {
			continue
		}
		if field := fields[trim(key)]; field != nil {
			*field = latchkey.Text(trim(value))
		}
	}
	return m
}

// maxRemembered bounds how many users are remembered. Each is needed between a first sign-in and the making of the user,
// which is seconds.
const maxRemembered = 1000

// memory remembers what was told last about each username.
type memory struct {
	mu      sync.Mutex
	entries map[string]*list.Element
	order   *list.List // of remembered, oldest first
}

type remembered struct {
	username string
	meta     meta
}

func newMemory() *memory { return &memory{entries: map[string]*list.Element{}, order: list.New()} }

// put replaces what was remembered for a username. Beyond the bound the oldest goes.
func (m *memory) put(username string, told meta) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.entries[username]; ok {
		m.order.Remove(e)
	} else if m.order.Len() >= maxRemembered {
		delete(m.entries, m.order.Remove(m.order.Front()).(remembered).username)
	}
	m.entries[username] = m.order.PushBack(remembered{username, told})
}

func (m *memory) get(username string) (meta, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[username]
	if !ok {
		return meta{}, false
	}
	return e.Value.(remembered).meta, true
}
