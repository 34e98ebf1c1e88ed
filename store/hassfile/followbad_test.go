package hassfile

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// Whatever becomes of a file, what Home Assistant says in the others counts: a token that it revoked is revoked.
func TestAFileThatCannotBeReadHidesNoOther(t *testing.T) {
	ctx := t.Context()
	for name, spoil := range map[string]func(dir string) error{
		"second factors that are gone": func(dir string) error { return os.Remove(filepath.Join(dir, totpFile)) },
		"second factors cut off": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, totpFile), []byte(`{"version": 1,`), 0o600)
		},
		"passwords that are gone": func(dir string) error { return os.Remove(filepath.Join(dir, passwordFile)) },
		"the set-up of a newer version": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, onboardingFile), []byte(`{"version": 5, "data": {"steps": []}}`), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, m, dir := followed(t)
			access, err := m.CreateAccessToken(ctx, adaToken, netip.MustParseAddr("192.168.1.9"))
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
			<-time.After(3 * followEvery) // long enough to have noticed
			theyWrite(t, dir, authFile, `"id": "`+adaToken+`"`, `"id": "another"`)
			soon(t, "the revoked token is refused", func() bool {
				_, err := m.ValidateAccessToken(ctx, access)
				return errors.Is(err, latchkey.ErrInvalidAccessToken)
			})
			if factors, err := f.ModulesOf(ctx, adaID); err != nil || !slices.Equal(factors, []string{"notify", "totp"}) {
				t.Errorf("a second factor counts no more: %v, %v", factors, err)
			}
			if held, err := f.Passwords(ctx, "ada"); err != nil || len(held) != 1 {
				t.Errorf("passwords: %v, %v", held, err)
			}
		})
	}
}

// What was cut off counts as it was before, until it is whole again.
func TestAFileThatIsMendedIsRead(t *testing.T) {
	f, _, dir := followed(t)
	whole := text(t, dir, totpFile)
	write(t, dir, totpFile, whole[:len(whole)/2])
	<-time.After(3 * followEvery) // long enough to have noticed
	if factors, err := f.ModulesOf(t.Context(), adaID); err != nil || !slices.Contains(factors, "totp") {
		t.Errorf("meanwhile she has %v, %v", factors, err)
	}
	write(t, dir, totpFile, `{"version": 1, "data": {"users": {}}}`)
	soon(t, "the second factor is gone", func() bool {
		factors, err := f.ModulesOf(t.Context(), adaID)
		return err == nil && !slices.Contains(factors, "totp")
	})
}
