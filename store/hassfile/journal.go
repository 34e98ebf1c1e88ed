package hassfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// journalFile holds a change of several files while it is carried out.
const journalFile = ".latchkey.journal"

// journalEntry is one step of a change. A file may have two.
type journalEntry struct {
	Name string `json:"name"`
	// Before is the SHA-256 of what the file held before the whole change; empty if there was none.
	Before string `json:"before"`
	Text   string `json:"text"`
}

func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// hashOfFile is empty for a file that does not exist.
func (s *Store) hashOfFile(name string) (string, error) {
	text, err := s.disk.ReadFile(filepath.Join(s.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	return hashOf(text), nil
}

// journal writes down what is about to be written.
func (s *Store) journal(steps []step) error {
	var entries []journalEntry
	for _, each := range steps {
		before, err := s.hashOfFile(each.name)
		if err != nil {
			return err
		}
		entries = append(entries, journalEntry{each.name, before, string(each.text)})
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(entries); err != nil {
		return err
	}
	if err := replace(s.disk, filepath.Join(s.dir, journalFile), b.Bytes()); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return nil
}

// replay carries out what a crash has interrupted. When somebody else has written one of the files since, all of it is
// given up: the rest alone might be a password without its login.
func (s *Store) replay() error {
	path := filepath.Join(s.dir, journalFile)
	entries, err := s.interrupted(path)
	if err != nil || entries == nil {
		return err
	}
	now := map[string]string{}
	for _, e := range entries {
		if now[e.Name], err = s.hashOfFile(e.Name); err != nil {
			return err
		}
		if now[e.Name] != e.Before && !reached(entries, e.Name, now[e.Name]) {
			s.log.Warn("an interrupted change is given up, because another program wrote one of its files since", "file", e.Name)
			return s.disk.Remove(path)
		}
	}
	for i, e := range entries {
		if reached(entries[i:], e.Name, now[e.Name]) {
			continue
		}
		if err := replace(s.disk, filepath.Join(s.dir, e.Name), []byte(e.Text)); err != nil {
			return fmt.Errorf("carry out an interrupted change of %s: %w", e.Name, err)
		}
		now[e.Name] = hashOf([]byte(e.Text))
	}
	return s.disk.Remove(path)
}

// interrupted reads the journal; nil if there is none.
func (s *Store) interrupted(path string) ([]journalEntry, error) {
	text, err := s.disk.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	entries := []journalEntry{}
	err = json.Unmarshal(text, &entries)
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

// reached reports whether a file holds what one of the steps writes.
func reached(entries []journalEntry, name, hash string) bool {
	return slices.ContainsFunc(entries, func(e journalEntry) bool {
		return e.Name == name && hashOf([]byte(e.Text)) == hash
	})
}
