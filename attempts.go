package latchkey

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// ErrTooManyAttempts: too many wrong passwords were given for an account or from an address, and the delay that follows
// has not passed (security.md 9 and 10). The error is a [*TooManyAttempts], which says how much is left.
var ErrTooManyAttempts = &Error{ErrDenied, "Too many failed attempts"}

// TooManyAttempts refuses a password without looking at it.
type TooManyAttempts struct {
	// Wait is how long it takes until a password is looked at again.
	Wait time.Duration
}

// Error returns the text of [ErrTooManyAttempts].
func (e *TooManyAttempts) Error() string { return ErrTooManyAttempts.Text }

// Unwrap returns [ErrTooManyAttempts].
func (e *TooManyAttempts) Unwrap() error { return ErrTooManyAttempts }

// schedule says how failures in a row slow down whoever makes them. The first free ones cost nothing; from then on each
// is followed by a delay that begins with a second and doubles up to the longest.
type schedule struct {
	free    int
	longest time.Duration
	// exhausted is the delay once there were a hundred, which is what NIST SP 800-63B allows in a row.
	exhausted time.Duration
}

const mostFailures = 100

func (s schedule) delay(failures int) time.Duration {
	switch over := failures - s.free; {
	case over < 0:
		return 0
	case failures >= mostFailures:
		return s.exhausted
	case over >= 20: // 2^20 s exceed the longest delay, whichever it is
		return s.longest
	default:
		return min(time.Second<<over, s.longest)
	}
}

// The schedules. Strangers share one count for each account, wherever they are, so that many addresses do not give many
// tries. This machine, and addresses from which the account was used before, have counts of their own, so that
// strangers cannot lock out who lives here; and programs that try themselves out on this machine are not held up.
func forStrangers() schedule {
	return schedule{free: 5, longest: 15 * time.Minute, exhausted: 24 * time.Hour}
}

func forKnown() schedule {
	return schedule{free: 20, longest: 30 * time.Second, exhausted: 15 * time.Minute}
}

func forAddress() schedule {
	return schedule{free: 20, longest: 5 * time.Minute, exhausted: 15 * time.Minute}
}

// tallyLifetime is how long failures are remembered after the last of them.
const tallyLifetime = 7 * 24 * time.Hour

// tally counts failures in a row.
type tally struct {
	Failures int       `json:"failures"`
	Last     time.Time `json:"last"`
}

// tallies keeps the counts. A try is counted before it is judged and taken back if it was right: of many tries at once
// only as many get through as of tries one after another.
type tallies struct{ pending }

// count counts a try, or returns how long to wait until there may be one.
func (t tallies) count(ctx context.Context, key string, s schedule) (wait time.Duration, err error) {
	err = t.change(ctx, key, func(n tally) (tally, bool) {
		now := time.Now()
		// A clock that was set back must not make the delay any longer.
		if wait = min(n.Last.Add(s.delay(n.Failures)).Sub(now), s.delay(n.Failures)); wait > 0 {
			return n, false
		}
		wait = 0
		return tally{Failures: n.Failures + 1, Last: now}, true
	})
	return wait, err
}

// takeBack uncounts a try that was no failure.
func (t tallies) takeBack(ctx context.Context, key string) error {
	return t.change(ctx, key, func(n tally) (tally, bool) {
		n.Failures--
		return n, n.Failures >= 0
	})
}

// forget ends a row of failures.
func (t tallies) forget(ctx context.Context, key string) error {
	if _, err := t.Take(ctx, key); !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}

// change replaces a count by what fn makes of it, unless that is false. Several that change one count at once take
// turns: each time, one of them gets on.
func (t tallies) change(ctx context.Context, key string, fn func(tally) (tally, bool)) error {
	for {
		err := t.changeOnce(ctx, key, fn)
		lost := errors.Is(err, ErrConflict) || errors.Is(err, ErrExists) || errors.Is(err, ErrNotFound)
		if !lost {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func (t tallies) changeOnce(ctx context.Context, key string, fn func(tally) (tally, bool)) error {
	var n tally
	value, revision, err := t.Get(ctx, key)
	found := !errors.Is(err, ErrNotFound)
	if found {
		if err != nil {
			return err
		}
		if err := json.Unmarshal(value, &n); err != nil {
			return err
		}
	}
	n, changed := fn(n)
	if !changed {
		return nil
	}
	if !found {
		return t.put(ctx, key, n, tallyLifetime)
	}
	if value, err = json.Marshal(n); err != nil {
		return err
	}
	return t.Replace(ctx, key, revision, value, tallyLifetime)
}

// FailureCounter counts failures in a row, by keys. It is for a wire that keeps count of more than passwords.
type FailureCounter struct {
	tallies tallies
	prefix  string
}

// NewFailureCounter returns a counter that keeps its counts in p under a name of its own; nil keeps them in memory.
func NewFailureCounter(p PendingStore, name string) *FailureCounter {
	if p == nil {
		p = NewMemoryPending()
	}
	return &FailureCounter{tallies{pending{p}}, name + "/"}
}

// Add counts one more failure under the key and returns how many there are. They are forgotten a week after the last.
func (c *FailureCounter) Add(ctx context.Context, key string) (n int, err error) {
	err = c.tallies.change(ctx, c.prefix+key, func(t tally) (tally, bool) {
		n = t.Failures + 1
		return tally{Failures: n, Last: time.Now()}, true
	})
	return n, err
}

// Reset ends the row of failures under the key.
func (c *FailureCounter) Reset(ctx context.Context, key string) error {
	return c.tallies.forget(ctx, c.prefix+key)
}

// TryPassword runs check, which judges a password for an account, unless wrong ones have to be waited for: then it is a
// [*TooManyAttempts], whether or not there is such an account. An error of check is returned as it is; [ErrInvalidAuth]
// counts as a wrong password. Failures count for the account, whatever the case of its name, and for the address.
func (m *Manager) TryPassword(
	ctx context.Context, p ProviderKey, username string, from Origin, check func() error,
) error {
	account, err := m.countForAccount(ctx, p, username, from)
	if err != nil {
		return err
	}
	address := addressKey(from)
	if address != "" {
		wait, err := m.tallies.count(ctx, address, forAddress())
		if wait > 0 {
			err = &TooManyAttempts{wait}
		}
		if err != nil {
			return errors.Join(err, m.tallies.takeBack(ctx, account))
		}
	}
	checked := check()
	if errors.Is(checked, ErrInvalidAuth) {
		return checked
	}
	ctx = context.WithoutCancel(ctx) // what was no failure does not stay one because somebody hung up
	settle := m.tallies.takeBack
	if checked == nil {
		settle = m.tallies.forget
	}
	err = settle(ctx, account)
	if address != "" {
		// Not forgotten: somebody with an account would have as many tries at the others' as they like.
		err = errors.Join(err, m.tallies.takeBack(ctx, address))
	}
	return errors.Join(checked, err)
}

// countForAccount counts a try at an account and returns where it was counted.
func (m *Manager) countForAccount(ctx context.Context, p ProviderKey, username string, from Origin) (key string, err error) {
	key = accountKey(p, username)
	if from.ThisMachine() {
		key += "/here"
		wait, err := m.tallies.count(ctx, key, forKnown())
		return key, tooMany(wait, err)
	}
	wait, err := m.tallies.count(ctx, key, forStrangers())
	if err != nil || wait == 0 {
		return key, err
	}
	refused := time.NewTimer(refusalTakes)
	defer refused.Stop()
	known, err := m.usedFrom(ctx, p, username, from)
	if err == nil && !known {
		select {
		case <-refused.C:
		case <-ctx.Done():
		}
	}
	if err != nil || !known {
		return key, tooMany(wait, err)
	}
	key += "/" + from.Addr.String()
	wait, err = m.tallies.count(ctx, key, forKnown())
	return key, tooMany(wait, err)
}

// refusalTakes is how long it takes to refuse a stranger. Whether the account is used from somewhere is looked for
// meanwhile, which takes longer the more there is of it: nobody is to learn from the time which accounts there are
// (security.md 8).
const refusalTakes = 100 * time.Millisecond

func tooMany(wait time.Duration, err error) error {
	if err == nil && wait > 0 {
		return &TooManyAttempts{wait}
	}
	return err
}

// usedFrom reports whether somebody is signed in to the account from this very address: a known device goes first
// (security.md 10).
func (m *Manager) usedFrom(ctx context.Context, p ProviderKey, username string, from Origin) (bool, error) {
	if from.Shared() {
		return false, nil
	}
	held, err := m.store.CredentialsBySubject(ctx, p, username)
	if err != nil {
		return false, err
	}
	for _, c := range held {
		tokens, err := m.store.RefreshTokens(ctx, c.UserID)
		if err != nil {
			return false, err
		}
		for _, t := range tokens {
			if last, err := netip.ParseAddr(t.LastUsedIP); err == nil && last == from.Addr {
				return true, nil
			}
		}
	}
	return false, nil
}

// accountKey is the key of an account's count. Names that look the same are one account (CVE-2026-47203): what a provider
// asks, such as a directory, may take them for one, so characters that nobody sees do not make another. It is a hash, since
// people now and then type their password where the name belongs.
func accountKey(p ProviderKey, username string) string {
	name := norm.NFKC.String(strings.Map(visible, NormalizeUsername(username)))
	hash := sha256.Sum256([]byte(p.String() + "\x00" + NormalizeUsername(name)))
	return "attempts/account/" + base64.RawURLEncoding.EncodeToString(hash[:])
}

// visible leaves out the characters that Unicode shows nothing for, such as the soft hyphen and the zero-width space.
func visible(r rune) rune {
	if unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
		return -1
	}
	return r
}

// addressKey is the key of an address's count; empty for an address that says nothing about who it is. An IPv6 network
// of 64 bits is one household.
func addressKey(from Origin) string {
	if from.Shared() {
		return ""
	}
	addr := from.Addr.Unmap().WithZone("")
	if addr.Is6() {
		return "attempts/address/" + netip.PrefixFrom(addr, 64).Masked().String()
	}
	return "attempts/address/" + addr.String()
}
