package pages_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/permission"
	"github.com/seed-6a977b3d/latchkey/server"
	"github.com/seed-6a977b3d/latchkey/server/pages"
	"github.com/seed-6a977b3d/latchkey/store/hassfile"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

func TestAUserIsRenamed(t *testing.T) {
	h := open(t)
	ben := h.person("ben", nil)
	h.admin("cara")
	b := h.signIn("cara") // who is an administrator, and not the owner
	b.get(at(ben)).send("Change name", "name", " Benjamin  B ").is(200, "The name is changed.", "Benjamin B (ben)").at(at(ben, "?done=user_renamed"))
	if got := h.now(ben.ID).Name.Text; got != "Benjamin  B" {
		t.Errorf("the name is %q", got)
	}
	b.get(at(ben)).send("Change name", "name", "  ").refused("name", "Please fill this in.").at(at(ben, "/name"))
	b.get(at(ben)).send("Change name", "name", strings.Repeat("ä", 201)).refused("name", "at most 200 characters")
	if got := h.now(ben.ID).Name.Text; got != "Benjamin  B" {
		t.Errorf("the name is %q", got)
	}
	b.get(at(ben, "/name")).at(at(ben)) // what was refused can be asked for again
	b.get(at(ben)).lacks("is changed")
}

func TestGroupsAreAssigned(t *testing.T) {
	h := open(t)
	kitchen, err := h.CreateGroup(t.Context(), "Kitchen", permission.UserPolicy())
	if err != nil {
		t.Fatal(err)
	}
	ben := h.person("ben", nil)
	b := h.signIn("anna")
	p := b.get(at(ben)).send("Change rights", "group", latchkey.GroupReadOnly, "group", kitchen.ID, "local_only", "yes").
		is(200, "The rights are changed.", "At home only")
	if got := h.now(ben.ID); !slices.Equal(got.GroupIDs, []string{latchkey.GroupReadOnly, kitchen.ID}) || !got.LocalOnly {
		t.Errorf("it became %+v", got)
	}
	form, _ := p.form("Change rights")
	if got := filled(form); !slices.Equal(got["group"], []string{latchkey.GroupReadOnly, kitchen.ID}) || got.Get("local_only") == "" {
		t.Errorf("the form shows %v", got)
	}
	// A group that was removed since is refused, and what was chosen stands.
	if err := h.RemoveGroup(t.Context(), kitchen.ID); err != nil {
		t.Fatal(err)
	}
	token := formToken(t, p)
	again := b.do(http.MethodPost, at(ben, "/rights"), url.Values{"form_token": {token}, "group": {latchkey.GroupAdmin, kitchen.ID}}).
		refused("group", "One of the groups does not exist any more.")
	form, _ = again.form("Change rights")
	if got := filled(form); !slices.Equal(got["group"], []string{latchkey.GroupAdmin}) || got.Get("local_only") != "" {
		t.Errorf("the form shows %v", got)
	}
	if h.now(ben.ID).IsAdmin() {
		t.Error("half of a refused change was made")
	}
	b.get(at(ben)).send("Change rights", "group", "", "local_only", "").refused("group", "does not exist")
	// None at all is no mistake.
	b.do(http.MethodPost, at(ben, "/rights"), url.Values{"form_token": {token}}).is(200, "The rights are changed.")
	if got := h.now(ben.ID); len(got.GroupIDs) != 0 || got.LocalOnly {
		t.Errorf("it became %+v", got)
	}
	b.get(at(ben, "/rights")).at(at(ben))
}

// withoutOwner takes the owner's flag away, as in a house whose owner's account was removed by hand.
func (h *house) withoutOwner() latchkey.User {
	h.t.Helper()
	u, err := h.Owner(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	u.IsOwner, u.GroupIDs = false, []string{latchkey.GroupAdmin}
	h.change(u)
	return u
}

// spec: websocket.md G-2 and [latchkey.ErrLastAdmin]: somebody can always look after the house
func TestTheLastAdministratorStays(t *testing.T) {
	h := open(t)
	anna := h.withoutOwner()
	cara := h.admin("cara")
	b := h.signIn("anna")
	token := formToken(t, b.get("/account"))
	b.get(at(cara)).send("Change rights", "group", latchkey.GroupUser).is(200, "The rights are changed.")
	const told = "this is the last administrator"
	b.get(at(anna)).send("Change rights", "group", latchkey.GroupUser).refused("group", told)
	b.get(at(anna)).follow("Deactivate").is(200, "That is you!").send("Deactivate").is(422, told, "anna")
	b.do(http.MethodPost, at(anna, "/delete"), url.Values{"form_token": {token}}).is(422, "Nobody can delete their own account.")
	if u := h.now(anna.ID); !u.IsAdmin() || !u.IsActive {
		t.Errorf("anna became %+v", u)
	}
}

func TestWhoLeavesTheAdministratorsIsLedAway(t *testing.T) {
	h := open(t)
	cara := h.admin("cara")
	b := h.signIn("cara")
	b.get(at(cara)).send("Change rights", "group", latchkey.GroupUser).is(200, "Your account", "The rights are changed.").at("/account?done=rights_changed")
	b.get(at(cara)).is(http.StatusForbidden)
}

// spec: security.md 21
func TestAUserIsDeactivatedAndActivated(t *testing.T) {
	h := open(t)
	ben := h.person("ben", nil)
	bens, b := h.signIn("ben"), h.signIn("anna")
	_, access, err := h.CreateLongLivedToken(t.Context(), ben.ID, "GPS", "", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	ask := b.get(at(ben)).follow("Deactivate").is(200, "Deactivate ben?", "Sessions that end at once: 1.", "Long-lived tokens that end for good: 1.")
	ask.follow("Cancel").at(at(ben))
	bens.get("/account").is(200)
	ask.send("Deactivate").is(200, "The user is inactive, and signed out everywhere.", "Inactive", "This user is inactive and cannot sign in.").
		at(at(ben, "?done=user_deactivated"))
	bens.get("/account").is(http.StatusUnauthorized)
	if _, err := h.ValidateAccessToken(t.Context(), access); err == nil {
		t.Error("a token of somebody who is inactive is good")
	}
	b.get(at(ben, "/deactivate")).at(at(ben)) // there is nothing to ask any more
	b.get(at(ben)).send("Activate").is(200, "The user is active again.").lacks("Inactive", "Activate")
	if !h.now(ben.ID).IsActive {
		t.Error("ben is not active")
	}
	b.get(at(ben, "/activate")).at(at(ben))
}

func TestWhoDeactivatesThemselfIsSignedOut(t *testing.T) {
	h := open(t)
	cara := h.admin("cara")
	b := h.signIn("cara")
	p := b.get(at(cara)).follow("Deactivate").is(200, "That is you! You are signed out").send("Deactivate")
	p.at("/").is(200, "Welcome")
	b.get("/account").is(http.StatusUnauthorized)
}

func TestTheOwnerIsNeitherDeactivatedNorDeleted(t *testing.T) {
	h := open(t)
	h.admin("cara")
	anna, err := h.Owner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := h.signIn("cara")
	p := b.get(at(anna)).is(200, "The owner can be neither deactivated nor deleted.", "The owner may do everything").lacks("Deactivate", "Delete")
	form := url.Values{"form_token": {formToken(t, p)}}
	for path, told := range map[string]string{"/deactivate": "The owner cannot be deactivated.", "/delete": "The owner cannot be deleted."} {
		b.get(at(anna, path)).is(422, told)
		b.do(http.MethodPost, at(anna, path), form).is(422, told)
	}
	if !h.now(anna.ID).IsActive {
		t.Error("the owner is inactive")
	}
}

// spec: websocket.md G-3
func TestAUserIsDeleted(t *testing.T) {
	h := open(t)
	ben := h.person("ben", nil)
	bens, b := h.signIn("ben"), h.signIn("anna")
	ask := b.get(at(ben)).follow("Delete").is(200, "Delete ben?", "That cannot be undone.", "Sessions that end: 1.", "Long-lived tokens that end: 0.")
	ask.follow("Cancel").at(at(ben))
	ask.send("Delete").is(200, "The user is deleted.").at("/admin/users?done=user_deleted").lacks("ben")
	bens.get("/account").is(http.StatusUnauthorized)
	if records, err := h.store.Passwords(t.Context(), "ben"); err != nil || len(records) != 0 {
		t.Errorf("the password is left: %+v %v", records, err)
	}
	ask.send("Delete").is(404, "That is not there, or not any more.") // once more, from a page that is outdated
	b.get(at(ben)).is(404)
}

func TestNobodyDeletesThemself(t *testing.T) {
	h := open(t)
	cara := h.admin("cara")
	b := h.signIn("cara")
	p := b.get(at(cara)).is(200, "You").lacks("Delete")
	b.get(at(cara, "/delete")).is(422, "Nobody can delete their own account.")
	b.do(http.MethodPost, at(cara, "/delete"), url.Values{"form_token": {formToken(t, p)}}).is(422, "Nobody can delete their own account.")
	h.now(cara.ID)
}

// Beside a Home Assistant that writes the files everything is shown. What is kept in them is refused in words, and the rest
// works.
func TestBesideHomeAssistantItsUsersAreOnlyLookedAt(t *testing.T) {
	dir, quiet := t.TempDir(), slog.New(slog.DiscardHandler)
	theirs, err := hassfile.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	first := openOver(t, theirs)
	ben := first.person("ben", nil)
	first.Close()
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	own, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "own.db"))
	if err != nil {
		t.Fatal(err)
	}
	following, err := hassfile.Follow(context.WithoutCancel(t.Context()), dir, own, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = following.Close() })
	h := openOver(t, following)
	b := h.signIn("anna")
	bens := h.signIn("ben")
	const told = "This is kept by Home Assistant, which is only followed here. Change it there."
	b.get("/admin/users").is(200, "anna", "ben")
	login := []string{"new_password", "another good one", "repeat_password", "another good one"}
	b.get(at(ben)).send("Change name", "name", "Benjamin").is(422, told)
	b.get(at(ben)).send("Change rights", "group", latchkey.GroupAdmin).is(422, told)
	b.get(at(ben)).follow("Deactivate").send("Deactivate").is(422, told)
	b.get(at(ben)).follow("Delete").send("Delete").is(422, told)
	b.get(at(ben)).follow("Change user name").send("Change user name", "username", "benjamin").is(422, told)
	b.get(at(ben)).follow("Set a new password").send("Set a new password", login...).is(422, told)
	b.get("/admin/users").follow("Add a user").send("Add a user", append(login, "name", "Cara", "username", "cara")...).is(422, told)
	bens.get("/account").is(200)
	b.get(at(ben, "/sessions/all")).send("End all sessions").is(200, "Sessions ended: 1.")
	bens.get("/account").is(http.StatusUnauthorized)
	if strings.Contains(h.log.String(), "page failed") {
		t.Errorf("the log says %s", h.log)
	}
}

// Whoever ticks "at home only" for themself while they are elsewhere would be out that moment. Behind a proxy nobody is ever at
// home: the last administrator would be locked out for good.
func TestNobodyKeepsThemselvesOutOfWhereTheyAre(t *testing.T) {
	h := open(t, func(o *server.Options, _ *pages.Options) {
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	anna, err := h.Owner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ben, b := h.person("ben", nil), h.signIn("anna")
	tick := func(u latchkey.User, header ...string) *page {
		form := url.Values{"form_token": {formToken(t, b.get("/account", header...))}, "group": u.GroupIDs, "local_only": {"yes"}}
		return b.do(http.MethodPost, at(u, "/rights"), form, header...)
	}
	for _, from := range []string{"203.0.113.7", "192.168.1.9"} {
		tick(anna, "X-Forwarded-For", from).is(http.StatusUnprocessableEntity, "You are not at home now")
		if h.now(anna.ID).LocalOnly {
			t.Fatalf("locked out from %s", from)
		}
	}
	tick(ben, "X-Forwarded-For", "203.0.113.7").is(http.StatusOK, "The rights are changed.")
	if !h.now(ben.ID).LocalOnly {
		t.Error("not changed")
	}
	h = open(t)
	if anna, err = h.Owner(t.Context()); err != nil {
		t.Fatal(err)
	}
	b = h.signIn("anna")
	tick(anna).is(http.StatusOK, "The rights are changed.") // at home
}
