// Package transfer copies a house from one store into another: users, groups, credentials, passwords, second factors and
// sessions. It knows the domain and no store: whatever implements [latchkey.Store] can be either end.
package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-6a977b3d/latchkey"
)

// Action is what is done with a record.
type Action string

// The actions.
const (
	Add    Action = "add"
	Change Action = "change"
	// Leave is for a record that cannot travel; Note says why. The rest travels without it.
	Leave Action = "leave"
	// Keep is for a record that only the other end has. It stays there, which may surprise whoever deleted it at this end.
	Keep Action = "keep"
	// Conflict is for a record that must not travel; Note says why, and what to do. Nothing travels.
	Conflict Action = "conflict"
)

// Item is one line of what a transfer does. A record that is the same at both ends is none.
type Item struct {
	Action Action `json:"action"`
	// Kind is what the record is: group, user, credentials, password, second factor, session, token, onboarding.
	Kind string `json:"kind"`
	// ID is the record's id, or the name by which it is found. It is never a secret.
	ID string `json:"id"`
	// Name is for people: whose it is, or what it is called.
	Name string `json:"name"`
	Note string `json:"note,omitempty"`

	apply func(context.Context, latchkey.Tx) error
}

// ErrConflicts says that nothing was copied, because the two stores contradict each other.
var ErrConflicts = errors.New("the two stores contradict each other, so nothing was copied")

// Options say what is copied.
type Options struct {
	// Modules are the ids of the second factors whose data is copied.
	Modules []string
}

// DefaultModules are the second factors that a house has unless it is configured otherwise, and the recovery codes.
func DefaultModules() []string { return []string{"totp", "notify", latchkey.RecoveryModule} }

// Plan returns what Copy would do now, without doing it: in the order in which it would, groups and users first.
func Plan(ctx context.Context, from latchkey.Reader, to latchkey.Store, o Options) ([]Item, error) {
	return plan(ctx, from, to, to, o)
}

// plan plans against a store as it is within a transaction.
func plan(ctx context.Context, from, now latchkey.Reader, to latchkey.Store, o Options) ([]Item, error) {
	c := copier{from: from, to: now, options: o, records: map[string]bool{}, names: map[tokenName]bool{}}
	c.keeper, _ = to.(PasswordKeeper)
	c.noter, _ = to.(ModuleNoter)
	for _, part := range []func(context.Context) error{c.groups, c.users, c.loose, c.tokens, c.onboarding, c.kept} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	return c.items, nil
}

// Copy makes everything that from holds be held by to as well, and returns what that took. Nothing is deleted but passwords
// whose login has another name now, and what is the same already is left alone: a second Copy does nothing. It is one
// transaction, all or nothing, and returns [ErrConflicts] together with the plan when the stores contradict each other.
func Copy(ctx context.Context, from latchkey.Reader, to latchkey.Store, o Options) (done []Item, err error) {
	if from == nil || to == nil {
		return nil, errors.New("transfer: open both stores, the one to copy from and the one to copy to")
	}
	err = to.Update(ctx, func(tx latchkey.Tx) error {
		var err error
		if done, err = plan(ctx, from, tx, to, o); err != nil {
			return err
		}
		for _, item := range done {
			if item.Action == Conflict {
				return ErrConflicts
			}
		}
		for _, item := range done {
			if item.apply == nil {
				continue
			}
			if err := item.apply(ctx, tx); err != nil {
				return fmt.Errorf("%s %s %s: %w", item.Action, item.Kind, item.ID, err)
			}
		}
		return nil
	})
	return done, err
}

// Changes reports whether a plan changes anything.
func Changes(items []Item) bool {
	for _, item := range items {
		if item.apply != nil {
			return true
		}
	}
	return false
}

// copier gathers the items of one plan.
type copier struct {
	from, to latchkey.Reader
	keeper   PasswordKeeper // nil if every password is kept
	noter    ModuleNoter    // nil if every second factor counts
	options  Options
	items    []Item
	people   []person        // who travels
	records  map[string]bool // the usernames of the passwords that were looked at
	names    map[tokenName]bool
}

// person is a user whose tokens are still to be looked at.
type person struct{ id, name string }

func (c *copier) add(item Item) { c.items = append(c.items, item) }

// missing makes an ErrNotFound a plain answer.
func missing(err error) (bool, error) {
	if errors.Is(err, latchkey.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// groups plans those that are not built in.
func (c *copier) groups(ctx context.Context) error {
	all, err := c.from.Groups(ctx)
	if err != nil {
		return err
	}
	for _, g := range all {
		if g.SystemGenerated {
			continue
		}
		item := Item{Action: Add, Kind: "group", ID: g.ID, Name: g.Name.Text}
		item.apply = func(ctx context.Context, tx latchkey.Tx) error { return tx.InsertGroup(ctx, g) }
		before, err := c.to.Group(ctx, g.ID)
		isNew, err := missing(err)
		if err != nil {
			return err
		}
		if !isNew {
			if before.Name == g.Name && before.Policy.Equal(g.Policy) {
				continue
			}
			item.Action = Change
			item.apply = func(ctx context.Context, tx latchkey.Tx) error { return tx.UpdateGroup(ctx, g) }
		}
		c.add(item)
	}
	return nil
}

func (c *copier) onboarding(ctx context.Context) error {
	steps, err := c.from.OnboardingDone(ctx)
	if err != nil {
		return err
	}
	done, err := c.to.OnboardingDone(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, step := range done {
		known[step] = true
	}
	for _, step := range steps {
		if known[step] {
			continue
		}
		c.add(Item{Action: Add, Kind: "onboarding", ID: step, Name: "step done", apply: func(ctx context.Context, tx latchkey.Tx) error {
			return tx.CompleteOnboarding(ctx, step)
		}})
	}
	return nil
}
