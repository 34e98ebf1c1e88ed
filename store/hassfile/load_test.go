package hassfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
)

// authOf makes a file of two people and a part of the house, who are all in the same groups.
func authOf(groups, memberships string) string {
	user := func(id string, system bool) string {
		return fmt.Sprintf(`{"id": %q, "group_ids": %s, "is_owner": false, "is_active": true, "name": null, "system_generated": %v}`,
			id, memberships, system)
	}
	return fmt.Sprintf(`{"version": 1, "data": {"users": [%s, %s], %s "credentials": [], "refresh_tokens": []}}`,
		user("person", false), user("part", true), groups)
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// spec: storage.md §2.3: the migrations of membership, and the order of the groups behind them
func TestMembershipsAreMigrated(t *testing.T) {
	const (
		kids  = `{"id": "kids", "name": "Kids", "policy": {}}`
		all   = `{"id": "all", "name": "All Access"}`
		older = `{"id": "older", "name": "All Access", "policy": null}`
		admin = `{"id": "system-admin", "name": "Administrators"}`
	)
	appended := []string{latchkey.GroupAdmin, latchkey.GroupReadOnly, latchkey.GroupUser}
	for name, tt := range map[string]struct {
		groups, memberships string
		order, person, part []string
	}{
		"A: no groups":               {``, `[]`, appended, []string{latchkey.GroupAdmin}, nil},
		"A: an empty list":           {`"groups": [],`, `[]`, appended, []string{latchkey.GroupAdmin}, nil},
		"A: an admin already":        {``, `["system-admin"]`, appended, []string{latchkey.GroupAdmin}, []string{latchkey.GroupAdmin}},
		"B: one without policy":      {`"groups": [` + all + `],`, `["all"]`, appended, []string{latchkey.GroupAdmin}, []string{latchkey.GroupAdmin}},
		"B: nobody in it":            {`"groups": [` + all + `],`, `[]`, appended, nil, nil},
		"B: two, and the last one":   {`"groups": [` + older + `,` + all + `],`, `["all"]`, appended, []string{latchkey.GroupAdmin}, []string{latchkey.GroupAdmin}},
		"B: two, and the first one":  {`"groups": [` + older + `,` + all + `],`, `["older"]`, appended, nil, nil},
		"C: another with a policy":   {`"groups": [` + all + `,` + kids + `],`, `["all", "kids"]`, append([]string{"kids"}, appended...), []string{"kids"}, []string{"kids"}},
		"C: another that is ours":    {`"groups": [` + admin + `,` + all + `],`, `["all"]`, appended, nil, nil},
		"D: without users":           {`"groups": [` + admin + `],`, `["system-users"]`, appended, []string{latchkey.GroupUser}, []string{latchkey.GroupUser}},
		"a group that is not there":  {`"groups": [` + admin + `],`, `["gone"]`, appended, nil, nil},
		"a group twice":              {`"groups": [` + kids + `],`, `["kids", "kids"]`, append([]string{"kids"}, appended...), []string{"kids"}, []string{"kids"}},
		"a policy of any other kind": {`"groups": [{"id": "kids", "name": null, "policy": false}],`, `["kids"]`, append([]string{"kids"}, appended...), []string{"kids"}, []string{"kids"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, authFile, authOf(tt.groups, tt.memberships))
			s := open(t, dir)
			for id, want := range map[string][]string{"person": tt.person, "part": tt.part} {
				if u, err := s.User(t.Context(), id); err != nil || !slices.Equal(u.GroupIDs, want) {
					t.Errorf("%s is in %v, want %v (%v)", id, u.GroupIDs, want, err)
				}
			}
			var order []string
			for _, g := range s.current().groups {
				order = append(order, g.ID)
			}
			if diff := cmp.Diff(tt.order, order); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A token without a secret is one that nobody refreshes, and not one that everybody does.
func TestATokenWithoutASecretIsNotFoundByIt(t *testing.T) {
	dir := copied(t, "2025")
	before, behind, _ := strings.Cut(text(t, dir, authFile), `"token": "`)
	write(t, dir, authFile, before+`"token": "`+behind[strings.Index(behind, `"`):])
	if token, err := open(t, dir).RefreshTokenBySecret(t.Context(), ""); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("found %s, %v", token.ID, err)
	}
}

// spec: storage.md §2.3: an empty start
func TestTheGroupsOfAnEmptyStart(t *testing.T) {
	for _, text := range []string{"", "{}", `{"version": 1, "data": null}`, `{"version": 1, "data": []}`} {
		dir := t.TempDir()
		if text != "" {
			write(t, dir, authFile, text)
		}
		var order []string
		for _, g := range open(t, dir).current().groups {
			order = append(order, g.ID)
		}
		if want := []string{latchkey.GroupAdmin, latchkey.GroupUser, latchkey.GroupReadOnly}; !slices.Equal(order, want) {
			t.Errorf("%q: %v, want %v", text, order, want)
		}
	}
}

// spec: onboarding.md S-2
func TestOnboardingOfOlderVersions(t *testing.T) {
	for version, want := range map[int][]string{
		1: {"user", "integration", "core_config", "analytics"}, 2: {"user", "core_config", "analytics"},
		3: {"user", "analytics"}, 4: {"user"},
	} {
		dir := copied(t, "2025")
		write(t, dir, onboardingFile, fmt.Sprintf(`{"version": %d, "data": {"done": ["user"]}}`, version))
		s := open(t, dir)
		if done, err := s.OnboardingDone(t.Context()); err != nil || !slices.Equal(done, want) {
			t.Errorf("version %d: %v, want %v (%v)", version, done, want, err)
		}
		update(t, s, func(ctx context.Context, tx latchkey.Tx) error { return tx.CompleteOnboarding(ctx, "last") })
		if got := text(t, dir, onboardingFile); !strings.Contains(got, `"version": 4`) || !strings.Contains(got, `"last"`) {
			t.Errorf("version %d is written as %s", version, got)
		}
		if info, err := os.Stat(filepath.Join(dir, onboardingFile)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file is not private: %v, %v", info, err)
		}
	}
}

// spec: storage.md §1: of a differing minor version the data stays as it is, and the file is written again at once
func TestAFileOfAnotherMinorVersion(t *testing.T) {
	dir := copied(t, "odd")
	ours := text(t, dir, authFile)
	theirs := strings.Replace(ours, `"minor_version": 1`, `"minor_version": 7`, 1)
	write(t, dir, authFile, theirs)
	_ = open(t, dir)
	if diff := cmp.Diff(ours, text(t, dir, authFile)); diff != "" {
		t.Error(diff)
	}
	kept, err := filepath.Glob(filepath.Join(dir, "*.other-minor-*"))
	if err != nil || len(kept) != 1 || text(t, dir, filepath.Base(kept[0])) != theirs {
		t.Errorf("what was there is kept in %q, %v", kept, err)
	}
}

// spec: storage.md §2.4: absent and null are never
func TestWhenTokensEnd(t *testing.T) {
	dir := copied(t, "2024.2")
	s := open(t, dir)
	for id, want := range map[string]time.Time{"ends": time.Unix(4863489330, 250_000_000).UTC(), "never": {}} {
		if token, err := s.RefreshToken(t.Context(), id); err != nil || !token.ExpireAt.Equal(want) {
			t.Errorf("%s ends at %v, want %v (%v)", id, token.ExpireAt, want, err)
		}
	}
	touch(t, s)
	if diff := cmp.Diff(text(t, "testdata/2024.2", authFile), text(t, dir, authFile)); diff != "" {
		t.Error(diff)
	}
}

// What latchkey has no use for stays as it is: keys of built-in groups, the place of a group among them, empty texts where
// null is usual, and a policy that is not understood when its group gets another name.
func TestSmallThingsStayAsTheyAre(t *testing.T) {
	dir := copied(t, "odd")
	theirs := text(t, dir, authFile)
	for old, by := range map[string]string{
		`"name": "Users"`: `"name": "Users",` + "\n        \"icon\": \"mdi:account\"",
		`"groups": [`:     `"groups": [` + "\n      {\n        \"id\": \"first\",\n        \"name\": \"\",\n        \"policy\": {}\n      },",
		`"last_used_ip": null,` + "\n        \"expire_at\"": `"last_used_ip": "",` + "\n        \"expire_at\"",
		`"version": "2025.5.0"`:                             `"version": ""`,
	} {
		if !strings.Contains(theirs, old) {
			t.Fatalf("%q is not in the file", old)
		}
		theirs = strings.Replace(theirs, old, by, 1)
	}
	write(t, dir, authFile, theirs)
	s := open(t, dir)
	update(t, s, func(ctx context.Context, tx latchkey.Tx) error {
		g, err := tx.Group(ctx, "odd")
		if err != nil {
			return err
		}
		g.Name = latchkey.Text("Odd")
		return tx.UpdateGroup(ctx, g)
	})
	want := strings.Replace(theirs, `"id": "odd",`+"\n        \"name\": null", `"id": "odd",`+"\n        \"name\": \"Odd\"", 1)
	if want == theirs {
		t.Fatal("the group is not in the file")
	}
	if diff := cmp.Diff(want, text(t, dir, authFile)); diff != "" {
		t.Error(diff)
	}
}

// spec: storage.md §2.2
func TestInstantsInEveryForm(t *testing.T) {
	at := time.Date(2019, 11, 2, 9, 15, 30, 250_000_000, time.UTC)
	for text, want := range map[string]time.Time{
		"2019-11-02T09:15:30.250000+00:00":    at,
		"2019-11-02T09:15:30.250000Z":         at,
		"2019-11-02 09:15:30.25":              at,
		"2019-11-02T10:15:30.250000999+01:00": at,
		"2019-11-02T03:45:30.25-0530":         at,
		"2019-11-02T09:15:30":                 at.Truncate(time.Second),
		"2019-11-02T09:15Z":                   at.Truncate(time.Minute),
		"20191102T091530Z":                    at.Truncate(time.Second),
		"2019-11-02":                          at.Truncate(24 * time.Hour),
		"2019-13-02T09:15:30+00:00":           {},
		"2019-11-02T09:15:30.2x+00:00":        {},
		"2019-11-02T09:15:30+0":               {},
		"yesterday":                           {},
		"":                                    {},
	} {
		got, err := parseInstant(text)
		if !got.Equal(want) || (err != nil) != want.IsZero() {
			t.Errorf("%q is %v, want %v (%v)", text, got, want, err)
		}
	}
	for want, at := range map[string]time.Time{
		"2019-11-02T09:15:30.250000+00:00": at.In(time.FixedZone("", 3600)),
		"2019-11-02T09:15:30+00:00":        at.Truncate(time.Second),
	} {
		if got := formatInstant(at); got != want {
			t.Errorf("%v is written as %s, want %s", at, got, want)
		}
	}
}

// shown is a disk that holds files in memory.
type shown struct {
	disk
	files fstest.MapFS
}

func (d shown) ReadFile(path string) (string, error) {
	text, err := d.files.ReadFile(filepath.Base(path))
	return string(text), err
}

func (d shown) Stat(path string) (fs.FileInfo, error) { return d.files.Stat(filepath.Base(path)) }

// loaded reads a file as if it stood in a folder, behind what was read before; nil for nothing.
func loaded(before *state, text []byte) (*state, error) {
	l := loader{folder: folder{disk: shown{files: fstest.MapFS{authFile: {Data: text}}}}, log: quietLog(), before: before}
	err := l.load()
	return l.state, err
}

// What is known is not read anew, and yet what is read is what stands there.
func TestWhatIsReadAgainIsWhatStandsThere(t *testing.T) {
	whole := text(t, "testdata/2025", authFile)
	before, err := loaded(nil, []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	start, end := strings.Index(whole, `"refresh_tokens": [`)+len(`"refresh_tokens": [`), strings.LastIndex(whole, "\n    ]")
	tokens := strings.SplitAfter(whole[start:end], "},")
	if len(tokens) != 2 {
		t.Fatalf("%d tokens", len(tokens))
	}
	session, logger := strings.TrimSuffix(tokens[0], ","), tokens[1]
	changed := strings.Replace(session, `"client_name": null`, `"client_name": "Phone"`, 1)
	another := strings.Replace(session, adaToken, "another", 1)
	list := func(tokens ...string) string { return whole[:start] + strings.Join(tokens, ",") + whole[end:] }
	for name, text := range map[string]string{
		"the same":               whole,
		"another order":          list(logger, session),
		"one less":               list(logger),
		"one more":               list(session, another, logger),
		"one is another":         list(another, logger),
		"one has changed":        list(changed, logger),
		"one has more":           list(strings.Replace(session, "\n      }", ",\n        \"more\": 1\n      }", 1), logger),
		"without the login":      strings.Replace(whole, `"id": "`+adaLogin+`"`, `"id": "another"`, 1),
		"one twice":              list(session, session),
		"of a user who is not":   strings.ReplaceAll(whole, `"id": "`+adaID+`"`, `"id": "another"`),
		"laid out otherwise":     list(strings.ReplaceAll(session, "\n        ", "\n"), logger),
		"in the place of a user": strings.Replace(whole, `"users": [`, `"users": [`+session+",", 1),
		"in another list":        strings.Replace(whole, `"users": [`, `"old": [`+session+`], "users": [`, 1),
	} {
		got, err1 := loaded(before, []byte(text))
		want, err2 := loaded(nil, []byte(text))
		if diff := cmp.Diff(fmt.Sprint(err2), fmt.Sprint(err1)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if err1 != nil || err2 != nil {
			continue
		}
		is, was := reader{func() *state { return got }}, reader{func() *state { return want }}
		if diff := cmp.Diff(described(t, was), described(t, is)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(string(want.encode(authFile)), string(got.encode(authFile))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// FuzzAuthFile holds any text against the reader: it is refused, or written so that it is read back alike.
func FuzzAuthFile(f *testing.F) {
	versions, err := filepath.Glob("testdata/[0-9o]*/auth")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range versions {
		f.Add([]byte(text(f, filepath.Dir(path), authFile)))
	}
	f.Add([]byte(authOf(`"groups": [{"id": "a", "policy": null}],`, `["a"]`)))
	f.Fuzz(func(t *testing.T, given []byte) {
		first, err := loaded(nil, given)
		if err != nil {
			return
		}
		written := first.encode(authFile)
		if same, err := loaded(first, given); err != nil || !bytes.Equal(same.encode(authFile), written) {
			t.Fatalf("read a second time it is something else: %v", err)
		}
		again, err := loaded(nil, written)
		if err != nil {
			t.Fatalf("what was written is refused: %v\n%s", err, written)
		}
		was, is := reader{func() *state { return first }}, reader{func() *state { return again }}
		if diff := cmp.Diff(described(t, was), described(t, is)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(string(written), string(again.encode(authFile))); diff != "" {
			t.Errorf("written twice: %s", diff)
		}
	})
}
