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
)

// journalFile holds a change of several files while it is carried out.
const journalFile = ".latchkey.journal"

// journalEntry is one file of a change.
type journalEntry struct {
	Name string `json:"name"`
	// Before is the SHA-256 of what the file held; empty if there was none.
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
func (s *Store) journal(changed []string, texts map[string][]byte) error {
	var entries []journalEntry
	for _, name := range changed {
		before, err := s.hashOfFile(name)
		if err != nil {
			return err
		}
		entries = append(entries, journalEntry{name, before, string(texts[name])})
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(entries); err != nil {
		return err
	}
	if err := replace(s.disk, filepath.Join(s.dir, journalFile), b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return nil
}

// replay carries out what a crash has interrupted. A file that somebody else has written since is left alone.
func (s *Store) replay() error {
	path := filepath.Join(s.dir, journalFile)
	text, err := s.disk.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	var entries []journalEntry
	if err := json.Unmarshal(text, &entries); err != nil {
		return &fileError{journalFile, "", fmt.Errorf("%w: remove it if Home Assistant's files are as they should be", err)}
	}
	for _, e := range entries {
		now, err := s.hashOfFile(e.Name)
		if err != nil {
			return err
		}
		if now == hashOf([]byte(e.Text)) {
			continue
		}
		if now != e.Before {
			s.log.Warn("an interrupted change of a file is given up, because another program wrote the file since", "file", e.Name)
			continue
		}
		if err := replace(s.disk, filepath.Join(s.dir, e.Name), []byte(e.Text), modeOf(e.Name)); err != nil {
			return fmt.Errorf("carry out an interrupted change of %s: %w", e.Name, err)
		}
	}
	return s.disk.Remove(path)
}
