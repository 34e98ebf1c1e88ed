package pages

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/permission"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/server/web"
)

const (
	// maxSuggestions is how many people or entities are offered to choose from.
	maxSuggestions = 20
	// searchFor is how long is searched for people. Who types a username in full is found at once, however many there are.
	searchFor = time.Second
)

// errSlowSearch says that nobody was found in good time.
var errSlowSearch = errors.New("there are too many people to be searched")

// EntityFinder is a [permission.Lookup] that knows which entities there are, so that they can be offered.
type EntityFinder interface {
	// FindEntities returns, sorted, up to limit entity ids that contain text.
	FindEntities(text string, limit int) []string
}

// preview is what somebody might do with an entity if a draft were the policy of a group.
type preview struct {
	Who, Entity string // as they were typed
	People      []person
	Entities    []string
	// Hint says why there are no answers.
	Hint    *web.Text
	Name    string // of the person
	Notes   []*web.Text
	Answers []outlook
	Place   *web.Text // where the entity is
}

// person is somebody who is offered to choose from.
type person struct{ Handle, Name string }

// outlook is the answer for one of the rights.
type outlook struct {
	Right   *web.Text
	Allowed bool
	Why     *web.Text
	// Groups are those that allow it, each by itself.
	Groups []*web.Text
}

// preview answers for whom and what was typed into the form.
func (h *house) preview(v *visit, groupID string, d draft) (preview, error) {
	p := preview{Who: v.text("who"), Entity: v.text("entity")}
	u, err := h.suggest(v.ctx(), &p)
	switch {
	case errors.Is(err, errSlowSearch):
		p.Hint = web.Say("groups.preview_slow", "name", p.Who)
		return p, nil
	case err != nil:
		return preview{}, err
	case p.Who == "" || p.Entity == "":
		p.Hint = web.Say("groups.preview_choose")
	case u == nil && len(p.People) > 0:
		p.Hint = web.Say("groups.preview_several", "name", p.Who)
	case u == nil:
		p.Hint = web.Say("groups.preview_nobody", "name", p.Who)
	case !d.ok():
		p.Hint = web.Say("groups.preview_mend")
	default:
		p.Name = nameOf(*u)
		err = h.foresee(v.ctx(), &p, *u, groupID, d.Policy)
	}
	return p, err
}

// suggest finds whom the preview is about, and offers people and entities.
func (h *house) suggest(ctx context.Context, p *preview) (*latchkey.User, error) {
	if finder, ok := h.Lookup.(EntityFinder); ok {
		p.Entities = finder.FindEntities(p.Entity, maxSuggestions)
	}
	u, others, err := h.who(ctx, p.Who)
	for _, o := range others {
		p.People = append(p.People, person{handleOf(o), o.Name.Text})
	}
	return u, err
}

// who finds somebody by username, id or name, if that can be but one person, and those whom it may mean as well.
// It is [errSlowSearch] where there are too many people for that.
func (h *house) who(ctx context.Context, text string) (*latchkey.User, []latchkey.User, error) {
	if text != "" {
		if u, err := h.exactly(ctx, text); u != nil || err != nil {
			return u, nil, err
		}
	}
	limited, cancel := context.WithTimeout(ctx, searchFor)
	defer cancel()
	found, err := h.Manager.FindUsers(limited, text, "", maxSuggestions)
	switch {
	case limited.Err() != nil && ctx.Err() == nil:
		return nil, nil, errSlowSearch
	case err != nil || text == "":
		return nil, found, err
	}
	exact := slices.DeleteFunc(slices.Clone(found), func(u latchkey.User) bool {
		return latchkey.NormalizeUsername(u.Name.Text) != latchkey.NormalizeUsername(text)
	})
	switch {
	case len(exact) == 1:
		return &exact[0], found, nil
	case len(found) == 1:
		return &found[0], found, nil
	}
	return nil, found, nil
}

// exactly finds somebody by what is unique, in a step that takes no longer with more people.
func (h *house) exactly(ctx context.Context, text string) (*latchkey.User, error) {
	u, err := h.Manager.User(ctx, text)
	if isNotFound(err) && h.Local != nil {
		var c latchkey.Credentials
		if c, err = h.Local.Credentials(ctx, map[string]any{"username": text}); err != nil {
			return nil, err
		}
		u, err = h.Manager.UserByCredentials(ctx, c)
	}
	switch {
	case isNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &u, nil
}

// handleOf is what finds a person and nobody else.
func handleOf(u latchkey.User) string {
	if c, ok := homeassistant.LoginOf(u); ok {
		return c.Text("username")
	}
	return u.ID
}

// foresee answers for a user and an entity.
func (h *house) foresee(ctx context.Context, p *preview, u latchkey.User, groupID string, policy permission.Policy) error {
	merged, err := h.Manager.Preview(ctx, u.ID, groupID, policy)
	if err != nil {
		return err
	}
	parts, err := h.partsOf(ctx, u, groupID, policy)
	if err != nil {
		return err
	}
	p.Notes, p.Place = notes(u, groupID, parts), h.placeOf(p.Entity)
	for _, right := range []struct{ name, key string }{
		{permission.Read, "groups.right_read"}, {permission.Control, "groups.right_control"}, {permission.Edit, "groups.right_edit"},
	} {
		decision := merged.Explain(p.Entity, right.name)
		o := outlook{Right: web.Say(right.key), Allowed: decision.Allowed, Why: why(decision)}
		for _, part := range parts {
			if !u.IsOwner && decision.Allowed && permission.Compile(part.policy, h.Lookup).Check(p.Entity, right.name) {
				o.Groups = append(o.Groups, part.name)
			}
		}
		p.Answers = append(p.Answers, o)
	}
	return nil
}

// part is what one group says.
type part struct {
	name   *web.Text
	policy permission.Policy
}

// partsOf are the groups of a user with the draft in the place of its group, in the order in which they are merged.
func (h *house) partsOf(ctx context.Context, u latchkey.User, groupID string, draft permission.Policy) ([]part, error) {
	var parts []part
	for _, id := range u.GroupIDs {
		g, err := h.Manager.Group(ctx, id)
		switch {
		case isNotFound(err) || id == groupID:
			continue
		case err != nil:
			return nil, err
		}
		parts = append(parts, part{groupName(g), g.Policy})
	}
	return append(parts, part{web.Say("groups.this_policy"), draft}), nil
}

// notes are what somebody has to know to understand the answers.
func notes(u latchkey.User, groupID string, parts []part) []*web.Text {
	var notes []*web.Text
	name := nameOf(u)
	switch {
	case u.IsOwner:
		return []*web.Text{web.Say("groups.preview_owner", "name", name)}
	case !u.IsActive:
		notes = append(notes, web.Say("groups.preview_inactive", "name", name))
	}
	if !slices.Contains(u.GroupIDs, groupID) {
		notes = append(notes, web.Say("groups.preview_no_member", "name", name))
	}
	policies := make([]permission.Policy, len(parts))
	for i, p := range parts {
		policies[i] = p.policy
	}
	if _, err := permission.Merge(policies...); errors.Is(err, permission.ErrUnmergeable) {
		notes = append(notes, web.Say("groups.preview_locked", "name", name))
	}
	return notes
}

// placeOf says which device and area rules see an entity in.
func (h *house) placeOf(entity string) *web.Text {
	device, area := "", ""
	if h.Lookup != nil {
		if device, _ = h.Lookup.DeviceOfEntity(entity); device != "" {
			area, _ = h.Lookup.AreaOfDevice(device)
		}
	}
	switch {
	case device == "":
		return web.Say("groups.place_none", "entity", entity)
	case area == "":
		return web.Say("groups.place_device", "entity", entity, "device", device)
	}
	return web.Say("groups.place", "entity", entity, "device", device, "area", area)
}

// why names the rule that decided.
func why(d permission.Decision) *web.Text {
	switch d.By {
	case permission.ByOwner:
		return web.Say("groups.why_owner")
	case permission.ByCategory:
		return web.Say("groups.why_everything")
	case permission.BySubcategory:
		return web.Say("groups.why_part", "part", d.Subcategory)
	case permission.ByEntry, permission.ByKey:
		switch d.Subcategory {
		case permission.EntityIDs:
			return web.Say("groups.why_entity")
		case permission.DeviceIDs:
			return web.Say("groups.why_device", "entry", d.Entry)
		case permission.AreaIDs:
			return web.Say("groups.why_area", "entry", d.Entry)
		case permission.Domains:
			return web.Say("groups.why_domain", "entry", d.Entry)
		case permission.All:
			return web.Say("groups.why_all")
		}
	}
	return web.Say("groups.why_nobody")
}
