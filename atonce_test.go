package latchkey_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pquerna/otp/hotp"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
	"github.com/seed-6a977b3d/latchkey/mfa/totp"
)

// newApp gives somebody an authenticator app, and returns the code that it shows.
func (h house) newApp(t *testing.T, u latchkey.User) string {
	t.Helper()
	const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	if err := h.EnableMFA(t.Context(), u.ID, totp.Type, map[string]any{"secret": secret}); err != nil {
		t.Fatal(err)
	}
	code, err := hotp.GenerateCode(secret, uint64(time.Now().Unix()/30))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// answersAtOnce gives several answers to the form of one login at the same time, and returns how many signed in. Others have
// to find that the login is over.
func (h house) answersAtOnce(t *testing.T, login latchkey.Login, codes ...string) (signedIn int) {
	t.Helper()
	var all sync.WaitGroup
	var done atomic.Int32
	for _, code := range codes {
		all.Go(func() {
			_, result, err := h.answer(login, flow.Input{"code": code})
			if _, ok := result.(flow.Done); ok && err == nil {
				done.Add(1)
			} else if !errors.Is(err, flow.ErrUnknownFlow) {
				t.Errorf("%q is told %+v, %v", code, result, err)
			}
		})
	}
	all.Wait()
	return int(done.Load())
}

// spec: security.md 12: a code works once, and so one of several that are sent at once has to get somebody in.
func TestOneOfSeveralRightCodesAtOnceSignsIn(t *testing.T) {
	store := openFile(t)
	app, err := totp.New(store, totp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	h := newHouseOver(t, store, latchkey.Options{Modules: []latchkey.MFAModule{app}})
	for i := range 10 {
		name := fmt.Sprint("anna ", i)
		anna := h.person(t, name)
		code := h.newApp(t, anna)
		if n := h.answersAtOnce(t, h.asked(t, name), code, code, code, code, code, code, code, code); n != 1 {
			t.Errorf("of eight right codes %d signed in", n)
		}
		recovery := h.recoveryCodes(t, anna)[0]
		if n := h.answersAtOnce(t, h.asked(t, name), recovery, recovery, recovery, recovery); n != 1 {
			t.Errorf("of four right recovery codes %d signed in", n)
		}
		h.expectLeft(t, anna, 9, true)
	}
}

// fragile is a second factor whose first verdict ends the goroutine that asked for it.
type fragile struct {
	pinModule
	broken *atomic.Bool
}

func (m fragile) Verify(ctx context.Context, userID string, challenge json.RawMessage, in flow.Input) (bool, error) {
	if m.broken.CompareAndSwap(true, false) {
		panic("the node is gone")
	}
	return m.pinModule.Verify(ctx, userID, challenge, in)
}

// A node that ends in the middle of a step leaves the login to whoever answers next: at once on the same node, after a while
// on another, which cannot know.
func TestAStepThatWasNeverFinished(t *testing.T) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		pin := fragile{newPIN("one", "1111"), new(atomic.Bool)}
		options := latchkey.Options{Modules: []latchkey.MFAModule{pin}, Pending: latchkey.NewMemoryPending()}
		gone, h := newHouseOver(t, store, options), newHouseOver(t, store, options)
		pin.users[h.person(t, "anna").ID] = true
		end := func(login latchkey.Login) {
			pin.broken.Store(true)
			defer func() { _ = recover() }()
			_, _, _ = gone.answer(login, flow.Input{"pin": "1111"})
		}
		login := gone.asked(t, "anna")
		end(login)
		began := time.Now()
		if _, result, err := gone.answer(login, flow.Input{"pin": "1111"}); err != nil || result == nil || time.Since(began) > 0 {
			t.Errorf("by the same node, after %v: %+v, %v", time.Since(began), result, err)
		}
		login = gone.asked(t, "anna")
		end(login)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		again := latchkey.LoginInput{
			ID: login.ID, ClientID: client, From: latchkey.Origin{Addr: addr}, Input: flow.Input{"pin": "1111"},
		}
		if _, _, err := h.ContinueLogin(ctx, again); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while another may be at it: %v", err)
		}
		if _, result, err := h.answer(login, flow.Input{"pin": "1111"}); err != nil || result == nil {
			t.Errorf("later: %+v, %v", result, err)
		}
	})
}

// Whoever hangs up on a step that has been judged leaves nothing behind that keeps others waiting.
func TestSomebodyHangsUpOnAStep(t *testing.T) {
	pin := hungUp{pinModule: newPIN("one", "1111"), hangUp: new(context.CancelFunc)}
	h := newHouse(t, latchkey.Options{Modules: []latchkey.MFAModule{pin}, Pending: careful{latchkey.NewMemoryPending()}})
	pin.users[h.person(t, "anna").ID] = true
	login := h.asked(t, "anna")
	ctx, cancel := context.WithCancel(t.Context())
	*pin.hangUp = cancel
	in := latchkey.LoginInput{ID: login.ID, ClientID: client, From: latchkey.Origin{Addr: addr}, Input: flow.Input{"pin": "0000"}}
	if _, result, err := h.ContinueLogin(ctx, in); err != nil {
		t.Errorf("the answer that was judged: %+v, %v", result, err)
	}
	*pin.hangUp = func() {}
	_, result, err := h.answer(login, flow.Input{"pin": "0000"})
	expectForm(t, result, err, "mfa", "invalid_code")
	if _, result, err := h.answer(login, flow.Input{"pin": "0000"}); err != nil || !aborted(result, "too_many_retry") {
		t.Errorf("after three wrong ones: %+v, %v", result, err)
	}
}

// hungUp is a second factor during whose verdict somebody hangs up.
type hungUp struct {
	pinModule
	hangUp *context.CancelFunc
}

func (m hungUp) Verify(ctx context.Context, userID string, challenge json.RawMessage, in flow.Input) (bool, error) {
	(*m.hangUp)()
	return m.pinModule.Verify(ctx, userID, challenge, in)
}

// careful does nothing for whoever has hung up, as a database would not.
type careful struct{ *latchkey.MemoryPending }

func (c careful) Replace(ctx context.Context, key string, revision int64, value []byte, lifetime time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.MemoryPending.Replace(ctx, key, revision, value, lifetime)
}
