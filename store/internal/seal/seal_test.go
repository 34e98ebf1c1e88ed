package seal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/seed-6a977b3d/latchkey/store/internal/seal"
)

func newBox(t *testing.T, key []byte) *seal.Box {
	t.Helper()
	box, err := seal.New(key)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func sealed(t *testing.T, box *seal.Box, secret, place string) []byte {
	t.Helper()
	b, err := box.Seal([]byte(secret), place)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOpensWhatItSealed(t *testing.T) {
	box := newBox(t, seal.NewKey())
	for _, secret := range []string{"", "x", "\x00\xff", strings.Repeat("long", 10_000)} {
		b := sealed(t, box, secret, "a/place")
		if got, err := box.Open(b, "a/place"); err != nil || string(got) != secret {
			t.Errorf("opened %d bytes, %v; want %d", len(got), err, len(secret))
		}
		if len(secret) > 2 && bytes.Contains(b, []byte(secret)) {
			t.Error("the secret is readable")
		}
	}
}

func TestSealsDifferentlyEachTime(t *testing.T) {
	box := newBox(t, seal.NewKey())
	if bytes.Equal(sealed(t, box, "secret", "p"), sealed(t, box, "secret", "p")) {
		t.Error("two seals of one secret are equal")
	}
}

func TestRefusesToOpen(t *testing.T) {
	box := newBox(t, seal.NewKey())
	good := sealed(t, box, "secret", "a/place")
	refuses := func(name string, box *seal.Box, b []byte, place string) {
		t.Helper()
		if got, err := box.Open(b, place); !errors.Is(err, seal.ErrWrongKey) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	refuses("another key", newBox(t, seal.NewKey()), good, "a/place")
	refuses("another place", box, good, "a/plac")
	refuses("no place", box, good, "")
	for i := range good {
		changed := bytes.Clone(good)
		changed[i] ^= 1
		refuses("a changed byte", box, changed, "a/place")
		refuses("a part", box, good[:i], "a/place")
	}
	refuses("more", box, append(bytes.Clone(good), 0), "a/place")
}

func TestRefusesKeysOfAnotherSize(t *testing.T) {
	for _, size := range []int{0, 16, 31, 33, 64} {
		if _, err := seal.New(make([]byte, size)); err == nil {
			t.Errorf("took a key of %d bytes", size)
		}
	}
}

func TestCreatesAPrivateKeyFileOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "house.key")
	if _, err := seal.ReadFile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading no file: %v", err)
	}
	keys := make([][]byte, 8)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			var err error
			if keys[i], err = seal.CreateFile(path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	read, err := seal.ReadFile(path)
	if err != nil || len(read) != seal.KeySize {
		t.Fatalf("key of %d bytes, %v", len(read), err)
	}
	for _, key := range keys {
		if !bytes.Equal(key, read) {
			t.Error("those who created it at the same time do not agree")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("something was left behind: %v", entries)
	}
}

func TestRefusesKeyFiles(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(seal.NewKey())
	for name, row := range map[string]struct {
		text string
		mode fs.FileMode
		want string
	}{
		"that the group may read": {good, 0o640, "chmod 600"},
		"that anybody may read":   {good, 0o604, "chmod 600"},
		"that anybody may write":  {good, 0o602, "chmod 600"},
		"that are empty":          {"", 0o600, "restore the key file or set LATCHKEY_SEAL_KEY"},
		"that are cut off":        {good[:40], 0o600, "restore the key file"},
		"that are too long":       {good + good, 0o600, "restore the key file"},
		"that hold something":     {"secret text", 0o600, "restore the key file"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "house.key")
			if err := os.WriteFile(path, []byte(row.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, row.mode); err != nil {
				t.Fatal(err)
			}
			for _, read := range []func(string) ([]byte, error){seal.ReadFile, seal.CreateFile} {
				key, err := read(path)
				if key != nil || err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), path) {
					t.Errorf("error = %v", err)
				} else if row.text != "" && strings.Contains(err.Error(), row.text) {
					t.Error("the error shows what is in the file")
				}
			}
		})
	}
}

func TestCreatingWhereNothingCanBe(t *testing.T) {
	if key, err := seal.CreateFile(filepath.Join(t.TempDir(), "no", "house.key")); err == nil || key != nil {
		t.Errorf("created a key in a folder that does not exist: %v", err)
	}
}
