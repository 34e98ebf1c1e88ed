package sqlite_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// insertToken inserts a refresh token of a user of its own.
func insertToken(t testing.TB, s *sqlite.Store) latchkey.RefreshToken {
	t.Helper()
	u := latchkey.User{ID: latchkey.NewID(), IsActive: true}
	n := latchkey.RefreshToken{
		ID: latchkey.NewID(), UserID: u.ID, Type: latchkey.TokenNormal, ClientID: latchkey.Text("https://app.example/"),
		AccessTokenExpiration: latchkey.AccessTokenExpiration, Secret: latchkey.NewSecret(), JWTKey: latchkey.NewSecret(),
	}
	err := s.Update(t.Context(), func(tx latchkey.Tx) error {
		if err := tx.InsertUser(t.Context(), u); err != nil {
			return err
		}
		return tx.InsertRefreshToken(t.Context(), n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// spec: design.md, "Secrets at rest are useless alone": no file beside the key holds a secret that can be used.
func TestNoSecretIsInTheFiles(t *testing.T) {
	path, keyFile := paths(t)
	s := open(t, path)
	ctx := t.Context()
	n := insertToken(t, s)
	data := []byte("\x00JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\xff")
	err := s.Update(ctx, func(tx latchkey.Tx) error { return tx.PutModuleData(ctx, "totp", n.UserID, data) })
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.ModuleData(ctx, "totp", n.UserID); err != nil || !bytes.Equal(got, data) {
		t.Errorf("module data = %q, %v", got, err)
	}
	half := n.Secret.Reveal()[:64]
	raw, err := hex.DecodeString(n.Secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string][]byte{
		"the token's secret": []byte(half), "the token's secret as bytes": raw[:16],
		"the signing key": []byte(n.JWTKey.Reveal()[:64]), "the module's data": data[1:20], "the seal key": read(t, keyFile)[:32],
	}
	search := func(when string) {
		files, err := filepath.Glob(path + "*")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		found := false
		for _, file := range files {
			content := read(t, file)
			found = found || bytes.Contains(content, []byte(n.ID))
			for what, secret := range secrets {
				if bytes.Contains(content, secret) {
					t.Errorf("%s, %s holds %s", when, filepath.Base(file), what)
				}
			}
		}
		if !found {
			t.Errorf("%s, not even the token's id was found: nothing was searched", when)
		}
	}
	search("while it is open")
	closed(t, s)
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Error("closing left the log behind")
	}
	search("when it is closed")
}
