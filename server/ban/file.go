package ban

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/seed-6a977b3d/latchkey"
)

// FileName is what the file is called in a configuration folder of Home Assistant.
const FileName = "ip_bans.yaml"

// File is the list in Home Assistant's own form, ip_bans.yaml (http-auth.md §9). It is read again whenever it was
// changed, so that a ban ends when somebody deletes it with an editor.
type File struct {
	path string
	log  *slog.Logger

	mu   sync.Mutex
	seen fs.FileInfo // nil if there was no file
	bans map[netip.Addr]time.Time
}

// NewFile returns the list at a path. There need not be a file. logger gets what is wrong with it; nil for
// [slog.Default].
func NewFile(path string, logger *slog.Logger) *File {
	if logger == nil {
		logger = slog.Default()
	}
	return &File{path: path, log: logger, bans: map[netip.Addr]time.Time{}}
}

// Bans implements [List]. A file that is not readable bans nobody; an entry that is not is left out. Both are logged
// (http-auth.md B-9 and B-10).
func (f *File) Bans(context.Context) (map[netip.Addr]time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refresh(); err != nil {
		return nil, err
	}
	return f.bans, nil
}

// Ban implements [List]. It appends to the file, and returns when that is on the disk.
func (f *File) Ban(_ context.Context, addr netip.Addr, at time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refresh(); err != nil {
		return err
	}
	if _, ok := f.bans[addr]; ok {
		return nil // B-11
	}
	text := entry(addr, at)
	if err := appendDurably(f.path, text); err != nil {
		return fmt.Errorf("ban %v: %w", addr, err)
	}
	return f.grown(addr, at, int64(len(text)))
}

// grown notes an entry that was put behind the file. The rest is read again only when somebody else changed it, too: whoever
// has many addresses could keep the server busy with reading a list that they make longer and longer. The caller holds mu.
func (f *File) grown(addr netip.Addr, at time.Time, by int64) error {
	now, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	if f.seen == nil || !os.SameFile(f.seen, now) || now.Size() != f.seen.Size()+by {
		return f.refresh()
	}
	f.seen, f.bans = now, maps.Clone(f.bans) // whoever was given the list goes on reading it
	f.bans[addr] = at.UTC().Truncate(time.Microsecond)
	return nil
}

// Lift implements [List]. Everything else in the file stays as it is, comments too.
func (f *File) Lift(_ context.Context, addr netip.Addr) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return latchkey.ErrNotFound
	} else if err != nil {
		return err
	}
	rest, found, err := without(text, addr)
	if err != nil {
		return fmt.Errorf("%s: %w: mend the file, or delete it to lift all bans", f.path, err)
	}
	if !found {
		return latchkey.ErrNotFound
	}
	if err := replaceDurably(f.path, rest); err != nil {
		return fmt.Errorf("lift the ban of %v: %w", addr, err)
	}
	return f.refresh()
}

// refresh reads the file if it is another one than last time. The caller holds mu.
func (f *File) refresh() error {
	now, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.seen, f.bans = nil, map[netip.Addr]time.Time{}
		return nil
	} else if err != nil {
		return err
	}
	if f.seen != nil && os.SameFile(f.seen, now) && f.seen.ModTime().Equal(now.ModTime()) && f.seen.Size() == now.Size() {
		return nil
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	f.seen, f.bans = now, f.parse(text)
	return nil
}

// parse reads what is readable.
func (f *File) parse(text []byte) map[netip.Addr]time.Time {
	bans, problems, err := read(text)
	if err != nil {
		f.log.Error("the ban file is not readable, so nobody is banned by it", "file", f.path, "error", err)
	}
	for _, p := range problems {
		f.log.Error("an entry of the ban file is left out", "file", f.path, "line", p.Line, "error", p.Err)
	}
	return bans
}

// Problem is an entry of a ban file that bans nobody.
type Problem struct {
	Line int
	Err  error
}

// Examine returns who is banned by a file, and what is wrong with it. The error says why it bans nobody at all; it is
// [fs.ErrNotExist] when there is no file.
func Examine(path string) (map[netip.Addr]time.Time, []Problem, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	return read(text)
}

func read(text []byte) (bans map[netip.Addr]time.Time, problems []Problem, err error) {
	bans = map[netip.Addr]time.Time{}
	entries, err := mapping(text)
	for i := 0; i+1 < len(entries); i += 2 {
		addr, at, err := readEntry(entries[i], entries[i+1])
		if err != nil {
			problems = append(problems, Problem{entries[i].Line, err})
			continue
		}
		bans[addr] = at
	}
	return bans, problems, err
}

// mapping returns the keys and values of a document, in turns. An empty document has none.
func mapping(text []byte) ([]*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return nil, nil
	}
	if doc.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("addresses are expected, each with the time since when it is banned")
	}
	return doc.Content[0].Content, nil
}

func readEntry(key, value *yaml.Node) (netip.Addr, time.Time, error) {
	addr, err := netip.ParseAddr(key.Value)
	if err != nil {
		return addr, time.Time{}, err
	}
	if value.Kind != yaml.MappingNode || len(value.Content) != 2 || value.Content[0].Value != "banned_at" {
		return addr, time.Time{}, errors.New("banned_at, and nothing else, is expected below the address")
	}
	at := value.Content[1]
	if at.Kind != yaml.ScalarNode {
		return addr, time.Time{}, errors.New("banned_at must be a time")
	}
	if at.Tag == "!!null" {
		return addr, time.Time{}, nil
	}
	since, err := parseTime(at.Value)
	return addr, since, err
}

// parseTime reads the forms that Home Assistant writes, and those that people write. A date alone is no time (B-10).
func parseTime(text string) (time.Time, error) {
	for _, form := range []string{
		"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07:00",
		"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
		"2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04",
	} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time such as 2024-01-05T10:11:12+00:00", text)
}

// entry is the text of a ban, to be put behind what is there (http-auth.md §9). An address of IPv6 is quoted: without
// marks, some of them are numbers to YAML.
func entry(addr netip.Addr, at time.Time) []byte {
	form := "2006-01-02T15:04:05.000000-07:00"
	if at.Nanosecond() < int(time.Microsecond) {
		form = "2006-01-02T15:04:05-07:00"
	}
	key := addr.String()
	if addr.Is6() {
		key = "'" + key + "'"
	}
	return fmt.Appendf(nil, "\n%s:\n  banned_at: '%s'\n", key, at.UTC().Format(form))
}

// without returns the text without the entries of an address, from the line of their key to that of the next.
func without(text []byte, addr netip.Addr) (rest []byte, found bool, err error) {
	entries, err := mapping(text)
	if err != nil {
		return nil, false, err
	}
	lines := slices.Collect(bytes.Lines(text))
	drop := make([]bool, len(lines))
	for i := 0; i < len(entries); i += 2 {
		key, err := netip.ParseAddr(entries[i].Value)
		if err != nil || key != addr {
			continue
		}
		found = true
		first, last := entries[i].Line-1, lastLine(entries[i+1])
		if i+2 < len(entries) && entries[i+2].Line-1 <= last {
			return nil, false, errors.New("two entries stand on one line")
		}
		if first > 0 && len(bytes.TrimSpace(lines[first-1])) == 0 {
			first-- // the blank line that came with it
		}
		for l := first; l <= last; l++ {
			drop[l] = true
		}
	}
	for i, line := range lines {
		if !drop[i] {
			rest = append(rest, line...)
		}
	}
	return rest, found, nil
}

// lastLine returns the index of the last line on which any part of a node begins.
func lastLine(n *yaml.Node) int {
	last := n.Line - 1
	for _, part := range n.Content {
		last = max(last, lastLine(part))
	}
	return last
}

func appendDurably(path string, text []byte) error {
	_, err := os.Stat(path)
	isNew := errors.Is(err, fs.ErrNotExist)
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil || !isNew {
		return err
	}
	return syncFolder(path)
}

func replaceDurably(path string, text []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+FileName+".*")
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Chmod(0o644), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return syncFolder(path)
}

func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
