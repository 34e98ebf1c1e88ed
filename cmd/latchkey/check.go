package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/permission"
)

type checkCommand struct {
	storeFlags
	jsonFlag
	Username string `arg:"" help:"Whose permission is checked."`
	EntityID string `arg:"" placeholder:"ENTITY_ID" help:"Of what, such as light.hall."`
	Key      string `arg:"" enum:"read,control,edit" help:"To do what: read, control or edit."`
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
	a, err := c.explain(p, running, u)
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

// explain asks for everybody's groups at once, which is what counts, and for each group by itself, which shows where the
// answer comes from.
func (c *checkCommand) explain(p *program, r *config.Running, u latchkey.User) (answer, error) {
	merged, err := r.Manager.Permissions(p.ctx, u)
	if err != nil {
		return answer{}, err
	}
	decision := merged.Explain(c.EntityID, c.Key)
	a := answer{Allowed: decision.Allowed, Because: decision.String(), Groups: []groupAnswer{}}
	if r.Lookup != nil {
		a.Device, _ = r.Lookup.DeviceOfEntity(c.EntityID)
		a.Area, _ = r.Lookup.AreaOfDevice(a.Device)
	}
	for _, id := range u.GroupIDs {
		g, err := r.Manager.Group(p.ctx, id)
		if errors.Is(err, latchkey.ErrNotFound) {
			continue
		} else if err != nil {
			return answer{}, err
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
