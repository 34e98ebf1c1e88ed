package pages

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/permission"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

// maxPolicy is how many characters a policy may have that is written here: some thousand entities. Larger ones would not
// fit into a form.
const maxPolicy = 300_000

// editor is what the page shows on which a group is written.
type editor struct {
	Group   string // its id, empty for one that is to be made
	Seen    string // the mark of what is changed
	Action  string // where the form is sent, below the root, if not to the page's own address
	Form    *form
	Draft   draft
	Preview preview
	// Locked says that whoever is in the group is denied everything, because its policy cannot be used.
	Locked bool
	Starts []start // policies to begin with
	Most   int     // how many characters a policy may have
}

// start is a policy to begin with.
type start struct {
	Key    string // its name in the address
	Label  *web.Text
	policy permission.Policy
}

// starts are policies to begin with.
func starts() []start {
	everything := permission.Object{permission.Read: true, permission.Control: true}
	under := func(part string, entries permission.Object) permission.Policy {
		return permission.Must(permission.New(permission.Object{permission.Entities: permission.Object{part: entries}}))
	}
	return []start{
		{"nothing", web.Say("groups.start_nothing"), permission.Must(permission.New(permission.Object{
			permission.Entities: permission.Object{},
		}))},
		{"read", web.Say("groups.start_read"), permission.ReadOnlyPolicy()},
		{"lights", web.Say("groups.start_lights"), under(permission.Domains, permission.Object{
			"light": everything, "switch": everything,
		})},
		{"area", web.Say("groups.start_area"), under(permission.AreaIDs, permission.Object{"living_room": everything})},
	}
}

// startText is the policy to begin with that the address names.
func startText(name string) string {
	all := starts()
	for _, s := range all {
		if s.Key == name {
			return indented(s.policy)
		}
	}
	return indented(all[0].policy)
}

// indented writes a policy as people read it, sound or not.
func indented(p permission.Policy) string {
	text, err := p.MarshalJSON()
	if err != nil {
		return "" // a policy is JSON
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return string(text)
	}
	return out.String()
}

// tooLarge reports whether a policy does not fit into the editor.
func tooLarge(text string) bool { return utf8.RuneCountInString(text) > maxPolicy }

// editing is an editor with what a group is now.
func editing(g latchkey.Group) editor {
	_, err := permission.Merge(g.Policy)
	text := indented(g.Policy)
	return editor{
		Group: g.ID, Seen: groupMark(g.Name.Text, text), Form: newForm(map[string]string{"name": g.Name.Text}), Draft: readDraft(text),
		Locked: err != nil, Most: maxPolicy,
	}
}

// typed is an editor with what was typed into it.
func typed(v *visit, groupID string) editor {
	return editor{
		Group: groupID, Seen: v.field("seen"), Form: newForm(map[string]string{"name": v.text("name")}),
		Draft: readDraft(v.field("policy")), Most: maxPolicy,
	}
}

// refuse notes what is wrong with a group as it was typed, and reports whether something is.
func (e *editor) refuse() bool {
	e.Form.checkName("name")
	if tooLarge(e.Draft.Text) {
		e.Form.refuse("policy", web.Say("problem.policy_too_long", "most", maxPolicy))
	}
	return !e.Form.ok() || !e.Draft.ok()
}

// edit shows the editor.
func (h *house) edit(v *visit, status int, title, problem *web.Text, e editor) error {
	var err error
	if e.Preview, err = h.preview(v, e.Group, e.Draft); err != nil {
		return err
	}
	return v.answer(status, "group.html", web.View{
		Title: title, Problem: problem, Scripts: []string{"policy.js"}, Data: e,
	})
}

// wantsCheck reports whether the form is to be checked only.
func wantsCheck(v *visit) bool { return v.field("do") == "check" }

// save does what a form asks for: it checks a group, or saves it. A refusal comes back with everything that was typed.
func (h *house) save(v *visit, title *web.Text, e editor, save func(name string, p permission.Policy) error) error {
	if wantsCheck(v) {
		return h.edit(v, http.StatusOK, title, nil, e)
	}
	if e.refuse() {
		return h.edit(v, http.StatusUnprocessableEntity, title, nil, e)
	}
	err := save(e.Form.Values["name"], e.Draft.Policy)
	if told := problem(err); told != nil && !isNotFound(err) && !errors.Is(err, latchkey.ErrUnavailable) {
		return h.edit(v, status(err), title, told, e)
	}
	return err
}

// check says, while somebody writes a policy, what is wrong with it and what it would allow.
func (h *house) check(v *visit) error {
	e := typed(v, v.field("group"))
	var err error
	if e.Preview, err = h.preview(v, e.Group, e.Draft); err != nil {
		return err
	}
	return v.show("check.html", web.View{Title: web.Say("groups.policy"), Data: e})
}

// backToGroups is where the address of a check leads that was typed.
func (*house) backToGroups(v *visit) error { return v.goTo("admin/groups", "") }
