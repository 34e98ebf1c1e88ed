package hassfile

import (
	"cmp"
	"crypto/sha256"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// state is everything that the files hold, as of one moment. A state that is shared never changes, and neither do the
// entries in it: a transaction works on a copy, whose maps are its own where it writes.
type state struct {
	users     map[string]*userEntry
	userOrder []string
	groups    []*groupEntry // with the built-in ones, in the order of the file

	tokens      map[string]*tokenEntry
	tokensOf    map[string][]string // by user, in the order of their creation
	bySecret    map[[sha256.Size]byte]string
	holders     map[string]string       // of credentials: the user's id
	bySubject   map[subjectKey][]string // ids of credentials
	passwords   *passwordList
	modules     map[string]*moduleTable
	onboarding  []string
	envelopes   map[string]envelope
	expiryOnce  *sync.Once
	expiryOrder []*tokenEntry
}

type userEntry struct {
	latchkey.User
	extra       []member
	credentials []*credentialsEntry // in the order of User.Credentials
	text        encoded             // the user as it stands in the file
}

type credentialsEntry struct {
	id    string
	data  any // as it stands in the file
	extra []member
}

type groupEntry struct {
	latchkey.Group
	policy any // as it stands in the file, understood or not; built-in groups have none there
	extra  []member
}

type tokenEntry struct {
	latchkey.RefreshToken
	blank []string // the keys that hold an empty text in the file, which is null otherwise
	extra []member
	text  encoded
}

// subjectKey finds credentials by what their provider knows the person by.
type subjectKey struct {
	provider latchkey.ProviderKey
	subject  string
}

func subjectOf(c latchkey.Credentials) subjectKey {
	return subjectKey{c.Provider, latchkey.NormalizeUsername(c.Subject())}
}

// passwordList is the file of the built-in provider. It never changes.
type passwordList struct {
	entries      []*passwordEntry
	byName       map[string][]*passwordEntry
	unnormalized []string
}

type passwordEntry struct {
	latchkey.Password
	record *object // as it stands in the file
}

func newPasswordList(entries []*passwordEntry) *passwordList {
	l := &passwordList{entries: entries, byName: make(map[string][]*passwordEntry, len(entries))}
	for _, e := range entries {
		name := latchkey.NormalizeUsername(e.Username)
		l.byName[name] = append(l.byName[name], e)
		if name != e.Username {
			l.unnormalized = append(l.unnormalized, e.Username)
		}
	}
	slices.Sort(l.unnormalized)
	return l
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
		expiryOnce: &sync.Once{},
	}
	for _, g := range latchkey.SystemGroups() {
		s.groups = append(s.groups, &groupEntry{Group: g})
	}
	return s
}

// addUser adds a user with the credentials that it holds.
func (s *state) addUser(e *userEntry) {
	s.users[e.ID] = e
	s.userOrder = append(s.userOrder, e.ID)
	for _, c := range e.Credentials {
		s.addCredentials(c)
	}
}

func (s *state) addCredentials(c latchkey.Credentials) {
	s.holders[c.ID] = c.UserID
	key := subjectOf(c)
	s.bySubject[key] = append(slices.Clip(s.bySubject[key]), c.ID)
}

func (s *state) dropCredentials(c latchkey.Credentials) {
	delete(s.holders, c.ID)
	key := subjectOf(c)
	rest := slices.DeleteFunc(slices.Clone(s.bySubject[key]), func(id string) bool { return id == c.ID })
	if len(rest) == 0 {
		delete(s.bySubject, key)
		return
	}
	s.bySubject[key] = rest
}

func (s *state) addToken(e *tokenEntry) {
	s.tokens[e.ID] = e
	s.tokensOf[e.UserID] = append(slices.Clip(s.tokensOf[e.UserID]), e.ID)
	s.bySecret[e.Secret.Hash()] = e.ID
}

func (s *state) dropToken(id string) {
	e := s.tokens[id]
	delete(s.tokens, id)
	delete(s.bySecret, e.Secret.Hash())
	rest := slices.DeleteFunc(slices.Clone(s.tokensOf[e.UserID]), func(other string) bool { return other == id })
	if len(rest) == 0 {
		delete(s.tokensOf, e.UserID)
		return
	}
	s.tokensOf[e.UserID] = rest
}

// byExpiry returns the tokens that end by themselves, the first to end first.
func (s *state) byExpiry() []*tokenEntry {
	s.expiryOnce.Do(func() {
		for _, e := range s.tokens {
			if !e.ExpireAt.IsZero() {
				s.expiryOrder = append(s.expiryOrder, e)
			}
		}
		slices.SortFunc(s.expiryOrder, func(a, b *tokenEntry) int {
			return cmp.Or(a.ExpireAt.Compare(b.ExpireAt), cmp.Compare(a.ID, b.ID))
		})
	})
	return s.expiryOrder
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
