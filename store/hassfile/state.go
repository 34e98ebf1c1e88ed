package hassfile

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// state is everything that the files hold, as of one moment. A state that is shared never changes, and neither do the
// entries in it: a transaction works on a copy, whose maps and lists are its own where it writes.
type state struct {
	users     map[string]*userEntry
	userOrder []string
	groups    []*groupEntry // with the built-in ones, in the order of the file

	tokens     map[string]*tokenEntry
	tokensOf   map[string][]string // by user, in the order of their creation; within a transaction, also of some that are gone
	bySecret   map[[sha256.Size]byte]string
	holders    map[string]string       // of credentials: the user's id
	bySubject  map[subjectKey][]string // ids of credentials
	passwords  *passwordList
	modules    map[string]*moduleTable
	onboarding []string
	envelopes  map[string]envelope
	ends       *ends
}

// ends are the tokens that end by themselves, the first to end first. They are sorted when somebody asks.
type ends struct {
	once  sync.Once
	order []*tokenEntry
}

type userEntry struct {
	latchkey.User
	extra       []member
	credentials []*credentialsEntry // in the order of User.Credentials
	text        encoded             // the record as it stands in the file, or is about to; set by who writes
}

type credentialsEntry struct {
	id    string
	data  any // as it stands in the file
	extra []member
	text  encoded
}

type groupEntry struct {
	latchkey.Group
	policy any // as it stands in the file, understood or not; built-in groups have none there
	extra  []member
}

type tokenEntry struct {
	latchkey.RefreshToken
	hash [sha256.Size]byte // of the secret
	// lasting is how long access tokens are good, in seconds as the file has it, if that is too long for a Duration.
	lasting json.Number
	blank   []string // the keys that hold an empty text in the file, which is null otherwise
	extra   []member
	text    encoded
	// recalled says that it stood in the file as it did the last time.
	recalled bool
}

// subjectKey finds credentials by what their provider knows the person by.
type subjectKey struct {
	provider latchkey.ProviderKey
	subject  string
}

func subjectOf(c latchkey.Credentials) subjectKey {
	return subjectKey{c.Provider, latchkey.NormalizeUsername(c.Subject())}
}

// passwordList is the file of the built-in provider.
type passwordList struct {
	entries      []*passwordEntry
	byName       map[string][]*passwordEntry // by the normalised name, in the order of entries
	unnormalized []string                    // sorted
}

type passwordEntry struct {
	latchkey.Password
	record *object // as it stands in the file
}

func newPasswordList(entries []*passwordEntry) *passwordList {
	l := &passwordList{entries: entries, byName: make(map[string][]*passwordEntry, len(entries))}
	for _, e := range entries {
		l.named(e)
	}
	return l
}

// clone returns a list that can be changed. What its maps and lists hold is shared.
func (l *passwordList) clone() *passwordList {
	return &passwordList{slices.Clone(l.entries), maps.Clone(l.byName), slices.Clone(l.unnormalized)}
}

// named makes an entry found by its name.
func (l *passwordList) named(e *passwordEntry) {
	name := latchkey.NormalizeUsername(e.Username)
	l.byName[name] = append(slices.Clip(l.byName[name]), e)
	if name != e.Username {
		i, _ := slices.BinarySearch(l.unnormalized, e.Username)
		l.unnormalized = slices.Insert(l.unnormalized, i, e.Username)
	}
}

// find returns the entry of exactly this username, or nil.
func (l *passwordList) find(username string) *passwordEntry {
	for _, e := range l.byName[latchkey.NormalizeUsername(username)] {
		if e.Username == username {
			return e
		}
	}
	return nil
}

func (l *passwordList) add(e *passwordEntry) {
	l.entries = append(l.entries, e)
	l.named(e)
}

// replace puts an entry, or nothing, in the place of another.
func (l *passwordList) replace(before *passwordEntry, by ...*passwordEntry) {
	i := slices.Index(l.entries, before)
	l.entries = slices.Replace(l.entries, i, i+1, by...)
	name := latchkey.NormalizeUsername(before.Username)
	l.byName[name] = slices.DeleteFunc(slices.Clone(l.byName[name]), func(e *passwordEntry) bool { return e == before })
	if len(l.byName[name]) == 0 {
		delete(l.byName, name)
	}
	if i, odd := slices.BinarySearch(l.unnormalized, before.Username); odd {
		l.unnormalized = slices.Delete(l.unnormalized, i, i+1)
	}
	for _, e := range by {
		l.named(e)
	}
}

// moduleTable is what a second factor keeps for its users: in Home Assistant's file what that knows, beside it the rest.
type moduleTable struct {
	order []string
	known map[string]any     // by user; what Home Assistant's file holds
	ours  map[string]*object // by user; what only latchkey knows
}

func newModuleTable() *moduleTable {
	return &moduleTable{known: map[string]any{}, ours: map[string]*object{}}
}

func (m *moduleTable) clone() *moduleTable {
	return &moduleTable{slices.Clone(m.order), maps.Clone(m.known), maps.Clone(m.ours)}
}

func newState() *state {
	s := &state{
		users: map[string]*userEntry{}, tokens: map[string]*tokenEntry{}, tokensOf: map[string][]string{},
		bySecret: map[[sha256.Size]byte]string{}, holders: map[string]string{}, bySubject: map[subjectKey][]string{},
		passwords: newPasswordList(nil), modules: map[string]*moduleTable{}, envelopes: map[string]envelope{},
		ends: &ends{},
	}
	for _, g := range latchkey.SystemGroups() {
		s.groups = append(s.groups, &groupEntry{Group: g})
	}
	return s
}

// expect makes room for so many tokens in a state that has none.
func (s *state) expect(tokens int) {
	s.tokens = make(map[string]*tokenEntry, tokens)
	s.bySecret = make(map[[sha256.Size]byte]string, tokens)
}

// addUser adds a user with the credentials that it holds.
func (s *state) addUser(e *userEntry) {
	s.users[e.ID] = e
	for _, c := range e.Credentials {
		s.addCredentials(c)
	}
}

func (s *state) addCredentials(c latchkey.Credentials) {
	s.holders[c.ID] = c.UserID
	key := subjectOf(c)
	s.bySubject[key] = append(s.bySubject[key], c.ID)
}

// dropCredentials is for a state whose lists by subject are its own.
func (s *state) dropCredentials(c latchkey.Credentials) {
	delete(s.holders, c.ID)
	key := subjectOf(c)
	s.bySubject[key] = slices.DeleteFunc(s.bySubject[key], func(id string) bool { return id == c.ID })
	if len(s.bySubject[key]) == 0 {
		delete(s.bySubject, key)
	}
}

// addToken is for a state whose list of the user's tokens is its own.
func (s *state) addToken(e *tokenEntry) {
	s.tokens[e.ID] = e
	s.tokensOf[e.UserID] = append(s.tokensOf[e.UserID], e.ID)
	s.bySecret[e.hash] = e.ID
}

// dropToken removes a token. Its id stays in the list of the user's tokens until that is compacted, which takes as long for
// many as for one.
func (s *state) dropToken(e *tokenEntry) {
	if s.bySecret[e.hash] == e.ID {
		delete(s.bySecret, e.hash)
	}
	delete(s.tokens, e.ID)
}

// compact is for a state whose list of the user's tokens is its own.
func (s *state) compact(userID string) {
	s.tokensOf[userID] = slices.DeleteFunc(s.tokensOf[userID], func(id string) bool { return s.tokens[id] == nil })
	if len(s.tokensOf[userID]) == 0 {
		delete(s.tokensOf, userID)
	}
}

// tokensBy are the tokens of a user, in the order of their creation.
func (s *state) tokensBy(userID string) iter.Seq[*tokenEntry] {
	return func(yield func(*tokenEntry) bool) {
		for _, id := range s.tokensOf[userID] {
			if e := s.tokens[id]; e != nil && !yield(e) {
				return
			}
		}
	}
}

// byExpiry returns the tokens that end by themselves, the first to end first.
func (s *state) byExpiry() []*tokenEntry {
	s.ends.once.Do(func() {
		for _, e := range s.tokens {
			if !e.ExpireAt.IsZero() {
				s.ends.order = append(s.ends.order, e)
			}
		}
		slices.SortFunc(s.ends.order, func(a, b *tokenEntry) int {
			return cmp.Or(a.ExpireAt.Compare(b.ExpireAt), cmp.Compare(a.ID, b.ID))
		})
	})
	return s.ends.order
}

// take makes what a file holds be what it holds in another state, for a state that nobody has seen yet.
func (s *state) take(file string, from *state) {
	if e, ok := from.envelopes[file]; ok {
		s.envelopes[file] = e
	}
	switch file {
	case authFile:
		s.users, s.userOrder, s.groups = from.users, from.userOrder, from.groups
		s.tokens, s.tokensOf, s.bySecret, s.ends = from.tokens, from.tokensOf, from.bySecret, from.ends
		s.holders, s.bySubject = from.holders, from.bySubject
	case passwordFile:
		s.passwords = from.passwords
	case totpFile, notifyFile:
		for id, table := range from.modules {
			if fileOf(id) == file {
				mine := s.module(id)
				mine.order, mine.known = table.order, table.known
			}
		}
	case onboardingFile:
		s.onboarding = from.onboarding
	case extraFile:
		for id, table := range from.modules {
			s.module(id).ours = table.ours
		}
	}
}

func (s *state) group(id string) (latchkey.Group, bool) {
	for _, g := range s.groups {
		if g.ID == id {
			return g.Group, true
		}
	}
	return latchkey.Group{}, false
}

// systemGroup returns a built-in group, and whether there is one of this id.
func systemGroup(id string) (latchkey.Group, bool) {
	for _, g := range latchkey.SystemGroups() {
		if g.ID == id {
			return g, true
		}
	}
	return latchkey.Group{}, false
}

// micro is a time as fine as the files keep it.
func micro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}
