package indieauth

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func TestDeclaredRedirects(t *testing.T) {
	const link = `<link rel="redirect_uri" href="myapp://cb">`
	one := []string{"myapp://cb"}
	rows := []struct {
		rule, page string
		want       []string
	}{
		{"§4 example page", `<html><head>
<link rel="redirect_uri" href="myapp://oauth2_redirect">
<link rel="other" href="myapp://nope">
<link rel="redirect_uri" href="/beer">
</head></html>`, []string{"myapp://oauth2_redirect", "http://127.0.0.1:8000/beer"}},
		{"F-5 tag and attribute names in any case", `<LINK REL=redirect_uri HREF=myapp://cb>`, one},
		{"F-5 self-closing", `<link rel="redirect_uri" href="myapp://cb"/>`, one},
		{"F-5 slashes between the attributes", `<link/rel='redirect_uri'/href='myapp://cb'/ >`, one},
		{"F-5 blanks around the equals sign", "<link\n rel = redirect_uri\thref\n=\n'myapp://cb'>", one},
		{"F-5 attributes without value", `<link crossorigin rel=redirect_uri disabled href=myapp://cb async>`, one},
		{"F-5 a bracket in a quoted value", `<link title="a>b" rel=redirect_uri href=myapp://cb>`, one},
		{"F-5 a bare value keeps its slash", `<link rel=redirect_uri href=myapp://cb/>`, []string{"myapp://cb/"}},
		{"F-5 rel is case-sensitive", `<link rel="Redirect_URI" href="myapp://cb">`, nil},
		{"F-5 rel is no token list", `<link rel="redirect_uri other" href="myapp://cb">`, nil},
		{"F-5 rel is not trimmed", `<link rel=" redirect_uri" href="myapp://cb">`, nil},
		{"F-5 rel is needed", `<link href="myapp://cb">`, nil},
		{"F-5 other elements", `<a rel="redirect_uri" href="myapp://cb"><links rel="redirect_uri" href="myapp://cb"></link rel="redirect_uri" href="myapp://cb">`, nil},
		{"F-5 entity references", `<link rel="redirect&#95;uri" href="myapp://cb?a=1&amp;b=2&#x2F;">`, []string{"myapp://cb?a=1&b=2/"}},
		{"F-5 a bare ampersand", `<link rel="redirect_uri" href="myapp://cb?a=1&copy=2&b=3">`, []string{"myapp://cb?a=1&copy=2&b=3"}},
		{"F-5 the last duplicate wins, href", `<link rel=redirect_uri href=myapp://first HREF="myapp://cb">`, one},
		{"F-5 the last duplicate wins, rel", `<link rel=redirect_uri href=myapp://cb rel=other>`, nil},
		{"F-5 the last duplicate wins, rel declared late", `<link rel=other href=myapp://cb rel=redirect_uri>`, one},
		{"F-5 the last duplicate wins, even empty", `<link rel=redirect_uri href=myapp://cb rel>`, nil},
		{"F-5 comment", `<!-- ` + link + ` -->`, nil},
		{"F-5 after a comment", `<!-- > --><!---->` + link, one},
		{"F-5 open comment", `<!-- ` + link, nil},
		{"F-5 script", `<script>var a = '` + link + `';</script>`, nil},
		{"F-5 style", `<STYLE>` + link + `</STYLE>`, nil},
		{"F-5 open script", `<script>` + link, nil},
		{"F-5 after a script", `<script>` + link + `</script>` + `<link rel=redirect_uri href=x:y>`, []string{"x:y"}},
		{"F-5 body", `<html><body><div>` + link + `</div></body></html>`, one},
		{"F-5 title", `<title>` + link + `</title>`, one},
		{"F-5 textarea", `<textarea>` + link + `</textarea>`, one},
		{"F-5 noscript, iframe, xmp", `<noscript>` + link + `</noscript><iframe>` + link + `</iframe><xmp>` + link, []string{"myapp://cb", "myapp://cb", "myapp://cb"}},
		{"F-5 missing bracket", `<link rel="redirect_uri" href="myapp://cb"`, nil},
		{"F-5 missing quote", `<link rel="redirect_uri" href="myapp://cb>`, nil},
		{"F-4 invalid UTF-8", "<p>\xff\xfe</p>" + link + "<link rel=redirect_uri href='x:\xc3'>", []string{"myapp://cb", "x:\uFFFD"}},
		{"F-6 relative to the client id", `<link rel=redirect_uri href="cb?x"><link rel=redirect_uri href="?y">`, []string{"http://127.0.0.1:8000/cb?x", "http://127.0.0.1:8000?y"}},
		{"F-6 another host by reference", `<link rel=redirect_uri href="//other.example/cb">`, []string{"http://other.example/cb"}},
		{"F-6 absolute to the letter", `<link rel=redirect_uri href="HTTPS://Other.example/a/../b?#">`, []string{"HTTPS://Other.example/a/../b?#"}},
		{"F-6 without href", `<link rel="redirect_uri">`, nil},
		{"F-6 unreadable", `<link rel="redirect_uri" href="/%zz">`, nil},
		{"empty page", ``, nil},
	}
	for _, row := range rows {
		t.Run("spec: indieauth.md, "+row.rule, func(t *testing.T) {
			if got := declaredRedirects("http://127.0.0.1:8000", []byte(row.page)); !slices.Equal(got, row.want) {
				t.Errorf("declaredRedirects(%q) = %q, want %q", row.page, got, row.want)
			}
		})
	}
}

// The scanner never panics, finds nothing that the page does not say, and
// cuts attributes where the tokenizer does.
func FuzzDeclaredRedirects(f *testing.F) {
	for _, page := range []string{
		`<link rel="redirect_uri" href="myapp://cb">`, `<link/rel=redirect_uri/href=a/>`, `<link = == =a= rel rel= href`,
		`<a a='"' b="'" c=">" d=>`, `<!--><link><script><!--<script></script>`, "<title><link\x00 rel=redirect_uri href=\xff>",
		`<a =b=c d = e/f / g>`, `<link rel="redirect_uri"href='x:'>`,
	} {
		f.Add([]byte(page))
	}
	f.Fuzz(func(t *testing.T, page []byte) {
		found := declaredRedirects("http://ex.com", page)
		if len(found) > 0 && !strings.Contains(strings.ToLower(string(page)), "<link") {
			t.Fatalf("%q declares %q without a link tag", page, found)
		}
		z := html.NewTokenizer(bytes.NewReader(page))
		for tt := z.Next(); tt != html.ErrorToken; tt = z.Next() {
			if tt == html.StartTagToken || tt == html.SelfClosingTagToken {
				compareAttributes(t, bytes.Clone(z.Raw()), z.Token())
			}
		}
	})
}

func compareAttributes(t *testing.T, raw []byte, want html.Token) {
	t.Helper()
	_, rest := cutTagName(raw)
	var got []html.Attribute
	seen := map[string]bool{}
	for _, a := range attributes(rest) {
		if seen[a.name] {
			continue
		}
		seen[a.name] = true
		z := html.NewTokenizer(strings.NewReader("<x " + a.source + " >"))
		z.Next()
		got = append(got, z.Token().Attr...)
	}
	if !slices.Equal(got, want.Attr) {
		t.Fatalf("attributes of %q are %q, the tokenizer says %q", raw, got, want.Attr)
	}
}
