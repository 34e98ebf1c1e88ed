package config_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/provider/homeassistant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// in returns the default configuration with the store in a folder.
func in(dir string) config.Config {
	c := config.Default()
	c.Store.Path = filepath.Join(dir, "latchkey.db")
	return c
}

func open(t *testing.T, c config.Config) *config.Running {
	t.Helper()
	r, err := config.Open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func closed(t *testing.T, r *config.Running) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// spec: manager.md §1, the default providers.
func TestWhatIsOpenedSignsInWithPasswords(t *testing.T) {
	r := open(t, in(t.TempDir()))
	defer closed(t, r)
	providers := r.Manager.Providers()
	if len(providers) != 1 || providers[0].Key() != (latchkey.ProviderKey{Type: homeassistant.Type}) {
		t.Errorf("the providers are %v", providers)
	}
	if providers[0] != latchkey.Provider(r.Passwords) {
		t.Error("Passwords is not the manager's provider")
	}
}

func TestWhatIsWrittenIsThereWhenItIsOpenedAgain(t *testing.T) {
	c := in(t.TempDir())
	r := open(t, c)
	made, err := r.Manager.CreateUser(t.Context(), latchkey.NewUser{Name: latchkey.Text("Anna")})
	if err != nil {
		t.Fatal(err)
	}
	closed(t, r)
	c.MustExist = true
	r = open(t, c)
	defer closed(t, r)
	if got, err := r.Manager.User(t.Context(), made.ID); err != nil || got.Name != latchkey.Text("Anna") {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAStoreThatMustExistIsNotMade(t *testing.T) {
	dir := t.TempDir()
	c := in(dir)
	c.MustExist = true
	_, err := config.Open(t.Context(), c, slog.New(slog.DiscardHandler))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), c.Store.Path) {
		t.Errorf("got %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("the folder holds %v, %v", files, err)
	}
}

func TestASealKeyIsUsedInPlaceOfAFile(t *testing.T) {
	dir := t.TempDir()
	c := in(dir)
	key := strings.Repeat("0123456789abcdef", 4)
	if err := c.Environment(environment(map[string]string{"LATCHKEY_SEAL_KEY": key})); err != nil {
		t.Fatal(err)
	}
	closed(t, open(t, c))
	if _, err := os.Stat(filepath.Join(dir, "latchkey.key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a key file: %v", err)
	}
	closed(t, open(t, c))

	c.SealKey = latchkey.Secret(strings.Repeat("x", 32))
	if r, err := config.Open(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil {
		closed(t, r)
		t.Error("the key of another house opened the store")
	} else if strings.Contains(err.Error(), "xxxx") {
		t.Errorf("the error shows the key: %v", err)
	}
}

func TestAnUnknownKindOfStoreIsNotOpened(t *testing.T) {
	c := config.Default()
	c.Store = config.StoreAddress{Scheme: "clay", Path: t.TempDir()}
	if r, err := config.Open(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil {
		closed(t, r)
		t.Error("it was opened")
	}
}
