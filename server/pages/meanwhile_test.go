package pages_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

// Who saves a group that was changed since its page was shown is told, keeps what was written, and may save it all the same.
func TestAGroupThatWasChangedMeanwhile(t *testing.T) {
	h := open(t)
	h.withGroup("g", "Guests", `{"entities": {}}`)
	b := h.signIn("anna")
	one, other := b.get("/admin/groups/g"), b.get("/admin/groups/g")
	other.send("Save", "policy", `{"entities": {"domains": {"light": true}}}`).is(http.StatusOK, "The group is saved.")

	p := one.send("Save", "name", "Guests of the house", "policy", `{"entities": {"domains": {"switch": true}}}`)
	p.is(http.StatusUnprocessableEntity, "This group was changed since this page was shown")
	if got := h.groupNamed("Guests").Policy.String(); !strings.Contains(got, "light") {
		t.Errorf("it was saved already: %s", got)
	}
	if got := p.written(); !strings.Contains(got, "switch") {
		t.Errorf("what was written is lost: %s", got)
	}
	p.send("Save").is(http.StatusOK, "The group is saved.")
	h.groupNamed("Guests of the house")

	// Sent twice it says the same twice.
	twice := b.get("/admin/groups/g")
	for range 2 {
		twice.send("Save", "name", "Guests").is(http.StatusOK, "The group is saved.")
	}
	// To check is to change nothing, and does not make up for having looked.
	stale := b.get("/admin/groups/g")
	b.get("/admin/groups/g").send("Save", "name", "Others").is(http.StatusOK)
	stale.send("Check").is(http.StatusOK).send("Save").is(http.StatusUnprocessableEntity, "This group was changed since this page was shown")
}

// What was written for a group that somebody deleted meanwhile is not lost.
func TestAGroupThatWasDeletedMeanwhile(t *testing.T) {
	h := open(t)
	h.withGroup("g", "Guests", `{"entities": {}}`)
	b := h.signIn("anna")
	for _, button := range []string{"Save", "Check"} {
		p := b.get("/admin/groups/g")
		if err := h.RemoveGroup(t.Context(), "g"); err != nil {
			t.Fatal(err)
		}
		p = p.send(button, "policy", `{"entities": {"domains": {"light": true}}}`)
		p.is(http.StatusUnprocessableEntity, "Make a group", "This group was deleted meanwhile.")
		if got := p.written(); !strings.Contains(got, "light") {
			t.Errorf("what was written is lost: %s", got)
		}
		p.send("Make a group", "name", "Guests "+button).at("/admin/groups?done=group_created").is(http.StatusOK, "The group is made.", "Domains: light")
		h.withGroup("g", "Guests", `{"entities": {}}`)
	}
}

// Rights that were changed since a page was shown are not set back by it.
func TestRightsThatWereChangedMeanwhile(t *testing.T) {
	h := open(t)
	ida := h.person("ida", nil)
	b := h.signIn("anna")
	path := "/admin/users/" + ida.ID
	one, other := b.get(path), b.get(path)
	other.send("Change rights", "group", latchkey.GroupReadOnly, "local_only", "yes").is(http.StatusOK, "The rights are changed.")
	p := one.send("Change rights", "group", latchkey.GroupAdmin)
	p.is(http.StatusUnprocessableEntity, "These rights were changed since this page was shown")
	u, err := h.User(t.Context(), ida.ID)
	if err != nil || !slices.Equal(u.GroupIDs, []string{latchkey.GroupReadOnly}) || !u.LocalOnly {
		t.Errorf("%v %v %v", u.GroupIDs, u.LocalOnly, err)
	}
	// The page shows how they are, and is good for another try. Sent twice it says the same twice.
	for range 2 {
		p.send("Change rights", "group", latchkey.GroupUser).is(http.StatusOK, "The rights are changed.")
	}
	// What the form does not show may have changed.
	stale := b.get(path)
	b.get(path).send("Change name", "name", "Ida B.").is(http.StatusOK)
	stale.send("Change rights", "group", latchkey.GroupReadOnly).is(http.StatusOK, "The rights are changed.")
}

// Who comes too late for a user or a group finds the way back to those that there are.
func TestAPageOfSomebodyWhoIsGone(t *testing.T) {
	h := open(t)
	ida := h.person("ida", nil)
	b := h.signIn("anna")
	p := b.get("/admin/users/" + ida.ID)
	if err := h.RemoveUser(t.Context(), ida.ID); err != nil {
		t.Fatal(err)
	}
	p.send("Change name", "name", "Ida B.").is(http.StatusNotFound, "That is not there, or not any more.").follow("All users").at("/admin/users")
	b.get("/admin/groups/gone/delete").is(http.StatusNotFound).follow("All groups").at("/admin/groups")
	b.get("/account/nothing").is(http.StatusNotFound).lacks("All users", "All groups")
}

// The list of users stays one where somebody is in many groups.
func TestTheListNamesAFewGroups(t *testing.T) {
	h := open(t)
	ids := []string{}
	for i := range 5 {
		ids = append(ids, h.withGroup(fmt.Sprint("g", i), fmt.Sprint("Group ", i), `{}`).ID)
	}
	ida := h.person("ida", func(n *latchkey.NewUser) { n.GroupIDs = ids })
	b := h.signIn("anna")
	b.get("/admin/users?q=ida").is(http.StatusOK, "Group 0 , Group 1 , Group 2 and 2 more").lacks("Group 3")
	b.get("/admin/users/"+ida.ID).is(http.StatusOK, "Group 4")
}
