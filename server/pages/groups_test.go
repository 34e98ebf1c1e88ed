package pages_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/permission"
	"github.com/seed-6a977b3d/latchkey/store/hassfile"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// policyOf is a policy as it might stand in a file, sound or not.
func policyOf(t testing.TB, text string) permission.Policy {
	t.Helper()
	var p permission.Policy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// withGroup puts a group into the store as it is, sound or not.
func (h *house) withGroup(id, name, policy string) latchkey.Group {
	h.t.Helper()
	g := latchkey.Group{ID: id, Name: latchkey.Text(name), Policy: policyOf(h.t, policy)}
	if err := h.store.Update(h.t.Context(), func(tx latchkey.Tx) error { return tx.InsertGroup(h.t.Context(), g) }); err != nil {
		h.t.Fatal(err)
	}
	return g
}

// groupNamed finds a group by what it is called.
func (h *house) groupNamed(name string) latchkey.Group {
	h.t.Helper()
	groups, err := h.Groups(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	i := slices.IndexFunc(groups, func(g latchkey.Group) bool { return g.Name.Text == name })
	if i < 0 {
		h.t.Fatalf("there is no group %s", name)
	}
	return groups[i]
}

// written is the policy that stands in the editor.
func (p *page) written() string {
	p.t.Helper()
	for _, n := range p.all("textarea") {
		if attribute(n, "name") == "policy" {
			return readableSource(n)
		}
	}
	p.t.Fatalf("%s has no editor: %s", p.url, p.text)
	return ""
}

func TestGroupsAreListedWithWhatTheyAllow(t *testing.T) {
	h := open(t)
	h.withGroup("a", "Guests", `{"entities": {"domains": {"light": true, "switch": {"read": true}}, "entity_ids": {"a.a": true, "b.b": true, "c.c": true, "d.d": true}}}`)
	h.withGroup("b", "Watchers", `{"entities": {"all": {"read": true, "control": true}}}`)
	h.withGroup("c", "Stairs", `{"entities": {"area_ids": {"upstairs": true}, "device_ids": {"d1": true}}}`)
	h.withGroup("d", "Nobodies", `{"entities": {"domains": {}}}`)
	h.withGroup("e", "Kings", `{"entities": true}`)
	h.withGroup("f", "Princes", `{"entities": {"domains": true, "area_ids": {"upstairs": true}}}`)
	h.withGroup("g", "Odd ones", `{"entities": {"all": false}}`)
	h.withGroup("h", "", `{}`)
	p := h.signIn("anna").get("/admin/groups").is(200,
		"Guests Domains: light, switch Entities: a.a, b.b, c.c, … (4) Edit", "Watchers All entities: control, read",
		"Stairs Areas: upstairs Devices: d1 Edit", "Nobodies Nothing", "Kings Everything", "Princes Everything Edit",
		"Odd ones Policy has problems Edit", "h Nothing",
		"Administrators May do everything, and look after this server", "Users May do everything with everything in the house. Show",
		"Read only May see everything and change nothing.")
	p.follow("Edit : Stairs").is(200, "Stairs").at("/admin/groups/c")
	p.follow("Show : Administrators").is(200, "built in").at("/admin/groups/system-admin")
}

func TestAHouseWithoutGroupsOfItsOwnSaysSo(t *testing.T) {
	open(t).signIn("anna").get("/admin/groups").is(200, "There are none yet.").follow("Make a group").at("/admin/groups/new")
}

func TestAGroupIsMade(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	p := b.get("/admin/groups").follow("Make a group").is(200)
	p.send("Make a group", "name", " ").refused("name", "Please fill this in.")
	p.send("Make a group", "name", strings.Repeat("x", 201)).refused("name", "at most 200")
	wrong := p.send("Make a group", "name", "Guests", "policy", "{\r\n  \"entities\": {\r\n    \"labels\": true\r\n  }\r\n}")
	wrong.refused("policy", "cannot be used yet").is(422, "Line 3 entities › labels “labels” means nothing here")
	if got := wrong.written(); got != "{\n  \"entities\": {\n    \"labels\": true\n  }\n}" {
		t.Errorf("what was typed became %q", got)
	}
	if groups, err := h.Groups(t.Context()); err != nil || len(groups) != 3 {
		t.Fatalf("something was made: %v %v", groups, err)
	}
	p.send("Make a group", "name", " Guests ", "policy", `{"entities": {"domains": {"light": true}}}`).
		is(200, "The group is made.", "Guests Domains: light").at("/admin/groups?done=group_created")
	if g := h.groupNamed("Guests"); !g.Policy.Equal(policyOf(t, `{"entities": {"domains": {"light": true}}}`)) || g.SystemGenerated {
		t.Errorf("made %+v", g)
	}
}

func TestThereArePoliciesToBeginWith(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	p := b.get("/admin/groups/new")
	for name, want := range map[string]string{
		"Nothing":             `{"entities": {}}`,
		"See everything":      permission.ReadOnlyPolicy().String(),
		"Lights and switches": `{"entities": {"domains": {"light": {"read": true, "control": true}, "switch": {"read": true, "control": true}}}}`,
		"One area":            `{"entities": {"area_ids": {"living_room": {"read": true, "control": true}}}}`,
	} {
		begun := p.follow(name).is(200, "This policy can be used.")
		if got, err := permission.Parse([]byte(begun.written())); err != nil || !got.Equal(policyOf(t, want)) {
			t.Errorf("%s: %s, %v", name, begun.written(), err)
		}
		begun.send("Make a group", "name", name).is(200, "The group is made.")
	}
	b.get("/admin/groups/new?from=nowhere").is(200, "This policy can be used.")
}

func TestAGroupIsChanged(t *testing.T) {
	h := open(t)
	g := h.withGroup(latchkey.NewID(), "Guests", `{"entities": {"domains": {"light": true}}}`)
	ben := h.person("ben", func(n *latchkey.NewUser) { n.GroupIDs = []string{g.ID} })
	p := h.signIn("anna").get("/admin/groups").follow("Edit : Guests").is(200, "Guests", "This policy can be used.")
	if want := "{\n  \"entities\": {\n    \"domains\": {\n      \"light\": true\n    }\n  }\n}"; p.written() != want {
		t.Errorf("the editor has %q", p.written())
	}
	p.lacks("Begin with")
	p.send("Save", "policy", `{"entities": false}`).refused("policy", "cannot be used yet")
	p.send("Save", "name", "", "policy", `{}`).refused("name", "Please fill this in.")
	if now := h.groupNamed("Guests"); !now.Policy.Equal(g.Policy) {
		t.Errorf("a refusal changed the policy to %s", now.Policy)
	}
	p.send("Save", "name", "Visitors <b>", "policy", `{"entities": {"domains": {"switch": true}}}`).
		is(200, "The group is saved.", "Visitors <b> Domains: switch").at("/admin/groups?done=group_saved")
	now, err := h.Permissions(t.Context(), ben)
	if err != nil || now.Check("light.hall", permission.Read) || !now.Check("switch.hall", permission.Edit) {
		t.Errorf("the change does not count for members: %v", err)
	}
	h.signIn("anna").get("/admin/groups/"+strings.Repeat("0", 32)).is(404, "That is not there")
}

func TestAGroupIsDeletedAfterAQuestion(t *testing.T) {
	h := open(t)
	g := h.withGroup(latchkey.NewID(), "Guests", `{"entities": {"domains": {"light": true}}}`)
	ben := h.person("ben", func(n *latchkey.NewUser) { n.GroupIDs = []string{g.ID, latchkey.GroupReadOnly} })
	b := h.signIn("anna")
	ask := b.get("/admin/groups").follow("Delete : Guests").is(200, "Delete Guests?", "Whoever is in this group leaves it")
	ask.follow("Cancel").at("/admin/groups").is(200, "Guests")
	ask.send("Delete").is(200, "The group is deleted.").lacks("Guests").at("/admin/groups?done=group_deleted")
	if now, err := h.User(t.Context(), ben.ID); err != nil || !slices.Equal(now.GroupIDs, []string{latchkey.GroupReadOnly}) {
		t.Errorf("ben is in %q, %v", now.GroupIDs, err)
	}
	ask.send("Delete").is(404, "That is not there") // once more, from a page that is outdated
	b.get("/admin/groups/" + g.ID).is(404)
}

func TestBuiltInGroupsStayAsTheyAre(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	token := formToken(t, b.get("/admin/groups"))
	for _, id := range []string{latchkey.GroupAdmin, latchkey.GroupUser, latchkey.GroupReadOnly} {
		p := b.get("/admin/groups/"+id).is(200, "This group is built in and stays as it is.", `"entities"`)
		if len(p.all("textarea")) > 0 || len(p.all("form")) != 1 { // the one that signs out
			t.Errorf("%s: there is a form", id)
		}
		b.get("/admin/groups/"+id+"/delete").is(422, "The built-in groups stay as they are.")
		for _, path := range []string{"/admin/groups/" + id, "/admin/groups/" + id + "/delete"} {
			form := url.Values{"form_token": {token}, "name": {"Mine"}, "policy": {`{}`}}
			b.do(http.MethodPost, path, form).is(422, "The built-in groups stay as they are.")
		}
	}
	groups, err := h.Groups(t.Context())
	if err != nil || len(groups) != 3 {
		t.Fatal(groups, err)
	}
	for i, g := range latchkey.SystemGroups() {
		if groups[i].Name != g.Name || !groups[i].Policy.Equal(g.Policy) {
			t.Errorf("%s became %+v", g.ID, groups[i])
		}
	}
}

// Whatever becomes of the groups of a house, its only administrator gets in.
func TestNoGroupLocksTheLastAdminOut(t *testing.T) {
	h := open(t)
	g := h.withGroup(latchkey.NewID(), "Guests", `{"entities": {"domains": {"light": true}}}`)
	h.person("eva", func(n *latchkey.NewUser) { n.GroupIDs = []string{g.ID, latchkey.GroupAdmin} })
	owner, err := h.Owner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveUser(t.Context(), owner.ID); err != nil { // eva is left
		t.Fatal(err)
	}
	b := h.signIn("eva")
	check := func(what string) {
		t.Helper()
		b.get("/admin/groups").is(200)
		c, err := h.local.Credentials(t.Context(), map[string]any{"username": "eva"})
		if err != nil {
			t.Fatal(err)
		}
		u, err := h.User(t.Context(), c.UserID)
		if err != nil || !u.IsAdmin() {
			t.Errorf("%s: eva is no administrator any more: %v", what, err)
		}
		p, err := h.Permissions(t.Context(), u)
		if err != nil || !p.AccessAll(permission.Edit) {
			t.Errorf("%s: eva may not do everything any more: %v", what, err)
		}
	}
	p := b.get("/admin/groups/" + g.ID)
	p.send("Save", "policy", `{}`).is(200, "The group is saved.")
	check("a policy that allows nothing")
	b.get("/admin/groups/"+g.ID+"/delete").send("Delete").is(200, "The group is deleted.")
	check("a group that is gone")
	form := url.Values{"form_token": {formToken(t, b.get("/admin/groups"))}}
	b.do(http.MethodPost, "/admin/groups/"+latchkey.GroupAdmin+"/delete", form).is(422)
	check("an attempt on the administrators")
}

// Ids in old files may be any text, and names be missing.
func TestGroupsWithOddIDsCanBeReached(t *testing.T) {
	h := open(t)
	for _, id := range []string{"guests and friends", "a/b", "a?b#c", "50%", "ü"} {
		h.withGroup(id, "", `{}`)
	}
	for _, id := range []string{"guests and friends", "a/b", "a?b#c", "50%", "ü"} {
		p := h.signIn("anna").get("/admin/groups").follow("Edit : "+id).is(200, id)
		if !strings.Contains(p.source, `src="../../static/page.js"`) {
			t.Errorf("%s: the way to the root is another: %s", id, p.source)
		}
		p.send("Save", "name", "Named "+id).is(200, "The group is saved.", "Named "+id).follow("Groups").is(200)
		h.signIn("anna").get("/admin/groups").follow("Delete : Named "+id).send("Delete").is(200, "The group is deleted.").lacks(id)
	}
}

// An editor is not the place for a policy that does not fit into a form.
func TestAHugePolicyIsShownOnly(t *testing.T) {
	h := open(t)
	entities := permission.Object{}
	for range 8000 {
		entities["light."+latchkey.NewID()] = true
	}
	huge, err := permission.New(permission.Object{"entities": permission.Object{"entity_ids": entities}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.CreateGroup(t.Context(), "Many", huge); err != nil {
		t.Fatal(err)
	}
	b := h.signIn("anna")
	p := b.get("/admin/groups").is(200, "… (8000)").follow("Edit : Many").is(200, "too large to be changed on this page")
	if len(p.all("textarea")) > 0 {
		t.Error("there is an editor")
	}
	text := "{\"entities\": true" + strings.Repeat(" ", 300_000) + "}"
	p = b.get("/admin/groups/new").send("Make a group", "name", "More", "policy", text)
	p.refused("policy", "at most 300000 characters")
	p.lacks("cannot be used yet")
	b.get("/admin/groups").follow("Edit : Many").follow("Delete").send("Delete").is(200, "The group is deleted.")
}

// oldFile is the folder of a Home Assistant with anna, ben, and a group that nobody would be given today.
func oldFile(t *testing.T, policy string) string {
	t.Helper()
	dir := t.TempDir()
	store, err := hassfile.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	h := openOver(t, store)
	guests, err := h.CreateGroup(t.Context(), "Guests", permission.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	h.person("ben", func(n *latchkey.NewUser) { n.GroupIDs = []string{guests.ID, latchkey.GroupReadOnly} })
	h.Close()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "auth")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Version int            `json:"version"`
		Minor   int            `json:"minor_version"`
		Key     string         `json:"key"`
		Data    map[string]any `json:"data"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, g := range all.Data["groups"].([]any) {
		if g := g.(map[string]any); g["id"] == guests.ID {
			g["policy"] = json.RawMessage(policy)
		}
	}
	if text, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// spec: storage.md §2, permissions.md §7: a stored policy is not validated
func TestUnsoundPoliciesOfOldFilesAreShownAndMended(t *testing.T) {
	for name, row := range map[string]struct {
		policy, complaint string
		locked            bool
	}{
		"false":            {`{"entities":{"all":{"read":false}}}`, "entities › all › read Here true has to stand.", true},
		"null":             {`{"entities":null}`, "entities Here true or an object has to stand.", false},
		"another category": {`{"config_entries":true}`, "config_entries “config_entries” means nothing here. What may stand here: entities.", false},
		"no object":        {`[1.50]`, "A policy is an object", true},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := hassfile.Open(t.Context(), oldFile(t, row.policy))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = store.Close() })
			h := openOver(t, store)
			p := h.signIn("anna").get("/admin/groups").is(200, "Guests Policy has problems").follow("Edit : Guests").is(200, row.complaint)
			if !policyOf(t, p.written()).Equal(policyOf(t, row.policy)) || !strings.Contains(row.policy, "1.50") == strings.Contains(p.written(), "1.50") {
				t.Errorf("the editor has %s", p.written())
			}
			if got := strings.Contains(p.text, "whoever is in the group is denied everything"); got != row.locked {
				t.Errorf("it says that members are denied everything: %t", got)
			}
			p.wrong("policy")
			p.send("Save").refused("policy", "cannot be used yet") // as it stands
			p.send("Save", "policy", `{"entities": {"all": {"control": true}}}`).is(200, "The group is saved.").lacks("has problems")
			c, err := h.local.Credentials(t.Context(), map[string]any{"username": "ben"})
			if err != nil {
				t.Fatal(err)
			}
			ben, err := h.User(t.Context(), c.UserID)
			if err != nil {
				t.Fatal(err)
			}
			now, err := h.Permissions(t.Context(), ben)
			if err != nil || !now.AccessAll(permission.Control) || !now.AccessAll(permission.Read) {
				t.Errorf("ben may not do what the mended policy allows: %v", err)
			}
		})
	}
}

// What belongs into the files of a Home Assistant that is followed is refused in words, and what was typed is kept.
func TestWhatIsFollowedIsNotChangedHere(t *testing.T) {
	own, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "own.db"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := hassfile.Follow(t.Context(), oldFile(t, `{"entities":{"domains":{"light":true}}}`), own, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	h := openOver(t, store)
	b := h.signIn("anna")
	const why = "This is kept by Home Assistant, which is only followed here. Change it there."
	p := b.get("/admin/groups").follow("Edit : Guests").send("Save", "name", "Visitors", "policy", `{"entities": true}`).is(422, why)
	if p.written() != `{"entities": true}` || attribute(p.all("h1")[0], "id") == "" || !strings.Contains(p.source, `value="Visitors"`) {
		t.Errorf("what was typed is gone: %s", p.source)
	}
	b.get("/admin/groups/new").send("Make a group", "name", "New ones").is(422, why)
	b.get("/admin/groups").follow("Delete : Guests").send("Delete").is(422, why)
	b.get("/admin/groups").is(200, "Guests Domains: light").lacks("Visitors", "New ones")
	// What would be can be looked at all the same.
	b.get("/admin/groups").follow("Edit : Guests").send("Show", "who", "ben", "entity", "light.hall").is(200, "What may ben do with light.hall")
	if strings.Contains(h.log.String(), "page failed") {
		t.Errorf("it counts as a failure: %s", h.log)
	}
}
