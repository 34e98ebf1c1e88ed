package doctor

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/store/hassfile"
	"github.com/seed-6a977b3d/latchkey/store/postgres"
	"github.com/seed-6a977b3d/latchkey/store/sqlite"
)

// store looks at where the data is kept.
func (e *examination) store(ctx context.Context) house {
	switch scheme := e.config.Store.Scheme; {
	case scheme == "sqlite":
		return e.sqlite(ctx, e.config.Store.Path)
	case scheme == "hass":
		return e.hass(ctx)
	case strings.HasPrefix(scheme, "postgres"):
		return e.postgres(ctx)
	default:
		e.add(Store, Warning, "", "nothing is known here about stores of the kind %s", scheme)
		return house{}
	}
}

// The advice that is given more than once.
const (
	mendBackup = "restore it from a backup: the files beside it that are named after a time are copies, too"
	mendKey    = "restore the key that belongs to this database, as its file or as LATCHKEY_SEAL_KEY"
)

func (e *examination) givenKey() []byte {
	if e.config.SealKey == "" {
		return nil
	}
	return []byte(e.config.SealKey.Reveal())
}

func (e *examination) sqlite(ctx context.Context, path string) house {
	found, err := sqlite.Inspect(ctx, path, e.givenKey())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		maker := "`latchkey serve` or `latchkey user add`"
		if e.config.Store.Follow {
			maker = "`latchkey serve`" // users are Home Assistant's to add
		}
		e.add(Store, Note, maker+" makes it; if there should be one, correct the address of the store",
			"there is no database %s yet", path)
		return house{}
	case errors.Is(err, fs.ErrPermission):
		e.add(Store, Error, "let the user that latchkey runs as read and write it, or run this as that user", "%v", err)
		return house{}
	case err != nil:
		e.add(Store, Error, "", "%s: %v", path, err)
		return house{}
	case len(found.Damage) > 0:
		e.add(Store, Error, mendBackup, "%s is damaged: %s", path, strings.Join(found.Damage, "; "))
		return house{}
	}
	if found.Version < found.Newest {
		e.add(Store, Note, "the next start of this program brings it up to date; have a backup",
			"%s is of version %d, and this program knows %d", path, found.Version, found.Newest)
	}
	e.writers(ctx, found)
	e.or(Store, "%s is sound, of version %d%s", path, found.Version, openBy(found.Use))
	e.sqliteKey(found)
	return house{known: found.Version > 0, people: found.People, admin: found.Admin, latest: found.Latest}
}

func openBy(use sqlite.Use) string {
	if use.Open == 0 {
		return ""
	}
	return ", and open in process " + number(use.Open)
}

// How long a process may write before it counts as hanging, and how often it is looked for.
const (
	writesAtMost = 2 * time.Second
	looks        = 8
)

// writers tells about a process that keeps all others from writing.
func (e *examination) writers(ctx context.Context, found sqlite.Inspection) {
	by := found.Use.Writing
	for range looks {
		if by == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(writesAtMost / looks):
		}
		if sqlite.InUse(found.Path).Writing != by {
			return // it comes and goes
		}
	}
	e.add(Store, Warning, "see what the process does, and end it if it hangs",
		"process %d has been writing for more than %v, and nobody else can meanwhile", by, writesAtMost)
}

func (e *examination) sqliteKey(found sqlite.Inspection) {
	place := found.KeyFile
	if place == "" {
		place = "LATCHKEY_SEAL_KEY"
	}
	switch {
	case found.Key == nil:
		e.ok(Key, "%s opens the secrets in the database", place)
	case errors.Is(found.Key, fs.ErrNotExist):
		e.add(Key, Error, mendKey, "%s is missing, without which no secret in the database can be read", place)
	case errors.Is(found.Key, fs.ErrPermission):
		e.add(Key, Error, "let the user that latchkey runs as read it, and nobody else", "%v", found.Key)
	case found.KeyFile != "" && readByOthers(found.KeyFile):
		e.add(Key, Error, "chmod 600 "+place, "others may read the key %s, and so it is not used", place)
	default:
		e.add(Key, Error, mendKey, "%s does not open the secrets in the database: %v", place, found.Key)
	}
}

func readByOthers(path string) bool {
	info, err := os.Stat(path)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&(anyRead|anyWrite) != 0
}

// When an answer of PostgreSQL is slow: what is not in memory waits for it.
const slowAnswer = 50 * time.Millisecond

// nodeConnections is how many connections a node may open.
const nodeConnections = 17

func (e *examination) postgres(ctx context.Context) house {
	c := e.config.Store
	found, err := postgres.Inspect(ctx, c.Scheme+":"+c.Path, e.givenKey())
	if err != nil {
		mend := ""
		if errors.Is(err, latchkey.ErrUnavailable) {
			mend = "start it, or correct the address of the store"
		}
		e.add(Store, Error, mend, "%v", err)
		return house{}
	}
	if found.Version < found.Newest && found.Version > 0 {
		e.add(Store, Note, "the next start of this program brings them up to date; have a backup, and start all nodes anew",
			"the tables at %s are of version %d, and this program knows %d", found.Place, found.Version, found.Newest)
	}
	if found.Standby {
		e.add(Store, Error, "name the primary in the address of the store", "%s only follows another database, and cannot be written to", found.Place)
	}
	if len(found.Volatile) > 0 {
		e.add(Store, Warning, "turn it on in postgresql.conf",
			"what was acknowledged may be lost with the power, because %s is off", strings.Join(found.Volatile, " and "))
	}
	if found.Latency > slowAnswer {
		e.add(Store, Warning, "run latchkey nearer to the database", "%s takes %v for an answer, which everybody waits for whose data is not in memory",
			found.Place, found.Latency.Round(time.Millisecond))
	}
	if found.Others+nodeConnections > found.Connections {
		e.add(Store, Warning, "raise max_connections in postgresql.conf, or run fewer nodes",
			"PostgreSQL takes %d connections, of which nodes have %d, and another node may open %d", found.Connections, found.Others, nodeConnections)
	}
	e.or(Store, "%s answers in %v, with %s of nodes; PostgreSQL is %s", found.Place, found.Latency.Round(10*time.Microsecond),
		connections(found.Others), found.Server)
	if found.Version == 0 {
		e.add(Store, Note, "`latchkey serve` makes them", "there are no tables at %s yet", found.Place)
	}
	switch {
	case e.config.SealKey == "":
		e.add(Key, Error, "set LATCHKEY_SEAL_KEY, on all nodes alike, to what `openssl rand -hex 32` prints",
			"there is no key to seal the secrets in the database with")
	case found.Key != nil:
		e.add(Key, Error, mendKey, "%v", found.Key)
	case found.Version == 0:
		e.ok(Key, "LATCHKEY_SEAL_KEY will seal the secrets in the database")
	default:
		e.ok(Key, "LATCHKEY_SEAL_KEY opens the secrets in the database")
	}
	return house{
		known: found.Version > 0, people: found.People, admin: found.Admin, latest: found.Latest,
		ahead: found.ClockAhead, hasClock: true,
	}
}

func connections(n int) string {
	if n == 1 {
		return "1 connection"
	}
	return number(n) + " connections"
}

func (e *examination) hass(ctx context.Context) house {
	dir, follow := e.config.Store.Path, e.config.Store.Follow
	found, err := hassfile.Inspect(dir)
	if errors.Is(err, fs.ErrNotExist) {
		e.add(Store, Error, config.AdviseMissing(e.config.Store), "there is no folder %s", dir)
		return house{}
	} else if err != nil {
		e.add(Store, Error, "", "%v", err)
		return house{}
	}
	log := &collector{}
	snapshot, err := hassfile.Read(ctx, dir, slog.New(log))
	if err != nil {
		e.add(Store, Error, "mend the file with an editor, or restore it from a backup", "%v", err)
		return house{}
	}
	for _, line := range log.lines {
		e.add(Store, Warning, "", "%s", line)
	}
	loose, err := snapshot.LoosePasswords(ctx)
	if err != nil {
		e.add(Store, Error, "", "%v", err)
		return house{}
	}
	for _, p := range loose {
		e.add(Store, Warning, "take it out of the file unless that is meant",
			"the password of %q belongs to nobody: Home Assistant makes an administrator of whoever signs in with it", p.Username)
	}
	if found.HomeAssistant && !follow {
		e.add(Store, Error, "stop Home Assistant, or use ?mode=follow beside it",
			"a Home Assistant runs on %s: what one of the two writes, the other does not know", dir)
	}
	if found.Interrupted {
		e.add(Store, Note, "the next start carries it out", "a change to %s was cut off in the middle", dir)
	}
	for _, path := range found.Leftovers {
		e.add(Store, Note, "the next start removes it", "%s is left over from a write that was cut off", path)
	}
	state := ""
	switch {
	case found.Locked:
		state = ", and a latchkey has it open: changes are made on its pages, or when it is stopped"
	case found.HomeAssistant:
		state = ", and Home Assistant runs on it"
	}
	if len(found.Files) == 0 && !follow {
		e.add(Store, Note, "if there should be one, name the .storage folder of Home Assistant; otherwise `latchkey serve` begins it",
			"there is no house in %s yet", dir)
	}
	e.or(Store, "%s holds %d files of a house%s", dir, len(found.Files), state)
	h, err := readHouse(ctx, snapshot)
	if err != nil {
		e.add(Store, Error, "", "%v", err)
		return house{}
	}
	if !follow {
		e.ok(Key, "nothing is sealed in Home Assistant's own files")
		return h
	}
	sessions := e.sqlite(ctx, e.config.SessionsPath())
	if sessions.latest.After(h.latest) {
		h.latest = sessions.latest
	}
	e.or(Key, "the key is made with the database of the sessions")
	return h
}

// readHouse reads who lives in a house from a store that is in memory.
func readHouse(ctx context.Context, r latchkey.Reader) (h house, err error) {
	h.known = true
	if h.people, err = r.HasPeople(ctx); err != nil {
		return h, err
	}
	if h.admin, err = r.HasAdminBeside(ctx, ""); err != nil {
		return h, err
	}
	after := ""
	for {
		page, err := r.Users(ctx, after, 500)
		if err != nil || len(page) == 0 {
			return h, err
		}
		for _, u := range page {
			tokens, err := r.RefreshTokens(ctx, u.ID)
			if err != nil {
				return h, err
			}
			for _, t := range tokens {
				for _, at := range []time.Time{t.CreatedAt, t.LastUsedAt} {
					if at.After(h.latest) {
						h.latest = at
					}
				}
			}
			after = u.ID
		}
	}
}
