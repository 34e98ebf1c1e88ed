package pages

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

// The refusals of the pages themselves.
var (
	errAdminsOnly  = errors.New("this page is for administrators")
	errSystemUser  = errors.New("users that the system made for itself are not to be changed")
	errDeleteSelf  = errors.New("nobody deletes their own account")
	errDeleteOwner = errors.New("the owner cannot be deleted")
	errOwnersKeys  = errors.New("only the owner may change how the owner signs in")
	errHasLogin    = errors.New("the user has a login already")
	errOwnSession  = errors.New("the session is the one that asks")
	errNotAtHome   = errors.New("who asks would be kept out at once, being elsewhere")
	errOutdated    = errors.New("the form is not of a page of this session")
	errFormTooLong = errors.New("the form is too long")
	errUnreadable  = errors.New("the form cannot be read")
)

// problem is the table of errors: what a person is told, or nil for what nobody here knows.
func problem(err error) *web.Text {
	var wait *latchkey.TooManyAttempts
	if errors.As(err, &wait) {
		return web.Say("problem.too_many_attempts", "seconds", int(wait.Wait/time.Second)+1)
	}
	for _, row := range []struct {
		err error
		key string
	}{
		{errAdminsOnly, "admins_only"},
		{errSystemUser, "system_user"},
		{errDeleteSelf, "delete_self"},
		{errDeleteOwner, "delete_owner"},
		{errOwnersKeys, "owners_keys"},
		{errHasLogin, "has_login"},
		{errOwnSession, "own_session"},
		{errNotAtHome, "not_at_home"},
		{errOutdated, "form_outdated"},
		{errFormTooLong, "form_too_long"},
		{errUnreadable, "unknown"},
		{errGroupChanged, "group_changed"},
		{errRightsChanged, "rights_overtaken"},
		{errGroupGone, "group_gone"},
		{latchkey.ErrLastAdmin, "last_admin"},
		{latchkey.ErrOwnerDeactivated, "owner_deactivated"},
		{latchkey.ErrNoSecondFactor, "no_second_factor"},
		{latchkey.ErrUnknownGroup, "unknown_group"},
		{errBuiltIn, "group_built_in"},
		{latchkey.ErrInvalidAuth, "wrong_password"},
		{latchkey.ErrUnavailable, "unavailable"},
		{latchkey.ErrFollowing, "followed"},
		{homeassistant.ErrUserNotFound, "login_gone"},
		{homeassistant.ErrUsernameTaken, "username_taken"},
		{homeassistant.ErrNotNormalized, "username_not_normalized"},
		{homeassistant.ErrEmptyUsername, "username_empty"},
		{homeassistant.ErrUnusableUsername, "username_unusable"},
		{latchkey.ErrNotFound, "not_found"},
	} {
		if errors.Is(err, row.err) {
			return web.Say("problem." + row.key)
		}
	}
	var own *latchkey.Error
	if errors.As(err, &own) {
		return web.Plain(own.Text)
	}
	return nil
}

// isRefusal reports whether an error says that something may not be done, as against that it cannot be looked at.
func isRefusal(err error) bool { return status(err) == http.StatusUnprocessableEntity }

// status is the one that an error is answered with.
func status(err error) int {
	switch {
	case errors.Is(err, errAdminsOnly), errors.Is(err, errOutdated):
		return http.StatusForbidden
	case errors.Is(err, errFormTooLong):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errUnreadable):
		return http.StatusBadRequest
	case isNotFound(err):
		return http.StatusNotFound
	case errors.Is(err, latchkey.ErrUnavailable):
		return http.StatusServiceUnavailable
	case errors.Is(err, latchkey.ErrConflict):
		return http.StatusConflict
	case problem(err) != nil:
		return http.StatusUnprocessableEntity
	}
	return http.StatusInternalServerError
}

// mayPass reports whether a form that was refused so may be taken when it is sent once more, from a page as it is then.
func mayPass(err error) bool {
	return errors.Is(err, errOutdated) || errors.Is(err, errFormTooLong) || status(err) >= http.StatusInternalServerError
}

// backToForm is the address of the page with the form that a request sends, if it sends one: all of these pages are shown
// at the address that their form is sent to, or lead on from there.
func backToForm(r *http.Request) (string, bool) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	if r.Method != http.MethodPost || !strings.HasPrefix(path, "account") && !strings.HasPrefix(path, "admin/") {
		return "", false
	}
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	return web.Root(r) + path, true
}

// fail answers with a page that says what went wrong.
func (v *visit) fail(err error) {
	if errors.Is(err, context.Canceled) {
		return // nobody is there any more
	}
	code, told := status(err), problem(err)
	if told == nil {
		told = web.Say("problem.unknown")
		v.Logger.Error("page failed", "method", v.r.Method, "path", v.r.URL.Path, "error", err)
	}
	if code == http.StatusServiceUnavailable {
		v.w.Header().Set("Retry-After", "1")
	}
	view := web.View{Title: web.Say("problem.title"), Problem: told}
	if back, ok := backToForm(v.r); ok && mayPass(err) {
		view.Unsent, view.Data = true, back
	}
	if err := v.answer(code, "failed.html", view); err != nil {
		v.Logger.Error("the page for an error cannot be made", "path", v.r.URL.Path, "error", err)
		v.w.WriteHeader(http.StatusInternalServerError)
	}
}
