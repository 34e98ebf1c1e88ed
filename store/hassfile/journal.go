package hassfile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// journalFile tells of a change of several files while it is carried out: they are all prepared, and only their names are
// left to be changed, one after another.
const journalFile = ".latchkey.journal"

// journalEntry is one step of a change. A file may have two.
type journalEntry struct {
	Name string `json:"name"`
	// Before is the SHA-256 of what the file held before the whole change; empty if there was none. After is that of what
	// was prepared for it.
	Before string `json:"before"`
	After  string `json:"after"`
}

// tempOf is what the file of the i-th step is called until it is put in its place.
func tempOf(i int, name string) string { return fmt.Sprint(name, ".", i, temporary) }

// folder is where the files are.
type folder struct {
	disk files
	dir  string
}

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }

// hash is the SHA-256 of a file; empty if it does not exist.
func (f folder) hash(name string) (string, error) {
	text, err := f.disk.ReadFile(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, struct{ io.Reader }{strings.NewReader(text)}) // piece by piece
	return hex.EncodeToString(sum.Sum(nil)), err
}

// journal writes down what is about to be done. What the files hold now was read or written by us: that is made sure of
// behind the reading.
func (s *Store) journal(all []prepared) error {
	entries := make([]journalEntry, len(all))
	for i, p := range all {
		before, err := s.hash(p.name)
		if err != nil {
			return err
		}
		entries[i] = journalEntry{p.name, before, p.hash}
	}
	if err := s.unchanged(all); err != nil {
		return err
	}
	text, err := json.Marshal(entries)
	if err != nil {
		return err
	}
	if err := replace(s.disk, s.path(journalFile), string(text)); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return nil
}

// replay carries out what a crash has interrupted, or gives all of it up.
func (s *Store) replay() error {
	entries, err := s.interrupted()
	if err != nil || entries == nil {
		return err
	}
	if homeAssistantRuns(s.dir) { // it has been started since
		return fmt.Errorf("%s: %w", s.dir, ErrHomeAssistantRuns)
	}
	left, why, err := s.remaining(entries)
	if err != nil {
		return err
	}
	if why != "" {
		s.log.Warn("an interrupted change is given up", "folder", s.dir, "reason", why)
	}
	for _, i := range left {
		err := s.disk.Rename(s.path(tempOf(i, entries[i].Name)), s.path(entries[i].Name))
		if err == nil {
			err = s.disk.SyncDir(s.dir)
		}
		if err != nil {
			return fmt.Errorf("carry out an interrupted change of %s: %w", entries[i].Name, err)
		}
	}
	paths := []string{s.path(journalFile)}
	for i, e := range entries {
		paths = append(paths, s.path(tempOf(i, e.Name)))
	}
	return discard(s.disk, paths...)
}

// interrupted reads the journal; nil if there is none.
func (f folder) interrupted() ([]journalEntry, error) {
	text, err := f.disk.ReadFile(f.path(journalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	entries := []journalEntry{}
	err = json.Unmarshal([]byte(text), &entries)
	for _, e := range entries {
		if err == nil && !slices.Contains(names(), e.Name) {
			err = fmt.Errorf("%q is none of the files", e.Name)
		}
	}
	if err != nil {
		return nil, &fileError{journalFile, "", fmt.Errorf(
			"%w: remove it if Home Assistant's files are as they should be", err)}
	}
	return entries, nil
}

// remaining returns which steps of an interrupted change are still to be done. When another program has written one of the
// files since, or not all is there that was prepared, none of them is, and why says so: the rest alone might be a password
// without its login.
func (f folder) remaining(entries []journalEntry) (left []int, why string, err error) {
	now := map[string]string{}
	for _, e := range entries {
		if now[e.Name], err = f.hash(e.Name); err != nil {
			return nil, "", err
		}
		if now[e.Name] != e.Before && !reached(entries, e.Name, now[e.Name]) {
			return nil, "another program has written " + e.Name + " since", nil
		}
	}
	for i, e := range entries {
		if reached(entries[i:], e.Name, now[e.Name]) {
			continue
		}
		ready, err := f.hash(tempOf(i, e.Name))
		if err != nil {
			return nil, "", err
		}
		if ready != e.After {
			return nil, "what was to be put in the place of " + e.Name + " is not there any more", nil
		}
		left, now[e.Name] = append(left, i), e.After
	}
	return left, "", nil
}

// reached reports whether a file holds what one of the steps puts there.
func reached(entries []journalEntry, name, hash string) bool {
	return slices.ContainsFunc(entries, func(e journalEntry) bool { return e.Name == name && e.After == hash })
}
