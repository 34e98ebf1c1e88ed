package hassfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

// A backup that is restored, or a tool that keeps the times of files, may make another file look like the one before.
func TestAFileThatLooksLikeTheOneBeforeIsRead(t *testing.T) {
	for name, put := range map[string]func(path, text string) error{
		"removed and made anew": func(path, text string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte(text), 0o600))
		},
		"written in its place": func(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			f, _, dir := followed(t)
			path := filepath.Join(dir, authFile)
			before, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			other := strings.Replace(text(t, dir, authFile), `"id": "`+adaToken+`"`, `"id": "`+strings.ToUpper(adaToken)+`"`, 1)
			if err := errors.Join(put(path, other), os.Chtimes(path, before.ModTime(), before.ModTime())); err != nil {
				t.Fatal(err)
			}
			if after, err := os.Stat(path); err != nil || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
				t.Fatalf("it is another in size or time: %v, %v", after, err)
			}
			soon(t, "the revoked token is gone", func() bool {
				_, err := f.RefreshToken(t.Context(), adaToken)
				return errors.Is(err, latchkey.ErrNotFound)
			})
		})
	}
}

// The folders of some file systems, as of some that are reached by a network, cannot be synced. Files are kept there as safely
// as that goes.
func TestAFolderThatCannotBeSynced(t *testing.T) {
	if err := (disk{}).SyncDir("/proc"); err != nil {
		t.Error(err)
	}
	if err := (disk{}).SyncDir("/nowhere"); err == nil {
		t.Error("a folder that is not there is synced")
	}
}
