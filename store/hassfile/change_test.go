package hassfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
)

// flat tells what stands in a document, one value a line, with its place. Records are called by what they are found by.
func flat(place string, v any) (lines []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, each := range v {
			lines = append(lines, flat(place+"."+key, each)...)
		}
	case []any:
		for i, each := range v {
			name := fmt.Sprint(i)
			if record, ok := each.(map[string]any); ok {
				for _, key := range []string{"id", "username"} {
					if id, ok := record[key].(string); ok {
						name = id
					}
				}
			}
			lines = append(lines, flat(place+"."+name, each)...)
		}
	default:
		text, _ := json.Marshal(v)
		lines = append(lines, place+" = "+string(text))
	}
	if len(lines) == 0 {
		lines = []string{place + " is empty"}
	}
	return lines
}

// differing are the lines that only one of two sets of files has.
func differing(t *testing.T, before, after map[string]string) []string {
	t.Helper()
	lines := func(files map[string]string) (all []string) {
		for name, text := range files {
			var v any
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				t.Fatal(err)
			}
			all = append(all, flat(name, v.(map[string]any)["data"])...)
		}
		return all
	}
	was, is := lines(before), lines(after)
	var diff []string
	for _, line := range was {
		if !slices.Contains(is, line) {
			diff = append(diff, "- "+line)
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			diff = append(diff, "+ "+line)
		}
	}
	slices.Sort(diff)
	return diff
}

// Of everything that can be changed, what is changed is all that is changed in the files of Home Assistant.
func TestAChangeIsAllThatChanges(t *testing.T) {
	const (
		user  = "auth.users." + adaID
		token = "auth.refresh_tokens." + adaToken
		login = "auth.credentials." + adaLogin
	)
	for name, tt := range map[string]struct {
		change func(context.Context, latchkey.Tx) error
		want   []string
	}{
		"nothing": {func(context.Context, latchkey.Tx) error { return nil }, nil},
		"a user": {func(ctx context.Context, tx latchkey.Tx) error {
			u, err := tx.User(ctx, adaID)
			u.Name, u.LocalOnly, u.GroupIDs = latchkey.NullString{}, true, []string{latchkey.GroupAdmin, latchkey.GroupUser}
			return errors.Join(err, tx.UpdateUser(ctx, u))
		}, []string{
			"+ " + user + `.group_ids.1 = "system-users"`, "+ " + user + `.local_only = true`, "+ " + user + `.name = null`,
			"- " + user + `.local_only = false`, "- " + user + `.name = "Ada"`,
		}},
		"the use of a token": {func(ctx context.Context, tx latchkey.Tx) error {
			r, err := tx.RefreshToken(ctx, adaToken)
			r.LastUsedAt, r.LastUsedIP = time.Date(2025, 6, 1, 1, 2, 3, 0, time.UTC), ""
			r.ExpireAt = r.LastUsedAt.Add(latchkey.RefreshTokenExpiration)
			return errors.Join(err, tx.UpdateRefreshToken(ctx, r))
		}, []string{
			"+ " + token + `.expire_at = 1756515723`, "+ " + token + `.last_used_at = "2025-06-01T01:02:03+00:00"`,
			"+ " + token + `.last_used_ip = null`, "- " + token + `.expire_at = 1754033400.5`,
			"- " + token + `.last_used_at = "2025-05-03T07:30:00.500000+00:00"`, "- " + token + `.last_used_ip = "192.168.1.20"`,
		}},
		"a token that never ends": {func(ctx context.Context, tx latchkey.Tx) error {
			r, err := tx.RefreshToken(ctx, adaToken)
			r.ExpireAt = time.Time{}
			return errors.Join(err, tx.UpdateRefreshToken(ctx, r))
		}, []string{"+ " + token + `.expire_at = null`, "- " + token + `.expire_at = 1754033400.5`}},
		"a group": {func(ctx context.Context, tx latchkey.Tx) error {
			return tx.InsertGroup(ctx, latchkey.Group{ID: "new"})
		}, []string{`+ auth.groups.new.id = "new"`, `+ auth.groups.new.name = null`, `+ auth.groups.new.policy is empty`}},
		"a group less": {func(ctx context.Context, tx latchkey.Tx) error {
			return tx.DeleteGroup(ctx, "7e57ab1e7e574b1e9e57ab1e7e57ab1e")
		}, []string{
			"- auth.groups.7e57ab1e7e574b1e9e57ab1e7e57ab1e.id = \"7e57ab1e7e574b1e9e57ab1e7e57ab1e\"",
			"- auth.groups.7e57ab1e7e574b1e9e57ab1e7e57ab1e.name = \"Kids\"",
			"- auth.groups.7e57ab1e7e574b1e9e57ab1e7e57ab1e.policy.entities.domains.light.control = true",
			"- auth.groups.7e57ab1e7e574b1e9e57ab1e7e57ab1e.policy.entities.domains.light.read = true",
		}},
		"a login": {func(ctx context.Context, tx latchkey.Tx) error {
			return tx.UpdateCredentials(ctx, latchkey.Credentials{ID: adaLogin, Data: map[string]any{"username": "lovelace"}})
		}, []string{"+ " + login + `.data.username = "lovelace"`, "- " + login + `.data.username = "ada"`}},
		"a login less, with the session": {func(ctx context.Context, tx latchkey.Tx) error {
			return tx.DeleteCredentials(ctx, adaLogin)
		}, []string{
			"+ auth.credentials is empty", "- " + login + `.auth_provider_id = null`, "- " + login + `.auth_provider_type = "homeassistant"`,
			"- " + login + `.data.username = "ada"`, "- " + login + `.id = "` + adaLogin + `"`, "- " + login + `.user_id = "` + adaID + `"`,
			"- " + token + " and the rest",
		}},
		"a password": {func(ctx context.Context, tx latchkey.Tx) error {
			return tx.UpdatePassword(ctx, "ada", latchkey.Password{Username: "ada", Hash: "$2b$12$x"})
		}, []string{
			`+ auth_provider.homeassistant.users.ada.password = "JDJiJDEyJHg="`,
			`- auth_provider.homeassistant.users.ada.password = "` + adaPassword + `"`,
		}},
		"a second factor": {func(ctx context.Context, tx latchkey.Tx) error {
			return tx.PutModuleData(ctx, "totp", adaID, []byte(`{"secret":"KRSX","last_step":7}`))
		}, []string{
			`+ auth_module.totp.users.` + adaID + ` = "KRSX"`,
			`- auth_module.totp.users.` + adaID + ` = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"`,
		}},
		"a second factor less": {func(ctx context.Context, tx latchkey.Tx) error {
			return tx.DeleteModuleData(ctx, "notify", adaID)
		}, []string{
			`+ auth_module.notify.users is empty`, `- auth_module.notify.users.` + adaID + `.notify_service = "smtp_family"`,
			`- auth_module.notify.users.` + adaID + `.target = "ada@example.org"`,
		}},
		"a factor that Home Assistant does not know": {func(ctx context.Context, tx latchkey.Tx) error {
			return tx.PutModuleData(ctx, "recovery", adaID, []byte(`{"hashes":[]}`))
		}, nil},
		"a step of the first set-up": {func(ctx context.Context, tx latchkey.Tx) error {
			return tx.CompleteOnboarding(ctx, "another")
		}, []string{`+ onboarding.done.4 = "another"`}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copied(t, "2025")
			s := open(t, dir)
			update(t, s, tt.change)
			var got []string
			for _, line := range differing(t, held(t, "testdata/2025"), held(t, dir)) {
				if name == "a login less, with the session" && strings.HasPrefix(line, "- "+token+".") {
					line = "- " + token + " and the rest"
				}
				if !slices.Contains(got, line) {
					got = append(got, line)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
