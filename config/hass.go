package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/mfa/notify"
	"github.com/seed-6a977b3d/latchkey/mfa/totp"
	"github.com/seed-6a977b3d/latchkey/store/hassfile"
)

// parseHass reads what stands behind hass: a folder, and how it is used.
func parseHass(text string) (StoreAddress, error) {
	dir, query, asked := strings.Cut(text, "?")
	a := StoreAddress{Scheme: SchemeHass, Path: dir}
	if dir == "" {
		return a, errors.New("the folder of the store is missing: use hass:DIR for a .storage folder of Home Assistant")
	}
	if !asked {
		return a, nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return a, fmt.Errorf("%q behind the folder is not understood: use ?mode=follow beside a Home Assistant that runs", query)
	}
	for name := range values {
		switch value := values.Get(name); {
		case name == "mode" && value == "follow":
			a.Follow = true
		case name == "sessions" && value != "":
			a.Sessions = value
		default:
			return a, fmt.Errorf("%q behind the folder is not understood: there are mode=follow and sessions=PATH", name+"="+value)
		}
	}
	if a.Sessions != "" && !a.Follow {
		return a, errors.New("sessions=PATH is for mode=follow only: otherwise sessions are kept in the folder itself")
	}
	return a, nil
}

// openHass opens a .storage folder of Home Assistant.
func openHass(ctx context.Context, c Config) (latchkey.Store, error) {
	if !c.MustExist && !c.ReadOnly {
		if err := beginFolder(c); err != nil {
			return nil, err
		}
	}
	if c.ReadOnly {
		return noNil(hassfile.Read(ctx, c.Store.Path, c.Logger))
	}
	if c.Store.Follow {
		f, err := follow(ctx, c)
		if err == nil {
			c.warnOfFactors(f)
		}
		return noNil(f, err)
	}
	s, err := hassfile.Open(ctx, c.Store.Path, hassfile.WithLogger(c.Logger))
	if err == nil {
		c.warnOfFactors(s)
	}
	return noNil(s, err)
}

// warnOfFactors tells of second factors that people have set up in Home Assistant, and that nobody is asked for as long as
// the configuration does not list them.
func (c Config) warnOfFactors(store interface{ CountSetUp(moduleID string) int }) {
	listed := map[string]bool{}
	for _, m := range c.MFAModules {
		switch m.(type) {
		case TOTP:
			listed[totp.Type] = true
		case Notify:
			listed[notify.Type] = true
		}
	}
	for _, id := range []string{totp.Type, notify.Type} {
		if n := store.CountSetUp(id); n > 0 && !listed[id] {
			cmp.Or(c.Logger, slog.Default()).Warn("people have set up a second factor that nobody is asked for: list it in auth_mfa_modules",
				"type", id, "people", n)
		}
	}
}

// beginFolder makes the folder of a new house where that is meant, and else refuses one that is not there.
func beginFolder(c Config) error {
	makes := c.MakeFolder && !c.Store.Follow
	_, err := os.Stat(c.Store.Path)
	if makes && errors.Is(err, fs.ErrNotExist) {
		err = os.Mkdir(c.Store.Path, 0o700)
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: let this program's user use the folder above it, or name another one", err)
	case makes && err != nil:
		return fmt.Errorf("%w: make the folder above it first, or name another one", err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no folder %s: %s", c.Store.Path, AdviseMissing(c.Store))
	}
	return nil // what else is wrong shows when it is opened
}

// AdviseMissing says what to do about a .storage folder that does not exist.
func AdviseMissing(a StoreAddress) string {
	const name = "name the .storage folder in the configuration folder of Home Assistant"
	if a.Follow {
		return name
	}
	return name + "; or make an empty folder first (mkdir " + a.Path + "), if a new house is to begin there"
}

// noNil makes of a store that was not opened no store at all.
func noNil[S latchkey.Store](s S, err error) (latchkey.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// SessionsPath is the database in which the sessions are kept that begin beside a Home Assistant that is followed.
func (c Config) SessionsPath() string {
	if c.Store.Sessions != "" {
		return c.Store.Sessions
	}
	return filepath.Join(c.Folder, SessionsFile)
}

// follow opens a folder beside the Home Assistant that writes it.
func follow(ctx context.Context, c Config) (*hassfile.Follower, error) {
	own := c
	own.MustExist = false // there are no sessions at first
	own.Store = StoreAddress{Scheme: schemeSQLite, Path: c.SessionsPath()}
	for _, path := range []string{own.Store.Path, c.BanFile()} {
		if inside, err := isWithin(path, c.Store.Path); err != nil {
			return nil, err
		} else if inside {
			return nil, fmt.Errorf("%s would be made in the folder that is followed, and nothing is ever written there: start "+
				"in another folder, and name a place for sessions outside of it, as in hass:DIR?mode=follow&sessions=PATH", path)
		}
	}
	sessions, err := openSQLite(ctx, own)
	if err != nil {
		return nil, err
	}
	store, err := hassfile.Follow(ctx, c.Store.Path, sessions, c.Logger)
	if err != nil {
		return nil, errors.Join(err, sessions.Close())
	}
	return store, nil
}

// isWithin reports whether a file that may not exist yet is in a folder, or in one below it. A folder that does not exist
// has nothing in it.
func isWithin(path, folder string) (bool, error) {
	outer, err := os.Stat(folder)
	if err != nil {
		return false, nil // which the opening of the folder has more to say about
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	if path, err = filepath.Abs(path); err != nil {
		return false, err
	}
	dir := filepath.Dir(path)
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	for {
		if info, err := os.Stat(dir); err == nil && os.SameFile(info, outer) {
			return true, nil
		}
		above := filepath.Dir(dir)
		if above == dir {
			return false, nil
		}
		dir = above
	}
}
