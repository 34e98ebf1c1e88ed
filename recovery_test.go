package latchkey_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/mfa/totp"
)

// asked signs somebody in up to the second factor.
func (h house) asked(t *testing.T, username string) latchkey.Login {
	t.Helper()
	login, _ := h.start(t)
	_, result, err := h.answer(login, credentials(username, password))
	expectForm(t, result, err, "mfa", "")
	return login
}

// signsIn reports whether a text is accepted in place of the second factor.
func (h house) signsIn(t *testing.T, username, code string) bool {
	t.Helper()
	_, result, err := h.answer(h.asked(t, username), flow.Input{"pin": code})
	if _, done := result.(flow.Done); err == nil && done {
		return true
	}
	expectForm(t, result, err, "mfa", "invalid_code")
	return false
}

func (h house) recoveryCodes(t *testing.T, u latchkey.User) []string {
	t.Helper()
	codes, err := h.CreateRecoveryCodes(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return codes
}

func (h house) expectLeft(t *testing.T, u latchkey.User, want int, wantMade bool) {
	t.Helper()
	left, made, err := h.RecoveryCodesLeft(t.Context(), u.ID)
	if err != nil || left != want || made != wantMade {
		t.Errorf("left are %d, made: %v, %v; want %d, %v", left, made, err, want, wantMade)
	}
}

func aborted(result flow.Result, reason string) bool {
	abort, ok := result.(flow.Abort)
	return ok && abort.Reason == reason
}

// spec: security.md 17, "single-use and kept as hashes"
func TestRecoveryCodesStandInOnceEach(t *testing.T) {
	var logged bytes.Buffer
	pin := newPIN("one", "1111")
	h := newHouse(t, latchkey.Options{
		Modules: []latchkey.MFAModule{pin}, Logger: slog.New(slog.NewTextHandler(&logged, nil)),
	})
	anna, bob := h.person(t, "anna"), h.person(t, "bob")
	pin.users[anna.ID], pin.users[bob.ID] = true, true
	h.expectLeft(t, anna, 0, false)
	codes := h.recoveryCodes(t, anna)
	h.expectLeft(t, anna, 10, true)
	form := regexp.MustCompile(`^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){3}$`)
	seen := map[string]bool{}
	kept, err := h.store.ModuleData(t.Context(), latchkey.RecoveryModule, anna.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range codes {
		if !form.MatchString(code) || seen[code] {
			t.Errorf("code %q", code)
		}
		seen[code] = true
		if bare := strings.ReplaceAll(code, "-", ""); bytes.Contains(kept, []byte(code)) || bytes.Contains(kept, []byte(bare)) {
			t.Errorf("%s is kept as it is", code)
		}
	}
	if len(codes) != 10 {
		t.Errorf("%d codes", len(codes))
	}

	if h.signsIn(t, "bob", codes[0]) {
		t.Error("somebody signed in with another's code")
	}
	if !h.signsIn(t, "anna", codes[0]) || h.signsIn(t, "anna", codes[0]) {
		t.Error("a code counts once")
	}
	h.expectLeft(t, anna, 9, true)
	if !h.signsIn(t, "anna", codes[9]) || !h.signsIn(t, "anna", "1111") {
		t.Error("another code, or the second factor itself, is refused after one was used")
	}
	h.expectLeft(t, anna, 8, true)
	for _, wrong := range []string{"", "0000", "0000-0000-0000-0000", codes[1] + codes[2], codes[1][:18], codes[1] + "0"} {
		if h.signsIn(t, "anna", wrong) {
			t.Errorf("signed in with %q", wrong)
		}
	}
	h.expectLeft(t, anna, 8, true)

	again := h.recoveryCodes(t, anna)
	h.expectLeft(t, anna, 10, true)
	if h.signsIn(t, "anna", codes[1]) || !h.signsIn(t, "anna", again[1]) {
		t.Error("new codes replace those made before")
	}
	said := logged.String()
	if n := strings.Count(said, "a recovery code was used"); n != 3 || !strings.Contains(said, anna.ID) {
		t.Errorf("the uses are logged %d times: %s", n, said)
	}
	for _, code := range append(codes, again...) {
		if strings.Contains(said, code) || strings.Contains(said, strings.ReplaceAll(code, "-", "")) {
			t.Errorf("%s is in the log", code)
		}
	}
}

// People copy codes from paper and from documents that improve what they are given.
func TestRecoveryCodesMayBeTypedInManyWays(t *testing.T) {
	pin := newPIN("one", "1111")
	h := newHouse(t, latchkey.Options{Modules: []latchkey.MFAModule{pin}, Logger: slog.New(slog.DiscardHandler)})
	anna := h.person(t, "anna")
	pin.users[anna.ID] = true
	codes := h.recoveryCodes(t, anna)
	for i, typed := range []func(string) string{
		strings.ToUpper,
		func(c string) string { return strings.ReplaceAll(c, "-", "") },
		func(c string) string { return strings.ReplaceAll(c, "-", " ") },
		func(c string) string { return "  " + c + "\n" },
		func(c string) string { return strings.ReplaceAll(c, "-", "\u00a0\u2013 ") },
		func(c string) string { return strings.NewReplacer("0", "O", "1", "l").Replace(c) },
		func(c string) string { return strings.NewReplacer("0", "o", "1", "I").Replace(c) },
		func(c string) string { return strings.Join(strings.Split(c, ""), "-") },
		func(c string) string {
			return strings.Map(func(r rune) rune { return r + 0xfee0 }, c) // full width
		},
	} {
		if text := typed(codes[i]); !h.signsIn(t, "anna", text) {
			t.Errorf("%q is refused for %s", text, codes[i])
		}
	}
}

func TestRecoveryCodesNeedASecondFactor(t *testing.T) {
	pin := newPIN("one", "1111")
	h := newHouse(t, latchkey.Options{Modules: []latchkey.MFAModule{pin}, Logger: slog.New(slog.DiscardHandler)})
	ctx := t.Context()
	anna := h.person(t, "anna")
	system, err := h.CreateSystemUser(ctx, latchkey.NewUser{})
	if err != nil {
		t.Fatal(err)
	}
	pin.users[system.ID] = true
	for id, want := range map[string]error{anna.ID: latchkey.ErrNoSecondFactor, system.ID: latchkey.ErrState, "nobody": latchkey.ErrNotFound} {
		if codes, err := h.CreateRecoveryCodes(ctx, id); !errors.Is(err, want) || len(codes) > 0 {
			t.Errorf("%d codes, %v, want %v", len(codes), err, want)
		}
	}
	_, err = latchkey.New(h.store, latchkey.Options{Modules: []latchkey.MFAModule{newPIN(latchkey.RecoveryModule, "1")}})
	if !errors.Is(err, latchkey.ErrValue) {
		t.Errorf("a module with the id of recovery codes: %v", err)
	}
}

// spec: security.md 17: several logins at once, one code
func TestOneRecoveryCodeIsOneLogin(t *testing.T) {
	pin := newPIN("one", "1111")
	h := newHouse(t, latchkey.Options{Modules: []latchkey.MFAModule{pin}, Logger: slog.New(slog.DiscardHandler)})
	anna := h.person(t, "anna")
	pin.users[anna.ID] = true
	for _, code := range h.recoveryCodes(t, anna)[:3] {
		var logins []latchkey.Login
		for range 8 {
			logins = append(logins, h.asked(t, "anna"))
		}
		var done atomic.Int64
		var all sync.WaitGroup
		for _, login := range logins {
			all.Go(func() {
				if _, result, err := h.answer(login, flow.Input{"pin": code}); err != nil {
					t.Error(err)
				} else if _, ok := result.(flow.Done); ok {
					done.Add(1)
				}
			})
		}
		all.Wait()
		if n := done.Load(); n != 1 {
			t.Errorf("one code completed %d logins", n)
		}
	}
	h.expectLeft(t, anna, 7, true)
}

// spec: security.md 14, "by user across flows"; 10: a delay, not a lock
func TestGuessesAtRecoveryCodesAreSlowedDown(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		pin := newPIN("one", "1111")
		h := newHouseOver(t, store, latchkey.Options{Modules: []latchkey.MFAModule{pin}, Logger: slog.New(slog.DiscardHandler)})
		anna := h.person(t, "anna")
		pin.users[anna.ID] = true
		codes := h.recoveryCodes(t, anna)
		for range 30 { // what cannot be a recovery code is no guess at one
			h.signsIn(t, "anna", "0000")
		}
		for range 9 {
			h.signsIn(t, "anna", "0000-0000-0000-0000")
		}
		if !h.signsIn(t, "anna", codes[0]) {
			t.Error("refused before there were ten wrong ones")
		}
		for range 10 { // which ended that row
			h.signsIn(t, "anna", "0000-0000-0000-0000")
		}
		if h.signsIn(t, "anna", codes[1]) {
			t.Error("looked at after ten wrong ones")
		}
		h.expectLeft(t, anna, 9, true)
		time.Sleep(time.Second)
		h.signsIn(t, "anna", "0000-0000-0000-0000")
		time.Sleep(time.Second)
		if h.signsIn(t, "anna", codes[1]) {
			t.Error("the delay does not grow")
		}
		if !h.signsIn(t, "anna", "1111") {
			t.Error("the second factor itself is refused as well")
		}
		time.Sleep(time.Second)
		if !h.signsIn(t, "anna", codes[1]) {
			t.Error("locked out once the delay has passed")
		}
	})
}

// spec: http-auth.md L-14; manager.md §11: wrong ones count, and a login ends, as with the module's own codes
func TestRecoveryCodesKeepTheRulesOfTheStep(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		pin := newPIN("one", "1111")
		h := newHouseOver(t, store, latchkey.Options{Modules: []latchkey.MFAModule{pin}, Logger: slog.New(slog.DiscardHandler)})
		anna := h.person(t, "anna")
		pin.users[anna.ID] = true
		codes := h.recoveryCodes(t, anna)
		login := h.asked(t, "anna")
		for range 2 {
			_, result, err := h.answer(login, flow.Input{"pin": "0000-0000-0000-0000"})
			expectForm(t, result, err, "mfa", "invalid_code")
		}
		_, result, err := h.answer(login, flow.Input{"pin": "0000-0000-0000-0000"})
		if err != nil || !aborted(result, "too_many_retry") {
			t.Errorf("third wrong code: %+v, %v", result, err)
		}
		login = h.asked(t, "anna")
		time.Sleep(latchkey.MFASessionExpiration + time.Nanosecond)
		_, result, err = h.answer(login, flow.Input{"pin": codes[0]})
		if err != nil || !aborted(result, "login_expired") {
			t.Errorf("after five minutes: %+v, %v", result, err)
		}
		h.expectLeft(t, anna, 10, true)
	})
}

// mute is a second factor that cannot always ask.
type mute struct {
	pinModule
	down     *atomic.Bool
	verified *atomic.Int64
}

func (m mute) Challenge(ctx context.Context, userID string) (json.RawMessage, error) {
	if m.down.Load() {
		return nil, errors.New("no connection")
	}
	return m.pinModule.Challenge(ctx, userID)
}

func (m mute) Verify(ctx context.Context, userID string, asked json.RawMessage, in flow.Input) (bool, error) {
	m.verified.Add(1)
	return m.pinModule.Verify(ctx, userID, asked, in)
}

func TestARecoveryCodeCanBeGivenWhenTheModuleCannotAsk(t *testing.T) {
	module := mute{newPIN("one", "1111"), new(atomic.Bool), new(atomic.Int64)}
	h := newHouse(t, latchkey.Options{Modules: []latchkey.MFAModule{module}, Logger: slog.New(slog.DiscardHandler)})
	anna := h.person(t, "anna")
	module.users[anna.ID] = true
	module.down.Store(true)
	toFactor := func() (latchkey.Login, flow.Result) {
		t.Helper()
		login, _ := h.start(t)
		_, result, err := h.answer(login, credentials("anna", password))
		if err != nil {
			t.Fatal(err)
		}
		return login, result
	}
	if _, result := toFactor(); !aborted(result, "unknown_error") {
		t.Errorf("without codes: %+v", result)
	}
	codes := h.recoveryCodes(t, anna)
	login, result := toFactor()
	expectForm(t, result, nil, "mfa", "code_not_sent")
	_, result, err := h.answer(login, flow.Input{"pin": "1111"})
	expectForm(t, result, err, "mfa", "invalid_code")
	if n := module.verified.Load(); n != 0 {
		t.Error("the module judged an answer to what it had not asked")
	}
	_, result, err = h.answer(login, nil)
	expectForm(t, result, err, "mfa", "code_not_sent")
	if _, result, err = h.answer(login, flow.Input{"pin": codes[0]}); err != nil || result == nil {
		t.Fatal(err)
	}
	if _, done := result.(flow.Done); !done {
		t.Errorf("a recovery code: %+v", result)
	}
	login, _ = toFactor()
	module.down.Store(false) // asked afresh, it can
	_, result, err = h.answer(login, nil)
	expectForm(t, result, err, "mfa", "")
	_, result, err = h.answer(login, flow.Input{"pin": "1111"})
	if _, done := result.(flow.Done); err != nil || !done {
		t.Errorf("the module's own code: %+v, %v", result, err)
	}
	module.down.Store(true)
	for _, code := range codes[1:] {
		login, _ := toFactor()
		if _, result, _ := h.answer(login, flow.Input{"pin": code}); result == nil {
			t.Fatal("no result")
		}
	}
	if _, result := toFactor(); !aborted(result, "unknown_error") {
		t.Errorf("without codes that are left: %+v", result)
	}
}

func TestRecoveryCodesGoWithTheLastSecondFactor(t *testing.T) {
	one, two := newPIN("one", "1111"), newPIN("two", "2222")
	h := newHouse(t, latchkey.Options{Modules: []latchkey.MFAModule{one, two}})
	ctx := t.Context()
	anna := h.person(t, "anna")
	one.users[anna.ID], two.users[anna.ID] = true, true
	h.recoveryCodes(t, anna)
	if err := h.DisableMFA(ctx, anna.ID, "one"); err != nil {
		t.Fatal(err)
	}
	h.expectLeft(t, anna, 10, true)
	for range 2 { // the second time there are none, which is no error
		if err := h.DisableMFA(ctx, anna.ID, "two"); err != nil {
			t.Fatal(err)
		}
		h.expectLeft(t, anna, 0, false)
	}
}

// spec: security.md 11 and 23: by an admin, for somebody who has lost everything
func TestResettingEndsEverySecondFactor(t *testing.T) {
	store := openStore(t)
	codes, err := totp.New(store, totp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	pin := newPIN("one", "1111") // which keeps nothing in the store
	h := newHouseOver(t, store, latchkey.Options{Modules: []latchkey.MFAModule{codes, pin}})
	ctx := t.Context()
	anna, bob := h.person(t, "anna"), h.person(t, "bob")
	for _, u := range []latchkey.User{anna, bob} {
		if err := h.EnableMFA(ctx, u.ID, "totp", nil); err != nil {
			t.Fatal(err)
		}
		pin.users[u.ID] = true
		h.recoveryCodes(t, u)
		err := store.Update(ctx, func(tx latchkey.Tx) error { // of a module that is not configured any more
			return tx.PutModuleData(ctx, "notify", u.ID, []byte(`{"notify_service":"mail","target":null}`))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	token := h.token(t, anna)
	for range 2 { // once more is no error
		if err := h.ResetMFA(ctx, anna.ID); err != nil {
			t.Fatal(err)
		}
	}
	for u, want := range map[*latchkey.User]int{&anna: 0, &bob: 2} {
		enabled, err := h.EnabledModules(ctx, u.ID)
		if err != nil || len(enabled) != want {
			t.Errorf("%s has %d factors, %v", u.Name, len(enabled), err)
		}
	}
	h.expectLeft(t, anna, 0, false)
	h.expectLeft(t, bob, 10, true)
	if ids, err := store.ModulesOf(ctx, anna.ID); err != nil || len(ids) != 0 {
		t.Errorf("of anna is left: %v, %v", ids, err)
	}
	if ids, err := store.ModulesOf(ctx, bob.ID); err != nil || len(ids) != 3 {
		t.Errorf("of bob is left: %v, %v", ids, err)
	}
	if _, err := h.RefreshToken(ctx, token.ID); err != nil { // ending sessions is for the admin to say
		t.Error(err)
	}
	system, err := h.CreateSystemUser(ctx, latchkey.NewUser{})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.ResetMFA(ctx, system.ID); !errors.Is(err, latchkey.ErrValue) {
		t.Errorf("system user: %v", err)
	}
	if err := h.ResetMFA(ctx, "nobody"); !errors.Is(err, latchkey.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}
