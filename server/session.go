package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
)

const (
	// sessionCookie holds the session secret of the refresh token that a browser's session is. It is set without a path, at an
	// address in the server's root: so it goes to everything below that root and nowhere else, also when a proxy has put
	// the server below a path of its own.
	sessionCookie = "latchkey_session"
	// keptFor is how long a browser keeps the cookie of somebody who stays signed in, in seconds. The session ends
	// when its refresh token does.
	keptFor = 400 * 24 * 60 * 60
	// pageHeader is sent by our own scripts. No other site can make a browser send it.
	pageHeader = "X-Latchkey-Page"
	// formTokenField is the field of every form that carries the token which makes it ours.
	formTokenField = "form_token"
	// maxForm is how many bytes the form of a page may have.
	maxForm = 1 << 20
	// maxCookies is how many cookies of our name are looked at: other servers on this host may have theirs.
	maxCookies = 4
)

// beginSession is POST /session: our own pages have the code of a sign-in exchanged here rather than at the token endpoint,
// and what they get is a cookie that no script can read. Whoever was signed in here before is not any more.
func (s *Server) beginSession(r *http.Request) (reply, error) {
	if r.Header.Get(pageHeader) == "" {
		return reply{}, errNotOurPage // signing somebody in as somebody else is an attack as well
	}
	in, err := readForm(r)
	if err != nil {
		return reply{}, err
	}
	g, err := s.redeem(r, in)
	if err != nil {
		return reply{}, err
	}
	if before, err := s.resume(r); err == nil {
		if err := s.manager.RemoveRefreshToken(context.WithoutCancel(r.Context()), before.Token.ID); err != nil {
			s.log.Warn("the session before this one could not be ended", "error", err)
		}
	}
	cookie := newSessionCookie(r, g.refresh.SessionSecret())
	if in["keep"] == "true" {
		cookie.MaxAge = keptFor
	}
	return reply{json: message{Message: "Signed in"}, cookie: cookie}, nil
}

func newSessionCookie(r *http.Request, secret latchkey.Secret) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookie, Value: secret.Reveal(), HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: overTLS(r),
	}
}

// signOut is POST /sign-out: it ends the session of this browser. Where that has ended already only the cookie goes. A form
// of another site comes without the cookie, and must not take it away either.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	session, err := s.resume(r)
	if err == nil {
		if status := readOurForm(w, r, session); status != http.StatusOK {
			s.refuseForm(w, r, session, status)
			return
		}
		err = s.manager.RemoveRefreshToken(r.Context(), session.Token.ID)
	}
	if err != nil && !errors.Is(err, latchkey.ErrSessionOver) {
		s.fail(w, r, nil, err)
		return
	}
	if len(r.CookiesNamed(sessionCookie)) > 0 {
		gone := newSessionCookie(r, "")
		gone.MaxAge = -1
		http.SetCookie(w, gone)
	}
	redirect(w, "./#signed-out")
}

// home is GET /: the way to the account of who is signed in, and the way in for everybody else.
func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	if !r.URL.Query().Has("auth_callback") {
		if _, err := s.resume(r); err == nil {
			redirect(w, "account")
			return
		}
	}
	s.pages.Home().ServeHTTP(w, r)
}

// redirect leads a browser to an address relative to the one that it asked for: how that begins, only the browser knows.
func redirect(w http.ResponseWriter, relative string) {
	w.Header().Set("Location", relative)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}

// resume returns the session of a request's cookie, or [latchkey.ErrSessionOver].
func (s *Server) resume(r *http.Request) (latchkey.Session, error) {
	for i, cookie := range r.CookiesNamed(sessionCookie) {
		if i == maxCookies {
			break
		}
		session, err := s.manager.Resume(r.Context(), latchkey.Secret(cookie.Value), originOf(r))
		if !errors.Is(err, latchkey.ErrSessionOver) {
			return session, err
		}
	}
	return latchkey.Session{}, latchkey.ErrSessionOver
}

// serveBrowser runs a route for people who are signed in with a browser. Others are led through the sign-in, and a form that
// is not ours is refused.
func (s *Server) serveBrowser(w http.ResponseWriter, r *http.Request, rt *route) {
	session, err := s.resume(r)
	if errors.Is(err, latchkey.ErrSessionOver) {
		s.pages.SignIn().ServeHTTP(w, r)
		return
	} else if errors.Is(err, latchkey.ErrUnavailable) {
		s.log.Warn("page refused for now", "method", r.Method, "path", r.URL.Path, "error", err)
		s.pages.Refused(http.StatusServiceUnavailable).ServeHTTP(w, r)
		return
	} else if err != nil {
		s.fail(w, r, rt, err)
		return
	}
	if r.Method == http.MethodPost {
		if status := readOurForm(w, r, session); status != http.StatusOK {
			s.refuseForm(w, r, session, status)
			return
		}
	}
	rt.serve.ServeHTTP(w, r.WithContext(withSession(r.Context(), session)))
}

// readOurForm reads a form, which has to come from a page of the session's own. What is not 200 says what is wrong with it.
func readOurForm(w http.ResponseWriter, r *http.Request, session latchkey.Session) (status int) {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return http.StatusForbidden
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return http.StatusRequestEntityTooLarge
	} else if err != nil {
		return http.StatusBadRequest
	}
	if !hmac.Equal([]byte(r.PostForm.Get(formTokenField)), []byte(formToken(session))) {
		return http.StatusForbidden
	}
	return http.StatusOK
}

// refuseForm says, on a page, that a form was not taken: who signed in anew in another window sees that too.
func (s *Server) refuseForm(w http.ResponseWriter, r *http.Request, session latchkey.Session, status int) {
	s.pages.Refused(status).ServeHTTP(w, r.WithContext(withSession(r.Context(), session)))
}

// formToken is what every form of a session carries. It is of no use to anybody who does not have the session.
func formToken(session latchkey.Session) string {
	mac := hmac.New(sha256.New, []byte(session.Token.JWTKey.Reveal()))
	mac.Write([]byte("form of " + session.Token.ID))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// FormToken returns the token that a form on a page of this request's session has to carry in the field form_token. It is
// empty where nobody is signed in.
func FormToken(ctx context.Context) string {
	session, ok := SessionFrom(ctx)
	if !ok {
		return ""
	}
	return formToken(session)
}

// overTLS reports whether the browser is known to have come over TLS, here or at the proxy.
func overTLS(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(schemeOf(r), "https")
}
