package hassfile

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/permission"
)

// names are the files in the order in which they are read.
func names() []string {
	return []string{authFile, passwordFile, totpFile, notifyFile, onboardingFile, extraFile}
}

// loader reads a folder into a state.
type loader struct {
	disk   files
	dir    string
	log    *slog.Logger
	state  *state
	stamps map[string]stamp
	// loadedGroups counts the groups in the file, and legacy is the last one without a policy (storage.md §2.3).
	loadedGroups int
	legacy       string
}

// load reads all files. Nothing in the folder is changed, whatever they hold.
func (l *loader) load() error {
	l.state, l.stamps = newState(), map[string]stamp{}
	for _, name := range names() {
		if err := l.file(name); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) file(name string) error {
	path := filepath.Join(l.dir, name)
	at, err := stampOf(l.disk, path)
	if err != nil {
		return err
	}
	l.stamps[name] = at
	if at.info == nil {
		return nil
	}
	text, err := l.disk.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%w: let this program's user read the file", err)
	}
	data, e, err := openEnvelope(name, text)
	if err != nil {
		return err
	}
	r := &record{file: name, place: "data"}
	if data != nil {
		var ok bool
		if r.object, ok = data.(*object); !ok && name != authFile {
			return &fileError{name, "data", errors.New("an object is expected")}
		}
	}
	if r.object != nil {
		l.data(name, r, &e)
	}
	l.state.envelopes[name] = e
	return r.err
}

func (l *loader) data(name string, r *record, e *envelope) {
	switch name {
	case authFile:
		e.data = r.without("users", "groups", "credentials", "refresh_tokens")
		l.auth(r)
	case passwordFile:
		e.data = r.without("users")
		l.passwords(r)
	case totpFile:
		e.data = r.without("users")
		l.module(r, "totp")
	case notifyFile:
		e.data = r.without("users")
		l.module(r, "notify")
	case onboardingFile:
		e.data = r.without("done")
		l.state.onboarding = migrateOnboarding(e.version, r.texts("done"))
	case extraFile:
		e.data = r.without("modules")
		l.extra(r)
	}
}

// auth reads users, groups, credentials and refresh tokens with the migrations of storage.md §2.3.
func (l *loader) auth(r *record) {
	s := l.state
	l.groups(r)
	var users []*userEntry
	byID := map[string]*userEntry{}
	for _, each := range r.list("users", true) {
		u := readUser(each)
		if byID[u.ID] != nil {
			each.fail("id", "there are two users %s", u.ID)
		}
		if r.err = firstErr(r.err, each.err); r.err != nil {
			return
		}
		byID[u.ID] = u
		users = append(users, u)
	}
	seen := map[string]bool{}
	for _, each := range r.list("credentials", true) {
		c, e := readCredentials(each)
		switch {
		case each.err == nil && byID[c.UserID] == nil:
			each.fail("user_id", "there is no user %s", c.UserID)
		case each.err == nil && seen[c.ID]:
			each.fail("id", "there are two credentials %s", c.ID)
		}
		if r.err = firstErr(r.err, each.err); r.err != nil {
			return
		}
		seen[c.ID] = true
		u := byID[c.UserID]
		u.Credentials, u.credentials = append(u.Credentials, c), append(u.credentials, e)
	}
	for _, u := range users {
		u.GroupIDs = l.memberships(u)
		s.addUser(u)
	}
	l.tokens(r)
}

func firstErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (l *loader) tokens(r *record) {
	s := l.state
	for _, each := range r.list("refresh_tokens", true) {
		t, note := readToken(each)
		if each.err == nil && note != "" {
			l.log.Error(note, "file", authFile)
			continue
		}
		switch {
		case each.err != nil:
		case s.users[t.UserID] == nil:
			each.fail("user_id", "there is no user %s", t.UserID)
		case s.tokens[t.ID] != nil:
			each.fail("id", "there are two refresh tokens %s", t.ID)
		}
		if r.err = firstErr(r.err, each.err); r.err != nil {
			return
		}
		if _, known := s.holders[t.CredentialID]; !known {
			t.CredentialID = ""
		}
		s.addToken(t)
	}
}

// groups reads the groups. The built-in ones are those of the code, whatever the file says of them. A group without a
// policy is not one, and a policy that is not understood allows nothing.
func (l *loader) groups(r *record) {
	s := l.state
	s.groups = nil
	for _, each := range r.list("groups", false) {
		g := &groupEntry{Group: latchkey.Group{ID: each.text("id")}, extra: each.without("id", "name", "policy")}
		id := g.ID
		if _, twice := s.group(id); twice {
			each.fail("id", "there are two groups %s", id)
		}
		if system, ok := systemGroup(id); ok && each.err == nil {
			g.Group = system
			l.loadedGroups++
			s.groups = append(s.groups, g)
			continue
		}
		g.Name = each.nullable("name", true)
		if r.err = firstErr(r.err, each.err); r.err != nil {
			return
		}
		policy, ok := each.get("policy")
		if !ok || policy == nil {
			l.legacy = id
			continue
		}
		var err error
		g.policy = policy
		if err = g.Policy.UnmarshalJSON(appendValue(nil, policy, 0)); err != nil {
			l.log.Error("a policy is not understood, so that it allows nothing", "group", id, "error", err)
			g.Policy = permission.Policy{}
		}
		l.loadedGroups++
		s.groups = append(s.groups, g)
	}
	for _, id := range []string{latchkey.GroupAdmin, latchkey.GroupReadOnly, latchkey.GroupUser} {
		if _, ok := s.group(id); !ok {
			system, _ := systemGroup(id)
			s.groups = append(s.groups, &groupEntry{Group: system})
		}
	}
}

// memberships returns the groups of a user after the migrations. One in a group that does not exist is dropped: it grants
// nothing to anybody.
func (l *loader) memberships(u *userEntry) []string {
	var ids []string
	add := func(id string) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, id := range u.GroupIDs {
		if l.loadedGroups == 0 && l.legacy != "" && id == l.legacy {
			id = latchkey.GroupAdmin // state B
		}
		if _, ok := l.state.group(id); !ok {
			l.log.Warn("a membership in a group that does not exist is dropped", "user_id", u.ID, "group", id)
			continue
		}
		add(id)
	}
	if l.loadedGroups == 0 && l.legacy == "" && !u.SystemGenerated {
		add(latchkey.GroupAdmin) // state A
	}
	return ids
}

func (l *loader) passwords(r *record) {
	var entries []*passwordEntry
	seen := map[string]bool{}
	for _, each := range r.list("users", true) {
		e := &passwordEntry{record: each.object}
		e.Username = each.text("username")
		if hash, _ := each.get("password"); hash != nil {
			text, ok := hash.(string)
			if !ok {
				each.fail("password", "a text is expected")
			}
			e.Hash = text
		}
		if each.err == nil && seen[e.Username] {
			each.fail("username", "there are two records of %q", e.Username)
		}
		if r.err = firstErr(r.err, each.err); r.err != nil {
			return
		}
		seen[e.Username] = true
		entries = append(entries, e)
	}
	l.state.passwords = newPasswordList(entries)
}

// module reads the users of a second factor.
func (l *loader) module(r *record, id string) {
	users, ok := r.get("users")
	if !ok {
		return
	}
	o, ok := users.(*object)
	if !ok {
		r.fail("users", "an object is expected")
		return
	}
	table := l.state.module(id)
	for _, m := range o.members {
		if _, twice := table.known[m.key]; twice {
			r.fail("users."+m.key, "the user is there twice")
			return
		}
		if err := checkModule(id, m.value); err != nil {
			r.fail("users."+m.key, "%w", err)
			return
		}
		table.order = append(table.order, m.key)
		table.known[m.key] = m.value
	}
}

// extra reads what only latchkey knows.
func (l *loader) extra(r *record) {
	modules, _ := r.must("modules").(*object)
	if modules == nil {
		r.fail("modules", "an object is expected")
		return
	}
	for _, m := range modules.members {
		users, ok := m.value.(*object)
		if !ok {
			r.fail("modules."+m.key, "an object is expected")
			return
		}
		table := l.state.module(m.key)
		for _, u := range users.members {
			o, ok := u.value.(*object)
			if !ok {
				r.fail("modules."+m.key+"."+u.key, "an object is expected")
				return
			}
			table.ours[u.key] = o
		}
	}
}

// module returns the table of a second factor, which is made when there is none.
func (s *state) module(id string) *moduleTable {
	if s.modules[id] == nil {
		s.modules[id] = newModuleTable()
	}
	return s.modules[id]
}

// isFolder refuses what is no .storage folder. An empty folder is one that is about to be.
func isFolder(d files, dir string, entries []fs.DirEntry) error {
	info, err := d.Stat(dir)
	if err != nil {
		return fmt.Errorf("%w: name the .storage folder in the configuration folder of Home Assistant", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no folder: name the .storage folder in the configuration folder of Home Assistant", dir)
	}
	strange := false
	for _, e := range entries {
		if slices.Contains(names(), e.Name()) || strings.HasPrefix(e.Name(), "core.") {
			return nil
		}
		ours := strings.HasPrefix(e.Name(), ".latchkey.") || strings.HasSuffix(e.Name(), temporary)
		strange = strange || !ours
	}
	if strange {
		return fmt.Errorf("%s holds files, but none of Home Assistant's: name its .storage folder, or an empty one", dir)
	}
	return nil
}
