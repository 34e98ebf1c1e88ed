package totp_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pquerna/otp/hotp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/mfa/totp"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

const (
	secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	anna   = "3f1c2a9b8d7e4c50a1b2c3d4e5f60718"
	period = 30 * time.Second
)

// openStore opens the store in the file, in which there is a user anna.
func openStore(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	err = store.Update(t.Context(), func(tx latchkey.Tx) error {
		return tx.InsertUser(t.Context(), latchkey.User{ID: anna, Name: latchkey.Text("Anna"), IsActive: true})
	})
	if err != nil && !errors.Is(err, latchkey.ErrExists) {
		t.Fatal(err)
	}
	return store
}

func newStore(t *testing.T) *sqlite.Store {
	t.Helper()
	return openStore(t, filepath.Join(t.TempDir(), "house.db"))
}

func newModule(t *testing.T, store totp.Store) *totp.Module {
	t.Helper()
	m, err := totp.New(store, totp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// setUp gives anna the secret.
func setUp(t *testing.T, m *totp.Module) {
	t.Helper()
	if got, err := m.SetUp(t.Context(), anna, map[string]any{"secret": secret}); err != nil || got != secret {
		t.Fatalf("SetUp = %v, %v", got, err)
	}
}

// codeAt returns the code that an app shows so much time from now.
func codeAt(t *testing.T, secret string, after time.Duration) string {
	t.Helper()
	code, err := hotp.GenerateCode(secret, uint64(time.Now().Add(after).Unix()/30))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func verify(t *testing.T, m *totp.Module, code string) bool {
	t.Helper()
	ok, err := m.Verify(t.Context(), anna, nil, flow.Input{"code": code})
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// spec: mfa.md §1 and §2
func TestModuleIsNamedByItsConfiguration(t *testing.T) {
	if _, err := totp.New(nil, totp.Config{}); err == nil {
		t.Error("a module without a store is made")
	}
	store := newStore(t)
	for _, tt := range []struct {
		cfg      totp.Config
		id, name string
	}{
		{totp.Config{}, "totp", "Time-based One Time Password"},
		{totp.Config{ID: "app", Name: "Authenticator app"}, "app", "Authenticator app"},
	} {
		m, err := totp.New(store, tt.cfg)
		if err != nil || m.ID() != tt.id || m.Name() != tt.name || m.MaxRetries() != 5 {
			t.Errorf("%+v: id %q, name %q, retries %d, %v", tt.cfg, m.ID(), m.Name(), m.MaxRetries(), err)
		}
		want := flow.Schema{{Name: "code", Kind: flow.String, Presence: flow.Required}}
		if d := cmp.Diff(want, m.Schema()); d != "" {
			t.Error("schema (-want +got):", d)
		}
	}
}

// spec: mfa.md §4, "Login check accepts the previous, current and next step"
func TestCodesOfTheNeighbouringStepsAreAccepted(t *testing.T) {
	store := newStore(t)
	synctest.Test(t, func(t *testing.T) {
		m := newModule(t, store)
		for _, tt := range []struct {
			after time.Duration
			want  bool
		}{{-2 * period, false}, {-period, true}, {0, true}, {period, true}, {2 * period, false}} {
			if err := m.Depose(t.Context(), anna); err != nil { // what was used is forgotten
				t.Fatal(err)
			}
			setUp(t, m)
			if got := verify(t, m, codeAt(t, secret, tt.after)); got != tt.want {
				t.Errorf("the code of %v: %v", tt.after, got)
			}
		}
	})
}

// spec: mfa.md §4, "full-width digits match", "The code is not trimmed", "Missing code counts as empty text"
func TestCodesAreComparedAsTyped(t *testing.T) {
	store := newStore(t)
	synctest.Test(t, func(t *testing.T) {
		m := newModule(t, store)
		setUp(t, m)
		code := codeAt(t, secret, 0)
		var wide []rune
		for _, r := range code {
			wide = append(wide, r-'0'+'０')
		}
		for _, wrong := range []flow.Input{{"code": " " + code}, {"code": code + " "}, {"code": ""}, {}, {"code": code[1:]}, {"code": 1}} {
			if ok, err := m.Verify(t.Context(), anna, nil, wrong); ok || err != nil {
				t.Errorf("%v: %v, %v", wrong, ok, err)
			}
		}
		if !verify(t, m, string(wide)) {
			t.Error("full-width digits are refused")
		}
	})
}

// spec: security.md 12; mfa.md §4, "a code is accepted once"
func TestCodesAreAcceptedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "house.db")
	store := openStore(t, path)
	synctest.Test(t, func(t *testing.T) {
		m := newModule(t, store)
		setUp(t, m)
		before, now, next := codeAt(t, secret, -period), codeAt(t, secret, 0), codeAt(t, secret, period)
		if !verify(t, m, now) {
			t.Fatal("the current code is refused")
		}
		if verify(t, m, now) {
			t.Error("the same code is accepted again")
		}
		if verify(t, m, before) {
			t.Error("a code older than the last one is accepted")
		}
		setUp(t, m) // the same secret once more
		if verify(t, m, now) {
			t.Error("setting up the same secret makes a used code new")
		}
		if !verify(t, m, next) {
			t.Error("the next code is refused")
		}
	})
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	store = openStore(t, path)
	synctest.Test(t, func(t *testing.T) { // whose clock starts where the other one did
		m := newModule(t, store)
		for _, after := range []time.Duration{0, period} {
			if verify(t, m, codeAt(t, secret, after)) {
				t.Errorf("after a restart the used code of %v is accepted again", after)
			}
		}
		time.Sleep(2 * period)
		if !verify(t, m, codeAt(t, secret, 0)) {
			t.Error("after a restart a new code is refused")
		}
	})
}

// spec: security.md 12, at the same time
func TestOneOfTwoSimultaneousUsesSucceeds(t *testing.T) {
	store := newStore(t)
	one, two := newModule(t, store), newModule(t, store)
	setUp(t, one)
	code := codeAt(t, secret, 0)
	var accepted atomic.Int32
	var all sync.WaitGroup
	for i := range 20 {
		m := one
		if i%2 == 0 {
			m = two
		}
		all.Go(func() {
			ok, err := m.Verify(context.Background(), anna, nil, flow.Input{"code": code})
			if err != nil {
				t.Error(err)
			}
			if ok {
				accepted.Add(1)
			}
		})
	}
	all.Wait()
	if got := accepted.Load(); got != 1 {
		t.Errorf("one code was accepted %d times", got)
	}
}

// spec: security.md 14 and 10: counted by user, not by login; a delay, and no lock
func TestWrongCodesSlowAUserDown(t *testing.T) {
	store := newStore(t)
	synctest.Test(t, func(t *testing.T) {
		m := newModule(t, store)
		setUp(t, m)
		for range 10 {
			if verify(t, m, "wrong") {
				t.Fatal("accepted")
			}
		}
		m = newModule(t, store) // as after a restart
		time.Sleep(30*time.Second - time.Nanosecond)
		if verify(t, m, codeAt(t, secret, 0)) {
			t.Error("an answer was looked at during the delay")
		}
		time.Sleep(time.Nanosecond)
		if verify(t, m, "wrong") {
			t.Error("accepted")
		}
		time.Sleep(time.Minute - time.Nanosecond)
		if verify(t, m, codeAt(t, secret, 0)) {
			t.Error("the delay did not double")
		}
		time.Sleep(time.Nanosecond)
		if !verify(t, m, codeAt(t, secret, 0)) {
			t.Error("the right code is refused after the delay")
		}
		time.Sleep(period)
		for range 9 {
			verify(t, m, "wrong")
		}
		if !verify(t, m, codeAt(t, secret, 0)) {
			t.Error("a right code did not end the counting")
		}
	})
}

// spec: mfa.md §4, "Unknown user", "A stored secret that is not base32"
func TestUsersWithoutUsableSecretAreRefused(t *testing.T) {
	store := newStore(t)
	m := newModule(t, store)
	if verify(t, m, codeAt(t, "FPPTH34D4E3MI2HG", 0)) {
		t.Error("a user who has not set it up signs in with the code of the dummy secret")
	}
	if _, err := m.SetUp(t.Context(), anna, map[string]any{"secret": "not base32!"}); err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"", "000000", codeAt(t, "FPPTH34D4E3MI2HG", 0)} {
		if verify(t, m, code) {
			t.Errorf("%q is accepted", code)
		}
	}
}

// A user's data that cannot be read is an error, and neither a wrong code nor a right one.
func TestDamagedDataIsAnError(t *testing.T) {
	store := newStore(t)
	m := newModule(t, store)
	err := store.Update(t.Context(), func(tx latchkey.Tx) error {
		return tx.PutModuleData(t.Context(), "totp", anna, []byte("{"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := m.Verify(t.Context(), anna, nil, flow.Input{"code": "1"}); ok || err == nil {
		t.Errorf("Verify = %v, %v", ok, err)
	}
	setUp(t, m) // replaces it
	if !verify(t, m, codeAt(t, secret, 0)) {
		t.Error("refused after it was set up again")
	}
}

// spec: mfa.md §4, setup_user and depose_user; websocket.md, "A-20": setting it up again replaces the secret
func TestSetUpAndDepose(t *testing.T) {
	m := newModule(t, newStore(t))
	ctx := t.Context()
	isSetUp := func(want bool) {
		t.Helper()
		if got, err := m.IsSetUp(ctx, anna); err != nil || got != want {
			t.Errorf("IsSetUp = %v, %v; want %v", got, err, want)
		}
	}
	isSetUp(false)
	if err := m.Depose(ctx, anna); err != nil {
		t.Error("depose a user who was never set up:", err)
	}
	for _, given := range []map[string]any{nil, {}, {"secret": ""}, {"secret": 5}} {
		made, err := m.SetUp(ctx, anna, given)
		if text, ok := made.(string); err != nil || !ok || len(text) != 32 {
			t.Errorf("SetUp(%v) = %v, %v; want a new secret", given, made, err)
		}
	}
	isSetUp(true)
	before, err := m.SetUp(ctx, anna, nil)
	if err != nil {
		t.Fatal(err)
	}
	if made, err := m.SetUp(ctx, anna, map[string]any{"secret": "fppth34d4e3mi2hg"}); err != nil || made != "fppth34d4e3mi2hg" {
		t.Errorf("SetUp = %v, %v; want the given secret in its own case", made, err)
	}
	if !verify(t, m, codeAt(t, "FPPTH34D4E3MI2HG", 0)) {
		t.Error("the new secret's code is refused")
	}
	if verify(t, m, codeAt(t, before.(string), 0)) {
		t.Error("a code of the secret before is accepted")
	}
	if _, err := m.SetUp(ctx, "nobody", nil); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("set up for nobody: %v", err)
	}
	if err := m.Depose(ctx, anna); err != nil {
		t.Error(err)
	}
	isSetUp(false)
}

// step takes one step of anna's set-up, through the check of the form and through JSON, as the manager does.
func step(t *testing.T, m *totp.Module, s flow.State, in flow.Input) (flow.State, flow.Result) {
	t.Helper()
	u := latchkey.User{ID: anna, Name: latchkey.Text("Anna")}
	next, result, err := flow.Advance(t.Context(), s, in, func(ctx context.Context, s flow.State, in flow.Input) (flow.State, flow.Result, error) {
		return m.SetUpStep(ctx, u, s, in)
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(next)
	if err != nil {
		t.Fatal(err)
	}
	var read flow.State
	if err := json.Unmarshal(b, &read); err != nil {
		t.Fatal(err)
	}
	return read, result
}

// spec: mfa.md §4, "Set-up flow"; websocket.md
func TestSetUpDialogue(t *testing.T) {
	store := newStore(t)
	synctest.Test(t, func(t *testing.T) {
		m := newModule(t, store)
		s, first := step(t, m, flow.New(flow.Context{}), nil)
		shown := first.(flow.Form).Placeholders
		want := flow.Form{StepID: "init", Schema: m.Schema(), Errors: map[string]string{}, Placeholders: shown}
		if d := cmp.Diff(flow.Result(want), first); d != "" {
			t.Error("form (-want +got):", d)
		}
		if got := slices.Sorted(maps.Keys(shown)); !slices.Equal(got, []string{"code", "qr_code", "url"}) {
			t.Errorf("placeholders %v", got)
		}
		if got := "otpauth://totp/Home%20Assistant:Anna?secret=" + shown["code"] + "&issuer=Home%20Assistant"; shown["url"] != got {
			t.Errorf("url = %s, want %s", shown["url"], got)
		}

		for _, wrong := range []string{"wrong", codeAt(t, shown["code"], -period), codeAt(t, shown["code"], period)} {
			var again flow.Result
			s, again = step(t, m, s, flow.Input{"code": wrong})
			want.Errors = map[string]string{"base": "invalid_code"}
			if d := cmp.Diff(flow.Result(want), again); d != "" {
				t.Errorf("after %s (-want +got): %s", wrong, d)
			}
		}
		if ok, err := m.IsSetUp(t.Context(), anna); ok || err != nil {
			t.Errorf("set up after wrong codes: %v, %v", ok, err)
		}

		s, afresh := step(t, m, s, nil)
		chosen := afresh.(flow.Form).Placeholders["code"]
		if chosen == shown["code"] {
			t.Error("asking afresh shows the same secret")
		}
		code := codeAt(t, chosen, 0)
		_, done := step(t, m, s, flow.Input{"code": code})
		if d := cmp.Diff(flow.Result(flow.Done{Data: map[string]any{"result": nil}}), done); d != "" {
			t.Error("(-want +got):", d)
		}
		if verify(t, m, code) {
			t.Error("the code of the set-up signs in as well (security.md 12)")
		}
		if !verify(t, m, codeAt(t, chosen, period)) {
			t.Error("the next code is refused")
		}
	})
}

// A name that leaves no room in the QR code is shown by apps as far as there is room.
func TestSetUpWithNamesWithoutEnd(t *testing.T) {
	m := newModule(t, newStore(t))
	for _, name := range []string{strings.Repeat("木", 200), strings.Repeat("x", 2000), string(make([]byte, 2000)), strings.Repeat("é", 1<<20)} {
		u := latchkey.User{ID: anna, Name: latchkey.Text(name)}
		_, result, err := m.SetUpStep(t.Context(), u, flow.New(flow.Context{}), nil)
		form, ok := result.(flow.Form)
		if !ok {
			t.Errorf("%.10q: %v, %v", name, result, err)
			continue
		}
		address, err := url.Parse(form.Placeholders["url"])
		if err != nil {
			t.Fatal(err)
		}
		shown := strings.TrimPrefix(address.Path, "/Home Assistant:")
		if !strings.HasPrefix(name, shown) || len(shown) < 300 || address.Query().Get("secret") == "" {
			t.Errorf("%.10q is shown as %q in %v", name, shown, address)
		}
	}
}
