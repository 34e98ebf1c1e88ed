package hassfile

import (
	"os"
	"path/filepath"
	"strings"
)

// Inspection is what there is to know about a folder, beside what [Read] finds in its files.
type Inspection struct {
	// Files are the paths of the files that a house is kept in, as far as they are there.
	Files []string
	// Locked says that a latchkey has the folder for itself.
	Locked bool
	// Interrupted says that a change was cut off, which the next [Open] carries out; and Leftovers are the paths of files
	// that it removes.
	Interrupted bool
	Leftovers   []string
}

// Inspect looks at a folder and changes nothing.
func Inspect(dir string) (Inspection, error) {
	var found Inspection
	entries, err := os.ReadDir(dir)
	if err != nil {
		return found, err
	}
	if err := isFolder(disk{}, dir, entries); err != nil {
		return found, err
	}
	for _, name := range names() {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			found.Files = append(found.Files, path)
		}
	}
	for _, e := range entries {
		switch {
		case e.Name() == journalFile:
			found.Interrupted = true
		case strings.HasSuffix(e.Name(), temporary):
			found.Leftovers = append(found.Leftovers, filepath.Join(dir, e.Name()))
		}
	}
	found.Locked = Locked(filepath.Join(dir, lockName))
	return found, nil
}
