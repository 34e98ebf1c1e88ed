package hassfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// homeAssistantRuns reports whether a Home Assistant runs on a folder, which may be known to it by another name than to us,
// or be a link in its configuration folder. An old one is not noticed: it locks nothing.
func homeAssistantRuns(dir string) bool {
	dir, err := filepath.Abs(dir) // "." is in another one as well
	if err != nil {
		return false
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		real = dir
	}
	return slices.ContainsFunc([]string{dir, real}, func(each string) bool {
		return locked(filepath.Join(filepath.Dir(each), ".ha_run.lock"))
	})
}

// storage is what Home Assistant calls the folder, in that of its configuration.
const storage = ".storage"

// isFolder refuses what is no .storage folder. An empty folder is one that is about to be.
func isFolder(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: let this program's user read the folder and what is in it", err)
	} else if err != nil {
		return fmt.Errorf("%w: name the .storage folder in the configuration folder of Home Assistant", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no folder: name the .storage folder in the configuration folder of Home Assistant", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%w: let this program's user read the folder and what is in it", err)
	}
	strange := false
	for _, e := range entries {
		if slices.Contains(names(), e.Name()) || strings.HasPrefix(e.Name(), "core.") {
			return nil
		}
		ours := strings.HasPrefix(e.Name(), ".latchkey.") || strings.HasSuffix(e.Name(), temporary)
		strange = strange || !ours
	}
	if _, err := os.Stat(filepath.Join(dir, storage)); err == nil {
		return fmt.Errorf("%s holds files, but none of Home Assistant's: name %s in it", dir, filepath.Join(dir, storage))
	}
	if strange {
		return fmt.Errorf("%s holds files, but none of Home Assistant's: name its .storage folder, or an empty one", dir)
	}
	return nil
}
