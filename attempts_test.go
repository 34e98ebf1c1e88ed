package latchkey_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/flow"
)

// far is an address on the internet.
func far(n int) latchkey.Origin {
	return latchkey.Origin{Addr: netip.AddrFrom4([4]byte{203, 0, byte(113 + n/250), byte(1 + n%250)})}
}

// signIn tries a password once and returns the key of what is wrong with it: empty when it was right.
func (h house) signIn(t *testing.T, from latchkey.Origin, username, password string) string {
	t.Helper()
	login, _, err := h.StartLogin(t.Context(), latchkey.LoginRequest{
		Provider: h.local.Key(), ClientID: client, RedirectURI: client, Purpose: latchkey.PurposeAuthorize, From: from,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, result, err := h.ContinueLogin(t.Context(), latchkey.LoginInput{
		ID: login.ID, ClientID: client, From: from, Input: credentials(username, password),
	})
	if err != nil {
		t.Fatal(err)
	}
	if form, more := result.(flow.Form); more {
		return form.Errors["base"]
	}
	return ""
}

// wrong gives wrong passwords, each of which has to be looked at.
func (h house) wrong(t *testing.T, times int, from latchkey.Origin, username string) {
	t.Helper()
	for i := range times {
		if got := h.signIn(t, from, username, "wrong"); got != "invalid_auth" {
			t.Fatalf("wrong password %d of %s: %q", i+1, username, got)
		}
	}
}

// inTime runs a test in a house with a clock of its own.
func inTime(t *testing.T, test func(*testing.T, house)) {
	store := openStore(t)
	synctest.Test(t, func(t *testing.T) { test(t, newHouseOver(t, store, latchkey.Options{})) })
}

const tooMany = "too_many_attempts"

// spec: security.md 9 and 10, W10: delays by account, whatever the address; not locks.
func TestStrangersWaitTogetherForAnAccount(t *testing.T) {
	inTime(t, func(t *testing.T, h house) {
		h.person(t, "anna")
		for n := range 5 {
			h.wrong(t, 1, far(n), "anna")
		}
		if got := h.signIn(t, far(9), "anna", password); got != tooMany {
			t.Errorf("the right password within the delay: %q", got)
		}
		time.Sleep(time.Second)
		h.wrong(t, 1, far(10), "anna")
		time.Sleep(time.Second)
		if got := h.signIn(t, far(9), "anna", password); got != tooMany {
			t.Errorf("the delay did not double: %q", got)
		}
		time.Sleep(time.Second)
		if got := h.signIn(t, far(9), "anna", password); got != "" {
			t.Errorf("after the delay: %q", got)
		}
		h.wrong(t, 5, far(11), "anna") // the row was broken
	})
}

// spec: security.md 9: a hundred failures in a row, and then hardly any more; nobody is locked out for ever.
func TestAHundredFailuresInARow(t *testing.T) {
	inTime(t, func(t *testing.T, h house) {
		h.person(t, "anna")
		for n := range 100 {
			h.wrong(t, 1, far(n), "anna")
			time.Sleep(15 * time.Minute)
		}
		if got := h.signIn(t, far(0), "anna", password); got != tooMany {
			t.Errorf("a quarter of an hour after the hundredth: %q", got)
		}
		time.Sleep(24 * time.Hour)
		if got := h.signIn(t, far(0), "anna", password); got != "" {
			t.Errorf("a day later: %q", got)
		}
	})
}

// spec: security.md 9: "john, JOHN and their Unicode folds share one counter"; 8: unknown names look the same.
func TestNamesThatFoldAlikeAreOneAccount(t *testing.T) {
	inTime(t, func(t *testing.T, h house) {
		for _, name := range []string{"finn", "FINN", " Finn ", "ﬁnn", "ＦＩＮＮ"} {
			h.wrong(t, 1, far(1), name)
		}
		if got := h.signIn(t, far(2), "finn", "wrong"); got != tooMany {
			t.Errorf("after five forms of one unknown name: %q", got)
		}
		h.wrong(t, 1, far(2), "fritz")
	})
}

// spec: security.md 9: a directory that a command asks takes all of these for one name.
func TestWhatNobodySeesInANameMakesNoOtherAccount(t *testing.T) {
	inTime(t, func(t *testing.T, h house) {
		for _, name := range []string{"finn", "fi\u00adnn", "finn\u200b", "\u2060finn", "fi\ufe0fnn"} {
			h.wrong(t, 1, far(1), name)
		}
		if got := h.signIn(t, far(2), "\u3164finn\U000e0100", "wrong"); got != tooMany {
			t.Errorf("after five forms of one name: %q", got)
		}
	})
}

// heavy is a store in which it takes a while to find the tokens of somebody.
type heavy struct{ latchkey.Store }

func (s heavy) RefreshTokens(ctx context.Context, userID string) ([]latchkey.RefreshToken, error) {
	time.Sleep(20 * time.Millisecond)
	return s.Store.RefreshTokens(ctx, userID)
}

// spec: security.md 8: unknown user and wrong password take the same time, also while there are too many attempts.
func TestTheTimeOfARefusalDoesNotTellWhichAccountsThereAre(t *testing.T) {
	store := heavy{openStore(t)}
	synctest.Test(t, func(t *testing.T) {
		h := newHouseOver(t, store, latchkey.Options{})
		h.person(t, "anna")
		took := map[string]time.Duration{}
		for _, name := range []string{"anna", "nobody"} {
			h.wrong(t, 5, far(1), name)
			start := time.Now()
			if got := h.signIn(t, far(2), name, password); got != tooMany {
				t.Errorf("%s: %q", name, got)
			}
			took[name] = time.Since(start)
		}
		if took["anna"] != took["nobody"] {
			t.Errorf("refused after %v", took)
		}
	})
}

// spec: security.md 10: a known device goes first.
func TestAKnownAddressIsNotLockedOut(t *testing.T) {
	inTime(t, func(t *testing.T, h house) {
		home := far(42)
		token := h.token(t, h.person(t, "anna"))
		if _, err := h.CreateAccessToken(t.Context(), token.ID, home.Addr); err != nil {
			t.Fatal(err)
		}
		for n := range 5 {
			h.wrong(t, 1, far(n), "anna")
		}
		if got := h.signIn(t, home, "anna", password); got != "" {
			t.Errorf("from where anna is signed in: %q", got)
		}
		if got := h.signIn(t, far(7), "anna", password); got != tooMany {
			t.Errorf("strangers, afterwards: %q", got)
		}
		for range 20 { // strangers at a known address do not guess for ever either
			h.wrong(t, 1, home, "anna")
		}
		if got := h.signIn(t, home, "anna", password); got != tooMany {
			t.Errorf("after twenty failures from a known address: %q", got)
		}
	})
}

// spec: client-js.md §7: fifteen failures from loopback within seconds; security.md W10.
func TestThisMachineIsNotSlowedToAHalt(t *testing.T) {
	inTime(t, func(t *testing.T, h house) {
		here := latchkey.Origin{Addr: netip.MustParseAddr("::1")}
		h.person(t, "anna")
		for n := range 5 {
			h.wrong(t, 1, far(n), "anna")
		}
		h.wrong(t, 15, here, "anna")
		if got := h.signIn(t, here, "anna", password); got != "" {
			t.Errorf("the right password: %q", got)
		}
		proxied := here
		proxied.Proxied, proxied.AtProxy = true, true
		h.wrong(t, 5, proxied, "ben")
		if got := h.signIn(t, proxied, "ben", password); got != tooMany {
			t.Errorf("through a proxy that does not say for whom: %q", got)
		}
	})
}

// spec: security.md 9: counted by account and by address.
func TestAnAddressWaitsWhateverTheAccount(t *testing.T) {
	inTime(t, func(t *testing.T, h house) {
		network := func(host byte) latchkey.Origin {
			a := netip.MustParseAddr("2001:db8:1:2::").As16()
			a[15] = host
			return latchkey.Origin{Addr: netip.AddrFrom16(a)}
		}
		h.person(t, "anna")
		for n := range 20 {
			h.wrong(t, 1, network(byte(n)), fmt.Sprint("name", n))
			if n%4 == 0 { // an account of one's own gives no further tries
				if got := h.signIn(t, network(1), "anna", password); got != "" {
					t.Fatalf("anna meanwhile: %q", got)
				}
			}
		}
		if got := h.signIn(t, network(99), "another", password); got != tooMany {
			t.Errorf("the 21st from one network: %q", got)
		}
		if got := h.signIn(t, far(1), "anna", password); got != "" {
			t.Errorf("from elsewhere: %q", got)
		}
		time.Sleep(time.Second)
		h.wrong(t, 1, network(99), "another")
	})
}

// spec: security.md 9: tries at once are no more than tries one after another.
func TestTriesAtOnceAreCountedBeforeTheyAreJudged(t *testing.T) {
	inTime(t, func(t *testing.T, h house) {
		var judged, refused atomic.Int32
		var all sync.WaitGroup
		for n := range 50 {
			all.Go(func() {
				err := h.TryPassword(t.Context(), h.local.Key(), "anna", far(n), func() error {
					judged.Add(1)
					return latchkey.ErrInvalidAuth
				})
				var wait *latchkey.TooManyAttempts
				if errors.As(err, &wait) && wait.Wait > 0 && errors.Is(err, latchkey.ErrTooManyAttempts) {
					refused.Add(1)
				}
			})
		}
		all.Wait()
		if judged.Load() != 5 || refused.Load() != 45 {
			t.Errorf("%d were judged and %d refused, want 5 and 45", judged.Load(), refused.Load())
		}
	})
}

// A failure of the house is not one of the person.
func TestWhatCouldNotBeJudgedDoesNotCount(t *testing.T) {
	inTime(t, func(t *testing.T, h house) {
		broken := errors.New("disk on fire")
		for range 30 {
			err := h.TryPassword(t.Context(), h.local.Key(), "anna", far(1), func() error { return broken })
			if !errors.Is(err, broken) {
				t.Fatal(err)
			}
		}
		h.wrong(t, 5, far(1), "anna")
	})
}
