package latchkey

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/seed-6a977b3d/latchkey/flow"
)

// RecoveryModule is the id under which stores keep the hashes of recovery codes. No second factor may have it.
const RecoveryModule = "recovery"

const (
	recoveryCount = 10
	recoveryBytes = 10 // 80 bits, so that a plain hash is of no use to whoever reads it
)

// recoveryAlphabet writes codes in Crockford's base 32, which has no letters that are mistaken for digits, or a v for a u.
func recoveryAlphabet() *base32.Encoding {
	return base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)
}

// forRecovery is how guesses at one user's recovery codes slow down, in whatever logins they are made (security.md 14).
func forRecovery() schedule {
	return schedule{free: 10, longest: 15 * time.Minute, exhausted: 15 * time.Minute}
}

// ErrNoSecondFactor: recovery codes stand in for a second factor, and the user has none.
var ErrNoSecondFactor = &Error{ErrState, "Recovery codes stand in for a second factor: set one up first"}

// recoveryCodes is what is kept of a user's codes. Those that were spent stay, so that a copy of the house does not bring
// them back.
type recoveryCodes struct {
	Hashes [][]byte `json:"hashes"`
	Spent  []int    `json:"spent,omitempty"` // by their place among the hashes
}

func (c recoveryCodes) left() int { return len(c.Hashes) - len(c.Spent) }

// spend reports whether one of the codes that were typed is one of these, and uses it up. All are compared with all, so
// that the time that it takes tells nothing of them.
func (c *recoveryCodes) spend(typed [][sha256.Size]byte) bool {
	found := -1
	for i, hash := range c.Hashes {
		for _, t := range typed {
			if subtle.ConstantTimeCompare(hash, t[:]) == 1 {
				found = i
			}
		}
	}
	if found < 0 || slices.Contains(c.Spent, found) {
		return false
	}
	c.Spent = append(c.Spent, found)
	return true
}

// readRecoveryCodes returns a user's codes, or [ErrNotFound] when none were made.
func readRecoveryCodes(ctx context.Context, r Reader, userID string) (recoveryCodes, error) {
	var codes recoveryCodes
	data, err := r.ModuleData(ctx, RecoveryModule, userID)
	if err != nil {
		return codes, err
	}
	if err := json.Unmarshal(data, &codes); err != nil {
		return recoveryCodes{}, fmt.Errorf("read the recovery codes of user %s: make new ones: %w", userID, err)
	}
	return codes, nil
}

func (c recoveryCodes) put(ctx context.Context, tx Tx, userID string) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return tx.PutModuleData(ctx, RecoveryModule, userID, data)
}

// CreateRecoveryCodes returns ten new codes, such as 4k7w-09ag-zq3t-x8mn, each of which stands in for a second factor once
// (security.md 17). They are known from here alone: only hashes are kept. Those made before are void. A user without a
// second factor is [ErrNoSecondFactor], and one made by the system another error of kind [ErrState].
func (m *Manager) CreateRecoveryCodes(ctx context.Context, userID string) ([]string, error) {
	u, err := m.User(ctx, userID)
	if err != nil {
		return nil, err
	}
	if u.SystemGenerated {
		return nil, refuse(ErrState, "System generated users have no second factor, and so no recovery codes")
	}
	enabled, err := m.EnabledModules(ctx, userID)
	if err != nil {
		return nil, err
	}
	if len(enabled) == 0 {
		return nil, ErrNoSecondFactor
	}
	var shown []string
	var kept recoveryCodes
	for range recoveryCount {
		code := newRecoveryCode()
		hash := Secret(code).Hash()
		shown, kept.Hashes = append(shown, grouped(code)), append(kept.Hashes, hash[:])
	}
	return shown, m.store.Update(ctx, func(tx Tx) error { return kept.put(ctx, tx, userID) })
}

func newRecoveryCode() string {
	var b [recoveryBytes]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails: it ends the program instead
	return recoveryAlphabet().EncodeToString(b[:])
}

// grouped writes a code in groups of four.
func grouped(code string) string {
	return code[:4] + "-" + code[4:8] + "-" + code[8:12] + "-" + code[12:]
}

// parseRecoveryCode returns the code that a person typed, and whether it has the form of one. Case, blanks and dashes do
// not matter, and neither does a letter that was read for a digit.
func parseRecoveryCode(typed string) (code string, ok bool) {
	const longest = 200 // bytes; nobody types that much
	if len(typed) > longest {
		return "", false
	}
	code = strings.Map(func(r rune) rune {
		switch r = unicode.ToLower(r); {
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r):
			return -1
		case r == 'o':
			return '0'
		case r == 'i', r == 'l':
			return '1'
		}
		return r
	}, norm.NFKC.String(typed))
	b, err := recoveryAlphabet().DecodeString(code)
	return code, err == nil && len(b) == recoveryBytes
}

// RecoveryCodesLeft returns how many of a user's recovery codes were not used yet, and whether any were made.
func (m *Manager) RecoveryCodesLeft(ctx context.Context, userID string) (left int, made bool, err error) {
	codes, err := readRecoveryCodes(ctx, m.store, userID)
	if errors.Is(err, ErrNotFound) {
		return 0, false, nil
	}
	return codes.left(), err == nil, err
}

// tryRecoveryCode reports whether a text of a form is one of the user's recovery codes, and uses it up. What has not the
// form of one is no try. After ten wrong ones in a row, in whatever logins, others are refused unseen for a while, a
// second at first and up to a quarter of an hour.
func (m *Manager) tryRecoveryCode(ctx context.Context, userID string, form flow.Schema, in flow.Input) (bool, error) {
	var typed [][sha256.Size]byte
	for _, field := range form {
		if code, ok := parseRecoveryCode(in.Text(field.Name)); ok {
			typed = append(typed, Secret(code).Hash())
		}
	}
	if len(typed) == 0 {
		return false, nil
	}
	tries := "attempts/recovery/" + userID
	if wait, err := m.tallies.count(ctx, tries, forRecovery()); err != nil || wait > 0 {
		return false, err
	}
	left, right, err := m.spendRecoveryCode(ctx, userID, typed)
	ctx = context.WithoutCancel(ctx) // what is done stays done although somebody hung up
	switch {
	case err != nil:
		return false, errors.Join(err, m.tallies.takeBack(ctx, tries))
	case !right:
		return false, nil
	}
	m.log.Info("a recovery code was used in place of a second factor", "user_id", userID, "left", left)
	return true, m.tallies.forget(ctx, tries)
}

// spendRecoveryCode is one transaction, so that of several logins with one code one succeeds.
func (m *Manager) spendRecoveryCode(
	ctx context.Context, userID string, typed [][sha256.Size]byte,
) (left int, right bool, err error) {
	err = m.store.Update(ctx, func(tx Tx) error {
		right = false
		codes, err := readRecoveryCodes(ctx, tx, userID)
		if err != nil {
			return err
		}
		if right = codes.spend(typed); !right {
			return nil
		}
		left = codes.left()
		return codes.put(ctx, tx, userID)
	})
	if errors.Is(err, ErrNotFound) {
		return 0, false, nil
	}
	return left, right, err
}

// removeRecoveryCodes makes the codes of a user void, who may have none.
func (m *Manager) removeRecoveryCodes(ctx context.Context, userID string) error {
	err := m.store.Update(ctx, func(tx Tx) error { return tx.DeleteModuleData(ctx, RecoveryModule, userID) })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
