package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
)

// contentSecurityPolicy allows a page nothing but its own files and its own server (security.md 42).
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// contentTypes are the kinds of files that are served; any other file in the tree is a mistake.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json",
}

// A document is one finished answer: it is read once and served from memory for ever.
type document struct {
	contentType string
	etag        string // hash of the body, without quotation marks
	body        []byte
	zipped      []byte // the body compressed; nil where that gains nothing
}

func newDocument(name string, body []byte) (document, error) {
	kind, ok := contentTypes[path.Ext(name)]
	if !ok {
		return document{}, fmt.Errorf("%s: no content type known for this kind of file", name)
	}
	sum := sha256.Sum256(body)
	d := document{contentType: kind, etag: hex.EncodeToString(sum[:12]), body: body}
	zipped, err := compress(body)
	if err != nil {
		return document{}, fmt.Errorf("compress %s: %w", name, err)
	}
	if len(zipped) < len(body) {
		d.zipped = zipped
	}
	return d, nil
}

func compress(body []byte) ([]byte, error) {
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return zipped.Bytes(), nil
}

// ServeHTTP answers GET and HEAD, compressed where the browser takes that. Browsers may keep the answer but ask each time
// whether it is still the one, so that a new version of the program is seen at once.
func (d document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET,HEAD")
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	body, etag := d.prepare(w.Header(), r)
	w.Header().Set("ETag", `"`+etag+`"`)
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// refuse answers with the document in the place of what was asked for. Nobody may keep that.
func (d document) refuse(w http.ResponseWriter, r *http.Request, status int) {
	body, _ := d.prepare(w.Header(), r)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // whoever hung up misses it
	}
}

// prepare sets the headers that every answer has, and returns the body in the form that the browser takes.
func (d document) prepare(h http.Header, r *http.Request) (body []byte, etag string) {
	secure(h)
	h.Set("Content-Type", d.contentType)
	if d.zipped == nil {
		return d.body, d.etag
	}
	h.Add("Vary", "Accept-Encoding")
	if !takesGzip(r.Header.Values("Accept-Encoding")) {
		return d.body, d.etag
	}
	h.Set("Content-Encoding", "gzip")
	return d.zipped, d.etag + "-gzip"
}

// takesGzip reads Accept-Encoding headers (RFC 9110 §12.5.3).
func takesGzip(headers []string) bool {
	takes := false
	for _, header := range headers {
		for coding := range strings.SplitSeq(header, ",") {
			name, weight, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(coding), " ", ""), ";q=")
			refused := weight != "" && strings.Trim(weight, "0.") == ""
			switch name {
			case "gzip", "x-gzip":
				return !refused
			case "*":
				takes = !refused
			}
		}
	}
	return takes
}

// secure sets the headers that every answer of this package has (security.md 42).
func secure(h http.Header) {
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}

// refuse answers in the server's words for such cases (http-auth.md §1.3).
func refuse(w http.ResponseWriter, status int) {
	secure(w.Header())
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "%d: %s", status, http.StatusText(status))
}
