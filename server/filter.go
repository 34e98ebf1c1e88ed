package server

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// maxLine is how many bytes a request target and each header value may have (http-auth.md C-12).
const maxLine = 24_570

// withinLimits reports whether the request line and the headers are short enough.
func withinLimits(r *http.Request) bool {
	if len(r.RequestURI) > maxLine || len(r.Host) > maxLine {
		return false
	}
	for _, values := range r.Header {
		for _, v := range values {
			if len(v) > maxLine {
				return false
			}
		}
	}
	return true
}

// attack finds what no client of ours sends and what attacks on other programs are made of (http-auth.md C-19).
var attack = regexp.MustCompile(`(?i)` + strings.Join([]string{
	`proc/self/environ`,
	`<.*script.*>`,
	`\.\./`,
	`[a-z0-9_]=/[a-z0-9_.]/`,
	`union.*select.*\(`,
	`union.*all.*select`,
	`concat.*\(`,
}, "|"))

// suspicious reports whether the security filter refuses a URL. Path and query are looked at separately.
func suspicious(u *url.URL) bool {
	for _, part := range [...]string{u.EscapedPath(), u.RawQuery} {
		if strings.ContainsAny(decodeOnce(part), "\t\r\n") || attack.MatchString(decodeFully(part)) {
			return true
		}
	}
	return false
}

// decodeOnce decodes percent-escapes; what is no proper escape stays as it is.
func decodeOnce(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if c, ok := escape(s, i); ok {
			out = append(out, c)
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

// decodeFully does what decodeOnce does, again and again until nothing changes, but in one pass: an escape is decoded
// as soon as its last digit is there, and what it gives may complete an earlier one. Repeating the passes would take
// quadratic time for %25252525….
func decodeFully(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		out = append(out, s[i])
		for n := len(out) - 3; n >= 0; n = len(out) - 3 {
			c, ok := escape(out, n)
			if !ok {
				break
			}
			out = append(out[:n], c)
		}
	}
	return string(out)
}

// escape returns the byte that the escape at i stands for.
func escape[T string | []byte](s T, i int) (byte, bool) {
	if i+2 >= len(s) || s[i] != '%' {
		return 0, false
	}
	high, ok1 := hexDigit(s[i+1])
	low, ok2 := hexDigit(s[i+2])
	return high<<4 | low, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
