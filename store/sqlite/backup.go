package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Backup writes a copy of the whole database to a new file, while everything goes on. It is sealed with the same key,
// which is not copied. A file that exists is refused and stays as it is.
func (s *Store) Backup(ctx context.Context, path string) (err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("back up the database: %w", err)
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			err = errors.Join(fmt.Errorf("back up the database to %s: %w", path, err), os.Remove(path))
		}
	}()
	if _, err := s.writer.ExecContext(ctx, `VACUUM INTO ?`, path); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// BackUp writes a copy beside the database, named after the time, and returns its path.
func (s *Store) BackUp(ctx context.Context, at time.Time) ([]string, error) {
	path := s.path + at.UTC().Format(".backup-20060102T150405.000Z")
	return []string{path}, s.Backup(ctx, path)
}
