package server

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
)

// maxFields is how many fields of a form are looked at. No form that is expected has a dozen.
const maxFields = 1000

// form is the fields of a form. Of a field that is repeated the first value counts (http-auth.md C-11).
type form map[string]string

func (f form) add(name, value string) {
	if _, again := f[name]; !again {
		f[name] = value
	}
}

// readForm reads the body as a form of either encoding. A body of another type, and a form that cannot be read, are a
// form without fields (http-auth.md C-10). Nothing in the URL is a field.
func readForm(r *http.Request) (form, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return form{}, nil
	}
	switch kind {
	case "application/x-www-form-urlencoded":
		return parseURLEncoded(body, params["charset"]), nil
	case "multipart/form-data":
		return parseMultipart(body, params["boundary"]), nil
	}
	return form{}, nil
}

// parseURLEncoded reads a form as the URL standard has it: what is no proper escape stands for itself.
func parseURLEncoded(body []byte, charset string) form {
	f, fields := form{}, 0
	for pair := range strings.SplitSeq(string(body), "&") {
		if pair == "" {
			continue
		}
		if fields++; fields > maxFields {
			break
		}
		name, value, _ := strings.Cut(strings.ReplaceAll(pair, "+", " "), "=")
		name, ok1 := decodeCharset(decodeOnce(name), charset)
		value, ok2 := decodeCharset(decodeOnce(value), charset)
		if !ok1 || !ok2 {
			return form{}
		}
		f.add(name, value)
	}
	return f
}

// parseMultipart reads a form in memory. Files are no fields.
func parseMultipart(body []byte, boundary string) form {
	f := form{}
	if boundary == "" {
		return f
	}
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxFields {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return f
		} else if err != nil {
			return form{}
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return form{}
		}
		_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		if _, file := params["filename"]; err != nil || file || params["name"] == "" {
			continue
		}
		_, kind, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		text, ok := decodeCharset(string(value), kind["charset"])
		if !ok {
			return form{}
		}
		f.add(params["name"], text)
	}
	return f
}

// decodeCharset brings a text of the few character sets that clients name to UTF-8.
func decodeCharset(text, charset string) (string, bool) {
	switch strings.ToLower(charset) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return text, true
	case "iso-8859-1", "latin1":
		runes := make([]rune, len(text))
		for i := range len(text) {
			runes[i] = rune(text[i])
		}
		return string(runes), true
	}
	return "", false
}
