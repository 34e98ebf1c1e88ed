package hassfile

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
)

// step is one file that a write puts in its place.
type step struct {
	name string
	text []byte
}

// plan returns the steps that make the files of a state durable. Whatever happens between two of them, Home Assistant
// finds no password without its login: passwords go before their logins, and come after them. The file of passwords is
// written twice where some go and others come.
func plan(before, goal *state, dirty map[string]bool) []step {
	var steps []step
	add := func(names ...string) {
		for _, name := range names {
			if dirty[name] {
				steps = append(steps, step{name, goal.encode(name)})
			}
		}
	}
	gone := !before.passwords.within(goal.passwords)
	come := !goal.passwords.within(before.passwords)
	switch {
	case !come || !dirty[authFile]:
		add(passwordFile, authFile)
	case gone && dirty[passwordFile]:
		between := *goal
		between.passwords = goal.passwords.among(before.passwords)
		steps = append(steps, step{passwordFile, between.encode(passwordFile)})
		add(authFile, passwordFile)
	default:
		add(authFile, passwordFile)
	}
	add(totpFile, notifyFile, onboardingFile, extraFile)
	return steps
}

// among returns the records whose names are in another list as well.
func (l *passwordList) among(other *passwordList) *passwordList {
	names := other.names()
	var both []*passwordEntry
	for _, e := range l.entries {
		if names[e.Username] {
			both = append(both, e)
		}
	}
	return newPasswordList(both)
}

func (l *passwordList) names() map[string]bool {
	names := make(map[string]bool, len(l.entries))
	for _, e := range l.entries {
		names[e.Username] = true
	}
	return names
}

// within reports whether all names are in another list as well.
func (l *passwordList) within(other *passwordList) bool {
	if l == other {
		return true
	}
	names := other.names()
	return !slices.ContainsFunc(l.entries, func(e *passwordEntry) bool { return !names[e.Username] })
}

// write makes the files of a state durable.
func (s *Store) write(goal *state, dirty map[string]bool) error {
	steps := plan(s.durable.Load(), goal, dirty)
	for _, each := range steps {
		path := filepath.Join(s.dir, each.name)
		now, err := stampOf(s.disk, path)
		if err != nil {
			return err
		}
		if !now.same(s.stamps[each.name]) {
			return fmt.Errorf("%s: %w", path, ErrForeignChange)
		}
	}
	if len(steps) < 2 {
		_, err := s.place(steps)
		return err
	}
	journal := filepath.Join(s.dir, journalFile)
	if err := s.journal(steps); err != nil {
		return errors.Join(err, discard(s.disk, journal))
	}
	if placed, err := s.place(steps); err != nil && placed == 0 {
		return errors.Join(err, discard(s.disk, journal)) // nothing has changed, nor will it
	} else if err != nil {
		return err
	}
	return s.disk.Remove(journal)
}

// place puts files in their places, one after another, once all of them are written: what fails for want of space fails
// before anything has changed. It returns how many are in their places.
func (s *Store) place(steps []step) (placed int, err error) {
	temps := make([]string, len(steps))
	for i, each := range steps {
		temps[i] = filepath.Join(s.dir, fmt.Sprint(each.name, ".", i, temporary))
		if err := prepare(s.disk, temps[i], each.text); err != nil {
			return 0, errors.Join(fmt.Errorf("write %s: %w", each.name, err), discard(s.disk, temps[:i]...))
		}
	}
	for i, each := range steps {
		path := filepath.Join(s.dir, each.name)
		if err := s.disk.Rename(temps[i], path); err != nil {
			return i, errors.Join(fmt.Errorf("write %s: %w", each.name, err), discard(s.disk, temps[i:]...))
		}
		at, err := stampOf(s.disk, path)
		if err = errors.Join(err, s.disk.SyncDir(s.dir)); err != nil {
			return i + 1, errors.Join(fmt.Errorf("write %s: %w", each.name, err), discard(s.disk, temps[i+1:]...))
		}
		s.stamps[each.name] = at
	}
	return len(steps), nil
}
