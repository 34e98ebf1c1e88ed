package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
)

// userNamed returns the user with an id, which nobody can choose, or else the one who signs in with a username. The error
// is latchkey.ErrNotFound if there is neither.
func userNamed(ctx context.Context, r *config.Running, name string) (latchkey.User, error) {
	u, err := r.Manager.User(ctx, name)
	if err == nil || !errors.Is(err, latchkey.ErrNotFound) {
		return u, err
	}
	credentials, err := r.Passwords.Credentials(ctx, map[string]any{"username": name})
	if err != nil {
		return latchkey.User{}, err
	}
	u, err = r.Manager.UserByCredentials(ctx, credentials)
	if errors.Is(err, latchkey.ErrNotFound) {
		return latchkey.User{}, unknownUser(name)
	}
	return u, err
}

func unknownUser(name string) error {
	return fmt.Errorf("user %q %w: `latchkey user list` shows who there is", name, latchkey.ErrNotFound)
}

// usernameOf returns what a user signs in with; null for somebody who has no password.
func usernameOf(u latchkey.User) latchkey.NullString {
	login, ok := homeassistant.LoginOf(u)
	if !ok {
		return latchkey.NullString{}
	}
	return latchkey.Text(login.Text("username"))
}

// loginNamed returns the login of a user that has this username, or else the first: few have several.
func loginNamed(u latchkey.User, username string) (login latchkey.Credentials, ok bool) {
	for _, same := range []func(string) bool{
		func(name string) bool { return name == username }, // old files may have two that differ in nothing but case
		func(name string) bool {
			return latchkey.NormalizeUsername(name) == latchkey.NormalizeUsername(username)
		},
	} {
		for _, c := range u.Credentials {
			if c.Provider.Type == homeassistant.Type && same(c.Text("username")) {
				return c, true
			}
		}
	}
	return homeassistant.LoginOf(u)
}

// label is what a user is called in messages: the username, or else the id.
func label(u latchkey.User) string {
	if name := usernameOf(u); name.Text != "" {
		return printable(name.Text)
	}
	return printable(u.ID)
}

// mustBePerson refuses to change what is not a person's (websocket.md G-2).
func mustBePerson(u latchkey.User) error {
	if u.SystemGenerated {
		return fmt.Errorf("%s is a user that the system made for itself, which is not to be changed", label(u))
	}
	return nil
}

// groupNamed returns the group with an id, or else the only one with a name. The error is latchkey.ErrNotFound if there is
// neither.
func groupNamed(ctx context.Context, m *latchkey.Manager, name string) (latchkey.Group, error) {
	g, err := m.Group(ctx, name)
	if err == nil || !errors.Is(err, latchkey.ErrNotFound) {
		return g, err
	}
	groups, err := m.Groups(ctx)
	if err != nil {
		return latchkey.Group{}, err
	}
	var found []latchkey.Group
	for _, g := range groups {
		if g.Name == latchkey.Text(name) {
			found = append(found, g)
		}
	}
	switch len(found) {
	case 0:
		return latchkey.Group{}, fmt.Errorf("group %q %w: there are %s", name, latchkey.ErrNotFound, groupsThere(groups))
	case 1:
		return found[0], nil
	}
	return latchkey.Group{}, fmt.Errorf("%s are called %q: use the id, which `latchkey group list` shows", count(len(found), "group"), name)
}

// groupIDs returns the ids of the groups that were named by id or by name.
func groupIDs(ctx context.Context, m *latchkey.Manager, names []string) ([]string, error) {
	ids := []string{}
	for _, name := range names {
		g, err := groupNamed(ctx, m, name)
		if err != nil {
			return nil, fmt.Errorf("--group: %w", err)
		}
		ids = append(ids, g.ID)
	}
	return ids, nil
}

// callGroups returns what people call the groups with these ids: those that are built in by the id, the others by the name,
// unless several have it. Either names the group on the command line.
func callGroups(ctx context.Context, m *latchkey.Manager) (call func(ids []string) []string, err error) {
	groups, err := m.Groups(ctx)
	if err != nil {
		return nil, err
	}
	taken := map[string]int{}
	for _, g := range groups {
		taken[g.ID]++ // an id counts before a name
		taken[g.Name.Text]++
	}
	names := map[string]string{}
	for _, g := range groups {
		if !g.SystemGenerated && g.Name.Text != "" && taken[g.Name.Text] == 1 {
			names[g.ID] = g.Name.Text
		}
	}
	return func(ids []string) []string {
		var called []string
		for _, id := range ids {
			called = append(called, cmp.Or(names[id], id))
		}
		return called
	}, nil
}

// groupsThere says which groups there are, with their names and ids; of many only the first.
func groupsThere(groups []latchkey.Group) string {
	const most = 20
	var all []string
	for _, g := range groups[:min(most, len(groups))] {
		all = append(all, fmt.Sprintf("%s (%s)", printable(g.Name.Text), printable(g.ID)))
	}
	if more := len(groups) - most; more > 0 {
		return fmt.Sprintf("%s and %d more, which `latchkey group list` shows", strings.Join(all, ", "), more)
	}
	return strings.Join(all, ", ")
}

// maxName is how many characters somebody or something may be called with, as on the pages.
const maxName = 200

// checkName refuses what nobody and nothing can be called: where names are shown it would be missing, or be all there is.
func checkName(flag, name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return fmt.Errorf("%s: must not be empty", flag)
	case !utf8.ValidString(name):
		return fmt.Errorf("%s: must be text in UTF-8", flag)
	case utf8.RuneCountInString(name) > maxName:
		return fmt.Errorf("%s: must have at most %d characters", flag, maxName)
	}
	return nil
}
