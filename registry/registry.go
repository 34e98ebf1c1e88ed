// Package registry reads where things are from the entity and device registries in a .storage folder of Home Assistant,
// for policies that speak of devices and areas. It only reads, and knows nothing about users.
package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-6a977b3d/latchkey/permission"
)

// The files that are read.
const (
	EntityFile = "core.entity_registry"
	DeviceFile = "core.device_registry"
)

// fresh is how long what was read is believed without a look at the files.
const fresh = time.Second

// Registry is a [permission.Lookup] over the two files. When Home Assistant writes them anew, so they are read within a
// second of the next question.
type Registry struct {
	folder string
	log    *slog.Logger
	known  atomic.Pointer[snapshot]
	mu     sync.Mutex // held by who reads
}

var _ permission.Lookup = (*Registry)(nil)

// snapshot is the files as they were.
type snapshot struct {
	checked          time.Time
	entities, device fs.FileInfo // nil if there was no file
	entityIDs        []string    // sorted
	deviceOf         map[string]string
	areaOf           map[string]string
	problem          string // what was wrong with the files, which is logged once
}

// Open reads the registries of a folder. Files that are missing are empty registries; one that cannot be read is an error
// that names it. Later on such a file is logged, and what was read before goes on counting. logger may be nil for
// [slog.Default].
func Open(folder string, logger *slog.Logger) (*Registry, error) {
	if logger == nil {
		logger = slog.Default()
	}
	r := &Registry{folder: folder, log: logger}
	s := &snapshot{}
	if err := r.refresh(s); err != nil {
		return nil, err
	}
	r.known.Store(s)
	return r, nil
}

// DeviceOfEntity implements [permission.Lookup].
func (r *Registry) DeviceOfEntity(entityID string) (string, bool) {
	id, ok := r.now().deviceOf[entityID]
	return id, ok
}

// AreaOfDevice implements [permission.Lookup].
func (r *Registry) AreaOfDevice(deviceID string) (string, bool) {
	id, ok := r.now().areaOf[deviceID]
	return id, ok
}

// FindEntities returns, sorted, up to limit entity ids that contain text; an empty text is in all of them.
func (r *Registry) FindEntities(text string, limit int) []string {
	var found []string
	for _, id := range r.now().entityIDs {
		if len(found) >= limit {
			break
		}
		if strings.Contains(id, text) {
			found = append(found, id)
		}
	}
	return found
}

// now returns what the files hold, as of at most a second ago. One caller looks, the others need not wait.
func (r *Registry) now() *snapshot {
	known := r.known.Load()
	if time.Since(known.checked) < fresh || !r.mu.TryLock() {
		return known
	}
	defer r.mu.Unlock()
	next := *r.known.Load()
	problem := ""
	if err := r.refresh(&next); err != nil {
		if problem = err.Error(); problem != next.problem {
			r.log.Error("where things are cannot be read anew", "error", err)
		}
	}
	next.problem = problem
	r.known.Store(&next)
	return &next
}

// refresh reads what is another file than last time. What fails to be read stays as it was.
func (r *Registry) refresh(s *snapshot) error {
	s.checked = time.Now()
	var entities struct {
		Entities []struct {
			EntityID string  `json:"entity_id"`
			DeviceID *string `json:"device_id"`
		} `json:"entities"`
	}
	readEntities, err1 := r.read(EntityFile, &s.entities, &entities)
	if readEntities {
		s.entityIDs = make([]string, 0, len(entities.Entities))
		s.deviceOf = make(map[string]string, len(entities.Entities))
		for _, e := range entities.Entities {
			s.entityIDs = append(s.entityIDs, e.EntityID)
			if e.DeviceID != nil {
				s.deviceOf[e.EntityID] = *e.DeviceID
			}
		}
		slices.Sort(s.entityIDs)
	}
	var devices struct {
		Devices []struct {
			ID     string  `json:"id"`
			AreaID *string `json:"area_id"`
		} `json:"devices"`
	}
	readDevices, err2 := r.read(DeviceFile, &s.device, &devices)
	if readDevices {
		s.areaOf = make(map[string]string, len(devices.Devices))
		for _, d := range devices.Devices {
			if d.AreaID != nil {
				s.areaOf[d.ID] = *d.AreaID
			}
		}
	}
	return errors.Join(err1, err2)
}

// read reads the data of one file, unless it is the file that was seen last.
func (r *Registry) read(name string, seen *fs.FileInfo, data any) (bool, error) {
	path := filepath.Join(r.folder, name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		gone := *seen != nil
		*seen = nil
		return gone, nil
	case err != nil:
		return false, err
	case *seen != nil && os.SameFile(*seen, info) && (*seen).ModTime().Equal(info.ModTime()) && (*seen).Size() == info.Size():
		return false, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	envelope := struct {
		Data any `json:"data"`
	}{data}
	if err := json.Unmarshal(text, &envelope); err != nil {
		return false, fmt.Errorf("%s: %w: it is not what Home Assistant writes; restore it from a backup", path, err)
	}
	*seen = info
	return true, nil
}
