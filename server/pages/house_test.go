package pages_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

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

// browser is somebody's browser: it keeps cookies, and fills in and sends the forms that pages show.
type browser struct {
	*house
	client http.Client
	// token is the refresh token that the session is.
	token latchkey.RefreshToken
}

// signIn begins a session. Where it is older, it was begun that long ago.
func (h *house) signIn(username string) *browser {
	h.t.Helper()
	c, err := h.local.Credentials(h.t.Context(), map[string]any{"username": username})
	if err != nil {
		h.t.Fatal(err)
	}
	token, err := h.CreateRefreshToken(h.t.Context(), latchkey.NewRefreshToken{
		UserID: c.UserID, ClientID: latchkey.Text(h.url + "/"), Credentials: &c,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	at, err := url.Parse(h.url)
	if err != nil {
		h.t.Fatal(err)
	}
	jar.SetCookies(at, []*http.Cookie{{Name: "latchkey_session", Value: token.Secret.Reveal()}})
	return &browser{house: h, client: http.Client{Jar: jar}, token: token}
}

// page is what a browser shows.
type page struct {
	t      testing.TB
	b      *browser
	status int
	url    *url.URL // where it ended up
	header http.Header
	text   string // as a person reads it
	source string
	root   *html.Node
}

func (b *browser) do(method, path string, form url.Values, header ...string) *page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.house.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	source, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	p := &page{t: b.t, b: b, status: res.StatusCode, url: res.Request.URL, header: res.Header, source: string(source)}
	if p.root, err = html.Parse(strings.NewReader(p.source)); err != nil {
		b.t.Fatal(err)
	}
	p.text = readable(p.root)
	return p
}

func (b *browser) get(path string, header ...string) *page {
	b.t.Helper()
	return b.do(http.MethodGet, path, nil, header...)
}

// readable is the text of a node, in one line.
func readable(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "script" && d.Parent.Data != "template" {
			b.WriteString(d.Data)
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// is fails the test unless the page has this status and shows these texts.
func (p *page) is(status int, texts ...string) *page {
	p.t.Helper()
	if p.status != status {
		p.t.Fatalf("%s: status %d, want %d: %s", p.url, p.status, status, p.text)
	}
	for _, text := range texts {
		if !strings.Contains(p.text, text) {
			p.t.Errorf("%s does not say %q: %s", p.url, text, p.text)
		}
	}
	return p
}

// lacks fails the test if the page shows one of the texts.
func (p *page) lacks(texts ...string) *page {
	p.t.Helper()
	for _, text := range texts {
		if strings.Contains(p.text, text) {
			p.t.Errorf("%s says %q: %s", p.url, text, p.text)
		}
	}
	return p
}

// at fails the test unless the browser ended up at this path below the root.
func (p *page) at(path string) *page {
	p.t.Helper()
	got := p.url.Path
	if p.url.RawQuery != "" {
		got += "?" + p.url.RawQuery
	}
	if got != path {
		p.t.Errorf("the browser is at %s, want %s", got, path)
	}
	return p
}

// all returns the elements of a kind.
func (p *page) all(tag string) (found []*html.Node) {
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && n.Data == tag {
			found = append(found, n)
		}
	}
	return found
}

// follow goes to the page that the link with this text leads to.
func (p *page) follow(text string) *page {
	p.t.Helper()
	for _, a := range p.all("a") {
		if strings.Contains(readable(a), text) {
			to, err := p.url.Parse(attribute(a, "href"))
			if err != nil {
				p.t.Fatal(err)
			}
			return p.b.get(to.RequestURI())
		}
	}
	p.t.Fatalf("%s has no link %q: %s", p.url, text, p.text)
	return nil
}

// send fills in the form with this button, and presses it. fields are names and values in turn; the others are sent as they
// stand.
func (p *page) send(button string, fields ...string) *page {
	p.t.Helper()
	form, pressed := p.form(button)
	values := filled(form)
	if name := attribute(pressed, "name"); name != "" {
		values.Set(name, attribute(pressed, "value"))
	}
	given := map[string]bool{}
	for i := 0; i < len(fields); i += 2 {
		if !given[fields[i]] {
			values.Del(fields[i])
		}
		given[fields[i]] = true
		values.Add(fields[i], fields[i+1])
	}
	action := attribute(form, "action")
	if formAction := attribute(pressed, "formaction"); formAction != "" {
		action = formAction
	}
	to, err := p.url.Parse(action)
	if err != nil {
		p.t.Fatal(err)
	}
	if strings.EqualFold(attribute(form, "method"), "post") {
		return p.b.do(http.MethodPost, to.RequestURI(), values, "Sec-Fetch-Site", "same-origin")
	}
	to.RawQuery = values.Encode()
	return p.b.get(to.RequestURI())
}

// form finds the form with a button.
func (p *page) form(button string) (form, pressed *html.Node) {
	p.t.Helper()
	for _, form := range p.all("form") {
		for n := range form.Descendants() {
			if n.Data == "button" && strings.Contains(readable(n), button) {
				return form, n
			}
		}
	}
	p.t.Fatalf("%s has no button %q: %s", p.url, button, p.text)
	return nil, nil
}

// filled is what a browser would send of a form as it stands.
func filled(form *html.Node) url.Values {
	values := url.Values{}
	for n := range form.Descendants() {
		name := attribute(n, "name")
		if name == "" || has(n, "disabled") {
			continue
		}
		switch n.Data {
		case "textarea":
			values.Add(name, readableSource(n))
		case "select":
			values.Add(name, chosen(n))
		case "input":
			switch attribute(n, "type") {
			case "checkbox", "radio":
				if !has(n, "checked") {
					continue
				}
			}
			values.Add(name, attribute(n, "value"))
		}
	}
	return values
}

// readableSource is the text of a node as it stands.
func readableSource(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// chosen is the value of a list.
func chosen(list *html.Node) string {
	first, found := "", false
	for n := range list.Descendants() {
		if n.Data != "option" {
			continue
		}
		if has(n, "selected") {
			return attribute(n, "value")
		}
		if !found {
			first, found = attribute(n, "value"), true
		}
	}
	return first
}

// wrong is what the page says at the field that is marked as wrong.
func (p *page) wrong(field string) string {
	p.t.Helper()
	for _, tag := range []string{"input", "select", "textarea"} {
		for _, n := range p.all(tag) {
			if attribute(n, "name") != field || attribute(n, "aria-invalid") != "true" {
				continue
			}
			for id := range strings.FieldsSeq(attribute(n, "aria-describedby")) {
				if !strings.HasSuffix(id, "-error") {
					continue
				}
				for _, p := range p.all("p") {
					if attribute(p, "id") == id {
						return readable(p)
					}
				}
			}
			p.t.Errorf("%s: the field %s is wrong, and nothing says why", p.url, field)
		}
	}
	return ""
}

// refused fails the test unless the form came back with this at the field.
func (p *page) refused(field, why string) *page {
	p.t.Helper()
	if got := p.wrong(field); p.status != http.StatusUnprocessableEntity || !strings.Contains(got, why) || why == "" {
		p.t.Errorf("%s: status %d, at the field %s it says %q, want %q: %s", p.url, p.status, field, got, why, p.text)
	}
	return p
}
