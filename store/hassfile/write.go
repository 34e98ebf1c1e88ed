package hassfile

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// step is one file that a write puts in its place.
type step struct {
	name  string
	state *state // what the file shall hold
}

// plan returns the steps that make the files of a state durable. Whatever happens between two of them, Home Assistant
// finds no password without its login: passwords go before their logins, and come after them. The file of passwords is
// written twice where some go and others come.
func plan(before, goal *state, dirty map[string]bool) []step {
	var steps []step
	add := func(names ...string) {
		for _, name := range names {
			if dirty[name] {
				steps = append(steps, step{name, goal})
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
		steps = append(steps, step{passwordFile, &between})
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

// write makes the files of a state durable. All of them are written beside those in place first: what fails for want of
// space fails before anything has changed.
func (s *Store) write(goal *state, dirty map[string]bool) error {
	steps := plan(s.durable.Load(), goal, dirty)
	prepared, err := s.prepare(steps)
	if err != nil {
		return err
	}
	if len(prepared) > 1 {
		err = s.journal(prepared)
	}
	placed := 0
	if err == nil {
		placed, err = s.place(prepared)
	}
	switch {
	case err != nil && placed == 0: // nothing has changed, nor will it
		return errors.Join(err, discard(s.disk, append(s.temps(prepared), s.path(journalFile))...))
	case err != nil: // what is left will be carried out by the journal
		return err
	case len(prepared) > 1:
		if err := discard(s.disk, s.path(journalFile)); err != nil {
			s.log.Warn("the journal of a change that is made cannot be removed", "folder", s.dir, "error", err)
		}
	}
	return nil
}

// prepared is a step whose text is on the disk, under another name.
type prepared struct {
	name  string
	temp  string
	hash  string
	stamp stamp // which goes with the file into its place
}

func (s *Store) prepare(steps []step) (all []prepared, err error) {
	for i, each := range steps {
		p := prepared{name: each.name, temp: tempOf(i, each.name)}
		p.hash, err = prepare(s.disk, s.path(p.temp), s.path(p.name), func(w io.Writer) error {
			return each.state.writeTo(w, each.name)
		})
		all = append(all, p)
		if err == nil {
			all[i].stamp, err = stampOf(s.disk, s.path(p.temp))
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("write %s: %w", each.name, err), discard(s.disk, s.temps(all)...))
		}
	}
	return all, nil
}

// temps returns where what was prepared is.
func (s *Store) temps(all []prepared) []string {
	var paths []string
	for _, p := range all {
		paths = append(paths, s.path(p.temp))
	}
	return paths
}

// place puts what was prepared in its places, one after another. It returns how many are there.
func (s *Store) place(all []prepared) (placed int, err error) {
	if err := s.unchanged(all); err != nil {
		return 0, err
	}
	for i, p := range all {
		if err := s.disk.Rename(s.path(p.temp), s.path(p.name)); err != nil {
			return i, fmt.Errorf("write %s: %w", p.name, err)
		}
		s.stamps[p.name] = p.stamp
		if err := s.disk.SyncDir(s.dir); err != nil {
			return i + 1, fmt.Errorf("write %s: %w", p.name, err)
		}
	}
	return len(all), nil
}

// unchanged makes sure that the files are those that were read or written last, and that nobody is about to read them: a Home
// Assistant that has been started since, which may be while the disk is slow, has all of it in memory soon.
func (s *Store) unchanged(all []prepared) error {
	if len(all) > 0 && homeAssistantRuns(s.dir) {
		return fmt.Errorf("%s: %w", s.dir, ErrHomeAssistantRuns)
	}
	for _, p := range all {
		now, err := stampOf(s.disk, s.path(p.name))
		if err != nil {
			return err
		}
		if !now.same(s.stamps[p.name]) {
			return fmt.Errorf("%s: %w", s.path(p.name), ErrForeignChange)
		}
	}
	return nil
}
