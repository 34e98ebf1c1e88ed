package transfer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/seed-6a977b3d/latchkey"
)

// pageSize is how many users are read at a time.
const pageSize = 500

// users plans the users, each with its logins and second factors.
func (c *copier) users(ctx context.Context) error {
	after := ""
	for {
		page, err := c.from.Users(ctx, after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, u := range page {
			if err := c.user(ctx, u); err != nil {
				return fmt.Errorf("user %s: %w", u.ID, err)
			}
		}
		after = page[len(page)-1].ID
	}
}

func (c *copier) user(ctx context.Context, u latchkey.User) error {
	before, err := c.to.User(ctx, u.ID)
	isNew, err := missing(err)
	if err != nil {
		return err
	}
	if note, err := c.contradiction(ctx, u); err != nil || note != "" {
		c.add(Item{Action: Conflict, Kind: "user", ID: u.ID, Name: u.Name.Text, Note: note})
		return err
	}
	c.people = append(c.people, person{u.ID, u.Name.Text})
	bare := u
	bare.Credentials = nil
	item := Item{Action: Add, Kind: "user", ID: u.ID, Name: u.Name.Text}
	if isNew {
		item.apply = func(ctx context.Context, tx latchkey.Tx) error { return tx.InsertUser(ctx, bare) }
		c.add(item)
	} else if !sameUser(before, u) {
		item.Action = Change
		item.apply = func(ctx context.Context, tx latchkey.Tx) error { return tx.UpdateUser(ctx, bare) }
		c.add(item)
	}
	if err := c.credentials(ctx, u, before); err != nil {
		return err
	}
	return c.factors(ctx, u)
}

// sameUser compares everything but the credentials.
func sameUser(a, b latchkey.User) bool {
	return a.Name == b.Name && a.IsOwner == b.IsOwner && a.IsActive == b.IsActive &&
		a.SystemGenerated == b.SystemGenerated && a.LocalOnly == b.LocalOnly && slices.Equal(a.GroupIDs, b.GroupIDs)
}

// contradiction says why a user cannot be beside those that are there.
func (c *copier) contradiction(ctx context.Context, u latchkey.User) (string, error) {
	const advice = ": copy into an empty store, or remove the other one first"
	if u.IsOwner {
		owner, err := c.to.Owner(ctx)
		none, err := missing(err)
		if err != nil {
			return "", err
		}
		if !none && owner.ID != u.ID {
			return "the house has another owner already, " + owner.Name.Text + advice, nil
		}
	}
	for _, own := range u.Credentials {
		holder, err := c.to.UserByCredentials(ctx, own.ID)
		if free, err := missing(err); err != nil {
			return "", err
		} else if !free && holder.ID != u.ID {
			return fmt.Sprintf("the login %s of %s is %s's there", own.ID, own.Provider, cmp.Or(holder.Name.Text, holder.ID)) + advice, nil
		}
		if own.Subject() == "" {
			continue
		}
		held, err := c.to.CredentialsBySubject(ctx, own.Provider, own.Subject())
		if err != nil {
			return "", err
		}
		for _, h := range held {
			// Where names are told apart by case, two people may have what is one name otherwise.
			known, err := c.knows(ctx, h)
			if err != nil {
				return "", err
			}
			if h.UserID != u.ID && !known {
				return fmt.Sprintf("somebody else signs in as %s already", own.Subject()) + advice, nil
			}
		}
	}
	return "", nil
}

// knows reports whether credentials of the other store came from this one.
func (c *copier) knows(ctx context.Context, h latchkey.Credentials) (bool, error) {
	u, err := c.from.UserByCredentials(ctx, h.ID)
	strange, err := missing(err)
	return !strange && u.ID == h.UserID, err
}

// credentials plans how a user signs in, with the passwords.
func (c *copier) credentials(ctx context.Context, u, before latchkey.User) error {
	for _, own := range u.Credentials {
		item := Item{Kind: "credentials", ID: own.ID, Name: u.Name.Text, Note: own.Provider.String()}
		i := slices.IndexFunc(before.Credentials, func(b latchkey.Credentials) bool { return b.ID == own.ID })
		switch {
		case i < 0:
			item.Action = Add
			item.apply = func(ctx context.Context, tx latchkey.Tx) error { return tx.InsertCredentials(ctx, own) }
			c.add(item)
		case !maps.EqualFunc(own.Data, before.Credentials[i].Data, func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }):
			item.Action = Change
			item.apply = func(ctx context.Context, tx latchkey.Tx) error { return tx.UpdateCredentials(ctx, own) }
			c.add(item)
			if err := c.formerPassword(ctx, own, before.Credentials[i]); err != nil {
				return err
			}
		}
		if own.Provider == (latchkey.ProviderKey{Type: "homeassistant"}) {
			if err := c.passwords(ctx, own.Text("username")); err != nil {
				return err
			}
		}
	}
	return nil
}

// formerPassword plans the end of the record that a login leaves behind when it gets another name: it would belong to
// nobody, and whoever knows such a password is made an administrator.
func (c *copier) formerPassword(ctx context.Context, now, before latchkey.Credentials) error {
	local := latchkey.ProviderKey{Type: "homeassistant"}
	former := before.Text("username")
	if now.Provider != local || former == "" || former == now.Text("username") {
		return nil
	}
	held, err := c.to.Passwords(ctx, former)
	if err != nil || !hasRecord(held, former) {
		return err
	}
	// Another login that has this name, at either end, has the record as well.
	theirs, err := c.from.Passwords(ctx, former)
	if err != nil {
		return err
	}
	if hasRecord(theirs, former) {
		odd, err := c.from.UnnormalizedUsernames(ctx)
		if err != nil {
			return err
		}
		logins, err := c.from.CredentialsBySubject(ctx, local, former)
		has := func(l latchkey.Credentials) bool { return len(odd) == 0 || l.Subject() == former }
		if err != nil || slices.ContainsFunc(logins, has) {
			return err
		}
	}
	logins, err := c.to.CredentialsBySubject(ctx, local, former)
	if err != nil || slices.ContainsFunc(logins, func(o latchkey.Credentials) bool { return o.ID != before.ID && o.Subject() == former }) {
		return err
	}
	c.add(Item{Action: Change, Kind: "password", ID: former, Name: former, Note: "its login has another name now: it is removed",
		apply: func(ctx context.Context, tx latchkey.Tx) error { return tx.DeletePassword(ctx, former) }})
	return nil
}

// hasRecord reports whether there is a record of exactly this username.
func hasRecord(all []latchkey.Password, username string) bool {
	return slices.ContainsFunc(all, func(p latchkey.Password) bool { return p.Username == username })
}

// passwords plans the records of a username.
func (c *copier) passwords(ctx context.Context, username string) error {
	theirs, err := c.from.Passwords(ctx, username)
	if err != nil {
		return err
	}
	odd, err := c.from.UnnormalizedUsernames(ctx)
	if err != nil {
		return err
	}
	if len(odd) > 0 { // names are told apart by case there (providers.md §3.1), and another one is another person
		theirs = slices.DeleteFunc(theirs, func(p latchkey.Password) bool { return p.Username != username })
	}
	ours, err := c.to.Passwords(ctx, username)
	if err != nil {
		return err
	}
	for _, p := range theirs {
		if c.records[p.Username] { // of another login with this name
			continue
		}
		c.records[p.Username] = true
		item := Item{Action: Add, Kind: "password", ID: p.Username, Name: p.Username}
		i := slices.IndexFunc(ours, func(o latchkey.Password) bool { return o.Username == p.Username })
		switch {
		case i < 0:
			item.apply = func(ctx context.Context, tx latchkey.Tx) error { return tx.InsertPassword(ctx, p) }
		case sameHash(ours[i].Hash, p.Hash):
			continue
		default:
			item.Action = Change
			item.apply = func(ctx context.Context, tx latchkey.Tx) error { return tx.UpdatePassword(ctx, p.Username, p) }
		}
		c.add(c.fitting(item, p))
	}
	return nil
}

// sameHash reports whether two hashes are one. Home Assistant's files hold the base64 of what other stores hold.
func sameHash(a, b string) bool {
	bare := func(hash string) string {
		if decoded, err := base64.StdEncoding.DecodeString(hash); err == nil && bytes.HasPrefix(decoded, []byte("$2")) {
			return string(decoded)
		}
		return hash
	}
	return bare(a) == bare(b)
}

// PasswordLister is a store that may hold passwords which belong to no login.
type PasswordLister interface {
	LoosePasswords(ctx context.Context) ([]latchkey.Password, error)
}

// loose leaves the passwords that belong to nobody: Home Assistant makes an administrator of whoever knows one.
func (c *copier) loose(ctx context.Context) error {
	lister, ok := c.from.(PasswordLister)
	if !ok {
		return nil
	}
	all, err := lister.LoosePasswords(ctx)
	for _, p := range all {
		c.add(Item{Action: Leave, Kind: "password", ID: p.Username, Name: p.Username, Note: "it belongs to nobody, and would make an " +
			"administrator of whoever knows it: add the person with `latchkey user add` if that is meant"})
	}
	return err
}

// PasswordKeeper is a store that cannot keep every password.
type PasswordKeeper interface {
	// KeepsPassword returns an error that says why the record cannot be kept, or nil.
	KeepsPassword(p latchkey.Password) error
}

// fitting leaves a password that the other store has no form for.
func (c *copier) fitting(item Item, p latchkey.Password) Item {
	if c.keeper == nil {
		return item
	}
	if err := c.keeper.KeepsPassword(p); err != nil {
		item.Action, item.Note, item.apply = Leave, err.Error(), nil
	}
	return item
}

// includes reports whether a JSON object has all the members of another, with the same values. What a store of ours knows
// beyond that, such as which code was used last, is not undone by a copy.
func includes(whole, part []byte) bool {
	var w, p map[string]json.RawMessage
	if json.Unmarshal(whole, &w) != nil || json.Unmarshal(part, &p) != nil {
		return bytes.Equal(whole, part)
	}
	for name, value := range p {
		if !bytes.Equal(w[name], value) {
			return false
		}
	}
	return true
}

// ModuleNoter is a store in which not every second factor counts for everybody who reads it.
type ModuleNoter interface {
	// NoteOnModule says what becomes of a module's data, if that is worth saying.
	NoteOnModule(id string) string
}

// factors plans what the second factors keep for a user.
func (c *copier) factors(ctx context.Context, u latchkey.User) error {
	for _, module := range c.options.Modules {
		data, err := c.from.ModuleData(ctx, module, u.ID)
		if none, err := missing(err); err != nil {
			return err
		} else if none {
			continue
		}
		before, err := c.to.ModuleData(ctx, module, u.ID)
		isNew, err := missing(err)
		if err != nil {
			return err
		}
		if !isNew && includes(before, data) {
			continue
		}
		item := Item{Action: Add, Kind: "second factor", ID: module, Name: u.Name.Text}
		if c.noter != nil {
			item.Note = c.noter.NoteOnModule(module)
		}
		if !isNew {
			item.Action = Change
		}
		item.apply = func(ctx context.Context, tx latchkey.Tx) error { return tx.PutModuleData(ctx, module, u.ID, data) }
		c.add(item)
	}
	return nil
}
