package server

import "net/http"

// setSecurityHeaders sets what every answer carries (http-auth.md C-16). A page may set stricter ones.
func setSecurityHeaders(h http.Header) {
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Server", "")
}

// setNoStore keeps an answer that may carry a token or a code out of every cache (http-auth.md C-18, security.md 37).
func setNoStore(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
}
