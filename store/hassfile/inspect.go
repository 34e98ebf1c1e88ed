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
	// Locked says that a latchkey has the folder for itself, and HomeAssistant that a Home Assistant runs on it.
	Locked, HomeAssistant bool
	// Interrupted says that a change was cut off, which the next [Open] carries out, or gives up with all that was prepared
	// for it; and Leftovers are the paths of files that it just removes.
	Interrupted bool
	Leftovers   []string
}

// Inspect looks at a folder and changes nothing.
func Inspect(dir string) (Inspection, error) {
	var found Inspection
	if err := isFolder(dir); err != nil {
		return found, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
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
	if found.Interrupted { // they are what it wants to put in its places
		found.Leftovers = nil
	}
	found.Locked, found.HomeAssistant = locked(filepath.Join(dir, lockName)), homeAssistantRuns(dir)
	return found, nil
}

// homeAssistantRuns reports whether a Home Assistant runs on a folder. An old one is not noticed: it locks nothing.
func homeAssistantRuns(dir string) bool {
	return locked(filepath.Join(filepath.Dir(filepath.Clean(dir)), ".ha_run.lock"))
}
