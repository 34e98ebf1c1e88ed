package pages_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/permission"
	"github.com/seed-6a977b3d/latchkey/server"
	"github.com/seed-6a977b3d/latchkey/server/pages"
)

// things know where two entities are.
type things struct{}

func (things) DeviceOfEntity(id string) (string, bool) {
	device := map[string]string{"light.hall": "lamp", "light.attic": "torch"}[id]
	return device, device != ""
}

func (things) AreaOfDevice(id string) (string, bool) {
	area := map[string]string{"lamp": "hall"}[id]
	return area, area != ""
}

func (things) FindEntities(text string, limit int) (found []string) {
	for _, id := range []string{"light.attic", "light.hall", "switch.fan"} {
		if strings.Contains(id, text) && len(found) < limit {
			found = append(found, id)
		}
	}
	return found
}

// check sends what the editor's script would.
func (b *browser) check(policy string, fields ...string) *page {
	b.t.Helper()
	form := url.Values{"form_token": {formToken(b.t, b.get("/admin/groups"))}, "policy": {policy}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.do(http.MethodPost, "/admin/groups/check", form, "Sec-Fetch-Site", "same-origin").is(200)
}

// part is the text of an element of a check.
func (p *page) part(id string) string {
	p.t.Helper()
	for n := range p.root.Descendants() {
		if attribute(n, "id") == id {
			return readable(n)
		}
	}
	p.t.Fatalf("there is no part %s: %s", id, p.source)
	return ""
}

func TestTheCheckSaysWhatIsNoJSON(t *testing.T) {
	b := open(t).signIn("anna")
	for _, row := range []struct{ text, want string }{
		{"", "Line 1 There is nothing here. Write {}"},
		{" \n ", "Line 2 There is nothing here."},
		{"{", "Line 1 The text ends too early"},
		{"{\n\"entities\": {\n", "Line 3 The text ends too early"},
		{"{}\n}", "Line 2 The policy has ended before this."},
		{"{\n  “entities”: true\n}", "Line 2 “ is a quotation mark of another kind."},
		{"{'entities': true}", "Line 1 ' is a quotation mark of another kind."},
		{"{\n\"entities\": true,\n}", "Line 3 Before } a name in quotation marks \" has to stand."},
		{"{entities: true}", "Line 1 Before e a name in quotation marks"},
		{"{\"entities\" true}", "Line 1 Before t a colon is missing."},
		{"{\"entities\": {\"domains\": true\n\"all\": true}}", "Line 2 Before \" a comma is missing"},
		{"{\"entities\": [true true]}", "Before t a comma is missing"},
		{"{\"entities\": yes}", "Line 1 y cannot stand here. Write true or { }."},
		{"{\"entities\": ü}", "ü cannot stand here. Write true"},
		{"{\"entities\": tru}", "Line 1 } cannot stand here (invalid character"},
		{"{\"entities\": " + strings.Repeat("[", 20_000), "cannot stand here"},
		{"{\"entities\": \x00}", "cannot stand here"},
		{"<b>&", "Line 1 < cannot stand here."},
	} {
		p := b.check(row.text)
		if got := p.part("verdict"); !strings.HasPrefix(got, "This policy cannot be used yet:") || !strings.Contains(got, row.want) {
			t.Errorf("%.40q: %q, want %q", row.text, got, row.want)
		}
	}
}

// spec: permissions.md §7: everything that is wrong is told at once, where it stands
func TestTheCheckListsEveryProblem(t *testing.T) {
	b := open(t).signIn("anna")
	p := b.check(`{
  "x": 1,
  "entities": {
    "all": {"read": null, "write": true},
    "labels": {},
    "domains": {
      "light": 0,
      "light": {"read": true},
      "<b>": {"control": false}
    },
    "entity_ids": ["light.hall"]
  }
}`)
	got := p.part("verdict")
	at := 0
	for _, want := range []string{
		"Line 2 x “x” means nothing here. What may stand here: entities.",
		"Line 4 entities › all › read Here true has to stand. To allow nothing, leave the name out: nothing can be forbidden.",
		"Line 4 entities › all › write “write” means nothing here. What may stand here: read, control, edit.",
		"Line 5 entities › labels “labels” means nothing here. What may stand here: entity_ids, device_ids, area_ids, domains, all.",
		"Line 8 entities › domains › light “light” stands here twice, and only the last would count.",
		"Line 9 entities › domains › <b> › control Here true has to stand.",
		"Line 11 entities › entity_ids Here true or an object has to stand.",
	} {
		i := strings.Index(got[at:], want)
		if i < 0 {
			t.Errorf("it does not say %q in its place: %s", want, got)
			continue
		}
		at += i + len(want)
	}
	if n := strings.Count(got, "Line "); n != 7 {
		t.Errorf("%d problems, want 7: %s", n, got)
	}
	for text, want := range map[string]string{`[]`: "A policy is an object", `null`: "A policy is an object", `{"entities": 1}`: "Here true or an object"} {
		if got := b.check(text).part("verdict"); !strings.Contains(got, "Line 1") || !strings.Contains(got, want) {
			t.Errorf("%s: %s", text, got)
		}
	}
	if got := b.check(`{"entities": {"all": {"read": true}}}`).part("verdict"); got != "This policy can be used." {
		t.Errorf("a sound policy: %s", got)
	}
}

func TestTheCheckDoesNotListWithoutEnd(t *testing.T) {
	var wrong []string
	for i := range 250 {
		wrong = append(wrong, fmt.Sprintf("\"d%d\": 0", i))
	}
	got := open(t).signIn("anna").check("{\"entities\": {\"domains\": {\n" + strings.Join(wrong, ",\n") + "}}}").part("verdict")
	if n := strings.Count(got, "Line "); n != 100 || !strings.Contains(got, "and 150 more") {
		t.Errorf("%d problems: %s", n, got)
	}
}

func TestOnlyAnOwnFormIsChecked(t *testing.T) {
	h := open(t)
	b := h.signIn("anna")
	token := formToken(b.t, b.get("/admin/groups"))
	b.do(http.MethodPost, "/admin/groups/check", url.Values{"policy": {"{}"}}).is(403)
	b.do(http.MethodPost, "/admin/groups/check", url.Values{"policy": {"{}"}, "form_token": {token}}, "Sec-Fetch-Site", "cross-site").is(403)
	other := h.signIn("anna")
	other.do(http.MethodPost, "/admin/groups/check", url.Values{"policy": {"{}"}, "form_token": {token}}).is(403)
	b.get("/admin/groups/check").at("/admin/groups").is(200)
	p := b.check(`{}`)
	if p.header.Get("Cache-Control") != "no-store" || len(p.all("script")) > 0 {
		t.Errorf("the answer can be kept, or runs: %v", p.header)
	}
}

// Without scripts the form itself asks.
func TestTheFormChecksWithoutSavingAnything(t *testing.T) {
	h := open(t)
	g := h.withGroup("guests", "Guests", `{"entities": {"domains": {"light": {"read": true}}}}`)
	h.person("ben", func(n *latchkey.NewUser) { n.GroupIDs = []string{g.ID} })
	b := h.signIn("anna")
	p := b.get("/admin/groups/guests")
	p.is(200, "Choose somebody by name or user name")
	wrong := p.send("Check", "name", "Changed", "policy", `{"entities": {"labels": true}}`).is(200, "entities › labels")
	if wrong.wrong("policy") == "" || !strings.Contains(wrong.written(), "labels") || !strings.Contains(wrong.source, `value="Changed"`) {
		t.Errorf("the page forgot something: %s", wrong.source)
	}
	shown := wrong.send("Show", "policy", `{"entities": {"area_ids": {"hall": {"control": true}}}}`, "who", "ben", "entity", "light.hall")
	shown.is(200, "What may ben do with light.hall ?", "See it (read) Denied No rule allows it.",
		"Operate it (control) Allowed There is a rule for its area, hall. Granted by: this policy .", "Change its settings (edit) Denied",
		"light.hall belongs to the device lamp in the area hall.", "This policy can be used.").lacks("not in this group")
	again := shown.send("Check", "entity", "light.attic")
	again.is(200, "What may ben do with light.attic ?", "Operate it (control) Denied", "light.attic belongs to the device torch, which is in no area.")
	again.send("Check", "entity", "switch.fan").is(200, "No device is known that switch.fan belongs to")
	if now := h.groupNamed("Guests"); !now.Policy.Equal(g.Policy) {
		t.Errorf("a check saved %s", now.Policy)
	}
	b.get("/admin/groups/new").send("Check", "policy", `{"entities": true}`, "who", "ben", "entity", "a.b").
		is(200, "ben is not in this group. This is what would be allowed in it.", "See it (read) Allowed Everything is allowed. Granted by: this policy .")
	if groups, err := h.Groups(t.Context()); err != nil || len(groups) != 4 {
		t.Errorf("a check made a group: %v %v", groups, err)
	}
}

// The preview says what the manager would decide if the draft were saved.
func TestThePreviewIsWhatWouldBeDecided(t *testing.T) {
	h := open(t)
	g := h.withGroup("guests", "Guests", `{"entities": true}`) // which the draft replaces
	h.withGroup("stairs", "Stairs", `{"entities": {"entity_ids": {"light.attic": {"control": true}}}}`)
	people := map[string][]string{
		"ben": {g.ID}, "eva": {"stairs", g.ID}, "ida": {"stairs", latchkey.GroupReadOnly}, "jon": nil, "kim": {latchkey.GroupUser, g.ID},
	}
	ids := map[string]string{}
	for name, groups := range people {
		ids[name] = h.person(name, func(n *latchkey.NewUser) { n.GroupIDs = groups }).ID
	}
	owner, err := h.Owner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ids["anna"] = owner.ID
	b := h.signIn("anna")
	compared := 0
	for _, text := range []string{
		`{}`, `{"entities": true}`, `{"entities": {"domains": true}}`, `{"entities": {"all": {"read": true, "edit": true}}}`,
		`{"entities": {"device_ids": {"lamp": {"control": true}}, "area_ids": {"hall": {"read": true}}, "domains": {"switch": true}}}`,
		`{"entities": {"entity_ids": {"light.hall": {"edit": true}}, "domains": {"light": {"read": true}}}}`,
	} {
		draft, err := permission.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for name, id := range ids {
			would, err := h.Preview(t.Context(), id, g.ID, draft)
			if err != nil {
				t.Fatal(err)
			}
			for _, entity := range []string{"light.hall", "light.attic", "switch.fan", "sensor.loft"} {
				got := b.check(text, "group", g.ID, "who", name, "entity", entity).part("outlook")
				for right, label := range map[string]string{
					permission.Read: "See it (read)", permission.Control: "Operate it (control)", permission.Edit: "Change its settings (edit)",
				} {
					want := label + " Denied"
					if would.Check(entity, right) {
						want = label + " Allowed"
					}
					if compared++; !strings.Contains(got, want) {
						t.Errorf("%s, %s, %s: want %q: %s", text, name, entity, want, got)
					}
				}
			}
		}
	}
	if compared != 6*6*4*3 {
		t.Errorf("%d answers compared", compared)
	}
}

func TestThePreviewNamesTheRuleAndTheGroupsBehindIt(t *testing.T) {
	h := open(t)
	g := h.withGroup("guests", "Guests", `{"entities": true}`) // which the draft replaces
	h.withGroup("stairs", "Stairs", `{"entities": {"entity_ids": {"light.hall": {"control": true}}}}`)
	h.person("ben", func(n *latchkey.NewUser) { n.GroupIDs = []string{"stairs", g.ID} })
	b := h.signIn("anna")
	for _, row := range []struct{ policy, want string }{
		{`{}`, "Operate it (control) Allowed There is a rule for this entity. Granted by: Stairs ."},
		{`{"entities": {"entity_ids": {"light.hall": {"control": true}}}}`, "(control) Allowed There is a rule for this entity. Granted by: Stairs , this policy ."},
		{`{"entities": {"device_ids": {"lamp": true}}}`, "(read) Allowed There is a rule for its device, lamp. Granted by: this policy ."},
		{`{"entities": {"area_ids": {"hall": true}}}`, "(read) Allowed There is a rule for its area, hall. Granted by: this policy ."},
		{`{"entities": {"domains": {"light": {"edit": true}}}}`, "(edit) Allowed There is a rule for the domain light. Granted by: this policy ."},
		{`{"entities": {"all": {"edit": true}}}`, "(edit) Allowed There is a rule for all entities. Granted by: this policy ."},
		{`{"entities": {"area_ids": true}}`, "(edit) Allowed “area_ids” is allowed as a whole, and with it everything. Granted by: this policy ."},
		{`{"entities": true}`, "(control) Allowed Everything is allowed. Granted by: Stairs , this policy ."},
		{`{"entities": {"all": {"edit": true}}}`, "(read) Denied No rule allows it."},
	} {
		if got := b.check(row.policy, "group", g.ID, "who", "ben", "entity", "light.hall").part("outlook"); !strings.Contains(got, row.want) {
			t.Errorf("%s: want %q: %s", row.policy, row.want, got)
		}
	}
}

func TestThePreviewSaysWhatElseCounts(t *testing.T) {
	h := open(t)
	h.withGroup("guests", "Guests", `{}`)
	h.withGroup("odd", "Odd ones", `{"entities": {"all": false}}`)
	h.person("ben", func(n *latchkey.NewUser) { n.GroupIDs = []string{"odd"} })
	off := h.person("eva", func(n *latchkey.NewUser) { n.GroupIDs = []string{"guests"} })
	if err := h.DeactivateUser(t.Context(), off.ID); err != nil {
		t.Fatal(err)
	}
	b := h.signIn("anna")
	ask := func(policy, who string) string {
		t.Helper()
		return b.check(policy, "group", "guests", "who", who, "entity", "light.hall").part("outlook")
	}
	for _, row := range []struct{ policy, who, want string }{
		{`{}`, "anna", "anna owns this server, and may do everything whatever the groups say."},
		{`{}`, "anna", "(edit) Allowed Owners may do everything."},
		{`{}`, "eva", "eva is inactive, and cannot sign in."},
		{`{}`, "ben", "ben is not in this group."},
		{`{"entities": true}`, "ben", "Another group of ben has a policy that cannot be used. Until it is mended everything is denied."},
		{`{"entities": true}`, "ben", "(read) Denied No rule allows it."},
		{`{"entities": {"labels": true}}`, "ben", "This can be shown once the policy is mended."},
		{`{"entities": `, "ben", "This can be shown once the policy is mended."},
		{`{}`, "", "Choose somebody by name or user name, and an entity"},
		{`{}`, "nobody", "Nobody is called “nobody”."},
		{`{}`, "<i>", "Nobody is called “<i>”."},
	} {
		if got := ask(row.policy, row.who); !strings.Contains(got, row.want) {
			t.Errorf("%s for %q: want %q: %s", row.policy, row.who, row.want, got)
		}
	}
	if got := ask(`{}`, "anna"); strings.Contains(got, "not in this group") || strings.Contains(got, "Granted by") {
		t.Errorf("of an owner it says %s", got)
	}
}

func TestPeopleAreFoundByUsernameNameAndID(t *testing.T) {
	h := open(t)
	named := func(username, name string) latchkey.User {
		return h.person(username, func(n *latchkey.NewUser) { n.Name = latchkey.Text(name) })
	}
	ben := named("ben", "Benjamin Moser")
	named("bea", "Beatrix Moser")
	named("max", "Ben") // a username counts before a name
	named("twin1", "Kim")
	named("twin2", "Kim")
	visitor, err := h.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text("Panel in the hall")})
	if err != nil {
		t.Fatal(err)
	}
	b := h.signIn("anna")
	for who, want := range map[string]string{
		"ben":              "What may Benjamin Moser do",
		" BEN ":            "What may Benjamin Moser do",
		ben.ID:             "What may Benjamin Moser do",
		"beatrix moser":    "What may Beatrix Moser do",
		"Beatrix":          "What may Beatrix Moser do",
		"panel in":         "What may Panel in the hall do",
		"moser":            "More than one person may be meant by “moser”.",
		"kim":              "More than one person may be meant by “kim”.",
		visitor.ID + "xyz": "Nobody is called",
	} {
		if got := b.check(`{}`, "who", who, "entity", "a.b").part("outlook"); !strings.Contains(got, want) {
			t.Errorf("%q: want %q: %s", who, want, got)
		}
	}
	offered := func(p *page, list string) (values []string) {
		for n := range p.root.Descendants() {
			if n.Data == "option" && attribute(n.Parent, "id") == list {
				values = append(values, attribute(n, "value")+"="+attribute(n, "label"))
			}
		}
		return values
	}
	if got := offered(b.check(`{}`, "who", "moser"), "people"); !slices.Equal(got, []string{"ben=Benjamin Moser", "bea=Beatrix Moser"}) {
		t.Errorf("offered are %q", got)
	}
	if got := offered(b.check(`{}`), "people"); len(got) != 7 || got[0] != "anna=anna" || got[6] != visitor.ID+"=Panel in the hall" {
		t.Errorf("offered are %q", got)
	}
	if got := offered(b.get("/admin/groups/new"), "people"); len(got) != 7 {
		t.Errorf("the page offers %q", got)
	}
	for range 40 {
		if _, err := h.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text("One of many")}); err != nil {
			t.Fatal(err)
		}
	}
	if got := offered(b.get("/admin/groups/new"), "people"); len(got) != 20 {
		t.Errorf("the page offers %d people", len(got))
	}
}

func TestEntitiesAreOfferedWhereTheyAreKnown(t *testing.T) {
	p := open(t).signIn("anna").check(`{}`, "entity", "light.")
	var values []string
	for n := range p.root.Descendants() {
		if n.Data == "option" && attribute(n.Parent, "id") == "entities" {
			values = append(values, attribute(n, "value"))
		}
	}
	if !slices.Equal(values, []string{"light.attic", "light.hall"}) {
		t.Errorf("offered are %q", values)
	}
	p = open(t, func(_ *server.Options, p *pages.Options) { p.Lookup = nil }).signIn("anna").check(`{}`, "who", "anna", "entity", "light.hall")
	if got := p.part("entities"); got != "" || !strings.Contains(p.source, "What may") {
		t.Errorf("without registries it offers %q: %s", got, p.text)
	}
}

// crowd is a store with so many people that none is found in good time.
type crowd struct{ latchkey.Store }

func (c crowd) FindUsers(ctx context.Context, text, after string, limit int) ([]latchkey.User, error) {
	if text == "" {
		return c.Store.FindUsers(ctx, text, after, limit)
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestThePreviewDoesNotWaitForASearchWithoutEnd(t *testing.T) {
	h := open(t)
	h = openOver(t, crowd{h.store})
	b := h.signIn("anna")
	if got := b.check(`{}`, "who", "somebody", "entity", "a.b").part("outlook"); !strings.Contains(got, "too many people to search") {
		t.Errorf("a search without end: %s", got)
	}
	if got := b.check(`{}`, "who", "anna", "entity", "a.b").part("outlook"); !strings.Contains(got, "What may anna do") {
		t.Errorf("a username is not found at once: %s", got)
	}
}
