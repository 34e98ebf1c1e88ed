package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// StoreAddress says where the data is kept.
type StoreAddress struct {
	// Scheme is the kind of store.
	Scheme string
	// Path is what the kind makes of it: for sqlite the path of the database file, for hass that of the folder.
	Path string
	// Follow only reads a folder of a Home Assistant that runs, and keeps what begins here in Sessions, an SQLite file;
	// empty for [SessionsFile] in the folder of the configuration.
	Follow   bool
	Sessions string
}

// HasBans reports whether the store itself keeps the list of banned addresses; otherwise it is the ban file.
func (a StoreAddress) HasBans() bool { return strings.HasPrefix(a.Scheme, "postgres") }

// SessionsFile is where sessions are kept beside a Home Assistant that is followed, unless the address says otherwise.
const SessionsFile = "latchkey-sessions.db"

// String returns the address as it is written, without what is secret in it.
func (a StoreAddress) String() string {
	if strings.HasPrefix(a.Scheme, "postgres") {
		return withoutSecrets(a.Scheme + ":" + a.Path)
	}
	if a.Follow {
		return a.Scheme + ":" + a.Path + "?mode=follow"
	}
	return a.Scheme + ":" + a.Path
}

// The schemes of the stores.
const (
	schemeSQLite = "sqlite"
	SchemeHass   = "hass" // a .storage folder of Home Assistant
)

// storeKind is one kind of store. A kind without open is known by its name only.
type storeKind struct {
	scheme string
	open   func(ctx context.Context, c Config) (latchkey.Store, error)
}

// storeKinds is the registry: a store is added to the program by a line here.
func storeKinds() []storeKind {
	return []storeKind{
		{schemeSQLite, openSQLite},
		{SchemeHass, openHass},
		{"postgres", openPostgres},
		{"postgresql", openPostgres},
	}
}

// ParseStore reads the address of a store. Its errors show no more of it than the scheme: an address may hold a
// password.
func ParseStore(text string) (StoreAddress, error) {
	const advice = "use sqlite:PATH, such as sqlite:./latchkey.db, hass:DIR for a .storage folder of Home Assistant, or postgres://USER@HOST/DATABASE"
	scheme, path, found := strings.Cut(text, ":")
	if !found {
		return StoreAddress{}, errors.New("the address of a store begins with its kind: " + advice)
	}
	for _, kind := range storeKinds() {
		switch {
		case kind.scheme != scheme:
			continue
		case strings.HasPrefix(scheme, "postgres"):
			return StoreAddress{Scheme: scheme, Path: path}, nil
		case path == ":memory:":
			return StoreAddress{}, errors.New("a store in memory would forget everything: " + advice)
		case path == "":
			return StoreAddress{}, errors.New("the path of the store is missing: " + advice)
		case strings.HasPrefix(path, "~"+string(filepath.Separator)):
			return StoreAddress{}, fmt.Errorf("the path of the store begins with ~, which nobody replaces behind %s: write "+
				"the whole path, or \"%s:$HOME/…\" in a shell", scheme+":", scheme)
		}
		if scheme == SchemeHass {
			return parseHass(path)
		}
		return StoreAddress{Scheme: scheme, Path: path}, nil
	}
	return StoreAddress{}, errors.New("unknown kind of store: " + advice)
}

// OpenStore opens the store of a configuration, without anything over it.
func OpenStore(ctx context.Context, c Config) (latchkey.Store, error) {
	for _, kind := range storeKinds() {
		if kind.scheme == c.Store.Scheme && kind.open != nil {
			return kind.open(ctx, c)
		}
	}
	return nil, errors.New("unknown kind of store: use sqlite:PATH, hass:DIR or postgres://USER@HOST/DATABASE")
}

// StoreExists reports whether there is a store at the address already. One that is a server's is taken to exist.
func StoreExists(c Config) bool {
	if c.Store.Scheme != schemeSQLite && c.Store.Scheme != SchemeHass {
		return true
	}
	_, err := os.Stat(c.Store.Path)
	return !errors.Is(err, fs.ErrNotExist)
}

// BackUp puts a copy of what a store holds beside it, and returns where; nothing for a store that is kept by a server,
// which has its own ways.
func BackUp(ctx context.Context, s latchkey.Store, at time.Time) ([]string, error) {
	if files, ok := s.(interface {
		BackUp(ctx context.Context, at time.Time) ([]string, error)
	}); ok {
		return files.BackUp(ctx, at)
	}
	return nil, nil
}

func openSQLite(ctx context.Context, c Config) (latchkey.Store, error) {
	if c.MustExist {
		if _, err := os.Stat(c.Store.Path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("database %s: %w: check the path, or make the first account with `latchkey user add`",
				c.Store.Path, fs.ErrNotExist)
		}
	}
	var options []sqlite.Option
	if c.SealKey != "" {
		options = append(options, sqlite.WithSealKey([]byte(c.SealKey.Reveal())))
	}
	store, err := sqlite.Open(ctx, c.Store.Path, options...)
	if err != nil {
		return nil, adviseOpen(c.Store.Path, err)
	}
	return store, nil
}

// adviseOpen adds what to do about a folder that cannot be used.
func adviseOpen(path string, err error) error {
	var place *fs.PathError
	if !errors.As(err, &place) {
		return err
	}
	folder := filepath.Dir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("database %s: %w: make the folder %s first, or choose another store", path, place.Err, folder)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("database %s: %w: let this program's user read and write the folder %s and what is in it, "+
			"or choose another store", path, place.Err, folder)
	}
	return fmt.Errorf("database %s: %w: choose another store", path, place.Err)
}
