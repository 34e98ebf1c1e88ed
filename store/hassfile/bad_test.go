package hassfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

// What is wrong is told with file and field, and the files stay as they were (storage.md §1).
func TestFilesThatCannotBeRead(t *testing.T) {
	whole := text(t, "testdata/2025", authFile)
	replaced := func(old, by string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("%q is not in the file", old)
		}
		return strings.Replace(whole, old, by, 1)
	}
	for name, tt := range map[string]struct{ file, text, want string }{
		"truncated":              {authFile, whole[:len(whole)/2], "auth: line "},
		"empty":                  {authFile, "", "auth: line 1"},
		"not UTF-8":              {authFile, replaced("Ada", "\xff"), "auth: it is not valid UTF-8"},
		"a byte order mark":      {authFile, "\ufeff" + whole, "auth: line 1"},
		"NaN":                    {authFile, replaced("1800.0", "NaN"), "auth: line "},
		"a list":                 {authFile, "[]", "auth: an object is expected"},
		"no version":             {authFile, `{"data": {}}`, "auth: version: it is missing"},
		"a newer version":        {authFile, replaced(`"version": 1`, `"version": 2`), "auth: version: 2 is not understood, only 1: a newer Home Assistant wrote the file"},
		"an older version":       {authFile, replaced(`"version": 1`, `"version": 0`), "auth: version: 0 is not understood, only 1: no Home Assistant wrote that"},
		"a version of no kind":   {authFile, replaced(`"version": 1`, `"version": {}`), "auth: version: {} is not understood, only 1: no Home Assistant wrote that"},
		"no data":                {authFile, `{"version": 1}`, "auth: data: it is missing"},
		"no users":               {authFile, replaced(`"users": [`, `"losers": [`), "auth: data.users: a list is expected"},
		"a user without an id":   {authFile, replaced(`"id": "3f1c`, `"ID": "3f1c`), "auth: data.users[0].id: it is missing"},
		"a flag of no kind":      {authFile, replaced(`"is_owner": true`, `"is_owner": "yes"`), "auth: data.users[0].is_owner: true or false is expected"},
		"one user twice":         {authFile, strings.ReplaceAll(whole, "c0ffee00c0ff4e00a0ffee00c0ffee00", "3f1c2a9b8d7e4c50a1b2c3d4e5f60718"), "auth: data.users[1].id: there are two users"},
		"credentials of nobody":  {authFile, replaced(`"user_id": "3f1c2a9b8d7e4c50a1b2c3d4e5f60718"`, `"user_id": "nobody"`), "auth: data.credentials[0].user_id: there is no user nobody"},
		"a token of nobody":      {authFile, replaced(`"user_id": "3f1c2a9b8d7e4c50a1b2c3d4e5f60718",`+"\n"+`        "client_id"`, `"user_id": "nobody",`+"\n"+`        "client_id"`), "auth: data.refresh_tokens[0].user_id: there is no user nobody"},
		"one token twice":        {authFile, replaced("aa11bb22cc33440d85ee66ff77008811", "5b6c7d8e9f004a1b8c2d3e4f5a6b7c8d"), "auth: data.refresh_tokens[1].id: there are two refresh tokens"},
		"a token of no type":     {authFile, replaced(`"token_type": "normal"`, `"token_type": "odd"`), "auth: data.refresh_tokens[0].token_type"},
		"an expiry of no kind":   {authFile, replaced("1754033400.5", `"tomorrow"`), "auth: data.refresh_tokens[0].expire_at"},
		"a lifetime of no kind":  {authFile, replaced("1800.0", `"long"`), "auth: data.refresh_tokens[0].access_token_expiration"},
		"a user of no id":        {authFile, replaced(`"id": "3f1c2a9b8d7e4c50a1b2c3d4e5f60718",`+"\n"+`        "group_ids"`, `"id": "",`+"\n"+`        "group_ids"`), "auth: data.users[0].id: it is empty"},
		"one login twice":        {authFile, replaced(`"credentials": [`, `"credentials": [{"id": "0d5e6f708192434fa5b6c7d8e9f00112", "user_id": "c0ffee00c0ff4e00a0ffee00c0ffee00", "auth_provider_type": "x", "auth_provider_id": null, "data": {}},`), "auth: data.credentials[1].id: there are two credentials"},
		"a login of no kind":     {authFile, replaced(`"username": "ada"`, `"username": 1e400`), "auth: data.credentials[0].data: 1e400 is too large a number"},
		"a factor twice":         {totpFile, `{"version": 1, "data": {"users": {"u": "A", "u": "B"}}}`, "auth_module.totp: data.users.u: the user is there twice"},
		"what is ours":           {extraFile, `{"version": 1, "data": {"modules": {"totp": 5}}}`, "latchkey.extra: data.modules.totp: an object is expected"},
		"steps of no kind":       {onboardingFile, `{"version": 4, "data": {"done": [1]}}`, "onboarding: data.done: a list of texts is expected"},
		"one group twice":        {authFile, replaced(`"id": "system-users"`, `"id": "system-admin"`), "auth: data.groups[1].id: there are two groups system-admin"},
		"passwords of no kind":   {passwordFile, `{"version": 1, "data": {"users": {}}}`, "auth_provider.homeassistant: data.users: a list is expected"},
		"a password of nobody":   {passwordFile, `{"version": 1, "data": {"users": [{"password": "x"}]}}`, "auth_provider.homeassistant: data.users[0].username: it is missing"},
		"a password twice":       {passwordFile, `{"version": 1, "data": {"users": [{"username": "a"}, {"username": "a"}]}}`, "auth_provider.homeassistant: data.users[1].username: there are two records"},
		"a secret of no kind":    {totpFile, `{"version": 1, "data": {"users": {"u": 5}}}`, "auth_module.totp: data.users.u"},
		"a service of no kind":   {notifyFile, `{"version": 1, "data": {"users": {"u": {"notify_service": 5}}}}`, "auth_module.notify: data.users.u"},
		"onboarding of any kind": {onboardingFile, `{"version": 5, "data": {"done": []}}`, "onboarding: version: 5 is not understood, only 4"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copied(t, "2025")
			if err := os.WriteFile(filepath.Join(dir, tt.file), []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			before := theirFiles(t, dir)
			for how, try := range map[string]func() error{
				"kept": func() error {
					s, err := Open(t.Context(), dir, quiet())
					if err == nil {
						_ = s.Close()
					}
					return err
				},
				"read": func() error {
					_, err := Read(t.Context(), dir, quietLog())
					return err
				},
				"followed": func() error {
					_, err := Follow(t.Context(), dir, nil, quietLog())
					return err
				},
			} {
				if err := try(); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s: error %v, want one that says %q", how, err, tt.want)
				}
			}
			unchanged(t, dir, before)
		})
	}
}

// Docker makes a folder where a file that it shall mount is missing.
func TestAFolderInThePlaceOfAFile(t *testing.T) {
	dir := copied(t, "2025")
	path := filepath.Join(dir, totpFile)
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(t.Context(), dir, quietLog()); err == nil || !strings.Contains(err.Error(), totpFile+": it is no file, but a folder") {
		t.Errorf("error = %v", err)
	}
}

// What a link leads to may be on a disk that is not mounted. That is no new house, which would be open to whoever comes first.
func TestALinkThatLeadsNowhere(t *testing.T) {
	dir := copied(t, "2025")
	path := filepath.Join(dir, authFile)
	if err := errors.Join(os.Remove(path), os.Symlink(filepath.Join(dir, "away", authFile), path)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), dir, quiet())
	if err == nil {
		_ = s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), authFile+" is a link to a file that is not there") {
		t.Errorf("error = %v", err)
	}
}

func TestFoldersThatAreNoStorage(t *testing.T) {
	strange := t.TempDir()
	if err := os.WriteFile(filepath.Join(strange, "holiday.jpg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".storage"), 0o700); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		strange:                               "none of Home Assistant's",
		home:                                  "name " + filepath.Join(home, ".storage") + " in it",
		filepath.Join(strange, "holiday.jpg"): "is no folder",
		filepath.Join(strange, "nowhere"):     "no such file or directory",
	} {
		s, err := Open(t.Context(), dir, quiet())
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error that says %q", dir, err, want)
		}
	}
	if entries, _ := os.ReadDir(strange); len(entries) != 1 {
		t.Errorf("the folder holds %v now", entries)
	}
}

// denied is a disk on which one file may not be read. Root may read everything, so that real modes would show nothing.
type denied struct {
	disk
	name string
}

func (d denied) ReadFile(path string) (string, error) {
	if filepath.Base(path) == d.name {
		return "", &os.PathError{Op: "open", Path: path, Err: os.ErrPermission}
	}
	return d.disk.ReadFile(path)
}

func TestFilesThatMayNotBeRead(t *testing.T) {
	for _, name := range []string{authFile, passwordFile} {
		s, err := Open(t.Context(), copied(t, "2025"), quiet(), withDisk(denied{name: name}))
		if err == nil {
			_ = s.Close()
		}
		if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), name+": permission denied: let this program's user read") {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}

// spec: security.md W9: hass stores refuse to set a password over 72 bytes
func TestAPasswordThatTheFileHasNoFormFor(t *testing.T) {
	s := open(t, t.TempDir())
	err := s.Update(t.Context(), func(tx latchkey.Tx) error {
		return tx.InsertPassword(t.Context(), latchkey.Password{Username: "anna", Hash: "$hmac-sha384$2b$12$x"})
	})
	if !errors.Is(err, ErrPasswordTooLong) || !errors.Is(err, latchkey.ErrValue) {
		t.Errorf("error = %v", err)
	}
}
