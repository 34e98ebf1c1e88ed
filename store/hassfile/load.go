package hassfile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
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
	folder
	log    *slog.Logger
	state  *state
	stamps map[string]stamp
	// instead names what is read in the place of a file: what an interrupted change has prepared for it.
	instead map[string]string
	// before is what was read last; nil for nothing. The tokens that are still the same are not read anew.
	before *state
	// known are the files as they were read or written last. One that there was may not be gone.
	known map[string]stamp
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
	path := l.path(name)
	if instead, ok := l.instead[name]; ok {
		path = l.path(instead)
	}
	at, err := stampOf(l.disk, path)
	if err != nil {
		return advised(err)
	}
	l.stamps[name] = at
	switch {
	case at.info == nil && l.known[name].info != nil:
		return &fileError{name, "", fmt.Errorf("%w any more: %s", fs.ErrNotExist, putBack)}
	case at.info == nil:
		return nil
	case !at.info.Mode().IsRegular():
		return &fileError{name, "", errors.New("it is no file, but a folder or something else: put the file in its place")}
	}
	text, err := l.disk.ReadFile(path)
	if err != nil {
		return advised(err)
	}
	p := &parser{text: text}
	if name == authFile && l.before != nil {
		p.recall = l.recall
	}
	data, e, err := openEnvelope(name, p)
	if err != nil {
		return err
	}
	r := &record{file: name}
	if data != nil {
		var ok bool
		if r.object, ok = data.(*object); !ok && name != authFile {
			return &fileError{name, "data", errors.New("an object is expected")}
		}
	}
	if r.object != nil {
		l.data(name, r, &e)
	} else if name == authFile && l.before != nil && len(l.before.users) > 0 {
		return &fileError{name, "", errors.New("it holds nobody any more: " + putBack)}
	}
	l.state.envelopes[name] = e
	return r.err
}

// putBack is what to do about a file that was there. Home Assistant removes none while it runs, and without its users a
// house would stand empty, open to whoever comes first.
const putBack = "put it back, or start this program again if that is meant"

// advised says what to do about a file that cannot be read.
func advised(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: let this program's user read the folder and what is in it", err)
	}
	return err
}

// recall finds a token that is known from the last time, and the same: they are nearly all of a large file.
func (l *loader) recall(rest string) (known any, length int) {
	const head = "{\n        \"id\": \"" // as we lay records out
	if !strings.HasPrefix(rest, head) {
		return nil, 0
	}
	end := strings.IndexByte(rest[len(head):], '"')
	if end < 0 {
		return nil, 0
	}
	e := l.before.tokens[rest[len(head):len(head)+end]]
	if e == nil || e.text == "" || !strings.HasPrefix(rest, string(e.text)) {
		return nil, 0
	}
	same := *e
	same.text, same.recalled = encoded(rest[:len(e.text)]), true // the text of the last time can go
	return &same, len(e.text)
}

func (l *loader) data(name string, r *record, e *envelope) {
	switch name {
	case authFile:
		l.auth(r)
	case passwordFile:
		l.passwords(r)
	case totpFile:
		l.module(r, "totp")
	case notifyFile:
		l.module(r, "notify")
	case onboardingFile:
		l.state.onboarding = migrateOnboarding(e.version, r.texts("done"))
	case extraFile:
		l.extra(r)
	}
	e.data = r.rest() // what none of them asked for
}

// auth reads users, groups, credentials and refresh tokens with the migrations of storage.md §2.3.
func (l *loader) auth(r *record) {
	l.groups(r)
	users := l.users(r)
	l.credentials(r, users)
	if r.err != nil {
		return
	}
	for _, id := range l.state.userOrder {
		l.state.addUser(users[id])
	}
	l.tokens(r)
}

// users reads the users, whose order is that of the state. They are added to it once they have their credentials.
func (l *loader) users(r *record) map[string]*userEntry {
	all := r.records("users", true)
	users := make(map[string]*userEntry, len(all))
	l.state.userOrder = make([]string, 0, len(all))
	for i := range all {
		u := readUser(&all[i])
		if users[u.ID] != nil {
			all[i].fail("id", "there are two users %s", u.ID)
		}
		if r.err = cmp.Or(r.err, all[i].err); r.err != nil {
			return nil
		}
		groups := l.memberships(u)
		if !slices.Equal(groups, u.GroupIDs) {
			u.GroupIDs, u.text = groups, ""
		}
		users[u.ID] = u
		l.state.userOrder = append(l.state.userOrder, u.ID)
	}
	return users
}

func (l *loader) credentials(r *record, users map[string]*userEntry) {
	all := r.records("credentials", true)
	seen := make(map[string]bool, len(all))
	for i := range all {
		c, e := readCredentials(&all[i])
		u := users[c.UserID]
		switch {
		case all[i].err == nil && u == nil:
			all[i].fail("user_id", "there is no user %s", c.UserID)
		case seen[c.ID]:
			all[i].fail("id", "there are two credentials %s", c.ID)
		}
		if r.err = cmp.Or(r.err, all[i].err); r.err != nil {
			return
		}
		seen[c.ID] = true
		u.Credentials, u.credentials = append(u.Credentials, c), append(u.credentials, e)
	}
}

func (l *loader) tokens(r *record) {
	s := l.state
	all := r.records(tokensKey, true)
	s.expect(len(all))
	for i := range all {
		t, note := all[i].token, ""
		if t == nil {
			t, note = readToken(&all[i])
		}
		if all[i].err == nil && note != "" {
			l.log.Error(note, "file", authFile)
			continue
		}
		switch {
		case all[i].err != nil:
		case s.users[t.UserID] == nil:
			all[i].fail("user_id", "there is no user %s", t.UserID)
		case s.tokens[t.ID] != nil:
			all[i].fail("id", "there are two refresh tokens %s", t.ID)
		}
		if r.err = cmp.Or(r.err, all[i].err); r.err != nil {
			return
		}
		if _, known := s.holders[t.CredentialID]; !known && t.CredentialID != "" {
			t.CredentialID, t.text, t.recalled = "", "", false
		}
		s.addToken(t)
	}
}

// groups reads the groups. The built-in ones are those of the code, whatever the file says of them. A group without a
// policy is not one, and a policy that is not understood allows nothing.
func (l *loader) groups(r *record) {
	s := l.state
	s.groups = nil
	all := r.records("groups", false)
	for i := range all {
		each := &all[i]
		g := l.group(each)
		if _, twice := s.group(g.ID); twice {
			each.fail("id", "there are two groups %s", g.ID)
		}
		if r.err = cmp.Or(r.err, each.err); r.err != nil {
			return
		}
		if !g.SystemGenerated && g.policy == nil {
			l.legacy = g.ID
			continue
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

func (l *loader) group(r *record) *groupEntry {
	g := &groupEntry{Group: latchkey.Group{ID: r.id("id")}}
	_, _ = r.get("name") // known, though that of a built-in group does not count
	g.policy, _ = r.get("policy")
	g.extra = r.rest()
	if system, ok := systemGroup(g.ID); ok {
		g.Group, g.policy = system, nil
		return g
	}
	g.Name = r.nullable("name", true)
	own(&g.ID, &g.Name.Text)
	if g.policy == nil {
		return g
	}
	if err := g.Policy.UnmarshalJSON(appendValue(nil, g.policy, 0)); err != nil {
		l.log.Error("a policy is not understood, so that it allows nothing", "group", g.ID, "error", err)
		g.Policy = permission.Policy{}
	}
	return g
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
	all := r.records("users", true)
	entries := make([]*passwordEntry, 0, len(all))
	seen := make(map[string]bool, len(all))
	for i := range all {
		each := &all[i]
		e := &passwordEntry{record: each.object}
		e.Username = each.text("username")
		if hash, _ := each.get("password"); hash != nil {
			e.Hash = each.text("password")
		}
		own(&e.Username, &e.Hash)
		if each.err == nil && seen[e.Username] {
			each.fail("username", "there are two records of %q", e.Username)
		}
		if r.err = cmp.Or(r.err, each.err); r.err != nil {
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
	if o.twice != "" {
		r.fail("users."+o.twice, "the user is there twice")
		return
	}
	table := l.state.module(id)
	for _, m := range o.members {
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
