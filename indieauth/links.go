package indieauth

import (
	"bytes"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// declaredRedirects lists what the <link rel="redirect_uri"> tags of a page
// point to, resolved against the client id (indieauth.md F-4 to F-6).
// A tag that the end of page cuts off does not count.
func declaredRedirects(clientID string, page []byte) []string {
	var found []string
	z := html.NewTokenizer(bytes.NewReader(bytes.ToValidUTF8(page, []byte("\uFFFD"))))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return found
		case html.StartTagToken, html.SelfClosingTagToken:
			name, rest := cutTagName(z.Raw())
			switch name {
			case "link":
				if href, ok := redirectHref(rest); ok {
					if uri, ok := resolve(clientID, href); ok {
						found = append(found, uri)
					}
				}
			case "script", "style":
				// The tokenizer skips what is inside.
			default:
				// The text of title, textarea and the like is scanned for
				// tags as any other.
				z.NextIsNotRawText()
			}
		}
	}
}

const tagSpace = " \t\r\n\f"

// cutTagName divides the source of a start tag into its lower-cased name and
// the rest, which still ends in ">".
func cutTagName(tag []byte) (name string, rest []byte) {
	tag = bytes.TrimPrefix(tag, []byte("<"))
	end := bytes.IndexAny(tag, tagSpace+"/>")
	if end < 0 {
		end = len(tag)
	}
	return lowerASCII(string(tag[:end])), tag[end:]
}

// redirectHref returns the href of a link whose rel is exactly redirect_uri.
// Of duplicate attributes the last one counts. The tokenizer keeps the first,
// so it is given a tag of the last ones only; it decodes the references.
func redirectHref(rest []byte) (string, bool) {
	last := map[string]string{}
	for _, a := range attributes(rest) {
		last[a.name] = a.source
	}
	z := html.NewTokenizer(strings.NewReader("<link " + last["rel"] + " " + last["href"] + " >"))
	z.Next()
	var rel, href string
	var hasHref bool
	for _, a := range z.Token().Attr {
		switch a.Key {
		case "rel":
			rel = a.Val
		case "href":
			href, hasHref = a.Val, true
		}
	}
	return href, hasHref && rel == "redirect_uri"
}

// attribute is one attribute of a tag as it was written.
type attribute struct {
	name   string // lower-cased
	source string // name, equals sign and value with its quotes
}

// attributes cuts what follows the name of a complete start tag, with the
// borders that the HTML standard gives to names, quotes and bare values.
func attributes(rest []byte) []attribute {
	var found []attribute
	s := string(rest)
	for {
		s = strings.TrimLeft(s, tagSpace+"/")
		if s == "" || s[0] == '>' {
			return found
		}
		// An equals sign at the start belongs to the name.
		nameEnd := indexAnyFrom(s, 1, tagSpace+"/>=")
		end := nameEnd
		if value, ok := strings.CutPrefix(strings.TrimLeft(s[nameEnd:], tagSpace), "="); ok {
			value = strings.TrimLeft(value, tagSpace)
			end = len(s) - len(value) + valueLength(value)
		}
		found = append(found, attribute{name: lowerASCII(s[:nameEnd]), source: s[:end]})
		s = s[end:]
	}
}

// valueLength measures an attribute value that starts s, quotes included.
func valueLength(s string) int {
	if s == "" || s[0] == '>' {
		return 0
	}
	if s[0] == '"' || s[0] == '\'' {
		return min(indexAnyFrom(s, 1, s[:1])+1, len(s))
	}
	return indexAnyFrom(s, 1, tagSpace+">")
}

// indexAnyFrom finds the first of chars at or after start, or the end of s.
func indexAnyFrom(s string, start int, chars string) int {
	if i := strings.IndexAny(s[start:], chars); i >= 0 {
		return start + i
	}
	return len(s)
}

// resolve makes href absolute. An absolute href is kept to the letter, since
// it is compared to the letter. One that net/url cannot read is dropped: it
// would be on the client's own host, which needs no declaration.
func resolve(clientID, href string) (string, bool) {
	if split(href).scheme != "" {
		return href, true
	}
	if strings.HasPrefix(href, "//") {
		return split(clientID).scheme + ":" + href, true
	}
	base, err := url.Parse(clientID)
	if err != nil {
		return "", false
	}
	ref, err := url.Parse(href)
	if err != nil {
		return "", false
	}
	return base.ResolveReference(ref).String(), true
}
