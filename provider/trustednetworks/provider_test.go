package trustednetworks_test

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/provider/trustednetworks"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

const (
	anna     = "3f1c2a9b8d7e4c50a1b2c3d4e5f60718"
	ben      = "a4c2e8f06b1d4e3f9a8b7c6d5e4f3021"
	gone     = "b5d3f9017c2e4f40ab9c8d7e6f504132"
	system   = "c6e40a128d3f4051bcad9e8f70615243"
	nameless = "d7f51b239e404162adbeaf9081726354"
)

// openStore opens a store with two people, one who was deactivated, a part of the house, and one without a name.
func openStore(t testing.TB) latchkey.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "house.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	err = store.Update(t.Context(), func(tx latchkey.Tx) error {
		for _, u := range []latchkey.User{
			{ID: anna, Name: latchkey.Text("Anna"), IsActive: true, GroupIDs: []string{latchkey.GroupAdmin}},
			{ID: ben, Name: latchkey.Text("Ben"), IsActive: true, GroupIDs: []string{latchkey.GroupUser}},
			{ID: gone, Name: latchkey.Text("Gone"), GroupIDs: []string{latchkey.GroupUser}},
			{ID: system, Name: latchkey.Text("Supervisor"), IsActive: true, SystemGenerated: true, GroupIDs: []string{latchkey.GroupUser}},
			{ID: nameless, IsActive: true},
		} {
			if err := tx.InsertUser(t.Context(), u); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func network(t testing.TB, s string) netip.Prefix {
	t.Helper()
	n, err := trustednetworks.ParseNetwork(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func newProvider(t testing.TB, store trustednetworks.Store, change ...func(*trustednetworks.Config)) *trustednetworks.Provider {
	t.Helper()
	cfg := trustednetworks.Config{Networks: []netip.Prefix{network(t, "192.168.0.0/16"), network(t, "fd00::/8")}}
	for _, c := range change {
		c(&cfg)
	}
	p, err := trustednetworks.New(store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// start takes the first step of a login from an address.
func start(t *testing.T, p *trustednetworks.Provider, from string) (flow.State, flow.Result) {
	t.Helper()
	s, result, err := flow.Advance(t.Context(), flow.New(flow.Context{IPAddress: netip.MustParseAddr(from)}), nil, p.Step)
	if err != nil {
		t.Fatal(err)
	}
	return s, result
}

// spec: providers.md §5.2, the table
func TestWhichAddressesAreTrusted(t *testing.T) {
	store := openStore(t)
	for _, tt := range []struct {
		trusted, addr string
		want          bool
	}{
		{"192.168.128.0/24", "192.168.128.10", true},
		{"192.168.0.0/24", "::ffff:192.168.0.1", false},
		{"::ffff:0:0/96", "::ffff:192.168.0.1", true},
		{"::ffff:0:0/96", "192.168.0.1", false},
		{"fe80::/10", "fe80::1%eth0", true},
		{"fd00::/8", "fd01:db8::ff00:42:8329", true},
		{"192.168.128.0/24", "192.168.129.10", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"127.0.0.0/8", "::1", false},
		{"::/0", "192.168.0.1", false},
		{"0.0.0.0/0", "::1", false},
	} {
		p := newProvider(t, store, func(c *trustednetworks.Config) { c.Networks = []netip.Prefix{network(t, tt.trusted)} })
		if got := p.Available(netip.MustParseAddr(tt.addr)); got != tt.want {
			t.Errorf("%s from %s: %v", tt.trusted, tt.addr, got)
		}
	}
}

// spec: providers.md §5.2, the order and the texts; §5.5, validate_refresh_token
func TestRefusals(t *testing.T) {
	store := openStore(t)
	empty := func(c *trustednetworks.Config) { c.Networks = nil }
	proxied := func(c *trustednetworks.Config) {
		c.TrustedProxies = []netip.Prefix{network(t, "192.168.1.0/24"), network(t, "10.0.0.0/8")}
	}
	home := netip.MustParseAddr("192.168.1.20")
	for _, tt := range []struct {
		name   string
		change func(*trustednetworks.Config)
		addr   netip.Addr
		want   error
		text   string
	}{
		{"unknown address", empty, netip.Addr{}, trustednetworks.ErrUnknownRemote,
			"Unknown remote ip can't be used for trusted network provider."},
		{"nothing configured", empty, home, trustednetworks.ErrNotConfigured, "trusted_networks is not configured"},
		{"elsewhere", proxied, netip.MustParseAddr("10.1.1.1"), trustednetworks.ErrNotTrusted, "Not in trusted_networks"},
		{"a proxy", proxied, home, trustednetworks.ErrProxy, "Can't allow access from a proxy server"},
		{"at home", proxied, netip.MustParseAddr("192.168.2.20"), nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t, store, tt.change)
			err := p.ValidateRefreshToken(t.Context(), latchkey.RefreshToken{}, tt.addr)
			if p.Available(tt.addr) != (tt.want == nil) {
				t.Error("what is available differs from what is accepted")
			}
			if tt.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, tt.want) || !errors.Is(err, latchkey.ErrDenied) || err.Error() != tt.text {
				t.Errorf("error = %v", err)
			}
			_, result, err := flow.Advance(t.Context(), flow.New(flow.Context{IPAddress: tt.addr}), nil, p.Step)
			if d := cmp.Diff(flow.Result(flow.Abort{Reason: "not_allowed"}), result); err != nil || d != "" {
				t.Errorf("login: %v, (-want +got): %s", err, d)
			}
		})
	}
}

// spec: http-auth.md L-19, "made again at every step"
func TestTheAddressIsCheckedAtEachStep(t *testing.T) {
	store := openStore(t)
	s, _ := start(t, newProvider(t, store), "192.168.1.20")
	stricter := newProvider(t, store, func(c *trustednetworks.Config) { c.Networks = c.Networks[1:] })
	_, result, err := flow.Advance(t.Context(), s, flow.Input{"user": anna}, stricter.Step)
	if d := cmp.Diff(flow.Result(flow.Abort{Reason: "not_allowed"}), result); err != nil || d != "" {
		t.Errorf("%v, (-want +got): %s", err, d)
	}
}

// spec: providers.md §5.3; versions.md, deviations: "trusted_users group given as a text matches"
func TestUsersOffered(t *testing.T) {
	store := openStore(t)
	rules := func(r ...trustednetworks.UserRule) func(*trustednetworks.Config) {
		return func(c *trustednetworks.Config) { c.Users = r }
	}
	office, house := network(t, "192.168.1.0/24"), network(t, "192.168.0.0/16")
	everybody := []string{anna, ben, nameless}
	for _, tt := range []struct {
		name   string
		change func(*trustednetworks.Config)
		want   []string
	}{
		{"no rules", rules(), everybody},
		{"no rule for this network", rules(trustednetworks.UserRule{Network: network(t, "10.0.0.0/8")}), everybody},
		{"a rule that names nobody", rules(trustednetworks.UserRule{Network: house}), nil},
		{"a user", rules(trustednetworks.UserRule{Network: house, UserIDs: []string{ben}}), []string{ben}},
		{"an id in capitals", rules(trustednetworks.UserRule{Network: house, UserIDs: []string{"A4C2E8F06B1D4E3F9A8B7C6D5E4F3021"}}), []string{ben}},
		{"a group", rules(trustednetworks.UserRule{Network: house, GroupIDs: []string{latchkey.GroupUser}}), []string{ben}},
		{"groups and users, in the order of their creation", rules(trustednetworks.UserRule{
			Network: house, GroupIDs: []string{"none", latchkey.GroupUser}, UserIDs: []string{nameless, anna}}), everybody},
		{"the inactive and the system's users", rules(trustednetworks.UserRule{Network: house, UserIDs: []string{gone, system}}), nil},
		{"the first rule decides, not the narrowest", rules(
			trustednetworks.UserRule{Network: house, UserIDs: []string{anna}},
			trustednetworks.UserRule{Network: office, UserIDs: []string{ben}}), []string{anna}},
		{"the first of two that hold", rules(
			trustednetworks.UserRule{Network: office, UserIDs: []string{ben}},
			trustednetworks.UserRule{Network: house, UserIDs: []string{anna}}), []string{ben}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, result := start(t, newProvider(t, store, tt.change), "192.168.1.20")
			form, ok := result.(flow.Form)
			if !ok {
				t.Fatalf("result = %+v", result)
			}
			var got []string
			for _, o := range form.Schema[0].Options {
				got = append(got, o.Value)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error("offered (-want +got):", d)
			}
		})
	}
}

// spec: providers.md §5.4; flows.md §7, "trusted networks"
func TestTheFormAsksForAUser(t *testing.T) {
	p := newProvider(t, openStore(t))
	s, result := start(t, p, "192.168.1.20")
	wire, err := flow.Encode("F", p.Key(), result)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"form","flow_id":"F","handler":["trusted_networks",null],"step_id":"init","data_schema":[{"name":"user",` +
		`"options":[["` + anna + `","Anna"],["` + ben + `","Ben"],["` + nameless + `",null]],"required":true,"type":"select"}],` +
		`"errors":null,"description_placeholders":null,"last_step":null,"preview":null}`
	if string(wire) != want {
		t.Errorf("form = %s\nwant   %s", wire, want)
	}
	for _, bad := range []flow.Input{{"user": gone}, {"user": "nobody"}, {}, {"user": 1}, {"user": anna, "x": 1}} {
		var invalid *flow.InvalidData
		if _, _, err := flow.Advance(t.Context(), s, bad, p.Step); !errors.As(err, &invalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	_, done, err := flow.Advance(t.Context(), s, flow.Input{"user": ben}, p.Step)
	if d := cmp.Diff(flow.Result(flow.Done{Data: map[string]any{"user": ben}}), done); err != nil || d != "" {
		t.Errorf("%v, (-want +got): %s", err, d)
	}
}

// spec: providers.md §5.4, "the users' list is fixed when the flow is created"
func TestTheListIsFixedWhenTheLoginBegins(t *testing.T) {
	store := openStore(t)
	p := newProvider(t, store)
	s, before := start(t, p, "192.168.1.20")
	const late = "e80a2c34af514273becfb0a192837465"
	if err := store.Update(t.Context(), func(tx latchkey.Tx) error {
		return tx.InsertUser(t.Context(), latchkey.User{ID: late, IsActive: true})
	}); err != nil {
		t.Fatal(err)
	}
	s, again, err := flow.Advance(t.Context(), s, nil, p.Step)
	if d := cmp.Diff(before, again); err != nil || d != "" {
		t.Errorf("%v, (-first +again): %s", err, d)
	}
	if _, _, err := flow.Advance(t.Context(), s, flow.Input{"user": late}, p.Step); err == nil {
		t.Error("somebody who was not offered is accepted")
	}
}

// spec: providers.md §5.4, "bypass allowed and exactly one user offered"
func TestBypass(t *testing.T) {
	store := openStore(t)
	rule := func(ids ...string) func(*trustednetworks.Config) {
		return func(c *trustednetworks.Config) {
			c.Users = []trustednetworks.UserRule{{Network: network(t, "192.168.0.0/16"), UserIDs: ids}}
		}
	}
	bypass := func(c *trustednetworks.Config) { c.AllowBypass = true }
	_, result := start(t, newProvider(t, store, rule(ben), bypass), "192.168.1.20")
	if d := cmp.Diff(flow.Result(flow.Done{Data: map[string]any{"user": ben}}), result); d != "" {
		t.Error("one user (-want +got):", d)
	}
	for name, p := range map[string]*trustednetworks.Provider{
		"not allowed": newProvider(t, store, rule(ben)),
		"two users":   newProvider(t, store, rule(ben, anna), bypass),
		"nobody":      newProvider(t, store, rule(gone), bypass),
	} {
		if _, result := start(t, p, "192.168.1.20"); !isForm(result) {
			t.Errorf("%s: %+v", name, result)
		}
	}
}

func isForm(r flow.Result) bool {
	_, ok := r.(flow.Form)
	return ok
}

// spec: providers.md §5.5
func TestCredentialsAreLinkedAtOnceAndOnce(t *testing.T) {
	store := openStore(t)
	p := newProvider(t, store)
	other := newProvider(t, store, func(c *trustednetworks.Config) { c.ID = latchkey.Text("office") })
	var all sync.WaitGroup
	ids := make([]string, 10)
	for i := range ids {
		all.Go(func() {
			c, err := p.Credentials(context.Background(), map[string]any{"user": ben})
			if err != nil || c.IsNew() || c.UserID != ben || c.Text("user_id") != ben {
				t.Errorf("%+v, %v", c, err)
			}
			ids[i] = c.ID
		})
	}
	all.Wait()
	u, err := store.User(t.Context(), ben)
	if err != nil || len(u.Credentials) != 1 {
		t.Fatalf("ten logins at the same time left %+v, %v", u.Credentials, err)
	}
	for _, id := range ids {
		if id != u.Credentials[0].ID {
			t.Errorf("credentials %s, want %s", id, u.Credentials[0].ID)
		}
	}
	if d := cmp.Diff(map[string]any{"user_id": ben}, u.Credentials[0].Data); d != "" {
		t.Error("data (-want +got):", d)
	}
	c, err := other.Credentials(t.Context(), map[string]any{"user": ben})
	if err != nil || c.ID == ids[0] { // providers.md §1: never those of another provider's id
		t.Errorf("another provider: %+v, %v", c, err)
	}
	if _, err := p.UserMeta(t.Context(), c); !errors.Is(err, latchkey.ErrState) {
		t.Errorf("UserMeta: %v", err)
	}
}

// spec: http-auth.md L-19, "a user who was offered but has been deactivated meanwhile"
func TestSomebodyWhoIsGoneMeanwhile(t *testing.T) {
	p := newProvider(t, openStore(t))
	for _, id := range []any{gone, system, "nobody", "", nil, 5} {
		var invalid *flow.InvalidData
		if c, err := p.Credentials(t.Context(), map[string]any{"user": id}); !errors.As(err, &invalid) {
			t.Errorf("%v: %+v, %v", id, c, err)
		}
	}
}

// spec: providers.md §1 and §2, §5.5: support_mfa, default title
func TestProviderIsNamedByItsConfiguration(t *testing.T) {
	store := openStore(t)
	p := newProvider(t, store)
	if p.Key() != (latchkey.ProviderKey{Type: "trusted_networks"}) || p.Name() != "Trusted Networks" || p.SupportsMFA() {
		t.Errorf("%v, %q, %v", p.Key(), p.Name(), p.SupportsMFA())
	}
	p = newProvider(t, store, func(c *trustednetworks.Config) { c.ID, c.Name = latchkey.Text("x"), "Kitchen" })
	if p.Key() != (latchkey.ProviderKey{Type: "trusted_networks", ID: latchkey.Text("x")}) || p.Name() != "Kitchen" {
		t.Errorf("%v, %q", p.Key(), p.Name())
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	store := openStore(t)
	good := network(t, "192.168.0.0/16")
	hostBits := netip.MustParsePrefix("192.168.1.5/24")
	rule := func(r trustednetworks.UserRule) trustednetworks.Config {
		return trustednetworks.Config{Users: []trustednetworks.UserRule{r}}
	}
	for name, cfg := range map[string]trustednetworks.Config{
		"host bits":            {Networks: []netip.Prefix{good, hostBits}},
		"no network":           {Networks: []netip.Prefix{{}}},
		"proxy with host bits": {TrustedProxies: []netip.Prefix{hostBits}},
		"rule without network": rule(trustednetworks.UserRule{UserIDs: []string{anna}}),
		"rule with host bits":  rule(trustednetworks.UserRule{Network: hostBits}),
		"no user id":           rule(trustednetworks.UserRule{Network: good, UserIDs: []string{"abcde"}}),
		"empty group id":       rule(trustednetworks.UserRule{Network: good, GroupIDs: []string{""}}),
	} {
		if _, err := trustednetworks.New(store, cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := trustednetworks.New(nil, trustednetworks.Config{}); err == nil {
		t.Error("a provider without a store is made")
	}
}

// spec: providers.md §5.5, "access tokens are refused as soon as the client leaves the trusted network"
func TestSignInAndLeave(t *testing.T) {
	store := openStore(t)
	p := newProvider(t, store)
	m, err := latchkey.New(store, latchkey.Options{Providers: []latchkey.Provider{p}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ctx, home := t.Context(), netip.MustParseAddr("192.168.1.20")
	login, _, err := m.StartLogin(ctx, latchkey.LoginRequest{Provider: p.Key(), From: latchkey.Origin{Addr: home}, Purpose: latchkey.PurposeAuthorize})
	if err != nil {
		t.Fatal(err)
	}
	done, _, err := m.ContinueLogin(ctx, latchkey.LoginInput{ID: login.ID, From: latchkey.Origin{Addr: home}, Input: flow.Input{"user": ben}})
	if err != nil || done.Credentials == nil {
		t.Fatalf("%+v, %v", done, err)
	}
	u, err := m.GetOrCreateUser(ctx, *done.Credentials)
	if err != nil || u.ID != ben {
		t.Fatalf("%+v, %v", u, err)
	}
	token, err := m.CreateRefreshToken(ctx, latchkey.NewRefreshToken{
		UserID: ben, ClientID: latchkey.Text("https://app.example/"), Credentials: done.Credentials})
	if err != nil {
		t.Fatal(err)
	}
	access, err := m.CreateAccessToken(ctx, token.ID, home)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.CreateAccessToken(ctx, token.ID, netip.MustParseAddr("203.0.113.7")); !errors.Is(err, trustednetworks.ErrNotTrusted) {
		t.Errorf("from elsewhere: %v", err)
	}
	if _, err := m.ValidateAccessToken(ctx, access); err != nil {
		t.Errorf("the token that was issued: %v", err)
	}
}
