package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/store/internal/seal"
	"github.com/seed-6a977b3d/latchkey/store/internal/tables"
)

// Inspection is what there is to know about a database without touching it.
type Inspection struct {
	// Path is the absolute path of the database, and KeyFile that of its key file; empty if the key was given.
	Path, KeyFile string
	// Version is that of the tables, and Newest the one that this program knows. Zero is an empty database.
	Version, Newest int
	// Damage is what is wrong with the file, in the words of SQLite; none if it is sound.
	Damage []string
	// Key says why the key does not open the secrets; nil if it does. It is [fs.ErrNotExist] for a missing key file.
	Key error
	// People says that there are users, and Admin that one of them can manage the house.
	People, Admin bool
	// Latest is when a token was made or used last, as far as the database knows; zero if never.
	Latest time.Time
	// Use is who else has the database open.
	Use Use
}

// Use says which processes use a database, by their ids; zero for none, or where the system does not tell.
type Use struct {
	// Open is one that has it open, and Writing the one that is writing.
	Open, Writing int
}

// Inspect looks at a database, also while others use it, and changes nothing, not even its log. key is the key that was
// given; nil for the key file. It is [fs.ErrNotExist] when there is no database; other errors say why the file cannot be
// used. What was found until then is returned along with them.
func Inspect(ctx context.Context, path string, key []byte) (found Inspection, err error) {
	found.Newest = len(migrations)
	if found.Path, err = filepath.Abs(path); err != nil {
		return found, err
	}
	if key == nil {
		found.KeyFile = keyPath(found.Path)
	}
	if info, err := os.Stat(found.Path); err != nil {
		return found, err
	} else if !info.Mode().IsRegular() {
		return found, fmt.Errorf("%s is no file: choose another path", found.Path)
	}
	file, err := os.Open(found.Path) // whose error says more than SQLite's
	if err != nil {
		return found, err
	}
	_ = file.Close()              // nothing was done with it
	found.Use = InUse(found.Path) // before SQLite has the files open: closing them again would lose its locks
	address, err := untouched(found.Path)
	if err != nil {
		return found, err
	}
	db, err := sql.Open("sqlite", address)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	// One connection, and one state of the database.
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return found, advise(err)
	}
	defer func() { _ = tx.Rollback() }()
	if found.Version, err = versionOf(ctx, tx); err != nil {
		return found, advise(err)
	}
	if found.Damage, err = damage(ctx, tx); err != nil || found.Version == 0 || len(found.Damage) > 0 {
		return found, advise(err)
	}
	if found.Key, err = found.tryKey(ctx, tx, key); err != nil {
		return found, advise(err)
	}
	return found, advise(found.readHouse(ctx, tx))
}

// KeyFile is where the key of a database is, unless one is given.
func KeyFile(database string) string { return keyPath(database) }

// untouched returns the driver's address of a file that is only read. Beside a process that has the file open, its log is
// read along; otherwise nothing but the file itself is looked at.
func untouched(path string) (string, error) {
	const reading = "&mode=ro&_pragma=query_only(1)"
	_, err := os.Stat(path + "-shm")
	if err == nil {
		return fileURL(path) + reading + "&readonly_shm=1", nil
	}
	if log, err := os.Stat(path + "-wal"); err == nil && log.Size() > 0 {
		return "", fmt.Errorf("%s holds changes that the database does not: start latchkey once, which puts them in", log.Name())
	}
	return fileURL(path) + reading + "&immutable=1", nil
}

// damage is what SQLite's own check finds, and references that lead nowhere.
func damage(ctx context.Context, q tables.Querier) ([]string, error) {
	lines, err := tables.Collect(ctx, q, tables.ScanText, `PRAGMA integrity_check(20)`)
	if err != nil {
		return nil, err
	}
	if len(lines) == 1 && lines[0] == "ok" {
		lines = nil
	}
	broken, err := tables.Collect(ctx, q, tables.ScanText,
		`SELECT count(*) || ' rows of the table ' || "table" || ' belong to rows of ' || parent || ' that are not there'
		FROM pragma_foreign_key_check GROUP BY "table", parent`)
	return append(lines, broken...), err
}

// tryKey opens with the key what was sealed for this.
func (found Inspection) tryKey(ctx context.Context, q tables.Querier, key []byte) (wrong, err error) {
	var check []byte
	err = q.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = ?`, checkPlace).Scan(&check)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil // nothing was sealed yet
	} else if err != nil {
		return nil, err
	}
	if key == nil {
		if key, wrong = seal.ReadFile(found.KeyFile); wrong != nil {
			return wrong, nil
		}
	}
	box, wrong := seal.New(key)
	if wrong == nil {
		_, wrong = box.Open(check, checkPlace)
	}
	return wrong, nil
}

// readHouse reads what an older version keeps in the same way.
func (found *Inspection) readHouse(ctx context.Context, q tables.Querier) error {
	var latest sql.Null[int64]
	err := q.QueryRowContext(ctx, `SELECT
		EXISTS (SELECT 1 FROM users WHERE NOT system_generated),
		EXISTS (SELECT 1 FROM users u WHERE NOT system_generated AND (is_owner OR is_active AND EXISTS
			(SELECT 1 FROM user_groups WHERE user_id = u.id AND group_id = ?))),
		(SELECT max(max(created_at, coalesce(last_used_at, 0))) FROM refresh_tokens)`, latchkey.GroupAdmin,
	).Scan(&found.People, &found.Admin, &latest)
	if err == nil && latest.Valid {
		found.Latest = time.UnixMicro(latest.V).UTC()
	}
	return err
}
