package hassfile

import (
	"context"
	"slices"

	"github.com/seed-6a977b3d/latchkey"
)

func (t *tx) InsertGroup(_ context.Context, g latchkey.Group) error {
	if _, taken := t.state.group(g.ID); taken {
		return exists("group", g.ID)
	}
	policy, err := toDocument(g.Policy)
	if err != nil {
		return err
	}
	t.writeGroups()
	g.SystemGenerated = false
	t.state.groups = append(t.state.groups, &groupEntry{Group: g, policy: policyOrEmpty(policy)})
	t.note(latchkey.GroupChanged, g.ID)
	return nil
}

// policyOrEmpty makes sure that a group has a policy in the file: one without is no group there.
func policyOrEmpty(policy any) any {
	if policy == nil {
		return newObject()
	}
	return policy
}

func (t *tx) customGroup(id string) int {
	return slices.IndexFunc(t.state.groups, func(g *groupEntry) bool { return g.ID == id && !g.SystemGenerated })
}

func (t *tx) UpdateGroup(_ context.Context, g latchkey.Group) error {
	i := t.customGroup(g.ID)
	if i < 0 {
		return missing("group", g.ID)
	}
	before := t.state.groups[i]
	policy, err := toDocument(g.Policy)
	if err != nil {
		return err
	}
	if g.Policy.Equal(before.Policy) {
		policy = before.policy // as it stands, understood or not
	}
	t.writeGroups()
	g.SystemGenerated = false
	t.state.groups[i] = &groupEntry{Group: g, policy: policyOrEmpty(policy), extra: before.extra}
	t.note(latchkey.GroupChanged, g.ID)
	return nil
}

func (t *tx) DeleteGroup(_ context.Context, id string) error {
	i := t.customGroup(id)
	if i < 0 {
		return missing("group", id)
	}
	t.writeGroups()
	t.state.groups = slices.Delete(t.state.groups, i, i+1)
	t.note(latchkey.GroupChanged, id)
	for _, userID := range slices.Clone(t.state.userOrder) {
		if !slices.Contains(t.state.users[userID].GroupIDs, id) {
			continue
		}
		t.changeUser(userID, func(e *userEntry) {
			e.GroupIDs = slices.DeleteFunc(slices.Clone(e.GroupIDs), func(other string) bool { return other == id })
		})
	}
	return nil
}

// writePasswords returns the list of records for writing.
func (t *tx) writePasswords() *passwordList {
	t.dirty[passwordFile] = true
	t.once("passwords", func(s *state) { s.passwords = s.passwords.clone() })
	return t.state.passwords
}

// passwordRecord makes the record of the file, with what else stood in it.
func passwordRecord(p latchkey.Password, before *object) (*passwordEntry, error) {
	hash, err := toFile(p.Hash)
	if err != nil {
		return nil, err
	}
	record := newObject()
	record.set("username", p.Username)
	record.set("password", hash)
	if before != nil {
		record.members = append(record.members, before.without("username", "password")...)
	}
	return &passwordEntry{Password: p, record: record}, nil
}

func (t *tx) InsertPassword(_ context.Context, p latchkey.Password) error {
	if t.state.passwords.find(p.Username) != nil {
		return exists("password of", p.Username)
	}
	e, err := passwordRecord(p, nil)
	if err != nil {
		return err
	}
	t.writePasswords().add(e)
	return nil
}

func (t *tx) UpdatePassword(_ context.Context, username string, p latchkey.Password) error {
	before := t.state.passwords.find(username)
	if before == nil {
		return missing("password of", username)
	}
	if p.Username != username && t.state.passwords.find(p.Username) != nil {
		return exists("password of", p.Username)
	}
	e, err := passwordRecord(p, before.record)
	if err != nil {
		return err
	}
	t.writePasswords().replace(before, e)
	return nil
}

func (t *tx) DeletePassword(_ context.Context, username string) error {
	before := t.state.passwords.find(username)
	if before == nil {
		return missing("password of", username)
	}
	t.writePasswords().replace(before)
	return nil
}

// fileOf is the file in which Home Assistant keeps a module's users; empty if it has none.
func fileOf(moduleID string) string {
	switch moduleID {
	case "totp":
		return totpFile
	case "notify":
		return notifyFile
	}
	return ""
}

func (t *tx) PutModuleData(_ context.Context, moduleID, userID string, data []byte) error {
	if t.state.users[userID] == nil {
		return missing("user", userID)
	}
	table := t.writeModule(moduleID)
	known, ours := table.split(moduleID, userID, data)
	before, had := table.known[userID]
	switch {
	case known == nil && had:
		t.forgetKnown(table, moduleID, userID)
	case known != nil:
		if !had {
			table.order = append(table.order, userID)
		}
		if !had || string(compact(before)) != string(compact(known)) {
			t.dirty[fileOf(moduleID)] = true
		}
		table.known[userID] = known
	}
	t.setOurs(table, userID, ours)
	return nil
}

func (t *tx) forgetKnown(table *moduleTable, moduleID, userID string) {
	delete(table.known, userID)
	table.order = slices.DeleteFunc(table.order, func(id string) bool { return id == userID })
	t.dirty[fileOf(moduleID)] = true
}

// setOurs changes what only we know of a user; nil for nothing.
func (t *tx) setOurs(table *moduleTable, userID string, ours *object) {
	before := table.ours[userID]
	if ours == nil {
		delete(table.ours, userID)
	} else {
		table.ours[userID] = ours
	}
	if before != nil || ours != nil {
		t.dirty[extraFile] = true
	}
}

func (t *tx) DeleteModuleData(ctx context.Context, moduleID, userID string) error {
	table := t.state.modules[moduleID]
	if table == nil {
		return missing("data of module", moduleID)
	}
	_, known := table.known[userID]
	if !known && table.ours[userID] == nil {
		return missing("data of module", moduleID)
	}
	table = t.writeModule(moduleID)
	if known {
		t.forgetKnown(table, moduleID, userID)
	}
	t.setOurs(table, userID, nil)
	return ctx.Err()
}

func (t *tx) CompleteOnboarding(_ context.Context, step string) error {
	if slices.Contains(t.state.onboarding, step) {
		return exists("step", step)
	}
	t.dirty[onboardingFile] = true
	t.state.onboarding = append(slices.Clone(t.state.onboarding), step)
	return nil
}
