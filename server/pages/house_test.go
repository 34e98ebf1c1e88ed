package pages_test

import (
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/mfa/notify"
	"github.com/seed-6a977b3d/latchkey/mfa/totp"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/server"
	"github.com/seed-6a977b3d/latchkey/server/pages"
	"github.com/seed-6a977b3d/latchkey/server/web"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// password is long and rare enough to be accepted.
const password = "correct horse battery"

// house is a server with all pages over a real store, with the owner anna.
type house struct {
	*latchkey.Manager
	t     testing.TB
	store latchkey.Store
	local *homeassistant.Provider
	bans  *bans
	post  *mailbox
	url   string
	log   *strings.Builder
}

// open starts a house. change may alter what the pages and the server are made with.
func open(t testing.TB, change ...func(*server.Options, *pages.Options)) *house {
	t.Helper()
	return openOver(t, newStore(t), change...)
}

// newStore returns an empty store.
func newStore(t testing.TB) latchkey.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "latchkey.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func openOver(t testing.TB, store latchkey.Store, change ...func(*server.Options, *pages.Options)) *house {
	t.Helper()
	h := &house{t: t, store: store, bans: &bans{list: map[netip.Addr]time.Time{}}, post: &mailbox{make(chan string, 16)}, log: &strings.Builder{}}
	log := slog.New(slog.NewTextHandler(&locked{w: h.log}, nil))
	var err error
	if h.local, err = homeassistant.New(store, homeassistant.Options{Cost: 4}); err != nil {
		t.Fatal(err)
	}
	app, err := totp.New(store, totp.Config{Name: "Authenticator app"})
	if err != nil {
		t.Fatal(err)
	}
	letters, err := notify.New(store, h.post, notify.Config{Name: "Letters"})
	if err != nil {
		t.Fatal(err)
	}
	h.Manager, err = latchkey.New(store, latchkey.Options{
		Providers: []latchkey.Provider{h.local}, Modules: []latchkey.MFAModule{app, letters}, Logger: log,
		Lookup: things{},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	bare, err := web.New(web.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := server.Options{Local: h.local, Onboarding: store, Logger: log}
	p := pages.Options{Manager: h.Manager, Local: h.local, Bans: h.bans, Lookup: things{}, Logger: log}
	for _, c := range change {
		c(&o, &p)
	}
	if o.Pages, err = pages.New(bare, p); err != nil {
		t.Fatal(err)
	}
	api, err := server.New(h.Manager, o)
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(api)
	t.Cleanup(listener.Close)
	h.url = listener.URL
	if _, err := h.Owner(t.Context()); err != nil {
		h.person("anna", nil)
	}
	return h
}

// locked lets a builder be written to by many.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// bans is a list of bans in memory.
type bans struct{ list map[netip.Addr]time.Time }

func (b *bans) Bans(context.Context) (map[netip.Addr]time.Time, error) { return b.list, nil }

func (b *bans) Lift(_ context.Context, addr netip.Addr) error {
	if _, ok := b.list[addr]; !ok {
		return latchkey.ErrNotFound
	}
	delete(b.list, addr)
	return nil
}

// mailbox takes the letters that codes are sent with.
type mailbox struct{ letters chan string }

func (*mailbox) Services(context.Context) []string { return []string{"letterbox"} }

func (m *mailbox) Notify(_ context.Context, _ string, n notify.Message) error {
	m.letters <- n.Text
	return nil
}

// code waits for the next letter and returns the code in it.
func (m *mailbox) code() string { return regexp.MustCompile(`\d{6}`).FindString(<-m.letters) }

// person makes a user with a login of the same name. The first is the owner.
func (h *house) person(username string, change func(*latchkey.NewUser)) latchkey.User {
	h.t.Helper()
	login, err := h.local.NewLogin(h.t.Context(), username, password)
	if err != nil {
		h.t.Fatal(err)
	}
	n := latchkey.NewUser{Name: latchkey.Text(username), GroupIDs: []string{latchkey.GroupUser}}
	if change != nil {
		change(&n)
	}
	u, err := h.CreateUser(h.t.Context(), n, login.GiveTo)
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}
