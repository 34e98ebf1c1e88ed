package pages_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/seed-6a977b3d/latchkey"
)

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
	jar.SetCookies(at, []*http.Cookie{{Name: "latchkey_session", Value: token.SessionSecret().Reveal()}})
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

// leads is the address, with its query, to which the link with this text leads, or empty if there is none.
func (p *page) leads(text string) string {
	p.t.Helper()
	for _, a := range p.all("a") {
		if strings.Contains(readable(a), text) {
			to, err := p.url.Parse(attribute(a, "href"))
			if err != nil {
				p.t.Fatal(err)
			}
			return to.RequestURI()
		}
	}
	return ""
}

// follow goes to the page that the link with this text leads to.
func (p *page) follow(text string) *page {
	p.t.Helper()
	to := p.leads(text)
	if to == "" {
		p.t.Fatalf("%s has no link %q: %s", p.url, text, p.text)
	}
	return p.b.get(to)
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
