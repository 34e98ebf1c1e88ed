package config_test

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey/config"
)

func TestFilesAreIncludedFromTheFolderOfTheFileThatNamesThem(t *testing.T) {
	c := load(t, map[string]string{
		"latchkey.yaml": "homeassistant: !include ha/core.yaml\nnotify: !include notify.yaml\n",
		"ha/core.yaml":  "name: Home\nauth_providers: !include auth/providers.yaml\nauth_mfa_modules:\n  - !include totp.yaml\n",
		"ha/totp.yaml":  "type: totp\nname: !include name.yaml\n",
		"ha/name.yaml":  "App\n",
		"ha/auth/providers.yaml": "- type: trusted_networks\n  trusted_networks: !include ../../networks.yaml\n" +
			"- type: homeassistant\n",
		"networks.yaml": "- 10.0.0.0/8\n- !include one.yaml\n",
		"one.yaml":      "::1\n",
		"notify.yaml":   "- {name: hook, platform: webhook, url: 'https://h.example/'}\n",
	})
	same(t, []config.ProviderConfig{
		config.TrustedNetworks{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}},
		config.HomeAssistant{},
	}, c.AuthProviders)
	same(t, []config.ModuleConfig{config.TOTP{Name: "App"}}, c.MFAModules)
	same(t, []config.NotifyService{{Name: "hook", By: config.Webhook{URL: "https://h.example/"}}}, c.Notify)
}

func TestAFileMayBeIncludedTwice(t *testing.T) {
	c := load(t, map[string]string{
		"latchkey.yaml": "homeassistant:\n  auth_providers:\n" +
			"  - {type: trusted_networks, trusted_networks: !include n.yaml}\n  - {type: trusted_networks, id: a, trusted_networks: !include n.yaml}\n",
		"n.yaml": "10.0.0.0/8",
	})
	if len(c.AuthProviders) != 2 {
		t.Errorf("got %+v", c.AuthProviders)
	}
}

// DIR stands for the folder of the main file.
func TestWhatIsWrongWithAnIncludedFileIsTold(t *testing.T) {
	const include = "homeassistant:\n  auth_providers: !include a.yaml\n"
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"it is missing": {map[string]string{"latchkey.yaml": include},
			"DIR/latchkey.yaml:2: auth_providers: cannot include DIR/a.yaml: no such file or directory"},
		"it has no name": {map[string]string{"latchkey.yaml": "homeassistant: !include\n"},
			"DIR/latchkey.yaml:1: homeassistant: !include must be followed by a name"},
		"it is a list": {map[string]string{"latchkey.yaml": "homeassistant: !include [a]\n"},
			"DIR/latchkey.yaml:1: homeassistant: !include must be followed by a name"},
		"it is no YAML": {map[string]string{"latchkey.yaml": include, "a.yaml": "\n- type: x\n - b\n"},
			"DIR/a.yaml:3: not valid YAML: did not find expected '-' indicator while parsing a block collection"},
		"it is empty, which leaves nobody a way to sign in": {map[string]string{"latchkey.yaml": include, "a.yaml": "# later\n"},
			"DIR/a.yaml: type: is missing, and must be given"},
		"an entry of it": {map[string]string{"latchkey.yaml": include, "a.yaml": "\n- type: homeassistant\n- type: x\n"},
			"DIR/a.yaml:3: type: Unable to load auth provider x: there is none of this type; " +
				"there are homeassistant, trusted_networks, command_line, legacy_api_password"},
		"two entries of it": {map[string]string{"latchkey.yaml": include, "a.yaml": "- type: homeassistant\n- !include b.yaml\n", "b.yaml": "\n\ntype: homeassistant\n"},
			"DIR/b.yaml:3: auth_providers: Duplicate auth provider homeassistant found. Please add unique IDs if you want to have the same auth provider twice"},
		"it is the main file": {map[string]string{"latchkey.yaml": "homeassistant: !include latchkey.yaml\n"},
			"DIR/latchkey.yaml:1: homeassistant: DIR/latchkey.yaml includes itself, directly or through others"},
		"it is one that led there": {map[string]string{"latchkey.yaml": include, "a.yaml": "- !include x/b.yaml\n", "x/b.yaml": "type: !include ../x/../a.yaml\n"},
			"DIR/x/b.yaml:1: type: DIR/a.yaml includes itself, directly or through others"},
		"it is another file's only content": {map[string]string{"latchkey.yaml": include, "a.yaml": "!include b.yaml\n", "b.yaml": "!include a.yaml\n"},
			"DIR/b.yaml:1: auth_providers: DIR/a.yaml includes itself, directly or through others"},
	} {
		t.Run(name, func(t *testing.T) {
			path := folder(t, test.files)
			_, err := config.Load(path)
			var wrong *config.FileError
			if !errors.As(err, &wrong) {
				t.Fatalf("got %v", err)
			}
			if want := strings.ReplaceAll(test.want, "DIR", filepath.Dir(path)); err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
		})
	}
}

func TestFilesIncludeEachOtherTenDeepAndNoDeeper(t *testing.T) {
	chain := func(deep int) map[string]string {
		files := map[string]string{"latchkey.yaml": "homeassistant: !include 1.yaml\n"}
		for i := 1; i < deep; i++ {
			files[fmt.Sprintf("%d.yaml", i)] = fmt.Sprintf("!include %d.yaml\n", i+1)
		}
		files[fmt.Sprintf("%d.yaml", deep)] = "auth_providers: []\n"
		return files
	}
	if c := load(t, chain(10)); len(c.AuthProviders) > 0 {
		t.Errorf("got %+v", c.AuthProviders)
	}
	path := folder(t, chain(11))
	_, err := config.Load(path)
	want := filepath.Join(filepath.Dir(path), "10.yaml") + ":1: homeassistant: files include each other more than 10 deep"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

const withSecret = "homeassistant:\n  auth_providers:\n  - type: legacy_api_password\n    api_password: !secret house\n"

func TestASecretIsLookedForBesideTheFileAndThenAbove(t *testing.T) {
	const provider = "type: legacy_api_password\napi_password: !secret house\n"
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"beside the main file": {map[string]string{"latchkey.yaml": withSecret, "secrets.yaml": "other: x\nhouse: beside\n"}, "beside"},
		"beside the included file": {map[string]string{
			"latchkey.yaml": "homeassistant: {auth_providers: !include a/b/p.yaml}\n", "a/b/p.yaml": provider,
			"a/b/secrets.yaml": "house: nearest\n", "secrets.yaml": "house: farthest\n"}, "nearest"},
		"between the two": {map[string]string{
			"latchkey.yaml": "homeassistant: {auth_providers: !include a/b/p.yaml}\n", "a/b/p.yaml": provider,
			"a/b/secrets.yaml": "other: x\n", "a/secrets.yaml": "house: between\n", "secrets.yaml": "house: farthest\n"}, "between"},
		"beside the main file, for an included one": {map[string]string{
			"latchkey.yaml": "homeassistant: {auth_providers: !include a/b/p.yaml}\n", "a/b/p.yaml": provider,
			"secrets.yaml": "house: farthest\n"}, "farthest"},
		"a number": {map[string]string{"latchkey.yaml": withSecret, "secrets.yaml": "house: 4711\n"}, "4711"},
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, test.files)
			if got := c.AuthProviders[0].(config.LegacyAPIPassword).Password.Reveal(); got != test.want {
				t.Errorf("got %q", got)
			}
			c.Folder, c.Origins = "", nil // named after the test
			if shown := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(shown, test.want) {
				t.Error("a printed configuration shows the secret")
			}
		})
	}
}

func TestSecretsAboveTheMainFileAreNotLookedAt(t *testing.T) {
	main := folder(t, map[string]string{
		"secrets.yaml": "house: above\n", "in/latchkey.yaml": withSecret,
		"out/p.yaml": "type: legacy_api_password\napi_password: !secret house\n",
	})
	dir := filepath.Join(filepath.Dir(main), "in")
	_, err := config.Load(filepath.Join(dir, "latchkey.yaml"))
	want := fmt.Sprintf("%s/latchkey.yaml:4: api_password: there is no secret house: add it to %s/secrets.yaml", dir, dir)
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestNoErrorShowsASecret(t *testing.T) {
	const providers, services = "homeassistant:\n  auth_providers:\n  - ", "notify:\n- "
	for name, test := range map[string]struct{ text, secrets, want string }{
		"of a wrong kind":         {providers + "{type: trusted_networks, trusted_networks: !secret s}\n", "s: hunter2\n", "latchkey.yaml:3: trusted_networks: the value of s does not belong here"},
		"in a list":               {providers + "{type: trusted_networks, trusted_networks: [!secret s]}\n", "s: hunter2\n", "latchkey.yaml:3: trusted_networks: the value of s does not belong here"},
		"a list itself":           {providers + "{type: trusted_networks, trusted_networks: !secret s}\n", "s:\n- ::1\n- hunter2\n", "latchkey.yaml:3: trusted_networks: the value of s does not belong here"},
		"a type":                  {providers + "type: !secret s\n", "s: hunter2\n", "latchkey.yaml:3: type: the value of s does not belong here"},
		"keys":                    {providers + "{type: trusted_networks, trusted_networks: [], trusted_users: !secret s}\n", "s: {hunter2: x}\n", "latchkey.yaml:3: trusted_users: the secret s holds keys, which belong in the configuration itself"},
		"keys of an entry":        {providers + "!secret s\n", "s: {hunter2: x}\n", "latchkey.yaml:3: auth_providers: the secret s holds keys, which belong in the configuration itself"},
		"a user":                  {providers + "{type: trusted_networks, trusted_networks: [], trusted_users: {'::1': !secret s}}\n", "s: hunter2\n", "latchkey.yaml:3: ::1: the value of s does not belong here"},
		"a truth value":           {providers + "{type: command_line, command: /a, meta: !secret s}\n", "s: hunter2\n", "latchkey.yaml:3: meta: must be true or false, without quotation marks"},
		"only the maker knows":    {"homeassistant:\n  auth_mfa_modules:\n  - {type: notify, message: !secret s}\n", "s: hunter2\n", "latchkey.yaml:3: auth_mfa_modules: notify cannot be set up with the value of s"},
		"only the sender knows":   {services + "{name: a, platform: smtp, server: h, sender: !secret s}\n", "s: hunter2\n", "latchkey.yaml:2: notify: smtp cannot be set up with the value of s"},
		"a port":                  {services + "{name: a, platform: smtp, server: h, sender: a@h.org, port: !secret s}\n", "s: hunter2\n", "latchkey.yaml:2: port: must be a whole number"},
		"a name twice":            {services + "{name: !secret s, platform: webhook, url: 'https://h/'}\n- {name: hunter2, platform: webhook, url: 'https://h/'}\n", "s: hunter2\n", "latchkey.yaml:3: notify: another service has the same name: people could not tell them apart"},
		"another tag in it":       {withSecret, "house: !include hunter2\n", "latchkey.yaml:4: api_password: !include is not understood here: use !include, !secret, !env_var or the value itself"},
		"an alias in the secrets": {withSecret, "house: *hunter2\n", "secrets.yaml:1: not valid YAML: write NAME: \"value\" on each line"},
		"a file of no keys":       {withSecret, "- hunter2\n", "secrets.yaml:1: not a list of secrets: write NAME: \"value\" on each line, and each name once"},
		"a name twice in it":      {withSecret, "house: hunter2\nhouse: hunter2\n", "secrets.yaml:2: not a list of secrets: write NAME: \"value\" on each line, and each name once"},
		"an empty secret":         {withSecret, "house:\n", "latchkey.yaml:4: api_password: the value of house does not belong here"},
	} {
		t.Run(name, func(t *testing.T) {
			path := folder(t, map[string]string{"latchkey.yaml": test.text, "secrets.yaml": test.secrets})
			_, err := config.Load(path)
			var wrong *config.FileError
			if !errors.As(err, &wrong) {
				t.Fatalf("got %v", err)
			}
			if want := filepath.Dir(path) + "/" + test.want; err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
			for inner := err; inner != nil; inner = errors.Unwrap(inner) {
				if strings.Contains(inner.Error(), "hunter2") {
					t.Errorf("%v shows the secret", inner)
				}
			}
		})
	}
}

func TestAValueMayComeFromTheEnvironment(t *testing.T) {
	t.Setenv("HOUSE_PASSWORD", "from there")
	text := func(value string) string { return strings.Replace(withSecret, "!secret house", value, 1) }
	for value, want := range map[string]string{
		"!env_var HOUSE_PASSWORD":           "from there",
		"!env_var HOUSE_PASSWORD not  this": "from there",
		"!env_var HOUSE_NO_SUCH or  that":   "or that",
	} {
		c := load(t, map[string]string{"latchkey.yaml": text(value)})
		if got := c.AuthProviders[0].(config.LegacyAPIPassword).Password.Reveal(); got != want {
			t.Errorf("%s is %q", value, got)
		}
	}
	path := file(t, text("!env_var HOUSE_NO_SUCH"))
	if _, err := config.Load(path); err == nil || err.Error() != path+":4: api_password: there is no environment variable HOUSE_NO_SUCH" {
		t.Errorf("got %v", err)
	}
}

func FuzzHomeAssistantSection(f *testing.F) {
	for _, seed := range []string{
		"auth_providers:\n  - type: homeassistant\n",
		"auth_providers:\n  - type: trusted_networks\n    trusted_networks: [10.0.0.0/8]\n    trusted_users:\n      ::1: [" + anna + ", {group: a}]\n    allow_bypass_login: yes\n",
		"auth_providers:\n  - {type: command_line, command: /a, args: [b], meta: on}\n",
		"auth_providers: {type: legacy_api_password, api_password: !secret a}\n",
		"auth_providers: !include latchkey.yaml\n",
		"auth_providers: &a [*a]\n",
		"auth_providers: &a {type: trusted_networks, trusted_networks: *a}\n",
		"auth_mfa_modules:\n  - {type: notify, include: 0x1F, message: \"{}{\"}\n  - {type: totp, id: x}\n",
		"auth_mfa_modules: !env_var A [\n",
		"auth_mfa_modules: [!!binary a, !!float x, ~]\n",
		"auth_mfa_modules: {type: notify, include: [!!int x, 2001-01-01, .inf]}\n",
		"<<: x\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		indented := "homeassistant:\n  " + strings.ReplaceAll(text, "\n", "\n  ")
		path := folder(t, map[string]string{"latchkey.yaml": indented, "secrets.yaml": "a: b\n"})
		c, err := config.Load(path)
		var wrong *config.FileError
		if err != nil && !errors.As(err, &wrong) {
			t.Errorf("%q: %v has no place", text, err)
		}
		for _, p := range c.AuthProviders {
			if p == nil {
				t.Errorf("%q made a provider of nothing", text)
			}
		}
	})
}
