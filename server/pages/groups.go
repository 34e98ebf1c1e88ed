package pages

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/permission"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

// errBuiltIn refuses changes to groups that are part of the program.
var errBuiltIn = errors.New("the built-in groups stay as they are")

// groupRow is a group in the list.
type groupRow struct {
	Path  string // of its page, below the root
	Name  *web.Text
	May   []*web.Text // what its members may do
	Wrong bool        // its policy has problems
}

// listGroups lists the groups. How many members each has is not said: that takes going through everybody.
func (h *house) listGroups(v *visit) error {
	groups, err := h.Manager.Groups(v.ctx())
	if err != nil {
		return err
	}
	var own, builtIn []groupRow
	for _, g := range groups {
		row := groupRow{Path: groupPath(g.ID), Name: groupName(g), May: may(g), Wrong: g.Policy.Validate() != nil}
		if g.SystemGenerated {
			builtIn = append(builtIn, row)
		} else {
			own = append(own, row)
		}
	}
	return v.show("groups.html", web.View{Title: web.Say("groups.title"), Data: args{"Own": own, "BuiltIn": builtIn}})
}

// groupPath is the address of a group's page below the root. Ids of old files may be any text.
func groupPath(id string) string { return "admin/groups/" + url.PathEscape(id) }

// groupName is what a group is called. The names of the built-in groups are words.
func groupName(g latchkey.Group) *web.Text {
	if g.SystemGenerated {
		switch g.ID {
		case latchkey.GroupAdmin:
			return web.Say("groups.name_admin")
		case latchkey.GroupUser:
			return web.Say("groups.name_users")
		case latchkey.GroupReadOnly:
			return web.Say("groups.name_read_only")
		}
	}
	return web.Plain(ownName(g))
}

// ownName is what a group was called when it was made; old files may have none.
func ownName(g latchkey.Group) string {
	if g.Name.Text == "" {
		return g.ID
	}
	return g.Name.Text
}

// may says in words what the members of a group may do.
func may(g latchkey.Group) []*web.Text {
	if g.SystemGenerated {
		switch g.ID {
		case latchkey.GroupAdmin:
			return []*web.Text{web.Say("groups.may_admin")}
		case latchkey.GroupUser:
			return []*web.Text{web.Say("groups.may_users")}
		case latchkey.GroupReadOnly:
			return []*web.Text{web.Say("groups.may_read_only")}
		}
	}
	return summary(g.Policy)
}

// summary says in words what a sound policy grants; of one that is not it says nothing.
func summary(p permission.Policy) []*web.Text {
	var policy struct {
		Entities any `json:"entities"`
	}
	if p.Validate() != nil || json.Unmarshal([]byte(p.String()), &policy) != nil {
		return nil
	}
	parts, _ := policy.Entities.(map[string]any)
	everything := policy.Entities == true
	var says []*web.Text
	for _, part := range []struct{ name, key string }{
		{permission.All, "groups.may_all"}, {permission.Domains, "groups.may_domains"}, {permission.AreaIDs, "groups.may_areas"},
		{permission.DeviceIDs, "groups.may_devices"}, {permission.EntityIDs, "groups.may_entities"},
	} {
		everything = everything || parts[part.name] == true // one part that is granted as a whole grants all
		entries, _ := parts[part.name].(map[string]any)
		if names := slices.Sorted(maps.Keys(entries)); len(names) > 0 {
			says = append(says, web.Say(part.key, "names", enumerated(names)))
		}
	}
	switch {
	case everything:
		return []*web.Text{web.Say("groups.may_everything")}
	case len(says) == 0:
		return []*web.Text{web.Say("groups.may_nothing")}
	}
	return says
}

// enumerated writes the first of some names, and how many there are.
func enumerated(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s, … (%d)", strings.Join(names[:most], ", "), len(names))
}

// describeGroup is the page on which a group is made.
func (h *house) describeGroup(v *visit) error {
	return h.edit(v, http.StatusOK, web.Say("groups.create"), nil, editor{
		Form: newForm(nil), Draft: readDraft(startText(v.r.URL.Query().Get("from"))), Starts: starts(), Most: maxPolicy,
	})
}

func (h *house) createGroup(v *visit) error {
	e := typed(v, "")
	return h.save(v, web.Say("groups.create"), e, func(name string, p permission.Policy) error {
		if _, err := h.Manager.CreateGroup(v.ctx(), name, p); err != nil {
			return err
		}
		return v.goTo("admin/groups", "group_created")
	})
}

// group returns the group that the address names.
func (h *house) group(v *visit) (latchkey.Group, error) {
	return h.Manager.Group(v.ctx(), v.r.PathValue("id"))
}

// ownGroup returns the group that the address names, if it can be changed.
func (h *house) ownGroup(v *visit) (latchkey.Group, error) {
	g, err := h.group(v)
	if err == nil && g.SystemGenerated {
		err = errBuiltIn
	}
	return g, err
}

// showGroup shows a group in the editor. A built-in one, and one that is too large for it, can be looked at.
func (h *house) showGroup(v *visit) error {
	g, err := h.group(v)
	if err != nil {
		return err
	}
	text := indented(g.Policy)
	if g.SystemGenerated || tooLarge(text) {
		return v.show("group_fixed.html", web.View{Title: groupName(g), Data: args{"Group": g, "Path": groupPath(g.ID), "Text": text, "May": may(g)}})
	}
	return h.edit(v, http.StatusOK, groupName(g), nil, editing(g))
}

func (h *house) changeGroup(v *visit) error {
	g, err := h.ownGroup(v)
	if isNotFound(err) {
		return h.goneMeanwhile(v)
	} else if err != nil {
		return err
	}
	e := typed(v, g.ID)
	return h.save(v, groupName(g), e, func(name string, p permission.Policy) error {
		if overtaken(v, editing(g).Seen, groupMark(name, indented(p))) {
			return h.changedMeanwhile(v, g, e)
		}
		if _, err := h.Manager.UpdateGroup(v.ctx(), g.ID, latchkey.GroupUpdate{Name: &name, Policy: &p}); isNotFound(err) {
			return h.goneMeanwhile(v)
		} else if err != nil {
			return err
		}
		return v.goTo("admin/groups", "group_saved")
	})
}

func (h *house) askToDeleteGroup(v *visit) error {
	g, err := h.ownGroup(v)
	if err != nil {
		return err
	}
	return v.show("confirm.html", web.View{
		Title: web.Say("groups.delete_title", "name", ownName(g)),
		Data:  question{Text: web.Say("groups.delete_text"), Yes: web.Say("groups.delete"), Back: "admin/groups"},
	})
}

func (h *house) deleteGroup(v *visit) error {
	g, err := h.ownGroup(v)
	if err != nil {
		return err
	}
	if err := h.Manager.RemoveGroup(v.ctx(), g.ID); err != nil {
		return err
	}
	return v.goTo("admin/groups", "group_deleted")
}
