package config_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
	"github.com/seed-6a977b3d/latchkey/provider/insecureexample"
)

// built names what a manager has: type and id of its providers and the ids of its modules, each with its name.
func built(m *latchkey.Manager) (providers, modules []string) {
	for _, p := range m.Providers() {
		providers = append(providers, p.Key().String()+" "+p.Name())
	}
	for _, mod := range m.Modules() {
		modules = append(modules, mod.ID()+" "+mod.Name())
	}
	return providers, modules
}

// spec: manager.md §1, providers and modules in the order of the configuration.
func TestOpenBuildsAManager(t *testing.T) {
	c := load(t, map[string]string{
		"latchkey.yaml": `
store: sqlite:data.db
homeassistant:
  name: Home
  auth_providers:
    - type: trusted_networks
      trusted_networks: 127.0.0.1
    - type: trusted_networks
      id: tablet
      name: Tablet
      trusted_networks: []
    - type: command_line
      command: /bin/false
    - type: homeassistant
    - type: legacy_api_password
      api_password: !secret http_password
  auth_mfa_modules: !include mfa.yaml
notify:
  - name: mail
    platform: smtp
    server: localhost
    sender: home@example.org
`,
		"mfa.yaml":     "- type: notify\n- type: totp\n  name: App\n- type: totp\n  id: second\n",
		"secrets.yaml": "http_password: sesame\n",
	})
	r := open(t, c)
	defer closed(t, r)
	providers, modules := built(r.Manager)
	same(t, []string{"trusted_networks Trusted Networks", "trusted_networks.tablet Tablet", "command_line Command Line Authentication",
		"homeassistant Home Assistant Local", "legacy_api_password Legacy API Password"}, providers)
	same(t, []string{"notify Notify One-Time Password", "totp App", "second Time-based One Time Password"}, modules)
	if r.Local == nil || r.Local != r.Passwords || r.Manager.Providers()[3] != latchkey.Provider(r.Local) {
		t.Error("Local is not the manager's provider of passwords")
	}

	login := func(password string) flow.Result {
		provider := r.Manager.Providers()[4]
		_, result, err := provider.Step(t.Context(), flow.New(flow.Context{}), flow.Input{"password": password})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	if _, done := login("sesame").(flow.Done); !done {
		t.Error("the password of the secrets does not sign in")
	}
	if _, form := login("sesam").(flow.Form); !form {
		t.Error("another password signs in")
	}
}

// spec: manager.md §1, the defaults.
func TestOpenBuildsTheDefaults(t *testing.T) {
	r := open(t, in(t.TempDir()))
	defer closed(t, r)
	providers, modules := built(r.Manager)
	same(t, []string{"homeassistant Home Assistant Local"}, providers)
	same(t, []string{"totp Authenticator app"}, modules)
}

// spec: manager.md §1, none at all.
func TestWithoutProvidersPasswordsCanStillBeManaged(t *testing.T) {
	c := in(t.TempDir())
	c.AuthProviders, c.MFAModules = nil, nil
	r := open(t, c)
	defer closed(t, r)
	if providers, modules := built(r.Manager); len(providers)+len(modules) > 0 || r.Local != nil {
		t.Errorf("there are %v and %v", providers, modules)
	}
	if _, err := r.Passwords.NewLogin(t.Context(), "anna", "a long password of hers"); err != nil {
		t.Error(err)
	}
}

func TestAProgramConfiguresWithoutAFile(t *testing.T) {
	sent := make(chan string, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body := new(strings.Builder)
		_ = r.Write(body)
		sent <- body.String()
	}))
	defer hook.Close()
	c := in(t.TempDir())
	c.AuthProviders = []config.ProviderConfig{
		config.InsecureUsers{Users: []insecureexample.User{{Username: "anna", Password: "sesame"}}}, // only without a file
		config.TrustedNetworks{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
	}
	c.MFAModules = []config.ModuleConfig{config.Notify{Message: "code {}"}, config.InsecurePINs{}}
	c.Notify = []config.NotifyService{{Name: "hook", By: config.Webhook{URL: hook.URL}}}
	r := open(t, c)
	defer closed(t, r)
	providers, modules := built(r.Manager)
	same(t, []string{"insecure_example Unnamed auth provider", "trusted_networks Trusted Networks"}, providers)
	same(t, []string{"notify Notify One-Time Password", "insecure_example Insecure Personal Identify Number"}, modules)

	u, err := r.Manager.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text("Anna")})
	if err != nil {
		t.Fatal(err)
	}
	mod := r.Manager.Modules()[0]
	if err := r.Manager.EnableMFA(t.Context(), u.ID, mod.ID(), map[string]any{"notify_service": "hook"}); err != nil {
		t.Fatal(err)
	}
	if _, err := mod.Challenge(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	if body := <-sent; !strings.Contains(body, "code ") {
		t.Errorf("the service got %q", body)
	}
}

// ownProvider is a provider of somebody's own, which wants to be closed.
type ownProvider struct {
	*homeassistant.Provider
	err    error
	closed *[]string
	name   string
}

func (p ownProvider) Build(with config.Parts) (latchkey.Provider, error) {
	if p.err != nil {
		return nil, p.err
	}
	made, err := homeassistant.New(with.Store, homeassistant.Options{Name: p.name})
	p.Provider = made
	return p, err
}

func (p ownProvider) Key() latchkey.ProviderKey {
	return latchkey.ProviderKey{Type: "own", ID: latchkey.Text(p.name)}
}

func (p ownProvider) Close() { *p.closed = append(*p.closed, p.name) }

// failing is a module that cannot be made.
type failing struct{ err error }

func (m failing) Build(config.Parts) (latchkey.MFAModule, error) { return nil, m.err }

func TestWhatWasMadeIsClosedWithTheManagerTheLastFirst(t *testing.T) {
	var names []string
	c := in(t.TempDir())
	c.AuthProviders = []config.ProviderConfig{ownProvider{closed: &names, name: "a"}, ownProvider{closed: &names, name: "b"}}
	r := open(t, c)
	if len(names) > 0 {
		t.Errorf("%v are closed already", names)
	}
	closed(t, r)
	if !slices.Equal(names, []string{"b", "a"}) {
		t.Errorf("closed are %v", names)
	}
}

// spec: manager.md §1, the first failure ends the construction. That the store is closed, too, is seen by opening it
// again; that nothing is still at work, by the end of the tests.
func TestTheFirstFailureLeavesNothingOpen(t *testing.T) {
	trouble := errors.New("trouble")
	for name, test := range map[string]struct {
		change func(*config.Config, ownProvider)
		want   string
		closed []string
	}{
		"a provider": {func(c *config.Config, good ownProvider) {
			c.AuthProviders = []config.ProviderConfig{good, ownProvider{err: trouble}, ownProvider{err: errors.New("later")}}
		}, "auth_providers, entry 2: trouble", []string{"good"}},
		"a module": {func(c *config.Config, good ownProvider) {
			c.AuthProviders = []config.ProviderConfig{good}
			c.MFAModules = []config.ModuleConfig{config.TOTP{}, failing{trouble}}
		}, "auth_mfa_modules, entry 2: trouble", []string{"good"}},
		"two providers of one key": {func(c *config.Config, good ownProvider) {
			c.AuthProviders = []config.ProviderConfig{good, good}
		}, "Duplicate auth provider own found. Please add unique IDs if you want to have the same auth provider twice",
			[]string{"good", "good"}},
		"two modules of one id": {func(c *config.Config, _ ownProvider) {
			c.MFAModules = []config.ModuleConfig{config.TOTP{}, config.Notify{ID: "totp"}}
		}, "Duplicate mfa module totp found. Please add unique IDs if you want to have the same mfa module twice", nil},
		"nothing for a provider": {func(c *config.Config, _ ownProvider) { c.AuthProviders = []config.ProviderConfig{nil} },
			"auth_providers, entry 1: nothing is configured", nil},
		"nothing for a module": {func(c *config.Config, _ ownProvider) { c.MFAModules = []config.ModuleConfig{nil} },
			"auth_mfa_modules, entry 1: nothing is configured", nil},
		"nothing for a service": {func(c *config.Config, _ ownProvider) { c.Notify = []config.NotifyService{{Name: "a"}} },
			"notify, entry 1: nothing is configured", nil},
		"two services of one name": {func(c *config.Config, _ ownProvider) {
			hook := config.NotifyService{Name: "a", By: config.Webhook{URL: "https://h/"}}
			c.Notify = []config.NotifyService{hook, hook}
		}, "notify, entry 2: two services have the name a", nil},
		"a service": {func(c *config.Config, _ ownProvider) {
			c.Notify = []config.NotifyService{{Name: "a", By: config.Mail{}}}
		}, "notify, entry 1: mail: no host", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var names []string
			good := in(t.TempDir())
			bad := good
			test.change(&bad, ownProvider{closed: &names, name: "good"})
			r, err := config.Open(context.Background(), bad, slog.New(slog.DiscardHandler))
			if err == nil {
				closed(t, r)
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			if strings.HasSuffix(test.want, "trouble") && !errors.Is(err, trouble) {
				t.Errorf("%v does not wrap its cause", err)
			}
			if !slices.Equal(names, test.closed) {
				t.Errorf("closed are %v", names)
			}
			closed(t, open(t, good))
		})
	}
}
