package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/permission"
)

type checkCommand struct {
	storeFlags
	jsonFlag
	Username string `arg:"" help:"Whose permission is checked, by username or id."`
	EntityID string `arg:"" placeholder:"ENTITY_ID" help:"Of what, such as light.hall."`
	Key      string `arg:"" enum:"read,control,edit" help:"To do what: read, control or edit."`
	Group    string `placeholder:"GROUP" help:"Answer as if this group, by id or name, had the policy of --policy, and the user were in it."`
	policyFlag
}

// AfterApply is called by the parser, once nothing is missing.
func (c *checkCommand) AfterApply() error {
	if (c.Group == "") != (c.Policy == "") {
		return errors.New("--group and --policy go together: which group, and what it would allow")
	}
	if domain, object, _ := strings.Cut(c.EntityID, "."); domain == "" || object == "" {
		return fmt.Errorf("<entity-id>: %q is none: write one such as light.hall", c.EntityID)
	}
	return nil
}

// answer is what the command prints.
type answer struct {
	Allowed bool   `json:"allowed"`
	Because string `json:"because"`
	// Device and Area are where the entity is; empty when nobody knows.
	Device string        `json:"device,omitempty"`
	Area   string        `json:"area,omitempty"`
	Groups []groupAnswer `json:"groups"`
}

type groupAnswer struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Allowed bool   `json:"allowed"`
	Because string `json:"because"`
}

// Run answers whether a user may do something, and why. It reads only, beside whoever has the store open.
func (c *checkCommand) Run(p *program) (err error) {
	running, err := c.read(p)
	if err != nil {
		return err
	}
	defer closeAfter(running, &err)
	u, err := userNamed(p.ctx, running, c.Username)
	if err != nil {
		return err
	}
	a, err := c.answer(p, running, u)
	if err != nil {
		return err
	}
	if err := c.print(p.stdout, a); err != nil {
		return err
	}
	if !a.Allowed {
		return errNo
	}
	return nil
}

// answer asks what the user may do now, or would with another policy.
func (c *checkCommand) answer(p *program, r *config.Running, u latchkey.User) (answer, error) {
	if c.Group == "" {
		merged, err := r.Manager.Permissions(p.ctx, u)
		if err != nil {
			return answer{}, err
		}
		return c.explain(p, r, u.GroupIDs, merged, nil)
	}
	draft, err := c.policy(p)
	if err != nil {
		return answer{}, err
	}
	g, err := groupNamed(p.ctx, r.Manager, c.Group)
	if err != nil {
		return answer{}, err
	}
	merged, err := r.Manager.Preview(p.ctx, u.ID, g.ID, draft)
	if err != nil {
		return answer{}, err
	}
	ids := u.GroupIDs
	if !slices.Contains(ids, g.ID) {
		ids = append(slices.Clone(ids), g.ID)
	}
	g.Policy = draft
	return c.explain(p, r, ids, merged, &g)
}

// explain asks for everybody's groups at once, which is what counts, and for each group by itself, which shows where the
// answer comes from. A draft of a group stands in for the group itself.
func (c *checkCommand) explain(
	p *program, r *config.Running, groupIDs []string, merged *permission.Permissions, draft *latchkey.Group,
) (answer, error) {
	decision := merged.Explain(c.EntityID, c.Key)
	a := answer{Allowed: decision.Allowed, Because: decision.String(), Groups: []groupAnswer{}}
	if r.Lookup != nil {
		a.Device, _ = r.Lookup.DeviceOfEntity(c.EntityID)
		a.Area, _ = r.Lookup.AreaOfDevice(a.Device)
	}
	for _, id := range groupIDs {
		g, err := r.Manager.Group(p.ctx, id)
		if errors.Is(err, latchkey.ErrNotFound) {
			continue
		} else if err != nil {
			return answer{}, err
		}
		if draft != nil && draft.ID == id {
			g = *draft
		}
		own := permission.Compile(g.Policy, r.Lookup).Explain(c.EntityID, c.Key)
		a.Groups = append(a.Groups, groupAnswer{g.ID, g.Name.Text, own.Allowed, own.String()})
	}
	return a, nil
}

func (c *checkCommand) print(w io.Writer, a answer) error {
	if c.JSON {
		return printJSON(w, a)
	}
	_, _ = fmt.Fprintln(w, printable(a.Because)) // a failure shows when the table is ended
	if a.Device != "" {
		_, _ = fmt.Fprintf(w, "%s belongs to the device %s", printable(c.EntityID), printable(a.Device))
		if a.Area != "" {
			_, _ = fmt.Fprintf(w, " in the area %s", printable(a.Area))
		}
		_, _ = fmt.Fprintln(w)
	}
	if len(a.Groups) == 0 {
		return nil
	}
	t := newTable(w, "GROUP", "ID", "BY ITSELF")
	for _, g := range a.Groups {
		t.row(g.Name, g.ID, g.Because)
	}
	return t.end()
}
