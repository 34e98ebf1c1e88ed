package latchkey_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
)

// pinModule is a second factor with a fixed PIN for everybody in users.
type pinModule struct {
	id, pin    string
	retries    int
	users      map[string]bool
	challenges *atomic.Int64
}

func newPIN(id, pin string) pinModule {
	return pinModule{id: id, pin: pin, retries: 3, users: map[string]bool{}, challenges: new(atomic.Int64)}
}

func (m pinModule) ID() string      { return m.id }
func (m pinModule) Name() string    { return "PIN " + m.id }
func (m pinModule) MaxRetries() int { return m.retries }
func (m pinModule) Schema() flow.Schema {
	return flow.Schema{{Name: "pin", Kind: flow.String, Presence: flow.Required}}
}
func (m pinModule) IsSetUp(_ context.Context, userID string) (bool, error) {
	return m.users[userID], nil
}
func (m pinModule) SetUp(_ context.Context, userID string, _ map[string]any) (any, error) {
	m.users[userID] = true
	return nil, nil
}
func (m pinModule) Depose(_ context.Context, userID string) error {
	delete(m.users, userID)
	return nil
}
func (m pinModule) SetUpStep(ctx context.Context, u latchkey.User, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
	if in == nil {
		return s, flow.Form{StepID: flow.InitStep, Schema: m.Schema(), Errors: flow.NoErrors()}, nil
	}
	_, err := m.SetUp(ctx, u.ID, in)
	return s, flow.Done{}, err
}
func (m pinModule) Challenge(context.Context, string) (json.RawMessage, error) {
	m.challenges.Add(1)
	return json.RawMessage(`{}`), nil
}
func (m pinModule) Verify(_ context.Context, _ string, _ json.RawMessage, in flow.Input) (bool, error) {
	return in.Text("pin") == m.pin, nil
}

// start begins a login with the built-in provider.
func (h house) start(t *testing.T, change ...func(*latchkey.LoginRequest)) (latchkey.Login, flow.Result) {
	t.Helper()
	r := latchkey.LoginRequest{
		Provider: h.local.Key(), ClientID: client, RedirectURI: client, Purpose: latchkey.PurposeAuthorize, From: latchkey.Origin{Addr: addr},
	}
	for _, c := range change {
		c(&r)
	}
	login, result, err := h.StartLogin(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return login, result
}

// answer continues a login.
func (h house) answer(login latchkey.Login, in flow.Input) (latchkey.Login, flow.Result, error) {
	return h.ContinueLogin(context.Background(), latchkey.LoginInput{ID: login.ID, ClientID: client, From: latchkey.Origin{Addr: addr}, Input: in})
}

func credentials(username, password string) flow.Input {
	return flow.Input{"username": username, "password": password}
}

// expectForm checks that a step came to a form of this step with this error.
func expectForm(t *testing.T, result flow.Result, err error, step, problem string) {
	t.Helper()
	form, ok := result.(flow.Form)
	if err != nil || !ok || form.StepID != step || form.Errors["base"] != problem {
		t.Fatalf("result = %+v, %v; want the form %s with error %q", result, err, step, problem)
	}
}

// spec: manager.md §11; providers.md §3.4; http-auth.md §5.4
func TestSignIn(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	anna := h.person(t, "anna")
	login, result := h.start(t)
	expectForm(t, result, nil, "init", "")
	for _, wrong := range []flow.Input{credentials("anna", "wrong password"), credentials("nobody", password), credentials("anna", password+"\x00")} {
		_, result, err := h.answer(login, wrong)
		expectForm(t, result, err, "init", "invalid_auth")
	}
	_, _, err := h.answer(login, flow.Input{"username": "anna"})
	var invalid *flow.InvalidData
	if !errors.As(err, &invalid) {
		t.Errorf("missing password: %v", err)
	}
	done, result, err := h.answer(login, credentials(" ANNA ", password))
	if _, ok := result.(flow.Done); err != nil || !ok {
		t.Fatalf("result = %+v, %v", result, err)
	}
	if d := cmp.Diff(&anna.Credentials[0], done.Credentials); d != "" {
		t.Error("credentials (-want +got):", d)
	}
	if _, _, err := h.answer(login, credentials("anna", password)); !errors.Is(err, flow.ErrUnknownFlow) {
		t.Errorf("a finished login goes on: %v", err)
	}
	_, _, err = h.StartLogin(t.Context(), latchkey.LoginRequest{Provider: latchkey.ProviderKey{Type: "nope"}})
	if !errors.Is(err, flow.ErrUnknownHandler) {
		t.Errorf("unknown provider: %v", err)
	}
}

// spec: http-auth.md §5.4 check 5, L-5; security.md 31 and 48
func TestLoginIsBoundToItsBeginning(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	h.person(t, "anna")
	login, _ := h.start(t, func(r *latchkey.LoginRequest) { r.Binding = "page" })
	in := latchkey.LoginInput{ID: login.ID, ClientID: client, From: latchkey.Origin{Addr: addr}, Binding: "page", Input: credentials("anna", password)}
	for _, tt := range []struct {
		name   string
		change func(*latchkey.LoginInput)
		want   error
	}{
		{"other address", func(in *latchkey.LoginInput) { in.From.Addr = netip.MustParseAddr("192.168.1.21") }, latchkey.ErrAddressChanged},
		{"other client", func(in *latchkey.LoginInput) { in.ClientID = "https://evil.example/" }, latchkey.ErrClientChanged},
		{"other page", func(in *latchkey.LoginInput) { in.Binding = "another" }, flow.ErrUnknownFlow},
		{"no page", func(in *latchkey.LoginInput) { in.Binding = "" }, flow.ErrUnknownFlow},
		{"other login", func(in *latchkey.LoginInput) { in.ID = flow.NewID() }, flow.ErrUnknownFlow},
	} {
		changed := in
		tt.change(&changed)
		if _, _, err := h.ContinueLogin(t.Context(), changed); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if err := h.AbortLogin(t.Context(), login.ID, "another"); !errors.Is(err, flow.ErrUnknownFlow) {
		t.Errorf("aborted by another page: %v", err)
	}
	if _, result, err := h.ContinueLogin(t.Context(), in); err != nil || result == nil {
		t.Errorf("the login does not go on after refusals: %v", err)
	}
	again, _ := h.start(t)
	if err := h.AbortLogin(t.Context(), again.ID, ""); err != nil {
		t.Fatal(err)
	}
	if err := h.AbortLogin(t.Context(), again.ID, ""); !errors.Is(err, flow.ErrUnknownFlow) {
		t.Errorf("aborted twice: %v", err)
	}
}

// spec: manager.md §11, steps select_mfa_module and mfa; http-auth.md L-12 to L-15
func TestSecondFactor(t *testing.T) {
	one, two := newPIN("one", "1111"), newPIN("two", "2222")
	h := newHouse(t, latchkey.Options{Modules: []latchkey.MFAModule{one, two}})
	anna := h.person(t, "anna")
	if err := h.EnableMFA(t.Context(), anna.ID, "one", nil); err != nil {
		t.Fatal(err)
	}

	login, _ := h.start(t)
	_, result, err := h.answer(login, credentials("anna", password))
	expectForm(t, result, err, "mfa", "")
	if d := cmp.Diff(map[string]string{"mfa_module_name": "PIN one", "mfa_module_id": "one"}, result.(flow.Form).Placeholders); d != "" {
		t.Error("placeholders (-want +got):", d)
	}
	_, result, err = h.answer(login, flow.Input{"pin": "0000"})
	expectForm(t, result, err, "mfa", "invalid_code")
	if got := one.challenges.Load(); got != 1 {
		t.Errorf("a wrong code began %d challenges", got-1)
	}
	_, result, err = h.answer(login, nil)
	expectForm(t, result, err, "mfa", "")
	if got := one.challenges.Load(); got != 2 {
		t.Errorf("asking afresh began %d challenges", got-1)
	}
	done, result, err := h.answer(login, flow.Input{"pin": "1111"})
	if _, ok := result.(flow.Done); err != nil || !ok || done.Credentials.ID != anna.Credentials[0].ID {
		t.Fatalf("result = %+v, %v", result, err)
	}

	// With a second module there is a choice.
	if err := h.EnableMFA(t.Context(), anna.ID, "two", nil); err != nil {
		t.Fatal(err)
	}
	login, _ = h.start(t)
	_, result, err = h.answer(login, credentials("anna", password))
	expectForm(t, result, err, "select_mfa_module", "")
	_, result, err = h.answer(login, flow.Input{})
	expectForm(t, result, err, "select_mfa_module", "invalid_auth_module")
	var invalid *flow.InvalidData
	if _, _, err = h.answer(login, flow.Input{"multi_factor_auth_module": "three"}); !errors.As(err, &invalid) {
		t.Errorf("a module that is not offered: %v", err)
	}
	_, result, err = h.answer(login, flow.Input{"multi_factor_auth_module": "two"})
	expectForm(t, result, err, "mfa", "")
	for range 2 {
		_, result, err = h.answer(login, flow.Input{"pin": "1111"})
		expectForm(t, result, err, "mfa", "invalid_code")
	}
	_, result, err = h.answer(login, flow.Input{"pin": "1111"})
	if !cmp.Equal(result, flow.Result(flow.Abort{Reason: "too_many_retry"})) || err != nil {
		t.Errorf("third wrong code: %+v, %v", result, err)
	}
	if _, _, err = h.answer(login, flow.Input{"pin": "2222"}); !errors.Is(err, flow.ErrUnknownFlow) {
		t.Errorf("the aborted login goes on: %v", err)
	}
}

// spec: manager.md §11 finish_flow rules 5 and 6
func TestSecondFactorIsNotAskedFor(t *testing.T) {
	pin := newPIN("one", "1111")
	guests := guestProvider{}
	h := newHouse(t, latchkey.Options{Modules: []latchkey.MFAModule{pin}, Providers: []latchkey.Provider{guests}})
	anna := h.person(t, "anna")
	pin.users[anna.ID] = true
	link, _ := h.start(t, func(r *latchkey.LoginRequest) { r.Purpose = latchkey.PurposeLink })
	login, result, err := h.answer(link, credentials("anna", password))
	if _, ok := result.(flow.Done); err != nil || !ok || login.Code().Purpose != latchkey.PurposeLink {
		t.Errorf("link_user: %+v, %v", result, err)
	}
	guest, result := h.start(t, func(r *latchkey.LoginRequest) { r.Provider = guests.Key() })
	if _, ok := result.(flow.Done); !ok || !guest.Credentials.IsNew() {
		t.Errorf("a provider without second factor: %+v", result)
	}
}

// spec: http-auth.md L-14: checked before the code is verified; L-4: unfinished logins end
func TestLoginsEnd(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		pin := newPIN("one", "1111")
		h := newHouseOver(t, store, latchkey.Options{Modules: []latchkey.MFAModule{pin}})
		pin.users[h.person(t, "anna").ID] = true
		login, _ := h.start(t)
		_, result, err := h.answer(login, credentials("anna", password))
		expectForm(t, result, err, "mfa", "")
		time.Sleep(latchkey.MFASessionExpiration)
		_, result, err = h.answer(login, flow.Input{"pin": "0000"})
		expectForm(t, result, err, "mfa", "invalid_code")
		time.Sleep(time.Nanosecond)
		_, result, err = h.answer(login, flow.Input{"pin": "1111"})
		if abort, ok := result.(flow.Abort); err != nil || !ok || abort.Reason != "login_expired" {
			t.Errorf("after five minutes: %+v, %v", result, err)
		}
		login, _ = h.start(t)
		time.Sleep(latchkey.LoginLifetime)
		if _, _, err := h.answer(login, credentials("anna", password)); !errors.Is(err, flow.ErrUnknownFlow) {
			t.Errorf("after %v: %v", latchkey.LoginLifetime, err)
		}
	})
}

// Wrong codes that are sent at the same time are counted one by one.
func TestGuessesInParallelAreCounted(t *testing.T) {
	pin := newPIN("one", "1111")
	h := newHouse(t, latchkey.Options{Modules: []latchkey.MFAModule{pin}})
	pin.users[h.person(t, "anna").ID] = true
	login, _ := h.start(t)
	if _, _, err := h.answer(login, credentials("anna", password)); err != nil {
		t.Fatal(err)
	}
	var told atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, result, err := h.answer(login, flow.Input{"pin": "0000"}); err == nil && result != nil {
				told.Add(1)
			}
		})
	}
	all.Wait()
	if got := told.Load(); got > 3 {
		t.Errorf("%d guesses were answered, want at most 3", got)
	}
}

// spec: mfa.md §3; manager.md §5; websocket.md A-19
func TestSettingUpASecondFactor(t *testing.T) {
	pin := newPIN("one", "1111")
	h := newHouse(t, latchkey.Options{Modules: []latchkey.MFAModule{pin}})
	ctx := t.Context()
	anna, bob := h.person(t, "anna"), h.person(t, "bob")
	system, err := h.CreateSystemUser(ctx, latchkey.NewUser{})
	if err != nil {
		t.Fatal(err)
	}
	setup, result, err := h.StartSetup(ctx, anna.ID, "one")
	expectForm(t, result, err, "init", "")
	if _, _, err := h.ContinueSetup(ctx, bob.ID, setup.ID, flow.Input{"pin": "1"}); !errors.Is(err, flow.ErrUnknownFlow) {
		t.Errorf("continued by another user: %v", err)
	}
	if _, result, err = h.ContinueSetup(ctx, anna.ID, setup.ID, flow.Input{"pin": "1"}); err != nil {
		t.Errorf("result = %v, %v", result, err)
	}
	enabled, err := h.EnabledModules(ctx, anna.ID)
	if err != nil || len(enabled) != 1 || enabled[0].ID() != "one" {
		t.Errorf("enabled = %v, %v", enabled, err)
	}
	if err := h.DisableMFA(ctx, anna.ID, "one"); err != nil {
		t.Fatal(err)
	}
	if err := h.DisableMFA(ctx, anna.ID, "one"); err != nil {
		t.Errorf("disabling what is not set up: %v", err)
	}
	if _, _, err := h.StartSetup(ctx, anna.ID, "nope"); !isRefused(err, latchkey.ErrValue, "Mfa module nope is not found") {
		t.Errorf("unknown module: %v", err)
	}
	for _, tt := range []struct {
		err  error
		text string
	}{
		{h.EnableMFA(ctx, system.ID, "nope", nil), "System generated users cannot enable multi-factor auth module."},
		{h.DisableMFA(ctx, system.ID, "nope"), "System generated users cannot disable multi-factor auth module."},
		{h.EnableMFA(ctx, anna.ID, "nope", nil), "Unable find multi-factor auth module: nope"},
		{h.DisableMFA(ctx, anna.ID, "nope"), "Unable find multi-factor auth module: nope"},
	} {
		if !isRefused(tt.err, latchkey.ErrValue, tt.text) {
			t.Errorf("error = %v, want %q", tt.err, tt.text)
		}
	}
}

// spec: manager.md §1, duplicates
func TestDuplicatesAreRefused(t *testing.T) {
	h := newHouse(t, latchkey.Options{})
	_, err := latchkey.New(h.store, latchkey.Options{Providers: []latchkey.Provider{h.local, guestProvider{}, h.local}})
	if !isRefused(err, latchkey.ErrValue, "Duplicate auth provider homeassistant found. Please add unique IDs if you want to have the same auth provider twice") {
		t.Errorf("error = %v", err)
	}
	_, err = latchkey.New(h.store, latchkey.Options{Modules: []latchkey.MFAModule{newPIN("totp", ""), newPIN("totp", "")}})
	if !isRefused(err, latchkey.ErrValue, "Duplicate mfa module totp found. Please add unique IDs if you want to have the same mfa module twice") {
		t.Errorf("error = %v", err)
	}
}

// spec: manager.md §11 step mfa rule 1: a module goes from the configuration while somebody is being asked for it
func TestSecondFactorIsGoneFromTheConfiguration(t *testing.T) {
	one, two := newPIN("one", "1111"), newPIN("two", "2222")
	kept := latchkey.NewMemoryPending()
	h := newHouse(t, latchkey.Options{Modules: []latchkey.MFAModule{one, two}, Pending: kept})
	anna := h.person(t, "anna")
	without := newHouseOver(t, h.store, latchkey.Options{Modules: []latchkey.MFAModule{two}, Pending: kept})
	one.users[anna.ID] = true

	login, _ := h.start(t)
	_, result, err := h.answer(login, credentials("anna", password))
	expectForm(t, result, err, "mfa", "")
	_, result, err = without.answer(login, flow.Input{"pin": "1111"})
	if abort, ok := result.(flow.Abort); err != nil || !ok || abort.Reason != "unknown_error" {
		t.Errorf("the only module is gone: %+v, %v", result, err)
	}

	two.users[anna.ID] = true
	login, _ = h.start(t)
	if _, _, err = h.answer(login, credentials("anna", password)); err != nil {
		t.Fatal(err)
	}
	_, result, err = h.answer(login, flow.Input{"multi_factor_auth_module": "one"})
	expectForm(t, result, err, "mfa", "")
	_, result, err = without.answer(login, flow.Input{"pin": "1111"})
	expectForm(t, result, err, "select_mfa_module", "invalid_auth_module")
	if options := result.(flow.Form).Schema[0].Options; len(options) != 1 || options[0].Value != "two" {
		t.Errorf("offered: %+v", options)
	}
	_, result, err = without.answer(login, flow.Input{"multi_factor_auth_module": "two"})
	expectForm(t, result, err, "mfa", "")
	if _, result, err = without.answer(login, flow.Input{"pin": "2222"}); err != nil {
		t.Errorf("result = %v, %v", result, err)
	}
	// What the user has set up stays, and is asked for again when the module is back.
	if enabled, err := h.EnabledModules(t.Context(), anna.ID); err != nil || len(enabled) != 2 {
		t.Errorf("enabled = %v, %v", enabled, err)
	}
}
