package config_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/mfa/notify/mail"
	"github.com/seed-6a977b3d/latchkey/mfa/notify/webhook"
	"github.com/seed-6a977b3d/latchkey/provider/trustednetworks"
)

// folder writes files, of which latchkey.yaml is the main one, and returns the path of that.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "latchkey.yaml")
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Error(diff)
	}
}

func load(t *testing.T, files map[string]string) config.Config {
	t.Helper()
	c, err := config.Load(folder(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	anna = "acbc8f6b6d9b4d3f9f2f0cbb5c6e4c7a"
	bert = "0123456789014230b123456789012345"
)

var (
	defaultProviders = []config.ProviderConfig{config.HomeAssistant{}}
	defaultModules   = []config.ModuleConfig{config.TOTP{Name: "Authenticator app"}}
	noProviders      = []config.ProviderConfig{}
	noModules        = []config.ModuleConfig{}
)

func TestTheSectionOfHomeAssistantIsReadAsItStands(t *testing.T) {
	network := netip.MustParsePrefix
	for name, test := range map[string]struct {
		text      string
		providers []config.ProviderConfig
		modules   []config.ModuleConfig
	}{
		"spec: manager.md §1, absent keys are the defaults": {`
homeassistant:
  name: Home
  latitude: 32.87336
  unit_system: metric
  customize: !include customize.yaml
`, defaultProviders, defaultModules},
		"spec: manager.md §1, each list has its own default": {`
homeassistant:
  auth_providers:
    - type: homeassistant
      name: Ours
      min_password_length: 9
`, []config.ProviderConfig{config.HomeAssistant{Name: "Ours"}}, defaultModules},
		"a section without anything": {"homeassistant:\n", defaultProviders, defaultModules},
		"spec: manager.md §1, null means none": {
			"homeassistant:\n  auth_providers:\n  auth_mfa_modules: ~\n", noProviders, noModules,
		},
		"spec: manager.md §1, an empty list means none": {
			"homeassistant: {auth_providers: [], auth_mfa_modules: []}\n", noProviders, noModules,
		},
		"spec: manager.md §1, a single entry is a list of one": {`
homeassistant:
  auth_providers:
    type: homeassistant
  auth_mfa_modules:
    type: totp
`, defaultProviders, []config.ModuleConfig{config.TOTP{}}},
		"spec: providers.md §5.1, trusted networks with users": {`
homeassistant:
  auth_providers:
    - type: trusted_networks
      trusted_networks:
        - 192.168.0.0/24
        - 192.168.10.0/255.255.255.0
        - fd00::/8
        - 127.0.0.1
        - ::1
      trusted_users:
        192.168.0.0/24: ` + strings.ToUpper(anna) + `
        192.168.10.0/24:
          - ` + bert + `
          - group: system-users
        fd00::/8:
          - group: [system-admin, system-read-only]
        10.0.0.0/8:
      allow_bypass_login: " Yes "
    - type: homeassistant
`, []config.ProviderConfig{
			config.TrustedNetworks{
				Networks: []netip.Prefix{network("192.168.0.0/24"), network("192.168.10.0/24"), network("fd00::/8"),
					network("127.0.0.1/32"), network("::1/128")},
				Users: []trustednetworks.UserRule{
					{Network: network("192.168.0.0/24"), UserIDs: []string{anna}},
					{Network: network("192.168.10.0/24"), UserIDs: []string{bert}, GroupIDs: []string{"system-users"}},
					{Network: network("fd00::/8"), GroupIDs: []string{"system-admin", "system-read-only"}},
					{Network: network("10.0.0.0/8")},
				},
				AllowBypass: true,
			},
			config.HomeAssistant{},
		}, defaultModules},
		"spec: providers.md §5.1, one network, and a number for a truth value": {`
homeassistant:
  auth_providers:
    - {type: trusted_networks, id: tablet, name: Wall, trusted_networks: 10.0.0.0/8, allow_bypass_login: 0}
    - {type: trusted_networks, trusted_networks: , allow_bypass_login: on}
`, []config.ProviderConfig{
			config.TrustedNetworks{ID: latchkey.Text("tablet"), Name: "Wall", Networks: []netip.Prefix{network("10.0.0.0/8")}},
			config.TrustedNetworks{AllowBypass: true},
		}, defaultModules},
		"spec: providers.md §4.1, a command": {`
homeassistant:
  auth_providers:
    - type: command_line
      command: /absolute/path/to/command
      args: ["--first", "--second"]
      meta: yes
    - type: command_line
      id: other
      command: /bin/check
      args:
`, []config.ProviderConfig{
			config.CommandLine{Command: "/absolute/path/to/command", Args: []string{"--first", "--second"}, Meta: true},
			config.CommandLine{ID: latchkey.Text("other"), Command: "/bin/check"},
		}, defaultModules},
		"spec: providers.md §6, a shared password, which may be a number": {`
homeassistant:
  auth_providers:
    - {type: legacy_api_password, api_password: 1234}
`, []config.ProviderConfig{config.LegacyAPIPassword{Password: "1234"}}, defaultModules},
		"spec: mfa.md §2 and §5, second factors": {`
homeassistant:
  auth_mfa_modules:
    - type: totp
      id: totp_2
      name: "Authenticator"
    - type: totp
    - type: notify
      include:
        - notify_anna
        - 7
      exclude: pager
      message: 'I am home: {}'
`, defaultProviders, []config.ModuleConfig{
			config.TOTP{ID: "totp_2", Name: "Authenticator"}, config.TOTP{},
			config.Notify{Include: []string{"notify_anna", "7"}, Exclude: []string{"pager"}, Message: "I am home: {}"},
		}},
		"anchors": {`
homeassistant:
  x: &net [10.0.0.0/8]
  auth_providers:
    - {type: trusted_networks, trusted_networks: *net}
`, []config.ProviderConfig{config.TrustedNetworks{Networks: []netip.Prefix{network("10.0.0.0/8")}}}, defaultModules},
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, map[string]string{"latchkey.yaml": test.text})
			same(t, test.providers, c.AuthProviders)
			same(t, test.modules, c.MFAModules)
		})
	}
}

func TestServicesThatSendCodesAreRead(t *testing.T) {
	c := load(t, map[string]string{"latchkey.yaml": `
notify:
  - name: mail
    platform: smtp
    server: smtp.example.org
    port: "587"
    encryption: starttls
    sender: home@example.org
    sender_name: Home
    username: home
    password: !secret smtp
    recipient: anna@example.org
  - name: local
    platform: smtp
    server: localhost
    encryption: none
    sender: home@example.org
    recipient: [bert@example.org]
  - name: ntfy
    platform: webhook
    url: https://ntfy.example/house
    format: text
    timeout: 5
    headers:
      Authorization: !secret ntfy
`, "secrets.yaml": "smtp: 'pass phrase'\nntfy: Bearer abc\n"})
	same(t, []config.NotifyService{
		{Name: "mail", By: config.Mail{Host: "smtp.example.org", Port: 587, Security: mail.StartTLS, Username: "home",
			Password: "pass phrase", From: `"Home" <home@example.org>`, To: "anna@example.org"}},
		{Name: "local", By: config.Mail{Host: "localhost", Security: mail.Plain, From: "home@example.org", To: "bert@example.org"}},
		{Name: "ntfy", By: config.Webhook{URL: "https://ntfy.example/house", Format: webhook.Text, Timeout: 5 * time.Second,
			Header: http.Header{"Authorization": {"Bearer abc"}}}},
	}, c.Notify)
	for _, s := range c.Notify {
		if shown := fmt.Sprintf("%v %+v %#v", s, s, s); strings.Contains(shown, "phrase") || strings.Contains(shown, "abc") {
			t.Errorf("printed, it shows a secret: %s", shown)
		}
	}
}

func TestOtherFormsOfServices(t *testing.T) {
	c := load(t, map[string]string{"latchkey.yaml": `
notify:
  - {name: a, platform: smtp, server: h, sender: a@example.org, encryption: tls, subject: Code}
  - {name: b, platform: webhook, url: 'http://h/', timeout: 1m30s}
`})
	same(t, []config.NotifyService{
		{Name: "a", By: config.Mail{Host: "h", From: "a@example.org", Security: mail.TLS, Subject: "Code"}},
		{Name: "b", By: config.Webhook{URL: "http://h/", Timeout: 90 * time.Second}},
	}, c.Notify)
}

// Each row is what follows the path of the file. Lines beginning with homeassistant: are line 1.
func TestWhatIsWrongInTheSectionIsToldWithItsPlace(t *testing.T) {
	const providers, modules, services = "homeassistant:\n  auth_providers:\n", "homeassistant:\n  auth_mfa_modules:\n", "notify:\n"
	for name, test := range map[string]struct{ text, want string }{
		"spec: providers.md §2, an unknown type": {providers + "  - type: ldap\n",
			"3: type: Unable to load auth provider ldap: there is none of this type; there are homeassistant, trusted_networks, command_line, legacy_api_password"},
		"spec: mfa.md §2, an unknown type": {modules + "  - type: totp\n  - type: sms\n",
			"4: type: Unable to load mfa module sms: there is none of this type; there are totp, notify"},
		"spec: manager.md §1, the example provider": {providers + "  - type: insecure_example\n    users: []\n",
			"3: type: The insecure_example auth provider is for testing only."},
		"spec: manager.md §1, the example module": {modules + "  - type: insecure_example\n",
			"3: type: The insecure_example mfa module is for testing only."},
		"spec: manager.md §1, a provider twice": {providers + "  - type: homeassistant\n  - type: homeassistant\n",
			"4: auth_providers: Duplicate auth provider homeassistant found. Please add unique IDs if you want to have the same auth provider twice"},
		"spec: manager.md §1, a provider's id twice": {
			providers + "  - {type: command_line, command: /a, id: x}\n  - {type: command_line, command: /a}\n  - {type: command_line, command: /b, id: x}\n",
			"5: auth_providers: Duplicate auth provider command_line found. Please add unique IDs if you want to have the same auth provider twice"},
		"spec: manager.md §1, a module twice": {modules + "  - type: totp\n  - type: totp\n",
			"4: auth_mfa_modules: Duplicate mfa module totp found. Please add unique IDs if you want to have the same mfa module twice"},
		"spec: manager.md §1, module ids are global": {modules + "  - {type: totp}\n  - {type: notify, id: totp}\n",
			"4: auth_mfa_modules: Duplicate mfa module notify found. Please add unique IDs if you want to have the same mfa module twice"},
		"spec: providers.md §3, an id": {providers + "  - type: homeassistant\n    id: a\n",
			"4: id: ID is not allowed for the homeassistant auth provider."},
		"spec: providers.md §2, an unknown option": {providers + "  - type: command_line\n    command: /a\n    arg: x\n",
			"5: arg: unknown option; command_line knows type, id, name, command, args, meta"},
		"spec: mfa.md §2, an unknown option": {modules + "  - type: totp\n    issuer: x\n",
			"4: issuer: unknown option; totp knows type, id, name"},
		"no type":               {providers + "  - name: x\n", "3: type: is missing, and must be given"},
		"an empty entry":        {providers + "  -\n", "3: type: is missing, and must be given"},
		"a type alone":          {providers + "  - homeassistant\n", "3: auth_providers: each entry must be keys with values, and have the key type"},
		"a list in the list":    {modules + "  - [totp]\n", "3: auth_mfa_modules: each entry must be keys with values, and have the key type"},
		"a type of no text":     {modules + "  - type: 5\n", "3: type: must be a text: put it in quotation marks"},
		"an id of no text":      {modules + "  - type: totp\n    id: 5\n", "4: id: must be a text: put it in quotation marks"},
		"an empty id":           {modules + "  - type: totp\n    id: ''\n", "4: id: is empty: write something"},
		"a name without value":  {modules + "  - type: totp\n    name:\n", "4: name: has no value: give one or remove the key"},
		"an option twice":       {modules + "  - type: totp\n    id: a\n    id: b\n", "5: id: given twice; the first is in line 4"},
		"a list for a section":  {"homeassistant: [x]\n", "1: homeassistant: must be keys with values, such as `listen: 127.0.0.1:8123`"},
		"a merge key":           {"homeassistant:\n  <<: {auth_providers: []}\n", "2: <<: cannot be used here: write the keys themselves"},
		"the list at the top":   {"auth_providers: []\n", "1: auth_providers: unknown key; the keys are listen, store, log_format, log_level, registries, cache_entries, homeassistant, http, notify"},
		"an unknown tag":        {"homeassistant:\n  auth_providers: !include_dir_list x\n", "2: auth_providers: !include_dir_list is not understood here: use !include, !secret, !env_var or the value itself"},
		"no command":            {providers + "  - type: command_line\n", "3: command: is missing, and must be given"},
		"a command with a NUL":  {providers + "  - {type: command_line, command: \"a\\0b\"}\n", "3: auth_providers: command_line: the command or an argument holds a NUL character, which no program can be given"},
		"an argument of number": {providers + "  - type: command_line\n    command: /a\n    args:\n    - x\n    - 5\n", "7: args: must be a text: put it in quotation marks"},
		"spec: providers.md §4.1, meta is strict": {providers + "  - {type: command_line, command: /a, meta: \"yes\"}\n",
			"3: meta: must be true or false, without quotation marks"},
		"no password":      {providers + "  - type: legacy_api_password\n", "3: api_password: is missing, and must be given"},
		"a null password":  {providers + "  - {type: legacy_api_password, api_password: }\n", "3: api_password: api_password is neither a text nor a number: put the password in quotes"},
		"a list of one":    {providers + "  - {type: legacy_api_password, api_password: [a]}\n", "3: api_password: must be a single value"},
		"no networks":      {providers + "  - type: trusted_networks\n", "3: trusted_networks: is missing, and must be given"},
		"users of nothing": {providers + "  - type: trusted_networks\n    trusted_networks: []\n    trusted_users:\n", "5: trusted_users: must be networks with users, such as `192.168.1.0/24: USER_ID`"},
		"a rule of another key": {providers + "  - type: trusted_networks\n    trusted_networks: []\n    trusted_users:\n      10.0.0.0/8:\n      - {group: a, user: b}\n",
			"7: user: unknown option; a rule knows group"},
		"a rule of nothing": {providers + "  - type: trusted_networks\n    trusted_networks: []\n    trusted_users:\n      10.0.0.0/8: {}\n",
			"6: group: is missing, and must be given"},
		"an unknown option of networks": {providers + "  - {type: trusted_networks, trusted_networks: [], allow_bypass: true}\n",
			"3: allow_bypass: unknown option; trusted_networks knows type, id, name, trusted_networks, trusted_users, allow_bypass_login"},
		"bypass of null":           {providers + "  - {type: trusted_networks, trusted_networks: [], allow_bypass_login: }\n", "3: allow_bypass_login: <nil> is no truth value: write true or false"},
		"a message without a code": {modules + "  - type: notify\n    message: Hello\n", "3: auth_mfa_modules: notify: message \"Hello\" has no {}: nobody would learn the code"},
		"a service of nothing":     {modules + "  - {type: notify, include: [a, ]}\n    \n  - {type: notify, id: b, exclude: [~]}\n", "5: exclude: has no value: give one or remove it"},
		"a platform unknown":       {services + "- {name: a, platform: pushover}\n", "2: platform: Unable to load notify service pushover: there is none of this type; there are smtp, webhook"},
		"a service without name":   {services + "- {platform: webhook, url: 'https://h/'}\n", "2: name: is missing, and must be given"},
		"a name twice":             {services + "- {name: a, platform: webhook, url: 'https://h/'}\n- {name: a, platform: webhook, url: 'https://h/'}\n", "3: notify: another service has the same name: people could not tell them apart"},
		"several recipients":       {services + "- {name: a, platform: smtp, server: h, sender: a@h.org, recipient: [b@h.org, c@h.org]}\n", "2: recipient: a login code goes to one person: make a service for each, or let people write their address when they set it up"},
		"a port of letters":        {services + "- {name: a, platform: smtp, server: h, sender: a@h.org, port: smtp}\n", "2: port: must be a whole number"},
		"no protection":            {services + "- {name: a, platform: smtp, server: h, sender: a@h.org, encryption: ssl}\n", "2: encryption: ssl is no kind of protection: write starttls, tls or none"},
		"a time of letters":        {services + "- {name: a, platform: webhook, url: 'https://h/', timeout: soon}\n", "2: timeout: soon is no time: write seconds, or a duration such as 10s"},
		"a header of nothing":      {services + "- name: a\n  platform: webhook\n  url: 'https://h/'\n  headers:\n    X:\n", "6: X: has no value: give one or remove the key"},
		"no url":                   {services + "- {name: a, platform: webhook, url: here}\n", "2: notify: webhook: the url is not one of http or https: write one such as https://ntfy.example/topic"},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t, test.text)
			_, err := config.Load(path)
			var wrong *config.FileError
			if !errors.As(err, &wrong) {
				t.Fatalf("got %v", err)
			}
			if want := path + ":" + test.want; err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
		})
	}
}

// spec: providers.md §5.1, what is no network or user id.
func TestNetworksAndUsersAreCheckedWhereTheyStand(t *testing.T) {
	for _, test := range []struct{ option, place string }{
		{"    trusted_networks: 192.168.1.5/24\n", ":4: trusted_networks: "},
		{"    trusted_networks:\n    - 10.0.0.0/8\n    - 10/8\n", ":6: trusted_networks: "},
		{"    trusted_networks: ' 10.0.0.0/8'\n", ":4: trusted_networks: "},
		{"    trusted_networks: 10\n", ":4: trusted_networks: "},
		{"    trusted_networks: []\n    trusted_users:\n      10.0.0.1/8: []\n", ":6: 10.0.0.1/8: "},
		{"    trusted_networks: []\n    trusted_users:\n      10.0.0.0/8: abcde\n", ":6: 10.0.0.0/8: "},
		{"    trusted_networks: []\n    trusted_users:\n      10.0.0.0/8:\n      - " + anna + "\n      - [x]\n", ":8: 10.0.0.0/8: "},
		{"    trusted_networks: []\n    allow_bypass_login: maybe\n", ":5: allow_bypass_login: "},
	} {
		path := file(t, "homeassistant:\n  auth_providers:\n  - type: trusted_networks\n"+test.option)
		if _, err := config.Load(path); err == nil || !strings.HasPrefix(err.Error(), path+test.place) {
			t.Errorf("%s got %v", test.option, err)
		}
	}
}
