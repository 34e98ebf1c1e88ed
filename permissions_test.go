package latchkey_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/permission"
)

func mustPolicy(t *testing.T, text string) permission.Policy {
	t.Helper()
	p, err := permission.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// spec: models.md §4.1; permissions.md §4 to §6
func TestPermissionsFollowTheGroups(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	owner := h.person(t, "anna")
	kids, err := h.CreateGroup(ctx, "Kids", mustPolicy(t, `{"entities":{"domains":{"light":{"read":true,"control":true}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	bob := h.person(t, "bob", latchkey.GroupReadOnly, kids.ID)
	may := func(u latchkey.User, entity, key string) bool {
		t.Helper()
		p, err := h.Permissions(ctx, u)
		if err != nil {
			t.Fatal(err)
		}
		return p.Check(entity, key)
	}
	p, _ := h.Permissions(ctx, owner)
	if p != permission.Owner() {
		t.Error("the owner's permissions are not those of owners")
	}
	first, _ := h.Permissions(ctx, bob)
	if again, _ := h.Permissions(ctx, bob); again != first {
		t.Error("asking twice gives two objects")
	}
	if !may(bob, "switch.fan", "read") || !may(bob, "light.hall", "control") || may(bob, "switch.fan", "control") || may(bob, "light.hall", "edit") {
		t.Error("the groups' policies are not merged")
	}
	// A changed group counts at once.
	if _, err := h.UpdateGroup(ctx, kids.ID, latchkey.GroupUpdate{Policy: ptr(mustPolicy(t, `{"entities":{"domains":{"switch":true}}}`))}); err != nil {
		t.Fatal(err)
	}
	if may(bob, "light.hall", "control") || !may(bob, "switch.fan", "control") {
		t.Error("the group's new policy is not used")
	}
	// So does a removed one, and a user without groups may do nothing.
	if err := h.RemoveGroup(ctx, kids.ID); err != nil {
		t.Fatal(err)
	}
	bob, _ = h.User(ctx, bob.ID)
	if len(bob.GroupIDs) != 1 || may(bob, "switch.fan", "control") {
		t.Errorf("groups after one was removed: %v", bob.GroupIDs)
	}
	if none := h.person(t, "nina"); may(none, "light.hall", "read") {
		t.Error("a user without groups may read")
	}
}

// spec: permissions.md §7
func TestGroupsAreRefusedUnchanged(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	ctx := t.Context()
	var unsound permission.Policy
	if err := unsound.UnmarshalJSON([]byte(`{"entities":{"labels":true}}`)); err != nil {
		t.Fatal(err)
	}
	var invalid *permission.ValidationError
	if _, err := h.CreateGroup(ctx, "Bad", unsound); !errors.As(err, &invalid) {
		t.Errorf("CreateGroup: %v", err)
	}
	kids, err := h.CreateGroup(ctx, "Kids", permission.ReadOnlyPolicy())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.UpdateGroup(ctx, kids.ID, latchkey.GroupUpdate{Name: ptr("Children"), Policy: &unsound}); !errors.As(err, &invalid) {
		t.Errorf("UpdateGroup: %v", err)
	}
	if got, err := h.Group(ctx, kids.ID); err != nil || got.Name != latchkey.Text("Kids") {
		t.Errorf("group = %+v, %v", got, err)
	}
	for _, id := range []string{latchkey.GroupAdmin, "nope"} {
		if _, err := h.UpdateGroup(ctx, id, latchkey.GroupUpdate{Name: ptr("x")}); !errors.Is(err, latchkey.ErrNotFound) {
			t.Errorf("UpdateGroup(%s): %v", id, err)
		}
		if err := h.RemoveGroup(ctx, id); !errors.Is(err, latchkey.ErrNotFound) {
			t.Errorf("RemoveGroup(%s): %v", id, err)
		}
	}
	groups, err := h.Groups(ctx)
	if err != nil || len(groups) != 4 || groups[0].ID != latchkey.GroupAdmin || groups[3].ID != kids.ID {
		t.Errorf("groups = %v, %v", groups, err)
	}
}

// spec: models.md §3; permissions.md §6; storage.md §2.3
func TestSystemGroups(t *testing.T) {
	want := []struct{ id, name, policy string }{
		{"system-admin", "Administrators", `{"entities":true}`},
		{"system-users", "Users", `{"entities":true}`},
		{"system-read-only", "Read Only", `{"entities":{"all":{"read":true}}}`},
	}
	for i, g := range latchkey.SystemGroups() {
		w := want[i]
		if g.ID != w.id || g.Name != latchkey.Text(w.name) || !g.SystemGenerated || !g.Policy.Equal(mustPolicy(t, w.policy)) {
			t.Errorf("group %d = %+v", i, g)
		}
	}
}

// registry is where the entities and devices of a house are.
type registry map[string]string

func (r registry) DeviceOfEntity(id string) (string, bool) { d, ok := r[id]; return d, ok }
func (r registry) AreaOfDevice(id string) (string, bool)   { a, ok := r[id]; return a, ok }

// spec: models.md §4 perm_lookup; permissions.md §2 "Registries are read at check time"
func TestPermissionsAskTheLookup(t *testing.T) {
	where := registry{"light.hall": "lamp", "lamp": "downstairs"}
	h := newHouse(t, latchkey.Options{Lookup: where})
	h.person(t, "anna")
	g, err := h.CreateGroup(t.Context(), "Upstairs", mustPolicy(t, `{"entities":{"area_ids":{"upstairs":true}}}`))
	if err != nil {
		t.Fatal(err)
	}
	may, err := h.Permissions(t.Context(), h.person(t, "bob", g.ID))
	if err != nil {
		t.Fatal(err)
	}
	if may.Check("light.hall", "read") {
		t.Error("allowed downstairs")
	}
	where["lamp"] = "upstairs"
	if !may.Check("light.hall", "read") {
		t.Error("denied after the device moved upstairs")
	}
}

// A draft is looked at before it is a group's policy, and changes nothing.
func TestADraftCanBePreviewed(t *testing.T) {
	where := registry{"light.hall": "lamp", "lamp": "downstairs"}
	h := newHouse(t, latchkey.Options{Lookup: where})
	ctx := t.Context()
	owner := h.person(t, "anna")
	lights := mustPolicy(t, `{"entities":{"domains":{"light":{"read":true}}}}`)
	kids, err := h.CreateGroup(ctx, "Kids", lights)
	if err != nil {
		t.Fatal(err)
	}
	fans, err := h.CreateGroup(ctx, "Fans", mustPolicy(t, `{"entities":{"domains":{"fan":true}}}`))
	if err != nil {
		t.Fatal(err)
	}
	bob, nina := h.person(t, "bob", kids.ID, fans.ID), h.person(t, "nina", fans.ID)
	downstairs := mustPolicy(t, `{"entities":{"area_ids":{"downstairs":{"control":true}}}}`)
	for name, row := range map[string]struct {
		user  latchkey.User
		group string
		want  string // of: the hall's light read, controlled; the fan controlled; a switch read
	}{
		"a member's group is replaced":        {bob, kids.ID, "no yes yes no"},
		"another of a member's is replaced":   {bob, fans.ID, "yes yes no no"},
		"somebody else is shown as a member":  {nina, kids.ID, "no yes yes no"},
		"a group that is about to be made":    {bob, "", "yes yes yes no"},
		"a group that there is not":           {nina, "nope", "no yes yes no"},
		"an owner may do everything whatever": {owner, kids.ID, "yes yes yes yes"},
	} {
		p, err := h.Preview(ctx, row.user.ID, row.group, downstairs)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, q := range [][2]string{{"light.hall", "read"}, {"light.hall", "control"}, {"fan.attic", "control"}, {"switch.door", "read"}} {
			got = append(got, map[bool]string{true: "yes", false: "no"}[p.Check(q[0], q[1])])
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%s: %s, want %s", name, got, row.want)
		}
	}
	for _, u := range []latchkey.User{bob, nina} {
		p, err := h.Permissions(ctx, u)
		if err != nil || p.Check("light.hall", "control") || p.Check("light.hall", "read") != (u.ID == bob.ID) {
			t.Errorf("a preview changed what %s may do: %v", u.Name, err)
		}
	}
	if _, err := h.Preview(ctx, "nobody", kids.ID, downstairs); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	var unsound permission.Policy
	if err := unsound.UnmarshalJSON([]byte(`{"entities":{"labels":true}}`)); err != nil {
		t.Fatal(err)
	}
	var invalid *permission.ValidationError
	if _, err := h.Preview(ctx, bob.ID, kids.ID, unsound); !errors.As(err, &invalid) {
		t.Errorf("an unsound draft: %v", err)
	}
}
