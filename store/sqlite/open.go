package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/seed-6a977b3d/latchkey/store/internal/seal"
)

// applicationID marks a SQLite file as ours: "ltch".
const applicationID = 0x6c746368

// createPrivate makes the file, readable by its owner alone, unless it is there. SQLite gives the files that it puts
// beside it the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// inspect refuses a file that is none of ours, and a database of a newer version, before anything is written to it:
// setting the journal mode alone would.
func inspect(ctx context.Context, path string) (err error) {
	db, err := sql.Open("sqlite", fileURL(path)+"&_pragma=query_only(1)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return advise(err)
	}
	defer func() { _ = tx.Rollback() }()
	_, err = versionOf(ctx, tx)
	return advise(err)
}

// versionOf returns the version of a database of ours, or 0 for an empty one.
func versionOf(ctx context.Context, tx *sql.Tx) (version int, err error) {
	var id, tables int
	err = errors.Join(
		tx.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version),
		tx.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&id),
		tx.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&tables))
	switch {
	case err != nil:
		return 0, err
	case id != applicationID && (tables > 0 || version != 0 || id != 0):
		return 0, errors.New("this is the database of another program; give latchkey a file of its own")
	case version > len(migrations):
		return 0, fmt.Errorf("this database is of version %d, and this program knows versions up to %d: "+
			"use the program that wrote it, or a newer one", version, len(migrations))
	}
	return version, nil
}

// advise says what to do about a file that SQLite cannot use.
func advise(err error) error {
	var s *sqlite.Error
	if !errors.As(err, &s) {
		return err
	}
	switch s.Code() & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return errors.New("this is not an SQLite database; give latchkey a file of its own")
	case sqlite3.SQLITE_CORRUPT:
		return errors.New("this database is damaged; restore it from a backup")
	}
	return err
}

// checkPlace is where a known text is stored sealed, so that a wrong key is noticed when the database is opened.
const (
	checkPlace = "meta/seal_check"
	checkText  = "latchkey"
)

// openBox returns the box with the key that was given, or the one in the file beside the database.
func (s *Store) openBox(ctx context.Context, key []byte) (*seal.Box, error) {
	var check []byte
	err := s.readers.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = ?`, checkPlace).Scan(&check)
	fresh := errors.Is(err, sql.ErrNoRows)
	if err != nil && !fresh {
		return nil, fmt.Errorf("open %s: %w", s.path, err)
	}
	const advice = "key does not match this database; restore the key file or set LATCHKEY_SEAL_KEY"
	mismatch := fmt.Errorf("open %s: the given %s to the key that it was made with", s.path, advice)
	if key == nil {
		path := keyPath(s.path)
		mismatch = fmt.Errorf("open %s: %s", path, advice)
		if key, err = readKey(path, fresh); err != nil {
			return nil, err
		}
	}
	box, err := seal.New(key)
	if err != nil {
		return nil, err
	}
	if fresh {
		if check, err = s.firstCheck(ctx, box); err != nil {
			return nil, fmt.Errorf("open %s: %w", s.path, err)
		}
	}
	if _, err := box.Open(check, checkPlace); err != nil {
		return nil, mismatch
	}
	return box, nil
}

// keyPath returns where the key of a database is: beside it, with another extension.
func keyPath(database string) string {
	const extension = ".key"
	if filepath.Ext(database) == extension {
		return database + extension
	}
	return strings.TrimSuffix(database, filepath.Ext(database)) + extension
}

// readKey reads the key file. It is made for a fresh database, and only for one: a new key would open nothing else.
func readKey(path string, fresh bool) ([]byte, error) {
	key, err := seal.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if !fresh {
			return nil, fmt.Errorf("open %s: the key of this database is missing; restore the key file or set LATCHKEY_SEAL_KEY", path)
		}
		return seal.CreateFile(path)
	}
	return key, err
}

// firstCheck stores the known text. When another process was faster its text stays, and is returned.
func (s *Store) firstCheck(ctx context.Context, box *seal.Box) (check []byte, err error) {
	sealed, err := box.Seal([]byte(checkText), checkPlace)
	if err != nil {
		return nil, err
	}
	_, err = s.writer.ExecContext(ctx, `INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING`, checkPlace, sealed)
	if err != nil {
		return nil, err
	}
	err = s.writer.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = ?`, checkPlace).Scan(&check)
	return check, err
}
